"""Warm starts: states by hand, what a score saves, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from krins.interfaces import Context, Feedback, Policy
from krins.routing.baselines import FixedArm
from krins.routing.epsilon_greedy import EpsilonGreedy
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.restart import Restarting
from krins.routing.tally import Tally, mean_rewards
from krins.routing.thompson import BetaState, NormalState, ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned
from krins.routing.warm_start import warm_start

SCORES = np.array([[0.75, np.nan, 0.0], [1.0, 0.5, np.nan]])
IDLE = Context(np.zeros((2, 3), np.int64))


def test_a_tally_gains_rewards_of_that_mean() -> None:
    state = warm_start(UCB1().init(3, 2), SCORES, 4.0)
    assert state.counts.tolist() == [[4.0, 0.0, 4.0], [4.0, 4.0, 0.0]]
    assert state.sums.tolist() == [[3.0, 0.0, 0.0], [4.0, 2.0, 0.0]]


def test_a_beta_posterior_gains_ones_and_zeros_beside_its_prior() -> None:
    state = warm_start(ThompsonBeta((2.0, 3.0)).init(3, 2), SCORES, 4.0)
    assert state.alpha.tolist() == [[5.0, 2.0, 2.0], [6.0, 4.0, 2.0]]
    assert state.beta.tolist() == [[4.0, 3.0, 7.0], [3.0, 5.0, 3.0]]


def test_a_normal_posterior_learns_the_mean_and_not_the_spread() -> None:
    # Prior mean 0.5 of strength 1 and four rewards of the score: (0.5 + 4 * score) / 5.
    start = ThompsonNormal(0.5, 1.0, 1.5, 0.25).init(3, 2)
    state = warm_start(start, SCORES, 4.0)
    np.testing.assert_allclose(state.mean, [[0.7, 0.5, 0.1], [0.9, 0.5, 0.5]], rtol=1e-14)
    assert state.strength.tolist() == [[5.0, 1.0, 5.0], [5.0, 5.0, 1.0]]
    np.testing.assert_array_equal(state.shape, start.shape)
    np.testing.assert_array_equal(state.scale, start.scale)


def test_a_normal_posterior_moves_as_with_rewards_of_exactly_the_score() -> None:
    policy = ThompsonNormal(0.2, 0.5, 1.0, 0.25)
    learnt = policy.init(1, 1)
    for _ in range(3):
        learnt = policy.update(learnt, Feedback(np.array([0]), np.array([0.8])))
    warm = warm_start(policy.init(1, 1), np.array([[0.8]]), 3.0)
    np.testing.assert_allclose(warm.mean, learnt.mean, rtol=1e-14)
    np.testing.assert_allclose(warm.strength, learnt.strength, rtol=1e-14)


@pytest.mark.parametrize("policy", [UCB1(), ThompsonBeta(), ThompsonNormal()], ids=lambda p: type(p).__name__)
def test_what_was_learnt_before_stays_and_the_state_is_not_changed(policy: Policy[Any]) -> None:
    state = policy.update(policy.init(3, 2), Feedback(np.array([1, 2]), np.array([1.0, 0.0])))
    before = [array.copy() for array in state]
    warm = warm_start(state, SCORES, 2.5)
    for now, was, given in zip(state, before, warm, strict=True):
        np.testing.assert_array_equal(now, was)
        # The arms that have a reward have no score.
        np.testing.assert_array_equal(given[[0, 1], [1, 2]], was[[0, 1], [1, 2]])


def test_scored_arms_are_not_tried_first_and_others_are() -> None:
    rng = np.random.default_rng(0)
    for policy in (UCB1(), EpsilonGreedy(0.0)):
        cold, warm = policy.init(3, 2), warm_start(policy.init(3, 2), SCORES, 0.5)
        assert policy.choose(cold, IDLE, rng).arms.tolist() == [0, 0]
        assert policy.choose(warm, IDLE, rng).arms.tolist() == [1, 2]
        full = warm_start(policy.init(3, 2), np.array([[0.2, 0.9, 0.4], [0.2, 0.4, 0.9]]), 0.5)
        assert policy.choose(full, IDLE, rng).arms.tolist() == [1, 2]


def test_a_weight_below_one_is_not_taken_for_one() -> None:
    state = warm_start(UCB1().init(2, 1), np.array([[0.8, 0.4]]), 0.75)
    np.testing.assert_allclose(mean_rewards(state), [[0.8, 0.4]], rtol=1e-14)
    bonus = math.sqrt(2.0 * math.log(1.5) / 0.75)
    np.testing.assert_allclose(UCB1().indices(state), [[0.8 + bonus, 0.4 + bonus]], rtol=1e-14)


def test_a_warm_start_fades_and_leaves_with_the_rewards() -> None:
    lesson = Feedback(np.array([0]), np.array([1.0]))
    fading = Discounted(UCB1(), 0.5)
    faded = fading.update(warm_start(fading.init(2, 1), np.array([[0.5, 0.5]]), 4.0), lesson)
    assert faded.counts.tolist() == [[3.0, 2.0]]
    windowed = SlidingWindow(UCB1(), 1)
    state = windowed.update(warm_start(windowed.init(2, 1), np.array([[0.5, 0.5]]), 4.0), lesson)
    assert state.inner.counts.tolist() == [[5.0, 4.0]]
    state = windowed.update(state, lesson._replace(arms=np.array([1])))
    assert state.inner.counts.tolist() == [[0.0, 5.0]]


def test_a_restart_forgets_a_warm_start_and_the_detector_does_not_see_it() -> None:
    policy = Restarting(UCB1())
    state = warm_start(policy.init(1, 1), np.array([[0.5]]), 4.0)
    assert state.counts.tolist() == [[0]]
    for reward in [1.0] * 10 + [0.0] * 3:
        state = policy.update(state, Feedback(np.array([0]), np.array([reward])))
    assert state.inner.counts.tolist() == [[17.0]]
    state = policy.update(state, Feedback(np.array([0]), np.array([0.0])))
    assert state.inner.counts.tolist() == [[0.0]]


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight is a positive number"):
        warm_start(UCB1().init(3, 2), SCORES, weight)


@pytest.mark.parametrize("score", [-0.1, 1.1, 75.0, math.inf])
def test_beta_posteriors_refuse_a_score_outside_the_unit_interval(score: float) -> None:
    with pytest.raises(ValueError, match="divide percentages by 100"):
        warm_start(ThompsonBeta().init(3, 2), np.where(SCORES == 0.75, score, SCORES), 1.0)


def test_rewards_that_charge_for_cost_may_be_negative_and_never_infinite() -> None:
    scores = np.where(SCORES == 0.75, -0.5, SCORES)
    state = warm_start(UCB1().init(3, 2), scores, 2.0)
    np.testing.assert_array_equal(state.sums[SCORES == 0.75], -1.0)
    with pytest.raises(ValueError, match="finite mean rewards"):
        warm_start(UCB1().init(3, 2), np.where(SCORES == 0.75, -math.inf, SCORES), 2.0)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 2), (2, 3, 1)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        warm_start(ThompsonBeta().init(3, 2), np.full(shape, 0.5), 1.0)


def test_other_states_are_refused() -> None:
    for state in (FixedArm(0).init(3, 2), UCBTuned().init(3, 2), UCB1().init(3, 2).counts):
        with pytest.raises(ValueError, match="a Tally, a BetaState or a NormalState"):
            warm_start(state, SCORES, 1.0)  # type: ignore[type-var]


def test_the_kind_of_state_is_kept() -> None:
    assert isinstance(warm_start(UCB1().init(3, 2), SCORES, 1.0), Tally)
    assert isinstance(warm_start(ThompsonBeta().init(3, 2), SCORES, 1.0), BetaState)
    assert isinstance(warm_start(ThompsonNormal().init(3, 2), SCORES, 1.0), NormalState)


@pytest.mark.parametrize("policy", [SlidingWindow(ThompsonBeta(), 5), Restarting(ThompsonBeta())])
def test_a_warm_state_shares_nothing_with_the_cold_one(policy: Policy[Any]) -> None:
    cold = policy.init(2, 1)
    warm = warm_start(cold, np.full((1, 2), 0.5), 2.0)
    for _ in range(7):
        warm = policy.update(warm, Feedback(np.array([0]), np.ones(1)))
    for now, before in zip(cold[1:], policy.init(2, 1)[1:], strict=True):
        np.testing.assert_array_equal(now, before)
