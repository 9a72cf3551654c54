"""Off-policy estimates: by hand, against Open Bandit Pipeline, and for what logs they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy import stats

from krins.errors import UserError
from krins.interfaces import FloatArray
from krins.statistics.off_policy import (
    Estimate,
    all_estimates,
    direct_method,
    doubly_robust,
    ips,
    replay,
    self_normalised_doubly_robust,
    snips,
    switch_doubly_robust,
)
from krins.statistics.overlap import Log

# Weights 1, 2, 1/2, 1.
TINY = Log(np.array([0, 1, 0, 1]), np.array([0.5, 0.25, 0.5, 0.5]), np.array([1.0, 0.0, 1.0, 0.5]), np.arange(4))
TARGET = np.array([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.5, 0.5]])
# Predicted for the target: 3/8, 3/8, 5/16, 3/8. Residuals: 1/2, -1/4, 1/2, 1/4.
PREDICTIONS = np.tile([0.5, 0.25], (4, 1))
DM = 1.4375 / 4


@pytest.mark.parametrize(
    ("estimate", "value", "n_used"),
    [
        (ips(TINY, TARGET), (1 + 0 + 0.5 + 0.5) / 4, 4),
        (snips(TINY, TARGET), 2 / 4.5, 4),
        (direct_method(TINY, TARGET, PREDICTIONS), DM, 0),
        (doubly_robust(TINY, TARGET, PREDICTIONS), DM + (0.5 - 0.5 + 0.25 + 0.25) / 4, 4),
        (self_normalised_doubly_robust(TINY, TARGET, PREDICTIONS), DM + 0.5 / 4.5, 4),
        (switch_doubly_robust(TINY, TARGET, PREDICTIONS, 1.0), DM + (0.5 + 0.25 + 0.25) / 4, 3),
        (switch_doubly_robust(TINY, TARGET, PREDICTIONS, 0.9), DM + 0.25 / 4, 1),
        (switch_doubly_robust(TINY, TARGET, PREDICTIONS, 0.0), DM, 0),
    ],
)
def test_by_hand(estimate: Estimate, value: float, n_used: int) -> None:
    assert estimate.value == pytest.approx(value, abs=1e-15)
    assert estimate.n_used == n_used


def test_interval_by_hand() -> None:
    # Values 1, 0, 1/2, 1/2: variance 1/6, and so light a tail that it is the t interval with 3 degrees of freedom.
    estimate = ips(TINY, TARGET)
    error = math.sqrt(1 / 6 / 4)
    assert estimate.standard_error == pytest.approx(error)
    assert (estimate.low, estimate.high) == pytest.approx((0.5 - 3.1824463 * error, 0.5 + 3.1824463 * error))
    assert estimate.effective_sample_size == pytest.approx(4.5**2 / 6.25)


def test_a_heavy_tail_costs_degrees_of_freedom() -> None:
    # One 1 among ten: deviations 0.9 and nine times -0.1, kurtosis 10 * 0.657 / 0.81; 20 / (kurtosis - 7/9) = 2.727.
    log = Log(np.arange(10) % 2, np.full(10, 0.5), np.array([1.0, *[0.0] * 9]), np.arange(10))
    estimate = ips(log, np.full((10, 2), 0.5))
    assert estimate.standard_error == pytest.approx(0.1)
    assert estimate.high == pytest.approx(0.1 + 0.1 * float(stats.t.ppf(0.975, 20 / (6.57 / 0.81 - 7 / 9))))


def test_replay_by_hand() -> None:
    # Kept with probabilities 1/2, 1, 1/4, 1/2 of the largest weight: over many draws each has its share.
    rng = np.random.default_rng(0)
    drawn = [replay(TINY, TARGET, rng) for _ in range(1500)]
    kept = sum(one.n_used for one in drawn)
    assert kept / 1500 == pytest.approx(2.25, abs=4 * math.sqrt((1 / 4 + 3 / 16 + 1 / 4) / 1500))
    assert sum(one.value * one.n_used for one in drawn) / kept == pytest.approx(2 / 4.5, abs=0.03)


def obp_log() -> tuple[Log, FloatArray, FloatArray]:
    """A log, a target and predictions for 48 decisions and 4 arms, by arithmetic alone."""
    row, arm = np.arange(48), np.arange(4)
    logging = (1.0 + (3 * row[:, None] + 5 * arm) % 7) / (1 + (3 * row[:, None] + 5 * arm) % 7).sum(axis=1)[:, None]
    target = (1.0 + (row[:, None] ** 2 + 2 * arm) % 11) / (1 + (row[:, None] ** 2 + 2 * arm) % 11).sum(axis=1)[:, None]
    actions = (row**2 + row // 3) % 4
    log = Log(actions, logging[row, actions], ((7 * row + 3) % 16) / 16, row)
    return log, target, ((5 * row[:, None] + 9 * arm) % 32) / 32


# What Open Bandit Pipeline 0.5.7 (obp.ope, numpy 1.26.4) answers for that log.
OBP: dict[str, tuple[Callable[[Log, FloatArray, FloatArray], Estimate], float]] = {
    "DirectMethod": (direct_method, 0.48004849770911645),
    "InverseProbabilityWeighting": (lambda log, target, _: ips(log, target), 0.7359273735690136),
    "SelfNormalizedInverseProbabilityWeighting": (lambda log, target, _: snips(log, target), 0.48004942796072986),
    "DoublyRobust": (doubly_robust, 0.48985821793252665),
    "SelfNormalizedDoublyRobust": (self_normalised_doubly_robust, 0.4864474315588862),
    "SwitchDoublyRobust(lambda_=1.5)": (partial(switch_doubly_robust, threshold=1.5), 0.5022228147272477),
    "SwitchDoublyRobust(lambda_=inf)": (partial(switch_doubly_robust, threshold=math.inf), 0.48985821793252665),
}


@pytest.mark.parametrize("name", OBP)
def test_equals_open_bandit_pipeline(name: str) -> None:
    ours, theirs = OBP[name]
    assert abs(ours(*obp_log()).value - theirs) < 1e-12


def test_replay_of_uniform_logging_equals_open_bandit_pipeline() -> None:
    """For a deterministic target no draw decides: its ReplayMethod (obp 0.5.7) answers 0.41015625, from 16 matches."""
    row = np.arange(48)
    target = np.eye(4)[(3 * row**2 + row) % 7 % 4]
    log = obp_log()[0]._replace(propensities=np.full(48, 0.25))
    estimate = replay(log, target, np.random.default_rng(0))
    assert abs(estimate.value - 0.41015625) < 1e-12
    assert estimate.n_used == 16


def test_one_decision_has_a_value_and_no_interval() -> None:
    log = Log(np.array([1]), np.array([0.5]), np.array([0.75]), np.array([0]))
    for estimate in all_estimates(log, np.full((1, 2), 0.5), np.zeros((1, 2)), np.random.default_rng(0)):
        assert estimate.value == (0.0 if estimate.name == "DM" else 0.75)
        assert (estimate.low, estimate.high, estimate.standard_error) == (None, None, None)
        assert not estimate.claims_coverage


def test_weight_in_one_cluster_alone_has_no_interval() -> None:
    log = Log(np.array([0, 0, 1, 1]), np.full(4, 0.5), np.array([1.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]))
    target = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert ips(log, target)[1:5] == (0.5, None, None, None)
    assert snips(log, target)[1:5] == (0.5, None, None, None)


@pytest.mark.parametrize("bad", [np.zeros((4, 3)), np.full((4, 2), np.nan)])
def test_predictions_that_do_not_fit_are_refused(bad: FloatArray) -> None:
    with pytest.raises(ValueError, match="predictions are finite"):
        doubly_robust(TINY, TARGET, bad)


@pytest.mark.parametrize("threshold", [-1.0, math.nan])
def test_a_threshold_is_a_weight(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        switch_doubly_robust(TINY, TARGET, PREDICTIONS, threshold)


def test_no_estimator_answers_for_a_log_that_is_refused() -> None:
    deterministic = TINY._replace(propensities=np.ones(4))
    asks: list[Callable[[], Estimate]] = [
        lambda: ips(deterministic, TARGET),
        lambda: snips(deterministic, TARGET),
        lambda: direct_method(deterministic, TARGET, PREDICTIONS),
        lambda: doubly_robust(deterministic, TARGET, PREDICTIONS),
        lambda: self_normalised_doubly_robust(deterministic, TARGET, PREDICTIONS),
        lambda: switch_doubly_robust(deterministic, TARGET, PREDICTIONS, 1.0),
        lambda: replay(deterministic, TARGET, np.random.default_rng(0)),
    ]
    for ask in asks:
        with pytest.raises(UserError, match="deterministic"):
            ask()
