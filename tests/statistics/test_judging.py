"""What a judge is worth: by hand, and by simulation with a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.errors import UserError
from krins.interfaces import BoolArray, IntArray
from krins.statistics.clustered import Interval, clustered_interval
from krins.statistics.judging import (
    Counted,
    area_under_curve,
    calibration,
    error_adjusted_rate,
    rates,
    share_interval,
    wilson_interval,
)


def own(n: int) -> IntArray:
    return np.arange(n)


def flags(text: str) -> BoolArray:
    return np.array([letter == "1" for letter in text])


def test_wilson_by_hand() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.0, 0.2775), abs=1e-4)
    assert wilson_interval(5, 10) == pytest.approx((0.5, 0.2366, 0.7634), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((1.0, 0.7225, 1.0), abs=1e-4)


def test_rates_of_independent_changes() -> None:
    found = rates(flags("11100010"), flags("11110000"), own(8))
    assert found.sensitivity == found.specificity == wilson_interval(3, 4)
    assert found.balanced_accuracy is not None
    assert found.balanced_accuracy.mean == 0.75


def test_rates_of_tasks_with_several_changes_are_clustered() -> None:
    accepts, truths, clusters = flags("110100"), flags("111111"), np.array([0, 0, 0, 1, 2, 2])
    found = rates(accepts, truths, clusters)
    assert found.sensitivity is not None
    mean, low, high = clustered_interval(accepts.astype(np.float64), clusters)
    assert found.sensitivity == Interval(mean, max(low or 0.0, 0.0), min(high or 1.0, 1.0))
    assert (found.specificity, found.balanced_accuracy) == (None, None)


def test_an_interval_of_balanced_accuracy_covers_it() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(500):
        truths = np.repeat([True, False], [30, 50])
        accepts = rng.random(80) < np.where(truths, 0.8, 0.3)
        interval = rates(accepts, truths, own(80)).balanced_accuracy
        assert interval is not None and interval.low is not None and interval.high is not None
        hits += interval.low <= 0.75 <= interval.high
    assert 0.92 <= hits / 500 <= 0.98  # 0.95, three standard errors around it


def test_area_by_hand() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.1])
    area = area_under_curve(scores, flags("1100"), own(4))
    assert area is not None
    assert area.mean == (1 + 1 + 0.5 + 1) / 4
    assert area_under_curve(scores, flags("1111"), own(4)) is None


def test_the_areas_variance_is_delongs() -> None:
    rng = np.random.default_rng(2)
    truths = np.repeat([True, False], [12, 20])
    scores = rng.normal(size=32) + truths
    above = (scores[:12, None] > scores[None, 12:]).astype(float)
    delong = above.mean(axis=1).var(ddof=1) / 12 + above.mean(axis=0).var(ddof=1) / 20
    area = area_under_curve(scores, truths, own(32))
    assert area is not None and area.high is not None
    from scipy.special import stdtrit

    assert (area.high - area.mean) / stdtrit(31, 0.975) == pytest.approx(np.sqrt(delong), rel=0.06)


def test_an_interval_of_the_area_covers_it_with_clusters() -> None:
    """Four changes of a task share a level, which moves its scores up or down together."""
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(30), 4)
    truths = np.tile([True, False, False, False], 30)

    def draw() -> tuple[float, Interval]:
        level = rng.normal(size=30)[clusters]
        scores = level + rng.normal(size=120) + truths
        found = area_under_curve(scores, truths, clusters)
        assert found is not None
        return found.mean, found

    drawn = [draw() for _ in range(400)]
    expected = 0.6915  # Phi(1 / sqrt(2 * (1 + 1))) of two changes of different tasks
    within = 0.7602  # Phi(1 / sqrt(2)) of two of one task, a thirtieth of the pairs
    truth = expected * 29 / 30 + within / 30
    assert np.mean([mean for mean, _ in drawn]) == pytest.approx(truth, abs=0.01)
    hits = [found.low <= truth <= found.high for _, found in drawn if found.low is not None and found.high is not None]
    assert 0.915 <= np.mean(hits) <= 0.985


def test_calibration_by_hand() -> None:
    probabilities = np.array([0.2, 0.2, 0.8, 0.8])
    found = calibration(probabilities, flags("0111"), 2)
    assert found.brier_score == pytest.approx((0.04 + 0.64 + 0.04 + 0.04) / 4)
    assert [(part.n, part.share_right) for part in found.bins] == [(2, 0.5), (2, 1.0)]
    assert [part.mean_score for part in found.bins] == pytest.approx([0.2, 0.8])
    assert found.expected_error == pytest.approx((2 * 0.3 + 2 * 0.2) / 4)
    assert len(calibration(np.full(50, 0.5), np.ones(50, bool)).bins) == 1
    assert [part.n for part in calibration(np.linspace(0, 1, 100), np.ones(100, bool)).bins] == [10] * 10


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]), st.booleans()), min_size=1), st.integers(1, 12))
def test_bins_hold_every_change_once_in_order(rows: list[tuple[float, bool]], n_bins: int) -> None:
    probabilities, truths = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = calibration(probabilities, truths, n_bins)
    assert sum(part.n for part in found.bins) == len(rows)
    assert 1 <= len(found.bins) <= n_bins
    means = [part.mean_score for part in found.bins]
    assert means == sorted(means)
    assert 0 <= found.expected_error <= 1 and 0 <= found.brier_score <= 1


def test_the_adjusted_rate_by_hand() -> None:
    """(0.5 + 0.9 - 1) / (0.8 + 0.9 - 1) = 4/7; Lang and Reiczigel's limits as worked out from their formulas."""
    found = error_adjusted_rate(Counted(50, 100), Counted(80, 100), Counted(90, 100))
    assert found.mean == pytest.approx(4 / 7)
    z = 1.959964
    share, yes, no = (50 + z**2 / 2) / (100 + z**2), 81 / 102, 91 / 102
    rate = (share + no - 1) / (yes + no - 1)
    terms = share * (1 - share) / (100 + z**2), yes * (1 - yes) / 102, no * (1 - no) / 102
    half = z * (terms[0] + rate**2 * terms[1] + (1 - rate) ** 2 * terms[2]) ** 0.5 / (yes + no - 1)
    shift = 2 * z**2 * (rate * terms[1] - (1 - rate) * terms[2])
    assert found[1:] == pytest.approx((rate + shift - half, rate + shift + half), abs=1e-5)


