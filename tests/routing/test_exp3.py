"""EXP3 against probabilities worked out by hand, and what its estimates and its bound promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Feedback, FloatArray, IntArray
from krins.routing.exp3 import EXP3, LossState
from krins.routing.play import Results, play

LN2 = math.log(2.0)


def idle(n_arms: int, n_replications: int = 1) -> Context:
    return Context(np.zeros((n_replications, n_arms), np.int64))


def one(arm: int, reward: float, probability: float) -> Feedback:
    return Feedback(np.array([arm]), np.array([reward]), probabilities=np.array([probability]))


def test_it_starts_with_any_arm() -> None:
    assert EXP3().propensities(EXP3().init(4, 2), idle(4, 2)).tolist() == [[0.25] * 4] * 2


def test_two_losses_by_hand() -> None:
    # A loss of 1 at probability 1/2 counts as 2; at the second of two arms' choices eta = sqrt(ln 2 / (2 * 2)).
    policy = EXP3()
    state = policy.update(policy.init(2, 1), one(0, 0.0, 0.5))
    weight = math.exp(-2.0 * math.sqrt(LN2 / 4.0))
    found = policy.propensities(state, idle(2))
    np.testing.assert_allclose(found, [[weight / (1.0 + weight), 1.0 / (1.0 + weight)]], rtol=1e-15)
    # Then a reward of 3/4 of the second arm at probability 0.8: losses 2 and 0.3125, eta = sqrt(ln 2 / (3 * 2)).
    state = policy.update(state, one(1, 0.75, 0.8))
    weight = math.exp(-(2.0 - 0.3125) * math.sqrt(LN2 / 6.0))
    found = policy.propensities(state, idle(2))
    np.testing.assert_allclose(found, [[weight / (1.0 + weight), 1.0 / (1.0 + weight)]], rtol=1e-15)


def test_a_loss_is_the_distance_from_the_high_end_as_a_part_of_the_range() -> None:
    policy = EXP3((-1.0, 3.0))
    state = policy.update(policy.init(2, 1), one(1, 2.0, 0.25))
    assert state.losses.tolist() == [[0.0, 1.0]]
    assert state.learnt.tolist() == [1.0]


def test_replications_have_rates_of_their_own() -> None:
    state = LossState(np.array([0.0, 3.0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    found = EXP3().propensities(state, idle(2, 2))
    weights = np.exp(-np.sqrt(LN2 / (2.0 * np.array([1.0, 4.0]))))
    np.testing.assert_allclose(found[:, 0], weights / (1.0 + weights), rtol=1e-15)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(n_arms=st.integers(1, 8), floor=st.floats(0.0, 1.0), seed=st.integers(0, 2**32))
def test_estimated_losses_are_unbiased_whoever_chooses(n_arms: int, floor: float, seed: int) -> None:
    # Each arm in a replication of its own, weighed with its probability: an expectation without drawing.
    policy, rng, arms = EXP3(), np.random.default_rng(seed), np.arange(n_arms)
    losses = rng.uniform(0.0, 30.0, n_arms)
    state = LossState(np.full(n_arms, 20.0), np.tile(losses, (n_arms, 1)))
    probabilities = (1.0 - floor) * policy.propensities(state, idle(n_arms, n_arms))[0] + floor / n_arms
    rewards = rng.random(n_arms)
    after = policy.update(state, Feedback(arms, rewards, probabilities=probabilities))
    np.testing.assert_allclose(probabilities @ (after.losses - losses), 1.0 - rewards, rtol=1e-9)
    assert after.learnt.tolist() == [21.0] * n_arms


class Extreme(np.random.Generator):
    """Draws the same number always."""

    def __init__(self, draw: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.draw = draw

    def random(self, size: int) -> FloatArray:  # type: ignore[override]
        return np.full(size, self.draw)


@pytest.mark.parametrize(("draw", "expected"), [(0.0, 1), (1.0 - 2.0**-53, 4)])
def test_no_draw_finds_an_arm_without_a_chance(draw: float, expected: int) -> None:
    # exp(-eta * 1e6) is 0 for the first arm and the last.
    losses = np.array([[1e6, 0.0, 0.1, 0.2, 0.3, 1e6]])
    choice = EXP3().choose(LossState(np.ones(1), losses), idle(6), Extreme(draw))
    assert choice.arms.tolist() == [expected]
    assert choice.probabilities is not None
    assert choice.probabilities[0] > 0.1


def test_regret_against_an_adversary_stays_within_the_bound() -> None:
    # Four arms take turns at being the best for 250 choices, in losses of 0 and 1; the last is best on the whole.
    n_arms, horizon, n_replications = 4, 3_000, 50
    best = (np.arange(horizon) // 250) % n_arms
    rewards = (best[:, None] == np.arange(n_arms)).astype(np.float64)
    rewards[:, -1] = np.maximum(rewards[:, -1], np.arange(horizon) % 2)

    def results(first: int, arms: IntArray) -> Results:
        return Results(rewards[np.arange(first, first + len(arms))[:, None], arms])

    arms = play(EXP3(), n_arms, n_replications, horizon, results, np.random.default_rng(5)).arms
    won = rewards[np.arange(horizon)[:, None], arms].sum(axis=0)
    regret = rewards.sum(axis=0).max() - won
    bound = 2.0 * math.sqrt(horizon * n_arms * math.log(n_arms))
    # The mean of 50 runs, three standard errors up; arms drawn uniformly lose three times the bound.
    assert regret.mean() + 3.0 * regret.std(ddof=1) / math.sqrt(n_replications) < bound
    assert rewards.sum(axis=0).max() - rewards.mean(axis=1).sum() > 3.0 * bound


@pytest.mark.parametrize("reward", [-0.1, 1.1])
def test_a_reward_outside_the_range_is_refused(reward: float) -> None:
    with pytest.raises(ValueError, match=r"within \(0.0, 1.0\), got"):
        EXP3().update(EXP3().init(2, 1), one(0, reward, 0.5))


def test_a_choice_of_unknown_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="probability of each choice, got none"):
        EXP3().update(EXP3().init(2, 1), Feedback(np.array([0]), np.array([1.0])))


@pytest.mark.parametrize("probability", [0.0, -0.5, math.nan])
def test_a_choice_without_a_chance_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="divides by the probability"):
        EXP3().update(EXP3().init(2, 1), one(0, 1.0, probability))


def test_what_was_not_observed_is_not_looked_at() -> None:
    feedback = Feedback(
        np.array([0, 1]), np.array([0.5, 7.0]), np.array([True, False]), probabilities=np.array([0.5, math.nan])
    )
    state = EXP3().update(EXP3().init(2, 2), feedback)
    assert state.learnt.tolist() == [1.0, 0.0]
    assert state.losses.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_a_range_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="low < high"):
        EXP3((1.0, 1.0))


def test_params_are_the_hyper_parameters() -> None:
    assert EXP3((-1.0, 2.0)).params == {"reward_range": (-1.0, 2.0)}
