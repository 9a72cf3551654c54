"""Steppers against the array policies that they stand for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Policy
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.linear import LinTS, LinUCB
from krins.routing.linear_stepper import LinTSStepper, LinUCBStepper
from krins.routing.scalar_steppers import EpsilonGreedyStepper, ThompsonBetaStepper, UCB1Stepper
from krins.routing.steppers import ArrayStepper, Stepper, stepper
from krins.routing.tally import Tally
from krins.routing.thompson import BetaState, ThompsonBeta
from krins.routing.ucb import UCB1
from krins.routing.warm_start import warm_start

SAME: list[Policy[Any]] = [
    EpsilonGreedy(0.0),
    EpsilonGreedy(0.3),
    EpsilonGreedy(1.0),
    DecayingEpsilonGreedy(0.5),
    DecayingEpsilonGreedy(5.0),
    UCB1(),
    UCB1((-1.0, 2.3)),
]
same = pytest.mark.parametrize("policy", SAME, ids=repr)
repeated = settings(deadline=None, max_examples=100, derandomize=True)

# An operation: None decides; a reward is learnt by a pending choice, or by any arm, whichever the number picks.
OPERATIONS = st.lists(
    st.none()
    | st.tuples(st.integers(0, 20), st.sampled_from([0.0, 1.0]) | st.floats(-1e6, 1e6, allow_subnormal=False)),
    max_size=60,
)


def pair(policy: Policy[Any], n_arms: int, seed: int) -> tuple[Stepper, ArrayStepper]:
    fast = stepper(policy, policy.init(n_arms, 1), np.random.default_rng(seed))
    assert not isinstance(fast, ArrayStepper)
    return fast, ArrayStepper(policy, policy.init(n_arms, 1), np.random.default_rng(seed))


def learn(which: Stepper, arm: int, reward: float) -> None:
    which.learn(arm, reward, None, None, None, None)


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    for array, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, other, strict=True)


@same
@repeated
@given(n_arms=st.integers(1, 6), seed=st.integers(0, 2**32), operations=OPERATIONS)
def test_choices_and_states_are_the_same_to_the_last_bit(
    policy: Policy[Any], n_arms: int, seed: int, operations: list[tuple[int, float] | None]
) -> None:
    fast, array = pair(policy, n_arms, seed)
    pending = [0] * n_arms
    for operation in operations:
        if operation is None:
            choice = fast.choose(pending, None)
            assert choice == array.choose(pending, None)
            pending[choice[0]] += 1
        else:
            number, reward = operation
            arm = number % n_arms
            learn(fast, arm, reward)
            learn(array, arm, reward)
            pending[arm] = max(pending[arm] - 1, 0)
        assert_same(fast.state, array.state)


@same
def test_they_stay_the_same_over_many_blocks_of_random_numbers(policy: Policy[Any]) -> None:
    fast, array = pair(policy, 9, 3)
    rewards = np.random.default_rng(0).random((1500, 9))
    for row in rewards:
        choice = fast.choose([0] * 9, None)
        assert choice == array.choose([0] * 9, None)
        learn(fast, choice[0], row[choice[0]])
        learn(array, choice[0], row[choice[0]])
    assert_same(fast.state, array.state)


@same
def test_a_stepper_begins_where_a_state_is(policy: Policy[Any]) -> None:
    # 300 rewards, so that a block of logarithms does not begin at its usual place.
    state = Tally(np.array([[100.0, 0.0, 200.0]]), np.array([[55.5, 0.0, 99.25]]))
    fast = stepper(policy, state, np.random.default_rng(5))
    array = ArrayStepper(policy, state, np.random.default_rng(5))
    for pending in ([0, 0, 0], [0, 1, 0], [3, 1, 2]):
        assert fast.choose(pending, None) == array.choose(pending, None)
    assert_same(fast.state, state)


@repeated
@given(
    prior=st.tuples(st.floats(0.1, 5.0), st.floats(0.1, 5.0)),
    lessons=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 1.0])), max_size=60),
)
def test_posteriors_are_the_same_to_the_last_bit(prior: tuple[float, float], lessons: list[tuple[int, float]]) -> None:
    fast, array = pair(ThompsonBeta(prior), 4, 0)
    for lesson in lessons:
        fast.choose([0] * 4, None)
        learn(fast, *lesson)
        learn(array, *lesson)
        assert_same(fast.state, array.state)


def test_draws_from_one_posterior_are_as_frequent_as_propensities_say() -> None:
    policy, n_choices = ThompsonBeta(), 40_000
    state = BetaState(np.array([[3.0, 1.0, 9.0, 2.0, 6.0]]), np.array([[2.0, 1.0, 8.0, 4.0, 3.0]]))
    fast = stepper(policy, state, np.random.default_rng(7))
    found = np.bincount([fast.choose([0] * 5, None)[0] for _ in range(n_choices)], minlength=5)
    expected = n_choices * policy.propensities(state, Context(np.zeros((1, 5), np.int64)))[0]
    # 99.9% quantile with 4 degrees of freedom.
    assert ((found - expected) ** 2 / expected).sum() < 18.47


def test_whole_histories_of_thompson_sampling_are_as_frequent_as_their_choices_say() -> None:
    # Arm 0 is always rewarded and arm 1 never. Draws are kept from step to step: if that made choices depend on each
    # other beyond the posterior, histories would not have the product of their choices' probabilities.
    policy, n_steps, n_runs = ThompsonBeta(), 4, 12_000
    idle = Context(np.zeros((1, 2), np.int64))
    expected = {}
    for history in itertools.product((0, 1), repeat=n_steps):
        array, chance = ArrayStepper(policy, policy.init(2, 1), np.random.default_rng(0)), 1.0
        for arm in history:
            chance *= policy.propensities(array.state, idle)[0, arm]
            learn(array, arm, 1.0 - arm)
        expected[history] = n_runs * chance
    rng, found = np.random.default_rng(1), dict.fromkeys(expected, 0)
    for _ in range(n_runs):
        fast, arms = stepper(policy, policy.init(2, 1), rng), []
        for _ in range(n_steps):
            arms.append(fast.choose([0, 0], None)[0])
            learn(fast, arms[-1], 1.0 - arms[-1])
        found[tuple(arms)] += 1
    chi_square = sum((found[history] - mean) ** 2 / mean for history, mean in expected.items())
    assert min(expected.values()) > 5.0
    # 99.9% quantile with 15 degrees of freedom.
    assert chi_square < 37.70


def test_a_reward_that_is_not_binary_is_refused_in_the_policy_s_words() -> None:
    for which in pair(ThompsonBeta(), 2, 0):
        with pytest.raises(ValueError, match=r"rewards of 0 and 1, got 0\.5; use ThompsonNormal"):
            learn(which, 0, 0.5)
        assert_same(which.state, ThompsonBeta().init(2, 1))


@pytest.mark.parametrize(
    "policy", [LinUCB(5), LinUCB(5, alpha=0.3, ridge=0.1), LinTS(5), LinTS(5, scale=2.0)], ids=repr
)
def test_linear_choices_are_the_same_and_states_agree_to_rounding(policy: Policy[Any]) -> None:
    fast, array = pair(policy, 4, 9)
    rng = np.random.default_rng(2)
    for _ in range(400):
        row = rng.normal(size=5)
        choice = fast.choose([0] * 4, row)
        assert choice == array.choose([0] * 4, row)
        reward = rng.random()
        fast.learn(choice[0], reward, row, None, None, None)
        array.learn(choice[0], reward, row, None, None, None)
    np.testing.assert_allclose(fast.state.stacked, array.state.stacked, rtol=1e-9, atol=1e-12)


class Other(EpsilonGreedy):
    """Not what its stepper would take it for."""


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (EpsilonGreedy(), EpsilonGreedyStepper),
        (DecayingEpsilonGreedy(), EpsilonGreedyStepper),
        (UCB1(), UCB1Stepper),
        (ThompsonBeta(), ThompsonBetaStepper),
        (LinUCB(2), LinUCBStepper),
        (LinTS(2), LinTSStepper),
        (LinUCB(2, shared=True), ArrayStepper),
        (Other(), ArrayStepper),
    ],
    ids=repr,
)
def test_exact_types_have_steppers_of_their_own(policy: Policy[Any], expected: type[Any]) -> None:
    assert isinstance(stepper(policy, policy.init(2, 1), np.random.default_rng(0)), expected)


def test_a_tally_with_fractions_goes_through_arrays() -> None:
    state = warm_start(UCB1().init(2, 1), np.array([[0.5, np.nan]]), 0.7)
    assert isinstance(stepper(UCB1(), state, np.random.default_rng(0)), ArrayStepper)
