"""What decisions drew from the table: the one place that knows how a router's choices become outcomes.

A router that chooses one model a task drew that model's outcome; a cascade drew all those that it asked, and its cost
is theirs together. Left out: adding up (`krins.runs.tally`).
"""

from __future__ import annotations

import numpy as np

from krins.environments.cascade import Cascade, Drawn
from krins.environments.table import OutcomeTable
from krins.router_specs import CascadeRouter
from krins.routing.build import arm_number
from krins.runs.plan import Plan, Stream
from krins.runs.streams import Trajectory


def cascade_of(router: CascadeRouter, table: OutcomeTable) -> Cascade:
    """
    Raises:
        SuiteError: the router names a model that the table does not have.
    """
    names = [arm.name for arm in table.arms]
    return Cascade(table, [arm_number(router, model, names) for model in router.models])


def play_cascade(plan: Plan, table: OutcomeTable, router: CascadeRouter, stream: Stream) -> Trajectory:
    """A cascade learns nothing: its decisions follow from the schedule. The arms are those whose answer was taken."""
    schedule = plan.schedule(stream)
    outcome = cascade_of(router, table).simulate(router.verifier, schedule.tasks, schedule.draws)
    return Trajectory(stream, outcome.arms.astype(np.int16), None)


def drawn(plan: Plan, table: OutcomeTable, trajectory: Trajectory) -> Drawn:
    """Of a stream's decisions; all shapes are (n_steps, n_replications)."""
    schedule, router = plan.schedule(trajectory.stream), plan.suite.routers[trajectory.stream.router]
    tasks, arms = schedule.tasks, trajectory.arms.astype(np.int64)
    if isinstance(router, CascadeRouter):
        return cascade_of(router, table).simulate(router.verifier, tasks, schedule.draws)
    cell = tasks, arms, plan.samples(schedule.draws, table.counts[tasks, arms])
    context = table.context and table.context.at(cell)
    return Drawn(arms, table.quality[cell], table.cost_usd[cell], table.tokens[cell], table.failure[cell], context)
