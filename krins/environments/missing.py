"""What a missing outcome counts as: the policy that a recorded suite declares.

`refuse` stops and says how many are missing; `drop_task` leaves out every task that some model has no outcome for;
`fail` counts a missing outcome as a failure at the model's mean known cost. Under the last two a known outcome
without a cost takes that mean too, and a sample without a quality is left out beside others that have one.

Invariants: means are taken over all known costs, before any task is dropped, or over those of the tasks that are asked
for alone, so that nothing of the others gets into them; what is filled in, left out or dropped is counted; where no
cost is known at all, costs stay unknown. Left out: imputing quality.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from krins.environments.table import Imputation, OutcomeTable
from krins.errors import TableError
from krins.interfaces import BoolArray, FloatArray


def apply_missing(
    table: OutcomeTable, policy: str, where: str, costs_of: Collection[str] | None = None
) -> OutcomeTable:
    """`table` with every cell filled or every incomplete task dropped.

    Args:
        where: names the table in errors.
        costs_of: ids of the tasks whose known costs make the means; None: of all.

    Raises:
        TableError: the policy is `refuse` and something is missing, no task is left, or a model has no known cost.
    """
    knows_costs = not np.isnan(table.cost_usd).all()
    incomplete = (table.counts == 0).any(axis=1)
    if policy == "refuse":
        _refuse_gaps(table, _gaps(table, knows_costs), where)
    mean_costs = _mean_costs(table, where, costs_of) if knows_costs else np.full(len(table.arms), np.nan)
    if policy == "drop_task" and incomplete.any():
        table = _keep_tasks(table, ~incomplete, where)
    counted = replace(_gaps(table, knows_costs), dropped_tasks=int(incomplete.sum()) if policy == "drop_task" else 0)
    return replace(_fill(table, mean_costs), imputation=counted)


def _gaps(table: OutcomeTable, knows_costs: bool) -> Imputation:
    """What there is to fill in."""
    unpriced = ~np.isnan(table.quality) & np.isnan(table.cost_usd)
    return replace(
        table.imputation,
        missing_outcomes=int((table.counts == 0).sum()),
        missing_costs=int(unpriced.sum()) if knows_costs else 0,
    )


def _refuse_gaps(table: OutcomeTable, gaps: Imputation, where: str) -> None:
    if gaps != Imputation():
        n_tasks = int((table.counts == 0).any(axis=1).sum())
        raise TableError(
            f"{where}: {gaps.missing_outcomes} of {table.counts.size} (task, model) cells have no outcome, in "
            f"{n_tasks} of {len(table.tasks)} tasks; {gaps.missing_costs} known outcomes have no cost; "
            f"{gaps.unknown_samples} samples have no quality beside others that have one",
            "say in the suite what they count as: `missing: drop_task` or `missing: fail`",
        )


def _fill(table: OutcomeTable, mean_costs: FloatArray) -> OutcomeTable:
    missing = table.counts == 0
    quality = table.quality.copy()
    quality[..., 0][missing] = 0.0
    fill_cost = np.isnan(table.cost_usd) & ~np.isnan(quality)
    cost = np.where(fill_cost, mean_costs[None, :, None], table.cost_usd)
    return replace(table, quality=quality, cost_usd=cost, counts=np.where(missing, 1, table.counts))


def _mean_costs(table: OutcomeTable, where: str, costs_of: Collection[str] | None) -> FloatArray:
    """Mean known cost of each arm, shape (n_arms,)."""
    counts = np.array([costs_of is None or task.task_id in costs_of for task in table.tasks])
    known = ~np.isnan(table.cost_usd) & counts[:, None, None]
    n_known = known.sum(axis=(0, 2))
    without = [arm.name for arm, n in zip(table.arms, n_known, strict=True) if n == 0]
    if without:
        raise TableError(
            f"{where}: no cost is known for {', '.join(without)}{_among(costs_of)}, though there is for others",
            "exclude these models, or give all of them costs",
        )
    means: FloatArray = np.where(known, table.cost_usd, 0.0).sum(axis=(0, 2)) / n_known
    return means


def _among(costs_of: Collection[str] | None) -> str:
    return "" if costs_of is None else f" on the {len(costs_of)} tasks whose costs stand in for missing ones"


def _keep_tasks(table: OutcomeTable, keep: BoolArray, where: str) -> OutcomeTable:
    if not keep.any():
        raise TableError(
            f"{where}: every task lacks an outcome of some model, so `drop_task` leaves none",
            "exclude the models with the most gaps, or take `missing: fail`",
        )
    arrays = ("quality", "cost_usd", "input_tokens", "output_tokens", "latency_seconds", "failure", "counts")
    tasks = tuple(task for task, kept in zip(table.tasks, keep, strict=True) if kept)
    context = table.context and table.context.at(keep)
    return replace(table, tasks=tasks, context=context, **{name: getattr(table, name)[keep] for name in arrays})
