"""Verifier economics: how good must a verifier be, before a cascade beats the best single model?

Computed from a table's outcomes for a SIMULATED verifier of every sensitivity and specificity on a grid; nothing is
drawn. Invariants: the cascade and the model that it is compared with are the same along the whole curve; what holds
"for certain" is shown by the 95% interval over tasks, clustered by repository. Left out: drawing the curve.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from krins.environments.cascade import Cascade
from krins.interfaces import BoolArray, FloatArray
from krins.router_specs import CascadeRouter
from krins.runs.baselines import DUST, Cells
from krins.runs.result import BreakEven
from krins.statistics.clustered import clustered_interval
from krins.statistics.contrasts import saving_values

SENSITIVITIES = np.linspace(0.5, 1.0, 11)
SPECIFICITIES = np.linspace(0.0, 1.0, 101)


def break_even(router: CascadeRouter, cascade: Cascade, cells: Cells, margin: float) -> BreakEven:
    """From which to which specificity a verifier of each sensitivity is good enough, after each of four criteria."""
    expected = cascade.expect(
        cells.reward_weights, SENSITIVITIES[:, None], SPECIFICITIES[None, :], router.verifier.usd_per_check
    )

    def surely_above(values: FloatArray, least: float) -> bool:
        low = clustered_interval(values, cells.clusters).low
        return low is not None and low > least

    gains = expected.reward - cells.reward[:, cells.best_fixed]
    better = gains.mean(axis=-1) > DUST
    surely_better = _where(better, lambda cell: surely_above(gains[cell], DUST))
    saving = sure_saving = np.zeros_like(better)
    if cells.cost is not None and cells.cost[:, cells.best_single].mean() > 0.0:
        base = cells.cost[:, cells.best_single]
        losses = expected.quality - cells.quality[:, cells.best_single]
        cheaper = expected.cost_usd.mean(axis=-1) < base.mean() * (1.0 - DUST)
        saving = np.asarray(cheaper & (losses.mean(axis=-1) >= -margin))
        sure_saving = _where(
            saving,
            lambda cell: (
                surely_above(losses[cell], -margin - DUST)
                and surely_above(saving_values(expected.cost_usd[cell], base), DUST)
            ),
        )
    return BreakEven(
        sensitivity=[round(float(value), 2) for value in SENSITIVITIES],
        better_reward=_ranges(better),
        surely_better_reward=_ranges(surely_better),
        saving=_ranges(saving),
        sure_saving=_ranges(sure_saving),
    )


def _where(candidates: BoolArray, holds: Callable[[tuple[int, int]], bool]) -> BoolArray:
    """Which of the candidates on the grid hold; an interval takes long, so only theirs are made."""
    found = np.zeros_like(candidates)
    for row, column in np.argwhere(candidates).tolist():
        found[row, column] = holds((row, column))
    return found


def _ranges(is_enough: BoolArray) -> list[tuple[float, float] | None]:
    """For each sensitivity the least and the greatest specificity that is enough: catching more wrong answers costs
    more, so that the most specific verifier may be too dear."""
    columns = [np.flatnonzero(row) for row in is_enough]
    places = SPECIFICITIES.round(2).tolist()
    return [(places[found[0]], places[found[-1]]) if found.size else None for found in columns]
