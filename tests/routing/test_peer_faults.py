"""Faults that bandit libraries in use have, or had: none of our policies may have them.

Each test names one, and takes every policy that could have it. An inverted prior of linear policies is their tests'.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.routing.policies import UnderTest, arrays, each_policy, idle, played, told

learning = each_policy(lambda tested: tested.learns)


@learning
def test_an_unseen_arm_does_not_rank_behind_a_failure(tested: UnderTest) -> None:
    # Ranked last, or behind a tie, arms 1 to 4 would have at most what is explored at random.
    state = told(tested.policy, 5, [(0, 0.0)])
    assert tested.policy.propensities(state, idle(5))[0, 1:].sum() > 0.5


@each_policy(lambda tested: tested.learns and not tested.takes_features)
def test_an_unseen_arm_does_not_rank_behind_one_success(tested: UnderTest) -> None:
    # Linear policies expect rewards of 0 from an unseen arm, and may well stay with one that brought 1.
    state = told(tested.policy, 5, [(0, 1.0)])
    assert tested.policy.propensities(state, idle(5))[0, 1:].sum() > 0.5


@learning
def test_ties_do_not_keep_an_arm_from_being_tried(tested: UnderTest) -> None:
    # Every arm brings nothing. Drawn with a probability of at least 0.05, one is missed once in 10^7 runs.
    arms = played(tested.policy, np.zeros(5), n_replications=4, horizon=400).arms
    assert all(set(run) == {0, 1, 2, 3, 4} for run in arms.T.tolist())


@learning
def test_the_last_arm_is_explored_and_found_to_be_the_best(tested: UnderTest) -> None:
    arms = played(tested.policy, np.array([0.0, 0.0, 0.0, 1.0]), n_replications=4, horizon=400).arms
    assert ((arms[-100:] == 3).mean(axis=0) > 0.5).all()


@learning
def test_arms_rank_by_the_mean_of_their_rewards_and_not_by_the_sum(tested: UnderTest) -> None:
    # 3 rewards of 10 against 2 of 2, told in turns.
    often = [(0, 1.0), (0, 0.0), (0, 0.0), (0, 1.0), (0, 0.0), (0, 0.0), (0, 1.0), (0, 0.0), (0, 0.0), (0, 0.0)]
    state = told(tested.policy, 2, [(1, 1.0), *often, (1, 1.0)])
    first, second = tested.policy.propensities(state, idle(2))[0]
    assert second > first


@learning
@pytest.mark.parametrize("best", [0, 1, 2, 3])
def test_the_first_reward_counts(tested: UnderTest, best: int) -> None:
    # Each arm has told one reward, and a single one is 1: without an arm's first there is nothing to tell them apart.
    lessons = [(arm, float(arm == best)) for arm in range(4)]
    state = told(tested.policy, 4, lessons)
    chances = tested.policy.propensities(state, idle(4))[0]
    assert (np.delete(chances, best) < chances[best]).all()
    without = told(tested.policy, 4, [(arm, 0.0) for arm in range(4)])
    assert any((one != other).any() for one, other in zip(arrays(state), arrays(without), strict=True))


@each_policy()
def test_zero_is_a_seed_like_any_other(tested: UnderTest) -> None:
    # Taken for no seed at all, it would give another play each time.
    first, again = (played(tested.policy, np.array([0.0, 1.0, 0.0]), 3, 60, seed=0).arms for _ in range(2))
    assert first.shape == (60, 3)
    np.testing.assert_array_equal(first, again)
