"""The cost-quality frontier of the fixed models of a comparison, with its band.

Invariants: the band is made of whole repositories where there are enough of them, else of tasks, which is said; seeded.
Left out: the statistics (`krins.statistics.frontier`).
"""

from __future__ import annotations

import numpy as np

from krins.interfaces import FloatArray
from krins.runs.baselines import AMOUNT, SHARE
from krins.statistics.frontier import Band, cost_grid, frontier_band
from krins.studies.comparison import Frontier, HullModel
from krins.studies.entrants import Field, share

FEWEST_CLUSTERS = 5
"""Below which the spread between repositories cannot be told from a handful of them."""
N_COSTS = 60
N_DRAWS = 2000


def fixed_frontier(field: Field) -> tuple[Frontier | None, list[str]]:
    """The frontier, and what a reader must know of its band; None where costs or outcomes are not all known."""
    cells = field.cells
    if cells is None or cells.cost is None or cells.hull is None:
        return None, []
    costs = cost_grid(cells.cost.mean(axis=0), cells.quality.mean(axis=0), N_COSTS)
    clusters, notes = field.clusters, []
    n_clusters, n_tasks = int(clusters.max()) + 1, len(clusters)
    if n_clusters < FEWEST_CLUSTERS <= n_tasks:
        clusters = np.arange(n_tasks)
        notes.append(
            f"The frontier's band takes tasks as independent, for {n_clusters} repositories are too few: too narrow."
        )
    has_band = n_tasks >= FEWEST_CLUSTERS
    if has_band:
        band = frontier_band(costs, cells.cost, cells.quality, clusters, np.random.default_rng(0), N_DRAWS)
    else:
        notes.append(f"The frontier has no band: {n_tasks} tasks are too few.")
        unknown = np.full(len(costs), np.nan)
        band = Band(np.interp(costs, cells.hull.cost_usd, cells.hull.quality), unknown, unknown)
    models = [
        HullModel(
            model=cells.table.arms[arm].name,
            cost_usd=share(cells.cost[:, arm], field.clusters, AMOUNT),
            quality=share(cells.quality[:, arm], field.clusters, SHARE),
        )
        for arm in cells.hull.arms.tolist()
    ]
    frontier = Frontier(
        models=models,
        cost_usd=costs.tolist(),
        quality=band.quality.tolist(),
        low=_known(band.low),
        high=_known(band.high),
        n_draws=N_DRAWS if has_band else 0,
        is_clustered=has_band and int(clusters.max()) + 1 < n_tasks,
    )
    return frontier, notes


def _known(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