def test_a_perfect_judge_changes_nothing() -> None:
    found = error_adjusted_rate(Counted(3, 10), Counted(10**6, 10**6), Counted(10**6, 10**6))
    assert found.mean == pytest.approx(0.3)
    # Agresti and Coull's interval: that of the share with a few cases added, as in this one.
    assert found[1:] == pytest.approx((0.1033, 0.6077), abs=2e-3)


def test_a_judge_without_skill_is_refused_and_a_rate_stays_a_share() -> None:
    with pytest.raises(UserError, match="no better than a coin"):
        error_adjusted_rate(Counted(5, 10), Counted(5, 10), Counted(5, 10))
    assert error_adjusted_rate(Counted(0, 10), Counted(9, 10), Counted(8, 10)).mean == 0.0
    assert error_adjusted_rate(Counted(10, 10), Counted(9, 10), Counted(8, 10)).mean == 1.0


@pytest.mark.parametrize("n_yes", [0, 3, 6])
def test_too_few_known_changes_tell_nothing(n_yes: int) -> None:
    """2 of 2 and 1 of 6, with the cases that are added, are 3/4 and 2/8: together one, a coin."""
    found = error_adjusted_rate(Counted(n_yes, 6), Counted(2, 2), Counted(1, 6))
    assert (found.low, found.high) == (0.0, 1.0)
    assert 0.0 <= found.mean <= 1.0


@pytest.mark.parametrize(("truth", "sensitivity", "specificity"), [(0.5, 0.8, 0.9), (0.1, 0.7, 0.8), (0.9, 0.9, 0.6)])
def test_the_adjusted_interval_covers_the_truth(truth: float, sensitivity: float, specificity: float) -> None:
    """36 right and 108 wrong changes known, 200 unknown ones. Taking the errors for certain would cover too little."""
    rng = np.random.default_rng(4)
    accepted = truth * sensitivity + (1 - truth) * (1 - specificity)
    hits = 0
    for _ in range(1000):
        found = error_adjusted_rate(
            Counted(int(rng.binomial(200, accepted)), 200),
            Counted(int(rng.binomial(36, sensitivity)), 36),
            Counted(int(rng.binomial(108, specificity)), 108),
        )
        assert found.low is not None and found.high is not None
        hits += found.low <= truth <= found.high
    assert 0.93 <= hits / 1000 <= 0.985


def test_where_no_spread_is_seen_nobody_is_sure() -> None:
    """Four changes of two tasks, judged without fault: as sure as two cases make it, and no surer."""
    accepts, truths, clusters = (
        np.array([True, True, False, False]),
        np.array([True, True, False, False]),
        np.arange(4) % 2,
    )
    found = rates(accepts, truths, clusters)
    assert found.balanced_accuracy == Interval(1.0, None, None)
    assert area_under_curve(accepts.astype(float), truths, clusters) == Interval(1.0, None, None)
    same = np.zeros(4, np.bool_)
    assert share_interval(same, clusters) == wilson_interval(0, 2)
    assert share_interval(~same, clusters) == wilson_interval(2, 2)
