"""The loop: rounds, pending choices, the order of learning, and what a play records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from krins.interfaces import Choice, Context, Feedback, FloatArray, IntArray, Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1


@dataclass(frozen=True)
class RoundRobin:
    """A policy whose state is the number of rewards learnt, and that keeps a diary of all calls."""

    diary: list[str] = field(default_factory=list)

    @property
    def params(self) -> Mapping[str, Any]:
        return {}

    def init(self, n_arms: int, n_replications: int) -> int:
        return 0

    def choose(self, state: int, context: Context, rng: np.random.Generator) -> Choice:
        arm = state + int(context.pending[0].sum())
        self.diary.append(f"choose {arm} pending {context.pending[0].tolist()}")
        return Choice(np.array([arm]), np.array([0.5]))

    def update(self, state: int, feedback: Feedback) -> int:
        learns = "learn" if feedback.observed is None or feedback.observed[0] else "ignore"
        self.diary.append(f"{learns} {feedback.arms[0]} {feedback.rewards[0]}")
        return state + 1

    def propensities(self, state: int, context: Context) -> FloatArray:
        return np.full(context.pending.shape, 1.0 / context.pending.shape[1])


def no_reward(step: int, arms: IntArray) -> Results:
    return Results(np.zeros(arms.shape))


def test_a_round_is_chosen_with_an_unchanged_state_and_learnt_in_order() -> None:
    policy = RoundRobin()
    played = play(
        policy,
        3,
        1,
        3,
        lambda first, arms: Results(first + np.arange(len(arms))[:, None] + arms / 10.0),
        np.random.default_rng(0),
        round_size=2,
    )
    assert policy.diary == [
        "choose 0 pending [0, 0, 0]",
        "choose 1 pending [1, 0, 0]",
        "learn 0 0.0",
        "learn 1 1.1",
        "choose 2 pending [0, 0, 0]",
        "learn 2 2.2",
    ]
    assert played.arms.tolist() == [[0], [1], [2]]
    assert played.arms.dtype == np.int16


def test_a_choice_without_an_outcome_is_not_learnt_from() -> None:
    policy = RoundRobin()
    outcomes = Results(np.array([[np.nan], [1.0]]))
    play(policy, 3, 1, 2, lambda first, arms: outcomes, np.random.default_rng(0), round_size=2)
    assert policy.diary[2:] == ["ignore 0 nan", "learn 1 1.0"]


def test_probabilities_are_recorded_where_the_policy_knows_them() -> None:
    rng = np.random.default_rng(0)
    known = play(UniformRandom(), 4, 3, 5, no_reward, rng).probabilities
    assert known is not None
    assert known.tolist() == [[0.25] * 3] * 5
    assert play(ThompsonBeta(), 4, 3, 5, no_reward, rng).probabilities is None


@pytest.mark.parametrize("policy", [EpsilonGreedy(), DecayingEpsilonGreedy(), UCB1()])
@pytest.mark.parametrize("round_size", [1, 3, 5, 7])
def test_the_first_choices_try_every_arm_whatever_the_round(policy: Policy[Any], round_size: int) -> None:
    played = play(policy, 5, 8, 12, no_reward, np.random.default_rng(0), round_size)
    assert played.arms[:5].T.tolist() == [[0, 1, 2, 3, 4]] * 8


def test_the_same_generator_state_gives_the_same_play() -> None:
    first, again, other = (
        play(ThompsonBeta(), 5, 4, 30, no_reward, np.random.default_rng(seed)).arms for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_play_without_choices_is_empty() -> None:
    assert play(FixedArm(0), 2, 3, 0, no_reward, np.random.default_rng(0)).arms.shape == (0, 3)


@pytest.mark.parametrize(("n_arms", "round_size", "delay"), [(32_768, 1, 0), (2, 0, 0), (2, 1, -1)])
def test_what_does_not_fit_is_refused(n_arms: int, round_size: int, delay: int) -> None:
    with pytest.raises(ValueError, match="up to 32767 arms"):
        play(FixedArm(0), n_arms, 1, 1, no_reward, np.random.default_rng(0), round_size, delay=delay)


def test_delayed_rewards_are_learnt_rounds_later_and_stay_pending_until_then() -> None:
    policy = RoundRobin()
    play(policy, 9, 1, 4, no_reward, np.random.default_rng(0), delay=2)
    assert policy.diary == [
        "choose 0 pending [0, 0, 0, 0, 0, 0, 0, 0, 0]",
        "choose 1 pending [1, 0, 0, 0, 0, 0, 0, 0, 0]",
        "choose 2 pending [1, 1, 0, 0, 0, 0, 0, 0, 0]",
        "learn 0 0.0",
        "choose 3 pending [0, 1, 1, 0, 0, 0, 0, 0, 0]",
        "learn 1 0.0",
    ]


@dataclass(frozen=True)
class Listener:
    """Keeps what it is told, and chooses the arm that the first feature names."""

    heard: list[Feedback] = field(default_factory=list)

    @property
    def params(self) -> Mapping[str, Any]:
        return {}

    def init(self, n_arms: int, n_replications: int) -> int:
        return 0

    def choose(self, state: int, context: Context, rng: np.random.Generator) -> Choice:
        assert context.features is not None
        arms = context.features[:, 0].astype(np.int64)
        return Choice(arms, np.asarray(1.0 / (1.0 + arms), np.float64))

    def update(self, state: int, feedback: Feedback) -> int:
        self.heard.append(feedback)
        return state

    def propensities(self, state: int, context: Context) -> FloatArray:
        return np.full(context.pending.shape, 1.0 / context.pending.shape[1])


def test_feedback_holds_what_belongs_to_its_own_step() -> None:
    policy = Listener()
    features = np.array([[[0.0], [1.0]], [[2.0], [1.0]], [[1.0], [0.0]]])

    def results(first: int, arms: IntArray) -> Results:
        reals = arms.astype(np.float64)
        return Results(reals * 0.1, quality=reals * 0.2, cost_usd=reals * 0.3)

    play(policy, 3, 2, 3, results, np.random.default_rng(0), 2, features=lambda step: features[step])
    assert [feedback.arms.tolist() for feedback in policy.heard] == [[0, 1], [2, 1], [1, 0]]
    for step, feedback in enumerate(policy.heard):
        np.testing.assert_array_equal(feedback.features, features[step])
        np.testing.assert_array_equal(feedback.probabilities, 1.0 / (1.0 + feedback.arms))
        np.testing.assert_array_equal(feedback.rewards, feedback.arms * 0.1)
        np.testing.assert_array_equal(feedback.quality, feedback.arms * 0.2)
        np.testing.assert_array_equal(feedback.cost_usd, feedback.arms * 0.3)
        assert feedback.observed is None
