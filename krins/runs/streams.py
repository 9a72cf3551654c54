"""Play one stream: a router decides, outcomes come back, it learns; round after round.

The same loop (`krins.routing.play`) runs recorded and live suites; only where a round's rewards come from differs.
Invariants: a trajectory depends on suite, seed and outcomes alone; feedback is applied in task order. Left out:
running streams at the same time, and keeping what they find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from krins.environments.table import OutcomeTable
from krins.interfaces import FloatArray, IntArray
from krins.router_specs import CONTEXTUAL, Router
from krins.routing.build import Ground
from krins.routing.play import Results, play
from krins.runs.plan import Plan, Schedule, Stream

ResultSource = Callable[[IntArray, IntArray, IntArray], Results]
"""(tasks, arms, draws), each of shape (n_steps, n_replications), to what came of them."""


@dataclass(frozen=True)
class Trajectory:
    """What one stream decided."""

    stream: Stream
    arms: NDArray[np.int16]
    """Shape (n_steps, n_replications): index of the arm chosen at each step, in the environment's order."""
    probabilities: NDArray[np.float64] | None
    """Shape (n_steps, n_replications): with which it was chosen; None where that takes quadrature."""


def play_stream(plan: Plan, stream: Stream, ground: Ground, results: ResultSource) -> Trajectory:
    """Run a stream to its end."""
    schedule, router = plan.schedule(stream), plan.suite.routers[stream.router]
    policy = ground.policy(router)
    replications = np.arange(stream.n_replications)

    def results_of(first_step: int, choices: IntArray) -> Results:
        steps = slice(first_step, first_step + len(choices))
        return results(schedule.tasks[steps], schedule.arms[replications, choices], schedule.draws[steps])

    played = play(
        policy,
        plan.n_arms,
        stream.n_replications,
        plan.n_steps,
        results_of,
        plan.generator(stream),
        plan.suite.n_decisions_a_round,
        delay=plan.suite.feedback_delay,
        features=_features_by_step(ground, router, schedule),
        state=ground.state(router, policy, schedule.arms),
    )
    arms = schedule.arms[replications, played.arms].astype(np.int16)
    return Trajectory(stream, arms, played.probabilities)


def _features_by_step(ground: Ground, router: Router, schedule: Schedule) -> Callable[[int], FloatArray] | None:
    features = ground.features
    if features is None or not isinstance(router, CONTEXTUAL):
        return None
    return lambda step: features[schedule.tasks[step]]


def recorded_results(table: OutcomeTable, rewards: FloatArray) -> ResultSource:
    """Look results up; `rewards` has shape (n_tasks, n_arms, n_samples)."""

    def look_up(tasks: IntArray, arms: IntArray, draws: IntArray) -> Results:
        cell = tasks, arms, draws % table.counts[tasks, arms]
        return Results(rewards[cell], table.quality[cell], table.cost_usd[cell])

    return look_up
