"""UCB1 against indices worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from krins.interfaces import Context, Feedback
from krins.routing.tally import Tally
from krins.routing.ucb import UCB1

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


@pytest.mark.parametrize("reward_range", [(1.0, 1.0), (1.0, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_a_range_without_width_or_end_is_refused(reward_range: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="low < high"):
        UCB1(reward_range)


def test_params_are_the_hyper_parameters() -> None:
    assert UCB1((-1.0, 2.0)).params == {"reward_range": (-1.0, 2.0)}
