"""The band around the frontier of fixed models: where it must equal an interval, and what it covers."""

from __future__ import annotations

import numpy as np
import pytest

from krins.interfaces import FloatArray, IntArray
from krins.statistics.clustered import clustered_interval
from krins.statistics.frontier import cost_grid, frontier_at, frontier_band


def test_the_frontier_by_hand() -> None:
    costs = np.array([0.5, 1.0, 2.0, 3.0, 9.0])
    found = frontier_at(costs, np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.3, 0.8]))
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([0.2, 0.5, 0.8, 0.8])  # the second model lies below the line; nothing is above


def test_the_grid_goes_from_the_cheapest_to_the_best() -> None:
    cost, quality = np.array([0.1, 10.0, 1.0]), np.array([0.2, 0.5, 0.9])
    assert cost_grid(cost, quality, 3) == pytest.approx([0.1, np.sqrt(0.1), 1.0])
    assert cost_grid(np.array([0.0, 1.0]), np.array([0.2, 0.9]), 3) == pytest.approx([0.0, 0.5, 1.0])


def test_of_one_model_the_band_is_its_clustered_interval() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(8), [40, 10, 8, 6, 5, 4, 2, 1])
    quality = 0.5 + 0.1 * (rng.normal(size=8)[clusters] + rng.normal(size=len(clusters)))
    cost = np.ones((len(clusters), 1))
    band = frontier_band(np.array([1.0]), cost, quality[:, None], clusters, np.random.default_rng(0), 40_000)
    interval = clustered_interval(quality, clusters)
    assert interval.low is not None
    assert interval.high is not None
    assert band.quality[0] == pytest.approx(interval.mean)
    width = interval.high - interval.low
    assert band.low[0] == pytest.approx(interval.low, abs=0.02 * width)
    assert band.high[0] == pytest.approx(interval.high, abs=0.02 * width)


MEANS = np.array([0.25, 0.5, 0.6, 0.75, 1.25])
TRUTH = np.array([0.30, 0.50, 0.51, 0.60, 0.70])


def world(rng: np.random.Generator, clusters: IntArray) -> tuple[FloatArray, FloatArray]:
    """Cost and quality of five models, the third of which lies just below the frontier of the others."""
    harder = rng.uniform(-0.1, 0.1, (clusters.max() + 1, 5))[clusters]
    quality = (rng.random((len(clusters), 5)) < TRUTH + harder).astype(np.float64)
    return MEANS * rng.uniform(0.5, 1.5, quality.shape), quality


def test_coverage() -> None:
    """With 30 clusters the pointwise 95% band holds the truth in nine of ten worlds or more: a little too rarely."""
    rng = np.random.default_rng(11)
    clusters = np.repeat(np.arange(30), 10)
    costs = np.array([0.4, 0.62, 1.0])
    truth = frontier_at(costs, MEANS, TRUTH)
    hits = []
    for _ in range(250):
        band = frontier_band(costs, *world(rng, clusters), clusters, rng, 150)
        hits.append((band.low <= truth) & (truth <= band.high))
    assert 0.9 <= np.mean(hits) <= 0.98


def test_nothing_is_said_of_costs_that_draws_may_not_reach() -> None:
    rng = np.random.default_rng(2)
    clusters = np.arange(50)
    cost, quality = world(rng, clusters)
    costs = np.array([0.1, cost.mean(axis=0).min(), 1.0])
    band = frontier_band(costs, cost, quality, clusters, rng, 300)
    assert np.isnan(band.quality).tolist() == [True, False, False]
    assert np.isnan(band.low).tolist() == np.isnan(band.high).tolist() == [True, True, False]


def test_the_same_generator_gives_the_same_band() -> None:
    clusters = np.arange(20)
    cost, quality = world(np.random.default_rng(1), clusters)
    costs = np.array([0.5, 1.0])
    one, two = (frontier_band(costs, cost, quality, clusters, np.random.default_rng(4), 100) for _ in range(2))
    np.testing.assert_array_equal(one, two)
