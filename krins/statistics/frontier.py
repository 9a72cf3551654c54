"""The cost-quality frontier of fixed models with an uncertainty band: the hull, made anew in each draw of a bootstrap.

A hull is picked from noisy means, and a single interval for its quality would take its corners as given. Here each draw
moves the means of all models together, as other tasks would have, and picks corners anew, so that picking them is in
the band. Draws are the multiplier bootstrap of cluster scores (Kline and Santos 2012, "A score based approach to wild
bootstrap inference"): every cluster's deviations from the mean, enlarged as in the CR2 variance, get one common normal
weight, and a draw's weights one common factor that makes them t-distributed with Bell and McCaffrey's degrees of
freedom. So with a single model the band is its clustered interval; drawing whole clusters instead would make it too
narrow with few and unequal ones.

Invariants: the band holds pointwise, at each cost by itself; the same generator gives the same band; nothing is said
below the cost of the cheapest model. Limits are basic ones, reflected at the estimate: what picking the best of noisy
means adds to a hull, it adds to the draws again, and reflecting takes it off. Where very many models lie
on one line, not all of it is taken off, and the band covers too little (`experiments/compare_coverage.py`). Left out: a
band that holds at all costs at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from krins.interfaces import FloatArray, IntArray
from krins.statistics.clustered import degrees_of_freedom, shrinkage
from krins.statistics.hull import cost_quality_hull

MOST_UNDEFINED = 0.025
"""Share of the draws that may have no model as cheap as a cost at which limits are given."""


class Band(NamedTuple):
    """Arrays of shape (n_costs,)."""

    quality: FloatArray
    """Of the frontier; NaN below the cheapest model."""
    low: FloatArray
    """NaN where the data cannot tell, as `high`."""
    high: FloatArray


def frontier_at(costs: FloatArray, cost_usd: FloatArray, quality: FloatArray) -> FloatArray:
    """Quality that fixed models and mixtures of them reach for at most each of `costs`; NaN below the cheapest.

    Args:
        costs: shape (n_costs,), US dollars a task.
        cost_usd, quality: shape (n_arms,), means.
    """
    hull = cost_quality_hull(cost_usd, quality)
    return np.interp(costs, hull.cost_usd, hull.quality, left=np.nan)


def cost_grid(cost_usd: FloatArray, quality: FloatArray, n_costs: int) -> FloatArray:
    """Costs from the cheapest to the best model of the hull, in equal ratios where that can be; shape (n_costs,)."""
    first, last = cost_quality_hull(cost_usd, quality).cost_usd[[0, -1]].tolist()
    return np.geomspace(first, last, n_costs) if first > 0 else np.linspace(first, last, n_costs)


def frontier_band(
    costs: FloatArray,
    cost_usd: FloatArray,
    quality: FloatArray,
    clusters: IntArray,
    rng: np.random.Generator,
    n_draws: int = 2000,
    level: float = 0.95,
) -> Band:
    """The frontier at `costs`, with pointwise limits.

    Args:
        costs: shape (n_costs,), rising.
        cost_usd, quality: shape (n_tasks, n_arms).
        clusters: shape (n_tasks,), codes 0..G-1, at least two of them.
    """
    means = np.stack([cost_usd.mean(axis=0), quality.mean(axis=0)])
    estimate = frontier_at(costs, *means)
    scores = np.stack([_scores(values, clusters) for values in (cost_usd, quality)])
    weights = _weights(np.bincount(clusters), n_draws, rng)
    drawn = np.stack([frontier_at(costs, *(means + w @ scores)) for w in weights])
    is_told = np.isnan(drawn).mean(axis=0) <= MOST_UNDEFINED
    filled = np.where(np.isnan(drawn), -np.inf, drawn)
    least, greatest = np.quantile(filled, [0.5 - level / 2, 0.5 + level / 2], axis=0, method="nearest")
    low, high = np.clip(2 * estimate - greatest, 0.0, 1.0), np.clip(2 * estimate - least, 0.0, 1.0)
    return Band(estimate, np.where(is_told, low, np.nan), np.where(is_told, high, np.nan))


def _scores(values: FloatArray, clusters: IntArray) -> FloatArray:
    """What each cluster adds to the error of each arm's mean, shape (n_clusters, n_arms); squares sum to CR2's."""
    n_clusters = int(clusters.max()) + 1
    sums = np.zeros((n_clusters, values.shape[1]))
    np.add.at(sums, clusters, values - values.mean(axis=0))
    return shrinkage(np.bincount(clusters))[:, None] * sums / len(values)


def _weights(sizes: IntArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Shape (n_draws, n_clusters)."""
    degrees = degrees_of_freedom(sizes)
    factor = np.sqrt(degrees / rng.chisquare(degrees, size=(n_draws, 1)))
    return np.asarray(rng.standard_normal((n_draws, len(sizes))) * factor)
