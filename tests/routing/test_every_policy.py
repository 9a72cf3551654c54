"""What holds for every policy, in single cases: refusals, one arm alone, and choices as frequent as stated."""

from __future__ import annotations

import numpy as np
import pytest

from tests.routing.policies import UnderTest, each_policy, feedback, idle, mapped, pick, played


@each_policy()
@pytest.mark.parametrize("reward", [np.nan, np.inf, -np.inf])
def test_a_reward_that_is_no_number_is_refused(tested: UnderTest, reward: float) -> None:
    policy, step = tested.policy, feedback(np.array([0, 1]), np.array([1.0, reward]))
    with pytest.raises(ValueError, match="NaN or infinite"):
        policy.update(policy.init(2, 2), step)
    policy.update(policy.init(2, 2), step._replace(observed=np.array([True, False])))


@each_policy()
def test_a_policy_needs_an_arm_and_a_replication(tested: UnderTest) -> None:
    with pytest.raises(ValueError, match="at least 1 arm"):
        tested.policy.init(0, 1)
    with pytest.raises(ValueError, match="at least 1 arm"):
        tested.policy.init(1, 0)


@each_policy(lambda tested: tested.takes_features)
def test_what_needs_features_does_not_go_without(tested: UnderTest) -> None:
    policy, rng = tested.policy, np.random.default_rng(0)
    state, without = policy.init(2, 1), idle(2)._replace(features=None)
    with pytest.raises(ValueError, match="features"):
        policy.choose(state, without, rng)
    with pytest.raises(ValueError, match="features"):
        policy.propensities(state, without)
    with pytest.raises(ValueError, match="features"):
        policy.update(state, feedback(np.array([0]), np.array([1.0]))._replace(features=None))


@each_policy(lambda tested: not tested.takes_features)
def test_what_needs_no_features_goes_without(tested: UnderTest) -> None:
    policy, step = tested.policy, feedback(np.array([0]), np.array([1.0]))._replace(features=None)
    state = policy.update(policy.init(2, 1), step)
    found = policy.propensities(state, idle(2)._replace(features=None))
    np.testing.assert_array_equal(found, policy.propensities(state, idle(2)))


@each_policy()
def test_one_arm_is_always_chosen(tested: UnderTest) -> None:
    assert (played(tested.policy, np.ones(1), 3, 10, round_size=2).arms == 0).all()
    assert tested.policy.propensities(tested.policy.init(1, 3), idle(1, 3)).tolist() == [[1.0]] * 3


@each_policy(lambda tested: tested.first_each_once)
@pytest.mark.parametrize("round_size", [1, 3, 5, 7])
def test_the_first_choices_are_each_arm_once_whatever_the_round(tested: UnderTest, round_size: int) -> None:
    first = played(tested.policy, np.zeros(5), 2, 7, round_size=round_size).arms[:5]
    assert first.T.tolist() == [[0, 1, 2, 3, 4]] * 2


@each_policy()
def test_choices_are_as_frequent_as_propensities_say(tested: UnderTest) -> None:
    n_choices, n_arms, policy = 40_000, 5, tested.policy
    # One history, and as many replications of it as there are choices.
    rng, same = np.random.default_rng(11), np.zeros(n_choices, np.int64)
    arms = np.concatenate([np.arange(n_arms), rng.integers(n_arms, size=12)])
    rewards = np.concatenate([np.ones(n_arms), rng.integers(2, size=12)])
    state = policy.init(n_arms, n_choices)
    for i in range(arms.size):
        state = policy.update(state, pick(feedback(arms[i : i + 1], rewards[i : i + 1], seed=i), same))
    expected = n_choices * policy.propensities(mapped(state, lambda array: array[:1]), idle(n_arms))[0]
    found = np.bincount(policy.choose(state, idle(n_arms, n_choices), rng).arms, minlength=n_arms)
    possible = expected > 0.0
    assert (found[~possible] == 0).all()
    chi_square = ((found - expected)[possible] ** 2 / expected[possible]).sum()
    # 99.9% quantile with 4 degrees of freedom.
    assert chi_square < 18.47
