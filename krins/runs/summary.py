"""From trajectories and outcomes to the rows of the table.

Invariants: a row depends on the decisions and the outcomes that they drew, and on nothing else; what the data cannot
tell is None. Left out: adding up (`krins.runs.tally`) and rendering (`krins.reports`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from krins.domain import FailureKind
from krins.environments.table import FAILURES, OutcomeTable
from krins.interfaces import FloatArray, IntArray
from krins.router_specs import CascadeRouter, Router
from krins.runs.baselines import AMOUNT, ANYTHING, DUST, SHARE, Cells, Range, interval_figure, is_complete
from krins.runs.break_even import break_even
from krins.runs.drawn import cascade_of
from krins.runs.plan import Plan
from krins.runs.result import BreakEven, Curve, ErrorCounts, Figure, RouterResult
from krins.runs.streams import Trajectory
from krins.runs.tally import Measure, Tally
from krins.statistics.clustered import cluster_codes, spread
from krins.statistics.contrasts import hull_gain_values, hull_saving_values, saving_values
from krins.statistics.hull import Hull
from krins.suite import Reward

HullValues = Callable[[FloatArray, FloatArray, FloatArray, FloatArray, Hull], FloatArray | None]


def complete_cells(table: OutcomeTable, reward: Reward) -> Cells | None:
    """What baselines are computed from; None where not every arm was tried on every task."""
    return Cells(table, reward) if is_complete(table) else None


def summarise(
    plan: Plan, table: OutcomeTable, cells: Cells | None, trajectories: Iterable[Trajectory]
) -> list[RouterResult]:
    """One row for each router of the suite, in its order."""
    tallies = [Tally(plan, table, cells, expected_reward(router, table, cells)) for router in plan.suite.routers]
    for trajectory in sorted(trajectories, key=lambda t: t.stream.block):
        tallies[trajectory.stream.router].add(trajectory)
    clusters = cluster_codes([task.repository for task in table.tasks])
    return [_Row(plan, cells, clusters, router, tally).result() for router, tally in enumerate(tallies)]


def expected_reward(router: Router, table: OutcomeTable, cells: Cells | None) -> FloatArray | None:
    """Mean reward of each task, shape (n_tasks,), by expectation; None for a router that asks one model a task."""
    if not isinstance(router, CascadeRouter) or cells is None:
        return None
    verifier = router.verifier
    rates = np.array(verifier.sensitivity), np.array(verifier.specificity)
    return cascade_of(router, table).expect(cells.reward_weights, *rates, verifier.usd_per_check).reward


class _Row:
    """One router's row, from its sums."""

    def __init__(self, plan: Plan, cells: Cells | None, clusters: IntArray, router: int, tally: Tally) -> None:
        self._suite = plan.suite
        self._spec = plan.suite.routers[router]
        self._n_steps = plan.n_steps
        self._visits = plan.suite.n_replications * plan.suite.passes
        self._cells, self._clusters, self._tally = cells, clusters, tally

    def result(self) -> RouterResult:
        tally = self._tally
        difference, saving = self._quality_difference(), self._saving()
        counts = {kind: int(n) for kind, n in zip(FAILURES, tally.errors, strict=True)}
        return RouterResult(
            router=self._spec.label,
            params=self._spec.model_dump(exclude={"name"}),
            n_decisions=self._n_steps * self._suite.n_replications,
            quality=self._mean(tally["quality"], SHARE),
            quality_answered=self._quality_answered(),
            cost_usd=self._mean(tally["cost"], AMOUNT) if tally["cost"].is_known else None,
            tokens=self._mean(tally["tokens"], AMOUNT) if tally["tokens"].is_known else None,
            quality_difference_vs_best_single=difference,
            saving_vs_best_single=saving,
            is_saving=self._is_saving(difference, saving),
            hull_quality_gain=self._against_hull(hull_gain_values, _replication_gain),
            hull_cost_saving=self._against_hull(hull_saving_values, _replication_saving),
            regret_vs_best_fixed=self._total(tally["gap_fixed"]) if self._cells else None,
            regret_vs_oracle=self._total(tally["gap_oracle"]) if self._cells else None,
            errors=ErrorCounts(**{kind.value: counts[kind] for kind in FailureKind}),
            curve=self._curve(),
            break_even=self._break_even(),
            **tally.context.figures(self._clusters)._asdict(),
        )

    def _break_even(self) -> BreakEven | None:
        if not isinstance(self._spec, CascadeRouter) or self._cells is None:
            return None
        cascade = cascade_of(self._spec, self._cells.table)
        return break_even(self._spec, cascade, self._cells, self._suite.non_inferiority_margin)

    def _figure(
        self, per_task: FloatArray, replications: Sequence[float] | FloatArray, within: Range = ANYTHING
    ) -> Figure:
        figure = interval_figure(per_task, self._clusters, within)
        low, high = spread(np.asarray(replications))
        return figure.model_copy(update={"replication_low": low, "replication_high": high})

    def _mean(self, measure: Measure, within: Range) -> Figure:
        return self._figure(measure.per_task / self._visits, measure.replications / self._n_steps, within)

    def _total(self, measure: Measure) -> Figure:
        """Sum over one replication: per-task means times the steps of a replication."""
        return self._figure(measure.per_task / self._visits * self._n_steps, measure.replications)

    def _quality_answered(self) -> Figure | None:
        """A ratio of sums, linearised: decisions without an answer leave the denominator too."""
        answered = self._tally["answered"]
        share = answered.per_task.sum() / (self._visits * len(answered.per_task))
        if share == 0 or (answered.replications == 0).any():
            return None
        quality = self._tally["quality"].per_task / self._visits
        ratio = quality.mean() / share
        values = ratio + (quality - ratio * answered.per_task / self._visits) / share
        return self._figure(values, self._tally["quality"].replications / answered.replications, SHARE)

    def _quality_difference(self) -> Figure | None:
        if self._cells is None:
            return None
        best = self._cells.quality[:, self._cells.best_single]
        quality = self._tally["quality"]
        return self._figure(quality.per_task / self._visits - best, quality.replications / self._n_steps - best.mean())

    def _saving(self) -> Figure | None:
        cost = self._tally["cost"]
        if self._cells is None or self._cells.cost is None or not cost.is_known:
            return None
        best = self._cells.cost[:, self._cells.best_single]
        if best.mean() == 0:
            return None
        values = saving_values(cost.per_task / self._visits, best)
        return self._figure(values, 1 - cost.replications / self._n_steps / best.mean())

    def _is_saving(self, difference: Figure | None, saving: Figure | None) -> bool | None:
        if difference is None or saving is None or difference.low is None or saving.low is None:
            return None
        return saving.low > DUST and difference.low >= -self._suite.non_inferiority_margin

    def _against_hull(self, values: HullValues, of_replication: Callable[[Hull, float, float], float]) -> Figure | None:
        quality, cost = self._tally["quality"], self._tally["cost"]
        cells = self._cells
        if cells is None or cells.cost is None or cells.hull is None or not cost.is_known:
            return None
        hull = cells.hull
        per_task = values(
            quality.per_task / self._visits, cost.per_task / self._visits, cells.quality, cells.cost, hull
        )
        if per_task is None:
            return None
        points = zip(quality.replications / self._n_steps, cost.replications / self._n_steps, strict=True)
        return self._figure(per_task, [of_replication(hull, float(q), float(c)) for q, c in points])

    def _curve(self) -> Curve:
        tally = self._tally
        steps = tally.curve_steps
        regret = tally["gap_fixed"].curves if self._cells else None
        low, high = (None, None) if regret is None else np.quantile(regret, [0.025, 0.975], axis=1).tolist()
        return Curve(
            steps=steps.tolist(),
            regret=None if regret is None else regret.mean(axis=1).tolist(),
            regret_low=low,
            regret_high=high,
            cost_usd=tally["cost"].curves.mean(axis=1).tolist() if tally["cost"].is_known else None,
            tokens=tally["tokens"].curves.mean(axis=1).tolist() if tally["tokens"].is_known else None,
            quality=(tally["quality"].curves.mean(axis=1) / steps).tolist(),
        )


def _replication_gain(hull: Hull, quality: float, cost: float) -> float:
    mixed = hull.quality_at(cost)
    return np.nan if mixed is None else quality - mixed


def _replication_saving(hull: Hull, quality: float, cost: float) -> float:
    mixed = hull.cost_at(quality)
    return 1 - cost / mixed if mixed else np.nan
