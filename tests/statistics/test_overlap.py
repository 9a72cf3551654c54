"""Overlap by hand, and each reason for which a log is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.errors import UserError
from krins.interfaces import FloatArray
from krins.statistics.overlap import Log, importance_weights, kish, overlap, supported_weights

UNIFORM = np.full((40, 2), 0.5)
GOOD = Log(np.arange(40) % 2, np.full(40, 0.5), np.linspace(0, 1, 40), np.arange(40))


def changed(values: FloatArray, where: int, value: float) -> FloatArray:
    copy = values.copy()
    copy[where] = value
    return copy


def test_by_hand() -> None:
    log = Log(np.array([0, 1, 0, 1]), np.array([0.5, 0.25, 0.5, 0.5]), np.zeros(4), np.arange(4))
    found = overlap(log, np.array([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]))
    # Weights 1, 2, 1/2, 1: deviations from 9/8 of -1/8, 7/8, -5/8, -1/8.
    assert found == pytest.approx((4, 4.5**2 / 6.25, 2.0, 2 / 4.5, 4.5 / 4, math.sqrt(1.1875 / 3 / 4), 0.0, 0.0))


def test_top_percent_is_of_the_largest_weights() -> None:
    log = Log(np.zeros(200, dtype=np.int64), np.array([0.1, 0.2, *[0.5] * 198]), np.zeros(200), np.arange(200))
    found = overlap(log, UNIFORM[[0] * 200])
    assert found.weight_in_top_percent == pytest.approx((5 + 2.5) / (5 + 2.5 + 198))


def test_error_of_the_mean_weight_knows_of_clusters() -> None:
    log = GOOD._replace(clusters=np.arange(40) // 20)
    target = np.repeat([[1.0, 0.0], [0.5, 0.5]], 20, axis=0)
    single = overlap(log._replace(clusters=np.zeros(40, dtype=np.int64)), target)
    assert single.mean_weight_error is None
    assert overlap(log, target).mean_weight_error == pytest.approx(0.0)
    assert overlap(GOOD, target).mean_weight_error == pytest.approx(math.sqrt(20 / 39 / 40))


def test_mass_without_support_is_known_from_the_full_propensities_or_from_certainty() -> None:
    target = np.tile([0.5, 0.25, 0.25], (4, 1))
    log = Log(np.zeros(4, dtype=np.int64), np.array([1.0, 0.5, 0.5, 0.5]), np.zeros(4), np.arange(4))
    assert overlap(log, target)[-2:] == (0.5 / 4, 1 / 4)
    full = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    assert overlap(log._replace(all_propensities=full), target)[-2:] == (0.75 / 4, 2 / 4)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30), st.floats(0.01, 100))
def test_effective_sample_size_is_between_one_and_n_and_has_no_unit(values: list[float], scale: float) -> None:
    weights = np.array(values)
    assert 1 - 1e-9 <= kish(weights) <= len(weights) + 1e-9
    assert kish(scale * weights) == pytest.approx(kish(weights))


def test_no_weight_is_no_sample() -> None:
    assert kish(np.zeros(3)) == 0.0


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_a_log_of_the_target_itself_is_never_refused(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.dirichlet(np.full(4, 0.3), n).clip(1e-12)
    target /= target.sum(axis=1, keepdims=True)
    actions = (target.cumsum(axis=1) > rng.random((n, 1)) * (1 - 1e-9)).argmax(axis=1)
    log = Log(actions, target[np.arange(n), actions], rng.normal(size=n), np.arange(n))
    assert supported_weights(log, target) == pytest.approx(np.ones(n))
    assert overlap(log, target).mean_weight == pytest.approx(1.0)


def test_a_deterministic_log_supports_itself() -> None:
    log = GOOD._replace(propensities=np.ones(40))
    assert (supported_weights(log, np.eye(2)[log.actions]) == 1).all()


def test_a_short_warm_up_is_let_pass() -> None:
    log = Log(np.arange(400) % 2, changed(np.full(400, 0.5), 0, 1.0), np.zeros(400), np.arange(400))
    assert overlap(log, UNIFORM[[0] * 400]).unsupported_mass == pytest.approx(0.5 / 400)
    assert len(supported_weights(log, UNIFORM[[0] * 400])) == 400


def test_a_short_log_in_which_the_target_was_lucky_is_not_refused() -> None:
    """Four times out of four the uniform logger chose the target's arm: weights of 2, without any spread."""
    log = Log(np.zeros(4, dtype=np.int64), np.full(4, 0.5), np.zeros(4), np.arange(4))
    assert supported_weights(log, np.tile([1.0, 0.0], (4, 1))).tolist() == [2, 2, 2, 2]


