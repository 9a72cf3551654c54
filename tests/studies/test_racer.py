"""The race itself: it ends with the truth, seldom with anything else, and asks for no more than it needs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import FloatArray
from krins.studies.racer import N_FIRST, Racer


def race(values: FloatArray, error: float = 0.05, tolerance: float = 0.0, round_size: int = 1) -> Racer:
    racer = Racer(values.shape[0], values.shape[1], error, tolerance, round_size)
    while questions := racer.next_round():
        assert len(set(questions)) == len(questions)
        racer.tell(questions, [values[question] for question in questions], [0.01 * arm for _, arm in questions])
    return racer


def test_one_that_always_wins_is_found_soon_after_the_first_units() -> None:
    values = np.zeros((1000, 3))
    values[:, 1] = 1.0
    racer = race(values)
    assert racer.leader == 1
    assert (racer.n_asked <= N_FIRST + 5).all()
    assert racer.least_lead_over(0) > 0
    assert racer.lead_over(0) == 1.0


def test_level_arms_take_the_whole_grid_and_the_cheaper_one_wins() -> None:
    values = np.tile(np.array([[0.0], [1.0]]), (30, 3))
    values[:, 1] = 0.0
    racer = race(values)
    assert (racer.leader, racer.is_level_with(2), racer.is_level_with(1)) == (0, True, False)
    assert racer.n_asked[0] == racer.n_asked[2] == 60


def test_a_tolerance_ends_a_tie_early() -> None:
    rng = np.random.default_rng(1)
    values = (rng.random((2000, 1)) < 0.5).astype(float) * np.ones((1, 2))
    assert (race(values, tolerance=0.05).n_asked < 400).all()


def test_few_units_are_all_asked() -> None:
    values = np.array([[0.0, 1.0], [0.0, 1.0]])
    racer = race(values)
    assert (racer.leader, racer.n_asked.tolist()) == (1, [2, 2])


def test_one_arm_asks_nothing() -> None:
    assert Racer(10, 1, 0.05).next_round() == []


@pytest.mark.parametrize("value", [1.5, -0.1, math.nan])
def test_a_value_outside_of_its_range_is_refused(value: float) -> None:
    racer = Racer(5, 2, 0.05)
    with pytest.raises(ValueError, match="lie in"):
        racer.tell(racer.next_round()[:1], [value], [0.0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(2, 5), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_every_race_ends_within_the_grid_and_without_error_at_tiny_error(
    n_units: int, n_arms: int, round_size: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 2, (n_units, n_arms)).astype(float)
    racer = race(values, error=1e-12, round_size=round_size)
    assert (racer.n_asked <= n_units).all()
    totals = values.sum(axis=0)
    assert totals[racer.leader] == totals.max()


def test_the_wrong_one_is_named_seldom() -> None:
    rng = np.random.default_rng(5)
    n_races, wrong, asked = 120, 0, 0.0
    chances = np.array([0.60, 0.55, 0.5, 0.3])
    for _ in range(n_races):
        values = (rng.random((300, 4)) < chances).astype(float)
        racer = race(values, error=0.2)
        wrong += values.sum(axis=0)[racer.leader] < values.sum(axis=0).max()
        asked += racer.n_asked.sum() / values.size
    assert wrong / n_races <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / n_races)
    assert asked / n_races < 0.9


def test_a_winner_within_the_tolerance_is_right() -> None:
    rng = np.random.default_rng(6)
    wrong = 0
    for _ in range(100):
        values = (rng.random((200, 3)) < [0.6, 0.57, 0.4]).astype(float)
        means = values.mean(axis=0)
        wrong += means[race(values, error=0.1, tolerance=0.05).leader] < means.max() - 0.05
    assert wrong / 100 <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / 100)
