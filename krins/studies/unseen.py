"""Figures of routers on unseen tasks: against the models that the tuning tasks point to, and the best in hindsight.

Invariants: whatever is called chosen was picked on tuning tasks alone; intervals are over unseen tasks, clustered by
repository. That a hull's mixture is set to a router's cost, or to its quality, looks at the unseen tasks, but for the
weight alone. Left out: playing (`trials`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from krins.environments.table import OutcomeTable
from krins.interfaces import FloatArray, IntArray
from krins.router_specs import FixedRouter, Router
from krins.runs.baselines import AMOUNT, ANYTHING, SHARE, Cells, Range, interval_figure
from krins.runs.result import Share
from krins.statistics.clustered import clustered_mean
from krins.statistics.contrasts import hull_gain_values, hull_saving_values, saving_values
from krins.statistics.hull import Hull, cost_quality_hull
from krins.statistics.non_inferiority import SIGNIFICANCE, non_inferiority_p, smallest_margin
from krins.studies.splits import Split
from krins.studies.trials import Score
from krins.studies.tune_result import MARGINS, Fixed, HullFigures, UnseenRow, Versus
from krins.suite import Reward


class Sides(NamedTuple):
    """Means of each (task, arm) cell on either side of a split."""

    tuning: Cells
    unseen: Cells

    @classmethod
    def of(cls, table: OutcomeTable, split: Split, reward: Reward) -> Sides:
        split.check()
        return cls(Cells(at_tasks(table, split.tuning), reward), Cells(at_tasks(table, split.unseen), reward))

    def fixed(self, arm: int) -> Fixed:
        """A model on the unseen tasks."""
        cells = self.unseen
        return Fixed(
            model=self._name(arm),
            quality=_share(cells.quality[:, arm], cells.clusters, SHARE),
            cost_usd=None if cells.cost is None else _share(cells.cost[:, arm], cells.clusters, AMOUNT),
            reward=_share(cells.reward[:, arm], cells.clusters),
        )

    def row(self, router: Router, roles: Sequence[str], score: Score) -> UnseenRow:
        """`score`: on the unseen tasks, in their order in the table."""
        cells = self.unseen
        cost = None if cells.cost is None else score.cost_usd
        ahead = score.reward - cells.reward[:, self.tuning.best_fixed]
        return UnseenRow(
            router=router.label,
            roles=list(roles),
            params=router.model_dump(mode="json", exclude={"name"}),
            quality=_share(score.quality, cells.clusters, SHARE),
            cost_usd=None if cost is None else _share(cost, cells.clusters, AMOUNT),
            reward=_share(score.reward, cells.clusters),
            reward_difference=_share(ahead, cells.clusters),
            chosen=self._versus(router, self.tuning.best_single, score, cost),
            hindsight=self._versus(router, cells.best_single, score, cost),
            chosen_hull=self._against(self._chosen_hull(), score),
            hindsight_hull=self._against(cells.hull, score),
        )

    def _versus(self, router: Router, arm: int, score: Score, cost: FloatArray | None) -> Versus:
        if isinstance(router, FixedRouter) and router.model == self._name(arm):
            return _itself(router.model, saving=self._saving(arm, cost))
        cells = self.unseen
        values = score.quality - cells.quality[:, arm]
        difference = clustered_mean(values, cells.clusters)
        p_values = [non_inferiority_p(difference, margin) for margin in MARGINS]
        return Versus(
            model=self._name(arm),
            quality_difference=_share(values, cells.clusters),
            standard_error=None if difference is None else difference.standard_error,
            saving=self._saving(arm, cost),
            smallest_margin=smallest_margin(difference),
            is_non_inferior=[None if p is None else p <= SIGNIFICANCE for p in p_values],
        )

    def _saving(self, arm: int, cost: FloatArray | None) -> Share | None:
        model_cost = self.unseen.cost
        if cost is None or model_cost is None or model_cost[:, arm].mean() == 0:
            return None
        return _share(saving_values(cost, model_cost[:, arm]), self.unseen.clusters)

    def _chosen_hull(self) -> Hull | None:
        """Of the unseen tasks, over the models that the tuning tasks put on theirs."""
        if self.tuning.hull is None or self.unseen.cost is None:
            return None
        arms = self.tuning.hull.arms
        hull = cost_quality_hull(self.unseen.cost.mean(axis=0)[arms], self.unseen.quality.mean(axis=0)[arms])
        return replace(hull, arms=arms[hull.arms])

    def _against(self, hull: Hull | None, score: Score) -> HullFigures | None:
        cells = self.unseen
        if hull is None or cells.cost is None:
            return None
        place = score.quality, score.cost_usd, cells.quality, cells.cost, hull
        gain, saving = hull_gain_values(*place), hull_saving_values(*place)
        return HullFigures(
            models=[self._name(arm) for arm in hull.arms.tolist()],
            gain=None if gain is None else _share(gain, cells.clusters),
            saving=None if saving is None else _share(saving, cells.clusters),
        )

    def _name(self, arm: int) -> str:
        return self.unseen.table.arms[arm].name


def _itself(model: str, saving: Share | None) -> Versus:
    """A model against itself, where there is nothing to estimate."""
    return Versus(
        model=model,
        quality_difference=Share(mean=0.0, low=0.0, high=0.0),
        standard_error=0.0,
        saving=saving and Share(mean=0.0, low=0.0, high=0.0),
        smallest_margin=0.0,
        is_non_inferior=[True for _ in MARGINS],
    )


def at_tasks(table: OutcomeTable, tasks: IntArray) -> OutcomeTable:
    """The table of these tasks alone."""
    arrays = ("quality", "cost_usd", "input_tokens", "output_tokens", "latency_seconds", "failure", "counts")
    return replace(
        table,
        tasks=[table.tasks[task] for task in tasks.tolist()],
        context=table.context and table.context.at(tasks),
        **{name: getattr(table, name)[tasks] for name in arrays},
    )


def _share(values: FloatArray, clusters: IntArray, within: Range = ANYTHING) -> Share:
    figure = interval_figure(np.asarray(values), clusters, within)
    return Share(mean=figure.mean, low=figure.low, high=figure.high)
