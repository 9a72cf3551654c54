"""What holds for every policy, in single cases: refusals, one arm alone, and choices as frequent as stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from krins.interfaces import Context, Feedback, Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1

POLICIES: list[Policy[Any]] = [
    EpsilonGreedy(0.3),
    DecayingEpsilonGreedy(0.5),
    UCB1(),
    ThompsonBeta(),
    ThompsonNormal(),
    FixedArm(0),
    UniformRandom(),
]
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)


@every_policy
@pytest.mark.parametrize("reward", [np.nan, np.inf, -np.inf])
def test_a_reward_that_is_no_number_is_refused(policy: Policy[Any], reward: float) -> None:
    feedback = Feedback(np.array([0, 1]), np.array([1.0, reward]))
    with pytest.raises(ValueError, match="NaN or infinite"):
        policy.update(policy.init(2, 2), feedback)
    policy.update(policy.init(2, 2), feedback._replace(observed=np.array([True, False])))


@every_policy
def test_a_policy_needs_an_arm_and_a_replication(policy: Policy[Any]) -> None:
    with pytest.raises(ValueError, match="at least 1 arm"):
        policy.init(0, 1)
    with pytest.raises(ValueError, match="at least 1 arm"):
        policy.init(1, 0)


@every_policy
def test_one_arm_is_always_chosen(policy: Policy[Any]) -> None:
    played = play(
        policy, 1, 3, 10, lambda first, arms: Results(np.ones(arms.shape)), np.random.default_rng(0), round_size=2
    )
    assert (played.arms == 0).all()
    assert policy.propensities(policy.init(1, 3), Context(np.zeros((3, 1), np.int64))).tolist() == [[1.0]] * 3


@every_policy
def test_choices_are_as_frequent_as_propensities_say(policy: Policy[Any]) -> None:
    n_choices, n_arms = 40_000, 5
    # One history, and as many replications of it as there are choices.
    rng = np.random.default_rng(11)
    history = rng.integers(n_arms, size=12), rng.integers(2, size=12).astype(np.float64)
    steps = np.concatenate([np.arange(n_arms), history[0]]), np.concatenate([np.ones(n_arms), history[1]])
    state = policy.init(n_arms, n_choices)
    for arm, reward in zip(*steps, strict=True):
        state = policy.update(state, Feedback(np.full(n_choices, arm), np.full(n_choices, reward)))
    idle = Context(np.zeros((n_choices, n_arms), np.int64))
    one = type(state)(*(array[:1] for array in state))
    expected = n_choices * policy.propensities(one, Context(idle.pending[:1]))[0]
    found = np.bincount(policy.choose(state, idle, rng).arms, minlength=n_arms)
    possible = expected > 0.0
    assert (found[~possible] == 0).all()
    chi_square = ((found - expected)[possible] ** 2 / expected[possible]).sum()
    # 99.9% quantile with 4 degrees of freedom.
    assert chi_square < 18.47
