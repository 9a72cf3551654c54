"""Tests of a saving: against the textbook, against the intervals, and where all tasks show the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

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
    values = np.array([0.0, -1.0, 1.0, 0.0, 0.5, -1.0, 0.25])
    found = clustered_mean(values, np.arange(7))
    # The mean is below this margin's, so that no variance under the hypothesis comes in.
    expected = stats.ttest_1samp(values, -0.02, alternative="greater").pvalue
    assert non_inferiority_p(found, 0.02) == pytest.approx(expected)
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
    assert p > SIGNIFICANCE or low >= -margin
    assert least >= min(max(-low, 0.0), 1.0) - 1e-6
    at_least = non_inferiority_p(found, least)
    assert at_least is not None
    assert (0.0 < least < 1.0 and at_least == pytest.approx(SIGNIFICANCE, rel=1e-3)) or least in (0.0, 1.0)
    assert (p <= SIGNIFICANCE) == (margin >= least) or margin == pytest.approx(least, abs=1e-6)


def test_equal_values_are_never_certain() -> None:
    same = clustered_mean(np.zeros(10), np.arange(10))
    assert same is not None
    # A mean of -0.02 takes a share of 0.02 of clusters at -1: a variance of 0.02 * 0.98, over ten of them.
    assert non_inferiority_p(same, 0.02) == pytest.approx(stats.t.sf(0.02 / np.sqrt(0.02 * 0.98 / 10), 9))
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
    true = detectable_difference(ClusteredMean(0.0, spread / np.sqrt(40), 39.0, 40, np.zeros(40)))
    assert true is not None
    p_values = np.asarray(stats.ttest_1samp(rng.normal(true, spread, (4000, 40)), 0.0, axis=1).pvalue)
    assert np.mean(p_values < 0.05) == pytest.approx(0.8, abs=0.025)


def pairs(worse: int, better: int, n: int) -> ClusteredMean:
    """Of `n` independent pairs of yes or no outcomes."""
    found = clustered_mean(np.repeat([-1.0, 1.0, 0.0], [worse, better, n - worse - better]), np.arange(n))
    assert found is not None
    return found


def test_one_gain_among_ties_shows_no_more_than_ties_alone() -> None:
    """Of 100 pairs, a mean of -0.01 leaves no loss to be seen in 37% of samples."""
    for better in (0, 1):
        p = non_inferiority_p(pairs(0, better, 100), 0.01)
        assert p is not None
        assert p > 0.05


def test_pairs_have_the_variance_of_the_score_test() -> None:
    """The likeliest shares of gains and losses under a mean of -margin, from the likelihood of the three counts."""
    worse, better, n, margin = 3, 5, 200, 0.03

    def unlikely(gains: float) -> float:
        losses = gains + margin
        return -float(
            better * np.log(gains) + worse * np.log(losses) + (n - better - worse) * np.log(1 - gains - losses)
        )

    gains = float(optimize.minimize_scalar(unlikely, bounds=(1e-6, 0.4), method="bounded", options={"xatol": 1e-9}).x)
    losses = gains + margin
    variance = (gains + losses - margin**2) / n
    sample = pairs(worse, better, n)
    p = non_inferiority_p(sample, margin)
    # The unbiased variance of the sample is 1 / (n - 1) above the likeliest.
    more = sample.standard_error**2 / n
    assert p == pytest.approx(stats.t.sf((sample.mean + margin) / np.sqrt(variance + more), n - 1), rel=0.01)


@pytest.mark.parametrize(
    ("n", "margin", "worse", "better"),
    [
        (100, 0.01, 0.015, 0.005),
        (60, 0.02, 0.03, 0.01),
        (500, 0.01, 0.012, 0.002),
        (30, 0.05, 0.07, 0.02),
        (200, 0.01, 0.013, 0.003),
        (100, 0.02, 0.03, 0.01),
        (500, 0.02, 0.03, 0.01),
    ],
)
def test_pairs_at_the_margin_are_shown_to_be_within_it_as_rarely_as_promised(
    n: int, margin: float, worse: float, better: float
) -> None:
    """Where few pairs differ: the exact chance, summed over all that can be seen."""
    chance = 0.0
    for losses in range(n + 1):
        of_losses = stats.binom.pmf(losses, n, worse)
        if of_losses < 1e-6:
            continue
        of_gains = stats.binom.pmf(np.arange(n - losses + 1), n - losses, better / (1 - worse))
        for gains in np.flatnonzero(of_losses * of_gains > 1e-6):
            p = non_inferiority_p(pairs(losses, int(gains), n), margin)
            assert p is not None
            chance += of_losses * of_gains[gains] * (p <= SIGNIFICANCE)
    assert chance <= SIGNIFICANCE


def test_unequal_clusters_few_of_which_differ() -> None:
    """Whole clusters are lost or won at the margin: SIMULATED, 2000 worlds; three standard errors are 0.01."""
    rng = np.random.default_rng(8)
    clusters = np.repeat(np.arange(60), rng.integers(1, 20, 60))
    worlds = rng.choice([-1.0, 1.0, 0.0], (2000, 60), p=[0.03, 0.01, 0.96])
    p_values = [non_inferiority_p(clustered_mean(world[clusters], clusters), 0.02) for world in worlds]
    assert np.mean([p is not None and p <= SIGNIFICANCE for p in p_values]) <= SIGNIFICANCE + 0.01


def test_power_is_kept_where_many_differ() -> None:
    """Against the plain t test, on the same 400 samples of 600 small differences in 60 clusters."""
    rng, clusters, shown = np.random.default_rng(9), np.repeat(np.arange(60), 10), np.zeros(2)
    for _ in range(400):
        found = clustered_mean(np.clip(rng.normal(0, 0.2, 600), -1, 1), clusters)
        assert found is not None
        p = non_inferiority_p(found, 0.02)
        assert p is not None
        t = (found.mean + 0.02) / found.standard_error
        shown += [p <= SIGNIFICANCE, stats.t.sf(t, found.degrees_of_freedom) <= SIGNIFICANCE]
    assert shown[0] >= 0.95 * shown[1] > 200