EMPTY = Log(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
NEVER = np.eye(2)[1 - np.arange(40) % 2]
BROKEN: dict[str, tuple[Log, FloatArray, str]] = {
    "empty": (EMPTY, np.zeros((0, 2)), "no decision"),
    "zero propensity": (GOOD._replace(propensities=changed(GOOD.propensities, 3, 0.0)), UNIFORM, "decision 3: 0.0"),
    "negative propensity": (GOOD._replace(propensities=changed(GOOD.propensities, 3, -0.5)), UNIFORM, "not in"),
    "propensity above 1": (GOOD._replace(propensities=changed(GOOD.propensities, 3, 1.5)), UNIFORM, "decision 3: 1.5"),
    "propensity NaN": (GOOD._replace(propensities=changed(GOOD.propensities, 3, np.nan)), UNIFORM, "decision 3: nan"),
    "outcome NaN": (GOOD._replace(outcomes=changed(GOOD.outcomes, 5, np.nan)), UNIFORM, "decision 5"),
    "outcome infinite": (GOOD._replace(outcomes=changed(GOOD.outcomes, 5, np.inf)), UNIFORM, "decision 5"),
    "unknown arm": (GOOD._replace(actions=GOOD.actions + 1), UNIFORM, "arms that are not among"),
    "target negative": (GOOD, np.tile([1.5, -0.5], (40, 1)), "not all in"),
    "target NaN": (GOOD, np.tile([1.0, np.nan], (40, 1)), "not all in"),
    "target sums to less": (GOOD, np.tile([0.5, 0.4], (40, 1)), "sum to 0.9"),
    "full propensities sum to less": (GOOD._replace(all_propensities=0.9 * UNIFORM), UNIFORM, "sum to 0.9"),
    "full propensities differ": (GOOD._replace(all_propensities=np.tile([0.4, 0.6], (40, 1))), UNIFORM, "differ"),
}
WITHOUT_SUPPORT: dict[str, tuple[Log, FloatArray, str]] = {
    "deterministic": (GOOD._replace(propensities=np.ones(40)), UNIFORM, "deterministic"),
    "certain too often": (
        GOOD._replace(propensities=np.where(np.arange(40) < 4, 1.0, 0.5)),
        UNIFORM,
        "5.0% of the target's choices",
    ),
    "no chance": (
        GOOD._replace(actions=np.arange(40) % 3 % 2, all_propensities=np.tile([0.5, 0.5, 0.0], (40, 1))),
        np.tile([0.49, 0.49, 0.02], (40, 1)),
        "2.0% of the target's choices",
    ),
    "arm never logged": (
        GOOD,
        np.tile([0.35, 0.35, 0.3], (40, 1)),
        "no decision for arm 2, to which the target gives 30",
    ),
    "no decision shared": (GOOD, NEVER, "none of the logged decisions"),
    "mean weight too low": (GOOD._replace(propensities=np.full(40, 0.9)), UNIFORM, "below 1"),
    "mean weight too high": (GOOD._replace(propensities=np.full(40, 0.3)), UNIFORM, "above 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_numbers_are_refused(case: str) -> None:
    log, target, reason = BROKEN[case]
    for ask in (supported_weights, overlap):
        with pytest.raises(UserError, match=reason) as refusal:
            ask(log, target)
        assert refusal.value.remedy


@pytest.mark.parametrize("case", WITHOUT_SUPPORT)
def test_lacking_support_is_refused_and_can_still_be_diagnosed(case: str) -> None:
    log, target, reason = WITHOUT_SUPPORT[case]
    with pytest.raises(UserError, match=reason) as refusal:
        supported_weights(log, target)
    assert refusal.value.remedy
    assert overlap(log, target).mean_weight == pytest.approx(importance_weights(log, target).mean())


@pytest.mark.parametrize(
    ("log", "target"),
    [
        (GOOD._replace(outcomes=np.zeros(39)), UNIFORM),
        (GOOD, UNIFORM[:39]),
        (GOOD, UNIFORM[:, 0]),
        (GOOD._replace(all_propensities=UNIFORM[:, :1]), UNIFORM),
    ],
)
def test_shapes_have_to_fit(log: Log, target: FloatArray) -> None:
    with pytest.raises(ValueError):
        supported_weights(log, target)


def test_few_wrong_refusals_where_weights_are_heavy_tailed() -> None:
    """A logger that takes the target's arm once in 50: at most 1% of 500 honest logs of 1,000 decisions are refused."""
    refused = 0
    target = np.tile([1.0, 0.0], (1000, 1))
    for number in range(500):
        actions = (np.random.default_rng([5, number]).random(1000) > 0.02).astype(np.int64)
        log = Log(actions, np.where(actions == 0, 0.02, 0.98), np.zeros(1000), np.arange(1000))
        try:
            supported_weights(log, target)
        except UserError:
            refused += 1
    assert refused <= 5
