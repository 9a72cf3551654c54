"""UCB1 and UCB-tuned against indices worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from krins.interfaces import Context, Feedback
from krins.routing.tally import Tally
from krins.routing.ucb import UCB1, Moments, UCBTuned

STATE = Tally(np.array([[4.0, 1.0, 5.0]]), np.array([[2.0, 0.0, 4.0]]))
IDLE = Context(np.zeros((1, 3), np.int64))


def test_the_index_is_the_mean_and_the_bonus() -> None:
    twice_log = 2.0 * math.log(10.0)
    expected = [0.5 + math.sqrt(twice_log / 4.0), math.sqrt(twice_log), 0.8 + math.sqrt(twice_log / 5.0)]
    np.testing.assert_allclose(UCB1().indices(STATE), [expected], rtol=1e-15)


def test_the_bonus_is_as_wide_as_the_range() -> None:
    narrow = UCB1((-1.0, 1.0)).indices(STATE) - STATE.sums / STATE.counts
    wide = UCB1((0.0, 6.0)).indices(STATE) - STATE.sums / STATE.counts
    np.testing.assert_allclose(wide, 3.0 * narrow, rtol=1e-14)


def test_the_largest_index_is_chosen_with_certainty() -> None:
    # bonuses 1.07, 2.15, 0.96: indices 1.57, 2.15, 1.76
    choice = UCB1().choose(STATE, IDLE, np.random.default_rng(0))
    assert choice.arms.tolist() == [1]
    assert choice.probabilities is not None
    assert choice.probabilities.tolist() == [1.0]
    assert UCB1().propensities(STATE, IDLE).tolist() == [[0.0, 1.0, 0.0]]


def test_every_arm_is_tried_once_first() -> None:
    policy, state, seen = UCB1(), UCB1().init(3, 1), []
    for _ in range(3):
        arms = policy.choose(state, IDLE, np.random.default_rng(0)).arms
        state = policy.update(state, Feedback(arms, np.array([1.0])))
        seen.append(int(arms[0]))
    assert seen == [0, 1, 2]


def test_one_arm_after_one_reward_has_no_bonus() -> None:
    # ln 1 = 0
    assert UCB1().indices(Tally(np.ones((1, 1)), np.full((1, 1), 0.5))).tolist() == [[0.5]]


def test_a_weight_below_one_widens_the_bonus() -> None:
    state = Tally(np.array([[0.25, 9.75]]), np.array([[0.1, 5.0]]))
    assert UCB1().indices(state)[0, 0] == pytest.approx(0.4 + math.sqrt(2.0 * math.log(10.0) / 0.25), rel=1e-15)


# 8 rewards of which half were 1, 968 of 0.5 and 24 of which 6 were 1: 1,000 in all.
MOMENTS = Moments(np.array([[8.0, 968.0, 24.0]]), np.array([[4.0, 484.0, 6.0]]), np.array([[4.0, 242.0, 6.0]]))
LOG = math.log(1_000.0)


def test_the_tuned_bonus_takes_the_variance_and_at_most_a_quarter() -> None:
    # V is above 1/4 for the first arm and the last; the rewards of the second did not vary at all.
    variance = math.sqrt(2.0 * LOG / 968.0)
    assert variance < 0.25
    expected = [
        0.5 + math.sqrt(LOG / 8.0 * 0.25),
        0.5 + math.sqrt(LOG / 968.0 * variance),
        0.25 + math.sqrt(LOG / 24.0 * 0.25),
    ]
    np.testing.assert_allclose(UCBTuned().indices(MOMENTS), [expected], rtol=1e-14)


def test_the_variance_is_that_of_the_rewards_so_far() -> None:
    # A reward of 1 in ten, 20,000 of them: 0.1 * 0.9 and sqrt(2 ln 20000 / 20000) = 0.0315 more
    state = Moments(np.array([[20_000.0]]), np.array([[2_000.0]]), np.array([[2_000.0]]))
    log_t = math.log(20_000.0)
    expected = 0.1 + math.sqrt(log_t / 20_000.0 * (0.09 + math.sqrt(2.0 * log_t / 20_000.0)))
    assert UCBTuned().indices(state)[0, 0] == pytest.approx(expected, rel=1e-13)


def test_moments_are_learnt_from_the_low_end_of_the_range() -> None:
    policy, state = UCBTuned((-1.0, 3.0)), UCBTuned((-1.0, 3.0)).init(2, 1)
    for reward in (0.0, 2.0):
        state = policy.update(state, Feedback(np.array([1]), np.array([reward])))
    assert [array.tolist() for array in state] == [[[0.0, 2.0]], [[0.0, 2.0]], [[0.0, 10.0]]]


def test_the_tuned_index_is_in_units_of_the_reward() -> None:
    counts, sums = np.array([[8.0, 968.0, 20_000.0]]), np.array([[4.0, 484.0, 2_000.0]])
    plain, scaled = Moments(counts, sums, sums), Moments(counts, 4.0 * sums - counts, 16.0 * sums)
    expected = 4.0 * UCBTuned().indices(plain) - 1.0
    np.testing.assert_allclose(UCBTuned((-1.0, 3.0)).indices(scaled), expected, rtol=1e-13)


def test_the_largest_tuned_index_is_chosen_with_certainty() -> None:
    # 0.5 + 0.46, 0.5 + 0.03, 0.25 + 0.27
    choice = UCBTuned().choose(MOMENTS, IDLE, np.random.default_rng(0))
    assert choice.arms.tolist() == [0]
    assert choice.probabilities is not None
    assert choice.probabilities.tolist() == [1.0]
    assert UCBTuned().propensities(MOMENTS, IDLE).tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.parametrize("kind", [UCB1, UCBTuned])
@pytest.mark.parametrize("reward_range", [(1.0, 1.0), (1.0, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_a_range_without_width_or_end_is_refused(
    kind: type[UCB1 | UCBTuned], reward_range: tuple[float, float]
) -> None:
    with pytest.raises(ValueError, match="low < high"):
        kind(reward_range)


@pytest.mark.parametrize("kind", [UCB1, UCBTuned])
def test_params_are_the_hyper_parameters(kind: type[UCB1 | UCBTuned]) -> None:
    assert kind((-1.0, 2.0)).params == {"reward_range": (-1.0, 2.0)}
