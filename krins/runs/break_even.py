"""Verifier economics: how good must a verifier be, before a cascade beats the best single model?

Computed from a table's outcomes for a SIMULATED verifier of every sensitivity and specificity on a grid; nothing is
drawn. Invariants: the cascade and the model that it is compared with are the same along the whole curve; what a
verifier needs "for certain" is that the 95% interval over tasks, clustered by repository, shows it. Left out: drawing
the curve.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from krins.environments.cascade import Cascade, Expected
from krins.interfaces import BoolArray, FloatArray
from krins.router_specs import CascadeRouter
from krins.runs.baselines import Cells
from krins.runs.result import BreakEven
from krins.statistics.clustered import clustered_interval
from krins.statistics.contrasts import saving_values

SENSITIVITIES = np.linspace(0.5, 1.0, 11)
SPECIFICITIES = np.linspace(0.0, 1.0, 101)

Test = Callable[[int, int], bool]
"""Whether a verifier of these positions on the two grids is good enough."""


def break_even(router: CascadeRouter, cascade: Cascade, cells: Cells, margin: float) -> BreakEven:
    """Least specificity for each sensitivity, after each of four criteria; None where no specificity is enough."""
    expected = cascade.expect(
        cells.reward_weights, SENSITIVITIES[:, None], SPECIFICITIES[None, :], router.verifier.usd_per_check
    )
    gains = expected.reward - cells.reward[:, cells.best_fixed]
    differences = expected.quality - cells.quality[:, cells.best_single]
    is_better = gains.mean(axis=-1) > 0.0

    def surely_better(row: int, column: int) -> bool:
        low = clustered_interval(gains[row, column], cells.clusters).low
        return low is not None and low > 0.0

    cheaper = _cheaper(expected, cells)
    is_saving = cheaper & (differences.mean(axis=-1) >= -margin)

    def surely_saving(row: int, column: int) -> bool:
        if not is_saving[row, column] or cells.cost is None:
            return False
        difference = clustered_interval(differences[row, column], cells.clusters)
        saving = saving_values(expected.cost_usd[row, column], cells.cost[:, cells.best_single])
        low = clustered_interval(saving, cells.clusters).low
        return None not in (difference.low, low) and (difference.low or 0.0) >= -margin and (low or 0.0) > 0.0

    return BreakEven(
        sensitivity=SENSITIVITIES.tolist(),
        better_reward=_least(lambda row, column: bool(is_better[row, column])),
        surely_better_reward=_least(lambda row, column: bool(is_better[row, column]) and surely_better(row, column)),
        saving=_least(lambda row, column: bool(is_saving[row, column])),
        sure_saving=_least(surely_saving),
    )


def _cheaper(expected: Expected, cells: Cells) -> BoolArray:
    if cells.cost is None:
        return np.zeros(expected.cost_usd.shape[:-1], np.bool_)
    cost: FloatArray = expected.cost_usd.mean(axis=-1)
    return np.asarray(cost < cells.cost[:, cells.best_single].mean())


def _least(is_enough: Test) -> list[float | None]:
    found: list[float | None] = []
    for row in range(len(SENSITIVITIES)):
        columns = (column for column in range(len(SPECIFICITIES)) if is_enough(row, column))
        first = next(columns, None)
        found.append(None if first is None else round(float(SPECIFICITIES[first]), 2))
    return found
