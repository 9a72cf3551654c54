"""The tally: sums by hand, who leads while arms are untried or their rewards are out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from krins.interfaces import Feedback
from krins.routing.tally import Tally, add_rewards, empty_tally, leading_arms, lesson, mean_rewards, state_shape


def tally(counts: list[float], sums: list[float]) -> Tally:
    return Tally(np.array([counts], np.float64), np.array([sums], np.float64))


def lead(state: Tally, pending: list[int]) -> tuple[int, bool]:
    """Leading arm by mean reward, and whether it was forced."""
    arms, forced = leading_arms(mean_rewards(state), state, np.array([pending]))
    return int(arms[0]), bool(forced is not None and forced[0])


def test_rewards_are_counted_and_summed_in_their_own_replication() -> None:
    state = empty_tally(3, 2)
    state = add_rewards(state, Feedback(np.array([0, 2]), np.array([1.0, 0.5])))
    state = add_rewards(state, Feedback(np.array([0, 1]), np.array([0.25, 1.0])))
    assert state.counts.tolist() == [[2, 0, 0], [0, 1, 1]]
    assert state.sums.tolist() == [[1.25, 0, 0], [0, 1.0, 0.5]]
    assert mean_rewards(state).tolist() == [[0.625, 0, 0], [0, 1.0, 0.5]]


def test_an_unobserved_reward_may_be_anything() -> None:
    state = add_rewards(empty_tally(2, 2), Feedback(np.array([0, 1]), np.array([np.nan, 1.0]), np.array([False, True])))
    assert state.counts.tolist() == [[0, 0], [0, 1]]


def test_the_first_untried_arm_comes_first_and_pending_counts_as_tried() -> None:
    assert lead(tally([0, 0, 0], [0, 0, 0]), [0, 0, 0]) == (0, True)
    assert lead(tally([0, 0, 0], [0, 0, 0]), [1, 0, 0]) == (1, True)
    assert lead(tally([1, 0, 0], [0, 0, 0]), [0, 1, 0]) == (2, True)


def test_an_arm_whose_rewards_are_all_out_does_not_lead() -> None:
    assert lead(tally([2, 0, 1], [-2, 0, -3]), [0, 1, 0]) == (0, False)


def test_where_all_rewards_are_out_the_arm_with_the_fewest_pending_choices_leads() -> None:
    assert lead(tally([0, 0, 0], [0, 0, 0]), [2, 1, 1]) == (1, False)


def test_pending_is_not_looked_at_once_every_arm_has_a_reward() -> None:
    assert lead(tally([1, 1, 1], [0, 1, 0]), [0, 9, 0]) == (1, False)


def test_ties_go_to_the_lowest_index() -> None:
    assert lead(tally([1, 2, 4], [0, 1, 2]), [0, 0, 0]) == (1, False)


@pytest.mark.parametrize("reward", [np.nan, np.inf, -np.inf])
def test_a_reward_that_is_no_number_is_refused(reward: float) -> None:
    with pytest.raises(ValueError, match="observed=False"):
        lesson(Feedback(np.array([0, 1]), np.array([1.0, reward])))


@pytest.mark.parametrize(("n_arms", "n_replications"), [(0, 1), (1, 0), (-1, 1)])
def test_a_state_without_arms_or_replications_is_refused(n_arms: int, n_replications: int) -> None:
    with pytest.raises(ValueError, match="at least 1 arm and 1 replication"):
        state_shape(n_arms, n_replications)


@pytest.mark.parametrize("arm", [-1, 3])
def test_an_arm_that_is_none_touches_no_other_replication(arm: int) -> None:
    tally = empty_tally(3, 2)
    with pytest.raises(ValueError, match="numbered from 0 to 2"):
        add_rewards(tally, Feedback(np.array([arm, 0]), np.ones(2)))
    assert not tally.counts.any()
