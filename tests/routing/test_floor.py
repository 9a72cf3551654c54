"""The exploration floor: exact mixtures, frequencies, and draws that stay in step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from krins.interfaces import Context, Feedback, Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.epsilon_greedy import EpsilonGreedy
from krins.routing.floor import ExplorationFloor
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1

INNER: list[Policy[Any]] = [FixedArm(2), EpsilonGreedy(0.3), UCB1(), UniformRandom(), ThompsonBeta()]
every_inner = pytest.mark.parametrize("inner", INNER, ids=lambda policy: type(policy).__name__)


def idle(n_replications: int, n_arms: int) -> Context:
    return Context(np.zeros((n_replications, n_arms), np.int64))


def learnt(policy: Policy[Any], n_replications: int) -> Any:
    state = policy.init(4, n_replications)
    for arm, reward in ((0, 1.0), (1, 0.0), (2, 1.0), (3, 1.0), (0, 0.0), (2, 1.0)):
        state = policy.update(state, Feedback(np.full(n_replications, arm), np.full(n_replications, reward)))
    return state


def test_a_mixture_by_hand() -> None:
    policy = ExplorationFloor(FixedArm(2), 0.2)
    found = policy.propensities(policy.init(4, 1), idle(1, 4))
    np.testing.assert_allclose(found, [[0.05, 0.05, 0.85, 0.05]], rtol=1e-15)


@every_inner
@pytest.mark.parametrize("floor", [0.1, 1.0])
def test_choices_are_as_frequent_as_propensities_say(inner: Policy[Any], floor: float) -> None:
    policy, n_choices = ExplorationFloor(inner, floor), 40_000
    expected = n_choices * policy.propensities(learnt(policy, 1), idle(1, 4))[0]
    arms = policy.choose(learnt(policy, n_choices), idle(n_choices, 4), np.random.default_rng(5)).arms
    assert (expected >= n_choices * floor / 4 - 1e-9).all()
    chi_square = ((np.bincount(arms, minlength=4) - expected) ** 2 / expected).sum()
    # 99.9% quantile with 3 degrees of freedom.
    assert chi_square < 16.27


@every_inner
def test_a_choice_has_the_probability_that_it_states(inner: Policy[Any]) -> None:
    policy = ExplorationFloor(inner, 0.25)
    state = learnt(policy, 200)
    arms, probabilities = policy.choose(state, idle(200, 4), np.random.default_rng(1))
    chances = policy.propensities(state, idle(200, 4))
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-12)
    if isinstance(inner, ThompsonBeta):
        assert probabilities is None
    else:
        assert probabilities is not None
        np.testing.assert_allclose(probabilities, chances[np.arange(200), arms], rtol=1e-14)


@every_inner
def test_draws_stay_in_step_whatever_was_chosen(inner: Policy[Any]) -> None:
    state = learnt(inner, 50)
    streams = [np.random.default_rng(3) for _ in range(3)]
    seldom, often = (
        ExplorationFloor(inner, floor).choose(state, idle(50, 4), rng)
        for floor, rng in zip((1e-12, 0.5), streams[:2], strict=True)
    )
    plain = inner.choose(state, idle(50, 4), streams[2])
    np.testing.assert_array_equal(seldom.arms, plain.arms)
    assert (often.arms != plain.arms).any()
    assert streams[0].random() == streams[1].random()


def test_the_state_is_that_of_the_wrapped_policy() -> None:
    policy, inner = ExplorationFloor(ThompsonBeta(), 0.1), ThompsonBeta()
    for found, expected in zip(learnt(policy, 3), learnt(inner, 3), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("floor", [0.0, -0.1, 1.1, math.nan])
def test_a_floor_that_is_none_is_refused(floor: float) -> None:
    with pytest.raises(ValueError, match=r"lies in \(0, 1\]"):
        ExplorationFloor(UCB1(), floor)


def test_params_are_those_of_both() -> None:
    assert ExplorationFloor(EpsilonGreedy(0.3), 0.1).params == {
        "policy": {"name": "EpsilonGreedy", "epsilon": 0.3},
        "floor": 0.1,
    }
