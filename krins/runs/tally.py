"""Sums over one router's decisions, in the three ways that its row and its curve need.

Invariants: blocks are added one at a time, so memory does not grow with replications times tasks; regret uses the mean
reward of a cell, not the luck of a draw. Left out: what the sums mean (`krins.runs.summary`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from krins.environments.table import FAILURES, OutcomeTable, is_unanswered
from krins.interfaces import FloatArray, IntArray
from krins.runs.baselines import Cells
from krins.runs.context_sums import ContextSums
from krins.runs.drawn import drawn
from krins.runs.plan import Plan
from krins.runs.streams import Trajectory

_CURVE_POINTS = 100


@dataclass
class Measure:
    """One quantity of a router's decisions."""

    per_task: FloatArray
    """Shape (n_tasks,): sum over replications and passes."""
    per_replication: list[FloatArray] = field(default_factory=list)
    """Of each block: sum over steps, shape (n_replications in the block,)."""
    running: list[FloatArray] = field(default_factory=list)
    """Of each block: running totals at the curve's steps, shape (n_points, n_replications in the block)."""

    def add(self, tasks: IntArray, values: FloatArray, curve_steps: IntArray) -> None:
        """Add a block: both arrays of shape (n_steps, n_replications)."""
        self.per_task += np.bincount(tasks.ravel(), weights=values.ravel(), minlength=len(self.per_task))
        totals = np.cumsum(values, axis=0)
        self.per_replication.append(totals[-1])
        self.running.append(totals[curve_steps - 1])

    @property
    def replications(self) -> FloatArray:
        """Sum over steps, shape (n_replications,)."""
        return np.concatenate(self.per_replication)

    @property
    def curves(self) -> FloatArray:
        """Running totals, shape (n_points, n_replications)."""
        return np.concatenate(self.running, axis=1)

    @property
    def is_known(self) -> bool:
        return not bool(np.isnan(self.per_task).any())


class Tally:
    """All measures of one router."""

    def __init__(
        self, plan: Plan, table: OutcomeTable, cells: Cells | None, expected_reward: FloatArray | None = None
    ) -> None:
        """`expected_reward`, shape (n_tasks,): of a router that is no choice of one model a task."""
        self._plan, self._table, self._cells, self._expected_reward = plan, table, cells, expected_reward
        self.errors = np.zeros(len(FAILURES), np.int64)
        """Decisions by failure, indexed as `FAILURES`."""
        self.context = ContextSums(plan.n_tasks)
        points = np.linspace(1, plan.n_steps, min(_CURVE_POINTS, plan.n_steps))
        self.curve_steps: IntArray = np.unique(points.round().astype(np.int64))
        names = ["quality", "answered", "cost", "tokens", *(["gap_fixed", "gap_oracle"] if cells else [])]
        self._measures = {name: Measure(np.zeros(plan.n_tasks)) for name in names}

    def __getitem__(self, name: str) -> Measure:
        return self._measures[name]

    def add(self, trajectory: Trajectory) -> None:
        schedule = self._plan.schedule(trajectory.stream)
        tasks, arms = schedule.tasks, trajectory.arms
        outcome = drawn(self._plan, self._table, trajectory)
        self.errors += np.bincount(outcome.failure.ravel(), minlength=len(FAILURES))
        values = {
            "quality": outcome.quality,
            "answered": (~is_unanswered(outcome.failure)).astype(np.float64),
            "cost": outcome.cost_usd,
            "tokens": outcome.tokens,
        }
        if outcome.context is not None:
            self.context.add(tasks, outcome.context)
        if self._cells is not None:
            reward, expected = self._cells.reward, self._expected_reward
            reached = reward[tasks, arms] if expected is None else expected[tasks]
            values["gap_fixed"] = reward[tasks, self._cells.best_fixed] - reached
            values["gap_oracle"] = reward.max(axis=1)[tasks] - reached
        for name, value in values.items():
            self._measures[name].add(tasks, value, self.curve_steps)
