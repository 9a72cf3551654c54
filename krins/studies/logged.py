"""What one router decided in one replication of a finished run, as a log that off-policy estimators can read.

Invariants: every decision has the exact probability of each arm, from the policy's state at that decision, which is
brought back by playing the log again (Thompson sampling by quadrature); so a log's propensities never depend on chance.
A decision without an outcome to judge counts as in the run's table: quality 0, at the model's mean cost. Left out:
estimating anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from krins.environments.table import OutcomeTable, is_unanswered, unanswered_at_mean_cost
from krins.errors import RunError
from krins.interfaces import BoolArray, Choice, Context, Feedback, FloatArray, IntArray, Policy
from krins.router_specs import CONTEXTUAL, NAMING, CascadeRouter, Router
from krins.routing.build import Ground, check_reward_range
from krins.routing.play import Results, play
from krins.routing.reward import reward_values
from krins.runs.environments import recorded_setting
from krins.runs.ground import live_ground
from krins.runs.outcome import live_table, recorded_table
from krins.runs.plan import BLOCK_SIZE, Plan, Stream
from krins.runs.records import NOUNS
from krins.runs.session import RunLog, read_run
from krins.runs.store import Store
from krins.statistics.clustered import cluster_codes


@dataclass(frozen=True)
class Traffic:
    """The decisions of one replication; arrays of shape (n_steps,) unless said, arms in the environment's order."""

    plan: Plan
    table: OutcomeTable
    ground: Ground
    router: Router
    tasks: IntArray
    """Index of the task at each step."""
    arms: IntArray
    order: IntArray
    """Shape (n_arms,): the arms as the router saw them."""
    quality: FloatArray
    cost_usd: FloatArray
    rewards: FloatArray
    """NaN where there was no outcome to learn from."""
    recorded_probabilities: FloatArray | None

    @property
    def is_answered(self) -> BoolArray:
        return ~np.isnan(self.rewards)

    @cached_property
    def clusters(self) -> IntArray:
        """By repository; a task of none is one of its own, however often it comes up."""
        return cluster_codes([task.repository for task in self.table.tasks])[self.tasks]

    @cached_property
    def propensities(self) -> FloatArray:
        """Shape (n_steps, n_arms): of the router that made the log."""
        return self._along(self.router, self.ground, self.recorded_probabilities)

    def along(self, router: Router) -> FloatArray:
        """The probability of each arm under another router that learns from this log, before each of its decisions.

        Shape (n_steps, n_arms). The suite's exploration floor is the log's, not that router's.

        Raises:
            SuiteError: the router does not fit the run's environment.
        """
        known = self.rewards[self.is_answered]
        check_reward_range(router, float(known.min()), float(known.max()))
        told = self.propensities[np.arange(len(self.arms)), self.arms]
        return self._along(router, replace(self.ground, exploration_floor=0.0), told)

    def _along(self, router: Router, ground: Ground, told: FloatArray | None) -> FloatArray:
        """`told`: the probabilities of the logged arms that the router hears of with the feedback."""
        order = np.arange(len(self.order)) if isinstance(router, NAMING) else self.order
        place = np.argsort(order)
        policy = ground.policy(router)
        follower = _Follower(policy, place[self.arms], told)
        features = ground.features if isinstance(router, CONTEXTUAL) else None
        suite = self.plan.suite
        play(
            follower,
            len(order),
            1,
            len(self.arms),
            self._results,
            np.random.default_rng(0),
            suite.n_decisions_a_round,
            delay=suite.feedback_delay,
            features=None if features is None else lambda step: features[self.tasks[step : step + 1]],
            state=ground.state(router, policy, order[None, :]),
        )
        return np.concatenate(follower.seen)[:, place]

    def _results(self, first_step: int, arms: IntArray) -> Results:
        steps = slice(first_step, first_step + len(arms))
        return Results(self.rewards[steps, None], self.quality[steps, None], self.cost_usd[steps, None])


