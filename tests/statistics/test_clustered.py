"""Clustered intervals: against the textbook where it has an answer, and by their coverage where it has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from krins.interfaces import FloatArray, IntArray
from krins.statistics.clustered import cluster_codes, clustered_interval, spread


def test_with_every_task_its_own_cluster_it_is_the_t_interval_of_a_mean() -> None:
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.25])
    expected = stats.t.interval(0.95, df=5, loc=values.mean(), scale=stats.sem(values))
    interval = clustered_interval(values, np.arange(6))
    assert interval == pytest.approx((values.mean(), *expected))


def test_hand_computed_two_clusters_of_two() -> None:
    # Residuals -1, -1, 1, 1: sums -2 and 2, each shrunk by 1 / sqrt(1 - 1/2); variance (8 + 8) / 16 = 1. Balanced
    # clusters have G - 1 = 1 degree of freedom, for which the 97.5% quantile of t is 12.7062.
    interval = clustered_interval(np.array([0.0, 0.0, 2.0, 2.0]), np.array([0, 0, 1, 1]))
    assert interval == pytest.approx((1.0, 1 - 12.7062047, 1 + 12.7062047))


def test_one_cluster_has_a_mean_and_no_interval() -> None:
    assert clustered_interval(np.array([0.0, 1.0]), np.array([0, 0])) == (0.5, None, None)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert clustered_interval(np.full(4, 0.5), np.arange(4)) == (0.5, 0.5, 0.5)


def design_based(values: FloatArray, clusters: IntArray) -> tuple[float, float]:
    """CR2 variance and Bell-McCaffrey degrees of freedom from their definitions, with explicit matrices."""
    n = len(values)
    hat = np.full((n, n), 1 / n)
    residuals = values - values.mean()
    vectors, variance = [], 0.0
    for cluster in range(clusters.max() + 1):
        members = np.flatnonzero(clusters == cluster)
        leverage = np.eye(len(members)) - hat[np.ix_(members, members)]
        eigenvalues, basis = np.linalg.eigh(leverage)
        adjust = basis @ np.diag(eigenvalues**-0.5) @ basis.T
        score = adjust @ np.ones(len(members)) / n
        variance += float(score @ residuals[members]) ** 2
        vectors.append((np.eye(n) - hat)[:, members] @ score)
    gram = np.array(vectors) @ np.array(vectors).T
    return variance, float(np.trace(gram) ** 2 / np.trace(gram @ gram))


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_closed_forms_equal_the_definitions(sizes: list[int], seed: int) -> None:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    values = np.random.default_rng(seed).normal(size=len(clusters))
    variance, degrees = design_based(values, clusters)
    half = float(stats.t.ppf(0.975, degrees)) * np.sqrt(variance)
    interval = clustered_interval(values, clusters)
    assert interval.low is not None
    assert interval.mean - interval.low == pytest.approx(half, rel=1e-6)


def test_coverage_with_few_and_unequal_clusters() -> None:
    """With half of all tasks in one of twelve clusters, as in the flagship table, 95% intervals hold 93% to 98%."""
    rng = np.random.default_rng(7)
    sizes = np.array([60, 12, 10, 8, 7, 6, 5, 4, 3, 3, 2, 2])
    clusters = np.repeat(np.arange(12), sizes)
    hits = 0
    for _ in range(2000):
        values = rng.normal(size=12)[clusters] * 0.3 + rng.normal(size=len(clusters))
        interval = clustered_interval(values, clusters)
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 0 <= interval.high
    assert 0.93 <= hits / 2000 <= 0.98


def test_missing_labels_are_clusters_of_their_own() -> None:
    assert cluster_codes(["a", None, "a", None]).tolist() == [0, 1, 0, 2]


def test_spread_holds_the_central_share() -> None:
    low, high = spread(np.arange(101) / 100)
    assert low == pytest.approx(0.025)
    assert high == pytest.approx(0.975)
    assert spread(np.array([1.0])) == (None, None)
    assert spread(np.array([1.0, np.nan])) == (None, None)
