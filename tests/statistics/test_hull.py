"""The hull and what routers are compared with on it: hand-computed points and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.interfaces import FloatArray
from krins.statistics.contrasts import hull_gain_values, hull_saving_values, saving_values
from krins.statistics.hull import cost_quality_hull

# Arms: cheap, dominated by it, on the hull, below the hull, best.
COST = np.array([1.0, 1.5, 2.0, 3.0, 4.0])
QUALITY = np.array([0.2, 0.1, 0.6, 0.62, 0.8])


def test_dominated_arms_and_those_below_an_edge_are_left_out() -> None:
    hull = cost_quality_hull(COST, QUALITY)
    assert hull.arms.tolist() == [0, 2, 4]


def test_interpolation_by_hand() -> None:
    hull = cost_quality_hull(COST, QUALITY)
    assert hull.quality_at(1.5) == pytest.approx(0.4)
    assert hull.quality_at(3.0) == pytest.approx(0.7)
    assert hull.cost_at(0.7) == pytest.approx(3.0)
    assert hull.quality_at(4.0) == pytest.approx(0.8)


@pytest.mark.parametrize("outside", [0.99, 4.01])
def test_outside_the_hull_there_is_nothing_to_compare_with(outside: float) -> None:
    hull = cost_quality_hull(COST, QUALITY)
    assert hull.quality_at(outside) is None
    assert hull.cost_at(0.1) is None


def test_of_equally_cheap_arms_the_best_and_of_equally_good_ones_the_cheapest() -> None:
    hull = cost_quality_hull(np.array([1.0, 1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.5, 0.5]))
    assert hull.arms.tolist() == [1, 2]


points = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 1)), min_size=1, max_size=12)


@given(points)
def test_no_arm_lies_above_the_hull(pairs: list[tuple[float, float]]) -> None:
    cost, quality = np.array(pairs).T
    hull = cost_quality_hull(cost, quality)
    assert (np.diff(hull.cost_usd) > 0).all()
    assert (np.diff(hull.quality) > 0).all()
    for c, q in pairs:
        at = hull.quality_at(c)
        assert at is None or q <= at + 1e-9


def finite_difference(
    statistic: str, quality: FloatArray, cost: FloatArray, arms: tuple[FloatArray, FloatArray], task: int
) -> float:
    """Change of the statistic of means per unit of weight moved to one task."""

    def at(epsilon: float) -> float:
        weight = np.full(len(quality), (1 - epsilon) / len(quality))
        weight[task] += epsilon
        arm_quality, arm_cost = (weight @ values for values in arms)
        hull = cost_quality_hull(arm_cost, arm_quality)
        q, c = float(weight @ quality), float(weight @ cost)
        if statistic == "gain":
            mixed = hull.quality_at(c)
            assert mixed is not None
            return q - mixed
        mixed = hull.cost_at(q)
        assert mixed is not None
        return 1 - c / mixed

    return (at(1e-6) - at(-1e-6)) / 2e-6


@pytest.mark.parametrize("statistic", ["gain", "saving"])
def test_pseudo_values_are_the_derivatives_of_the_statistic(statistic: str) -> None:
    rng = np.random.default_rng(3)
    n = 40
    arms = rng.random((n, 3)) * 0.2 + [0.2, 0.5, 0.7], rng.random((n, 3)) * 0.2 + [1.0, 2.0, 4.0]
    quality, cost = rng.random(n) * 0.2 + 0.5, rng.random(n) + 2.0
    hull = cost_quality_hull(arms[1].mean(axis=0), arms[0].mean(axis=0))
    function = hull_gain_values if statistic == "gain" else hull_saving_values
    values = function(quality, cost, *arms, hull)
    assert values is not None
    for task in range(5):
        derivative = finite_difference(statistic, quality, cost, arms, task)
        assert values[task] - values.mean() == pytest.approx(derivative, rel=1e-4, abs=1e-6)


def test_against_a_hull_that_costs_nothing_there_is_no_saving() -> None:
    arms = np.tile([0.2, 0.8], (4, 1)), np.tile([0.0, 1.0], (4, 1))
    hull = cost_quality_hull(arms[1].mean(axis=0), arms[0].mean(axis=0))
    assert hull_saving_values(np.full(4, 0.2), np.zeros(4), *arms, hull) is None


def test_saving_by_hand() -> None:
    values = saving_values(np.array([1.0, 1.0]), np.array([3.0, 5.0]))
    assert values.mean() == pytest.approx(0.75)
    assert values[1] - values[0] == pytest.approx(1.0 * (5 - 3) / 16)
