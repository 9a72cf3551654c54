"""What fixed rules reach on a table of outcomes: best single model, oracles, random choice and the hull.

Invariants: a cell counts with the mean over its samples, so an oracle knows how well models do, not how a single
draw will fall; ties go to the cheaper arm, then to the first name. Left out: routers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from krins.environments.table import OutcomeTable, mean_over_samples
from krins.interfaces import FloatArray, IntArray
from krins.runs.result import Baseline, Baselines, Figure
from krins.statistics.clustered import cluster_codes, clustered_interval
from krins.statistics.hull import Hull, cost_quality_hull
from krins.suite import Reward

Range = tuple[float, float]
SHARE: Range = (0.0, 1.0)
AMOUNT: Range = (0.0, np.inf)
ANYTHING: Range = (-np.inf, np.inf)
DUST = 1e-9
"""What rounding may leave of a gain or a saving that is zero."""


def interval_figure(per_task: FloatArray, clusters: IntArray, within: Range = ANYTHING) -> Figure:
    """Mean of per-task values with its clustered interval, cut off where the mean itself cannot be."""
    mean, low, high = clustered_interval(per_task, clusters)
    if low is None or high is None:
        return Figure(mean=mean)
    return Figure(mean=mean, low=max(low, within[0]), high=min(high, within[1]))


@dataclass(frozen=True)
class Cells:
    """Means of each (task, arm) cell of a table in which every arm was tried on every task."""

    table: OutcomeTable
    reward_weights: Reward

    @cached_property
    def quality(self) -> FloatArray:
        """Shape (n_tasks, n_arms), as for the next two."""
        return mean_over_samples(self.table.quality)

    @cached_property
    def cost(self) -> FloatArray | None:
        cost = mean_over_samples(self.table.cost_usd)
        return None if np.isnan(cost).any() else cost

    @cached_property
    def reward(self) -> FloatArray:
        return mean_over_samples(self.table.rewards(self.reward_weights))

    @cached_property
    def clusters(self) -> IntArray:
        return cluster_codes([task.repository for task in self.table.tasks])

    @cached_property
    def best_single(self) -> int:
        return self._best(self.quality.mean(axis=0))

    @cached_property
    def best_fixed(self) -> int:
        return self._best(self.reward.mean(axis=0))

    @cached_property
    def hull(self) -> Hull | None:
        return None if self.cost is None else cost_quality_hull(self.cost.mean(axis=0), self.quality.mean(axis=0))

    def _best(self, means: FloatArray) -> int:
        tied = np.flatnonzero(means == means.max())
        return int(tied[0] if self.cost is None else tied[np.argmin(self.cost.mean(axis=0)[tied])])

    def best_by_task(self, values: FloatArray) -> IntArray:
        """Shape (n_tasks,): for each task the cheapest of the arms with the highest of `values`, (n_tasks, n_arms)."""
        best = values == values.max(axis=1, keepdims=True)
        return np.asarray(
            best.argmax(axis=1) if self.cost is None else np.where(best, self.cost, np.inf).argmin(axis=1)
        )


def is_complete(table: OutcomeTable) -> bool:
    return bool((table.counts > 0).all())


def compute_baselines(cells: Cells) -> Baselines:
    everything = np.arange(len(cells.table.tasks))

    def follow(arms: IntArray, model: str | None = None) -> Baseline:
        return _baseline(
            cells,
            cells.quality[everything, arms],
            None if cells.cost is None else cells.cost[everything, arms],
            cells.reward[everything, arms],
            model,
        )

    def single(arm: int) -> Baseline:
        return follow(np.full(len(everything), arm), cells.table.arms[arm].name)

    cost = None if cells.cost is None else cells.cost.mean(axis=1)
    return Baselines(
        best_single=single(cells.best_single),
        best_fixed=single(cells.best_fixed),
        oracle=follow(cells.best_by_task(cells.reward)),
        cheapest_correct=None if cells.cost is None else follow(cells.best_by_task(cells.quality)),
        random=_baseline(cells, cells.quality.mean(axis=1), cost, cells.reward.mean(axis=1), None),
        hull=[] if cells.hull is None else [single(int(arm)) for arm in cells.hull.arms],
    )


def _baseline(
    cells: Cells, quality: FloatArray, cost: FloatArray | None, reward: FloatArray, model: str | None
) -> Baseline:
    return Baseline(
        model=model,
        quality=interval_figure(quality, cells.clusters, SHARE),
        cost_usd=None if cost is None else interval_figure(cost, cells.clusters, AMOUNT),
        reward=float(reward.mean()),
    )
