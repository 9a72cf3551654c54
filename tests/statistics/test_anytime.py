"""Tests that hold at every moment: hand-computed wealth, and how often they are wrong when one always looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.statistics.anytime import FRACTIONS, BettingTest, betting_lower_limit

N_TRIALS = 800
LEVEL = 0.05
MOST_WRONG = 0.05 + 3 * math.sqrt(0.05 * 0.95 / N_TRIALS)
"""Three standard errors above what is promised."""


def test_the_first_bet_is_won_as_computed_by_hand() -> None:
    test = BettingTest(size=4, bound=0.0)
    test.take(np.array([1.0]))
    # Nothing is expected of the first value, so each bettor stakes its fraction: wealth 1 + f.
    assert test.log_evidence == pytest.approx(math.log(1 + FRACTIONS.mean()))


def test_the_second_bet_knows_what_the_first_value_left() -> None:
    test = BettingTest(size=4, bound=0.0)
    test.take(np.array([1.0]))
    test.take(np.array([0.0]))
    # A mean of 0 leaves -1 in sum for three values: -1/3 each, so the largest bet is 1 / (1 - 1/3) = 1.5.
    wealth = ((1 + FRACTIONS) * (1 + 1.5 * FRACTIONS / 3)).mean()
    assert test.log_evidence == pytest.approx(math.log(wealth))


def test_a_hypothesis_that_the_rest_cannot_save_is_refuted_outright() -> None:
    test = BettingTest(size=4, bound=0.0)
    test.take(np.ones(2))
    assert test.log_evidence < math.inf  # two times -1 would make it up
    test.take(np.ones(1))
    assert test.log_evidence == math.inf


@given(
    st.lists(st.sampled_from([-1.0, -0.25, 0.0, 0.5, 1.0]), min_size=1, max_size=40), st.data(), st.floats(-0.9, 0.9)
)
def test_the_size_of_blocks_does_not_matter(values: list[float], data: st.DataObject, bound: float) -> None:
    whole, pieces = BettingTest(40, bound), BettingTest(40, bound)
    whole.take(np.array(values))
    rest = values
    while rest:
        n = data.draw(st.integers(1, len(rest)))
        pieces.take(np.array(rest[:n]))
        rest = rest[n:]
    assert pieces.n_values == whole.n_values == len(values)
    if math.isinf(whole.log_evidence):
        assert math.isinf(pieces.log_evidence)
    else:
        assert pieces.log_evidence == pytest.approx(whole.log_evidence, abs=1e-9)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6])
def test_a_true_hypothesis_is_seldom_refuted_however_long_one_looks(share: float) -> None:
    n = int(400 * share / 2)
    population = np.concatenate([np.ones(n), -np.ones(n), np.zeros(400 - 2 * n)])
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(N_TRIALS):
        test = BettingTest(400, 0.0)
        test.take(rng.permutation(population))
        wrong += test.log_evidence >= -math.log(LEVEL)
    assert wrong / N_TRIALS <= MOST_WRONG


def test_lower_limits_stay_below_the_mean_and_reach_it_at_the_end() -> None:
    rng = np.random.default_rng(3)
    population = np.concatenate([np.ones(30), -np.ones(12), np.zeros(58)])
    assert betting_lower_limit(rng.permutation(population), 100, LEVEL) == pytest.approx(population.mean())
    early, late, above = [], [], 0
    for _ in range(300):
        order = rng.permutation(population)
        early.append(betting_lower_limit(order[:20], 100, LEVEL))
        late.append(betting_lower_limit(order[:80], 100, LEVEL))
        above += max(early[-1], late[-1]) > population.mean()
    assert np.mean(early) < np.mean(late) < population.mean()
    assert above / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_without_values_nothing_is_known() -> None:
    assert betting_lower_limit(np.empty(0), 10, LEVEL) == -1.0