class _Follower:
    """A policy that makes the choices of a log, and notes what another one would have made of each decision."""

    def __init__(self, policy: Policy[Any], arms: IntArray, told: FloatArray | None) -> None:
        self._policy, self._arms, self._told = policy, arms, told
        self.seen: list[FloatArray] = []
        """Of each step: its propensities, shape (1, n_arms)."""
        self.params = policy.params

    def init(self, n_arms: int, n_replications: int) -> Any:
        return self._policy.init(n_arms, n_replications)

    def choose(self, state: Any, context: Context, rng: np.random.Generator) -> Choice:
        step = len(self.seen)
        self.seen.append(self._policy.propensities(state, context))
        return Choice(self._arms[step : step + 1], None if self._told is None else self._told[step : step + 1])

    def update(self, state: Any, feedback: Feedback) -> Any:
        return self._policy.update(state, feedback)

    def propensities(self, state: Any, context: Context) -> FloatArray:
        return self._policy.propensities(state, context)


def read_traffic(store: Store, run_id: str, label: str | None, replication: int) -> Traffic:
    """The decisions of the router of that label (by default the only one) in one replication of a run.

    Raises:
        RunError: the run has no such router or replication, has not come so far, has lost outcomes, or the router is a
            cascade.
    """
    log = read_run(store, run_id)
    stream, column = _stream(log, run_id, label, replication)
    trajectory = log.trajectories.get(stream)
    if trajectory is None:
        raise RunError(f"run {run_id} is not finished", f"krins-eval run --resume {run_id}")
    plan, table, ground = _setting(log)
    schedule = plan.schedule(stream)
    tasks, arms = schedule.tasks[:, column], trajectory.arms[:, column].astype(np.int64)
    cell = tasks, arms, plan.samples(schedule.draws[:, column], table.counts[tasks, arms])
    if np.isnan(table.quality[cell]).any():
        raise RunError(
            f"run {run_id}: outcomes are missing from its journal, so that what its router knew cannot be told",
            "ask about another run; `krins-eval history rebuild` names journals that are damaged",
        )
    rewards = reward_values(plan.suite.reward, table.quality[cell], table.cost_usd[cell], table.latency_seconds[cell])
    learnt = log.started.table_parquet is not None or ~is_unanswered(table.failure[cell])
    probabilities = trajectory.probabilities
    return Traffic(
        plan=plan,
        table=table,
        ground=ground,
        router=plan.suite.routers[stream.router],
        tasks=tasks,
        arms=arms,
        order=schedule.arms[column],
        quality=table.quality[cell],
        cost_usd=table.cost_usd[cell],
        rewards=np.where(learnt, rewards, np.nan),
        recorded_probabilities=None if probabilities is None else probabilities[:, column],
    )


class _Setting(NamedTuple):
    plan: Plan
    table: OutcomeTable
    ground: Ground


def _setting(log: RunLog) -> _Setting:
    """What a finished run decided on."""
    suite = log.started.suite
    if log.started.table_parquet is not None:
        setting = recorded_setting(suite, recorded_table(log))
        return _Setting(setting.plan, setting.table, setting.player.ground)
    table = unanswered_at_mean_cost(live_table(log, log.outcomes.values()))
    plan = Plan(suite, len(table.tasks), len(table.arms))
    return _Setting(plan, table, live_ground(suite, table.tasks, table.arms))


def _stream(log: RunLog, run_id: str, label: str | None, replication: int) -> tuple[Stream, int]:
    """Where a replication of a router stands: its stream, and its number in that."""
    suite = log.started.suite
    if log.started.purpose != "run":
        raise RunError(
            f"{run_id} is a {NOUNS[log.started.purpose]}, not a run of a suite", "name a run of a suite with routers"
        )
    number = _router_number([router.label for router in suite.routers], label, run_id)
    router = suite.routers[number]
    if isinstance(router, CascadeRouter):
        raise RunError(
            f"the decisions of {router.label} are several models a task, of which no share is another router's",
            "name a router that chooses one model a task",
        )
    if not 0 <= replication < suite.n_replications:
        raise RunError(f"run {run_id} has no replication {replication}", f"it has 0 to {suite.n_replications - 1}")
    block, column = divmod(replication, BLOCK_SIZE)
    return Stream(number, block, min(BLOCK_SIZE, suite.n_replications - block * BLOCK_SIZE)), column


def _router_number(labels: list[str], label: str | None, run_id: str) -> int:
    if label is None and len(labels) == 1:
        return 0
    if label is None or label not in labels:
        what = "has several routers" if label is None else f"has no router {label!r}"
        raise RunError(f"run {run_id} {what}", f"say with --logged whose decisions to read: {', '.join(labels)}")
    return labels.index(label)
