"""Tests of a saving: against the textbook, against the intervals, and where all tasks show the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from krins.statistics.clustered import ClusteredMean, clustered_interval, clustered_mean
from krins.statistics.non_inferiority import (
    SIGNIFICANCE,
    both_p,
    detectable_difference,
    non_inferiority_p,
    saving_p,
    smallest_margin,
)


def test_without_clusters_it_is_the_one_sided_t_test() -> None:
    values = np.array([0.0, -1.0, 1.0, 0.0, 0.5, -0.5, 0.25])
    found = clustered_mean(values, np.arange(7))
    expected = stats.ttest_1samp(values, -0.1, alternative="greater").pvalue
    assert non_inferiority_p(found, 0.1) == pytest.approx(expected)
    assert saving_p(found) == pytest.approx(stats.ttest_1samp(values, 0.0, alternative="greater").pvalue)


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=6),
    margin=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_p_values_interval_and_smallest_margin_agree(sizes: list[int], margin: float, seed: int) -> None:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    values = np.random.default_rng(seed).uniform(-1, 1, len(clusters))
    found = clustered_mean(values, clusters)
    p, least = non_inferiority_p(found, margin), smallest_margin(found)
    low = clustered_interval(values, clusters).low
    assert p is not None
    assert least is not None
    assert low is not None
    assert (p <= SIGNIFICANCE) == (low >= -margin)
    assert least == pytest.approx(min(max(-low, 0.0), 1.0))


def test_equal_values_are_never_certain() -> None:
    same = clustered_mean(np.zeros(10), np.arange(10))
    assert same is not None
    # A mean of -0.02 takes a share of 0.02 of clusters at -1, of which ten show none with probability 0.98 ** 10.
    assert non_inferiority_p(same, 0.02) == pytest.approx(0.98**10)
    margin = smallest_margin(same)
    assert margin is not None
    assert non_inferiority_p(same, margin) == pytest.approx(SIGNIFICANCE)
    assert detectable_difference(same) is None
    assert saving_p(same) == 1.0
    assert saving_p(clustered_mean(np.full(10, 0.3), np.arange(10))) == pytest.approx(0.5**10)
    assert non_inferiority_p(clustered_mean(np.full(4, -0.5), np.arange(4)), 0.02) == 1.0


def test_what_cannot_be_told() -> None:
    assert non_inferiority_p(None, 0.02) is None
    assert saving_p(None) is None
    assert smallest_margin(None) is None
    assert detectable_difference(None) is None
    assert both_p(None, 0.1) is None
    assert both_p(0.3, 0.1) == 0.3


def test_the_detectable_difference_is_detected_with_the_power_that_it_states() -> None:
    """Normal values with a known spread, 40 of them: the share of significant two-sided t tests is 80%."""
    rng = np.random.default_rng(5)
    spread = 0.3
    true = detectable_difference(ClusteredMean(0.0, spread / np.sqrt(40), 39.0, 40))
    assert true is not None
    p_values = np.asarray(stats.ttest_1samp(rng.normal(true, spread, (4000, 40)), 0.0, axis=1).pvalue)
    assert np.mean(p_values < 0.05) == pytest.approx(0.8, abs=0.025)
