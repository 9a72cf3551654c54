"""Epsilon-greedy against probabilities worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from krins.interfaces import Context
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.tally import Tally

COUNTS = np.array([[4.0, 2.0, 4.0, 10.0]])
SUMS = np.array([[1.0, 1.5, 2.0, 5.0]])
"""Means 0.25, 0.75, 0.5, 0.5 after 20 rewards."""
STATE = Tally(COUNTS, SUMS)
IDLE = Context(np.zeros((1, 4), np.int64))


def test_the_greedy_arm_gets_the_rest_and_its_share() -> None:
    found = EpsilonGreedy(0.2).propensities(STATE, IDLE)
    np.testing.assert_allclose(found, [[0.05, 0.85, 0.05, 0.05]], rtol=1e-15)


def test_a_decaying_epsilon_is_scale_times_arms_by_rewards_learnt() -> None:
    # epsilon = 2 * 4 / 20 = 0.4, a share of 0.1 each
    found = DecayingEpsilonGreedy(2.0).propensities(STATE, IDLE)
    np.testing.assert_allclose(found, [[0.1, 0.7, 0.1, 0.1]], rtol=1e-15)


def test_a_decaying_epsilon_is_at_most_one() -> None:
    assert DecayingEpsilonGreedy(5.0).propensities(STATE, IDLE).tolist() == [[0.25] * 4]


@pytest.mark.parametrize("policy", [EpsilonGreedy(1.0), DecayingEpsilonGreedy(5.0)])
def test_an_untried_arm_is_certain(policy: EpsilonGreedy | DecayingEpsilonGreedy) -> None:
    choice = policy.choose(policy.init(4, 100), Context(np.tile([1, 0, 1, 0], (100, 1))), np.random.default_rng(0))
    assert choice.arms.tolist() == [1] * 100
    assert choice.probabilities is not None
    assert choice.probabilities.tolist() == [1.0] * 100


def test_replications_decay_each_at_their_own_pace() -> None:
    state = Tally(np.array([[10.0, 10.0], [40.0, 40.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    found = DecayingEpsilonGreedy(1.0).propensities(state, Context(np.zeros((2, 2), np.int64)))
    np.testing.assert_allclose(found, [[0.95, 0.05], [0.9875, 0.0125]], rtol=1e-15)


@pytest.mark.parametrize(("epsilon", "expected"), [(0.0, [0, 1.0, 0, 0]), (1.0, [0.25] * 4)])
def test_the_ends_of_the_range(epsilon: float, expected: list[float]) -> None:
    assert EpsilonGreedy(epsilon).propensities(STATE, IDLE).tolist() == [expected]


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, math.nan])
def test_an_epsilon_that_is_no_probability_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="lies in"):
        EpsilonGreedy(epsilon)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_that_never_explores_or_never_stops_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="positive, finite"):
        DecayingEpsilonGreedy(scale)


def test_params_are_the_hyper_parameters() -> None:
    assert EpsilonGreedy(0.2).params == {"epsilon": 0.2}
    assert DecayingEpsilonGreedy(2.0).params == {"scale": 2.0}
