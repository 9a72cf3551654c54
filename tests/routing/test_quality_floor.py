"""The quality floor: propensities against closed forms and draws, the guard against sums by hand, and the aim."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Feedback, IntArray
from krins.routing.play import Results, play
from krins.routing.quality_floor import FloorState, QualityFloor

repeated = settings(deadline=None, max_examples=40, derandomize=True)


def idle(n_replications: int, n_arms: int) -> Context:
    return Context(np.zeros((n_replications, n_arms), np.int64))


def states(rng: np.random.Generator, n_replications: int, n_arms: int) -> FloorState:
    """Anything from a flat posterior to thousands of outcomes, near each other and far apart."""
    shape = (n_replications, n_arms)
    outcomes = np.floor(10.0 ** rng.uniform(0.0, 3.5, shape)) - 1.0
    quality = rng.choice([rng.uniform(0.0, 1.0, shape), rng.uniform(0.55, 0.65, shape)])
    return FloorState(
        1.0 + outcomes * quality, 1.0 + outcomes * (1.0 - quality), outcomes * rng.uniform(0.1, 1.0, shape)
    )


def test_two_flat_posteriors_by_hand() -> None:
    # U >= V - m fails in a triangle with sides of 1 - m.
    for margin in (0.02, 0.1, 0.7):
        policy = QualityFloor(1, margin, None)
        state = policy.init(2, 1)._replace(cost_usd=np.array([[1.0, 2.0]]))
        below = (1.0 - margin) ** 2 / 2.0
        np.testing.assert_allclose(policy.propensities(state, idle(1, 2)), [[1.0 - below, below]], rtol=1e-9)


def test_the_cheaper_of_two_flat_posteriors_goes_first() -> None:
    # With V of the reference and c = (V - m)+, the arms are below with chance c each: integrals of c and c^2.
    policy, m = QualityFloor(0, 0.1, None), 0.1
    state = policy.init(3, 1)._replace(cost_usd=np.array([[3.0, 2.0, 1.0]]))
    one, both = (1.0 - m) ** 2 / 2.0, (1.0 - m) ** 3 / 3.0
    expected = [[both, one - both, 1.0 - one]]
    np.testing.assert_allclose(policy.propensities(state, idle(1, 3)), expected, rtol=1e-9)


@pytest.mark.parametrize("sure", [1e3, 1e5])
def test_a_sharp_posterior_beside_a_flat_one_is_resolved(sure: float) -> None:
    # The reference's V is uniform, and P(B >= V - m) = E(B + m), B + m being below 1 but for odds of e^-20 or less.
    policy = QualityFloor(1, 0.3, None)
    state = FloorState(np.array([[0.2 * sure, 1.0]]), np.array([[0.8 * sure, 1.0]]), np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(policy.propensities(state, idle(1, 2)), [[0.5, 0.5]], rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("confidence", [None, 0.9])
def test_choices_are_as_frequent_as_propensities_say(seed: int, confidence: float | None) -> None:
    rng, n_choices, n_arms = np.random.default_rng(seed), 40_000, 5
    policy = QualityFloor(int(rng.integers(n_arms)), 0.05, confidence)
    one = states(rng, 1, n_arms)
    expected = n_choices * policy.propensities(one, idle(1, n_arms))[0]
    many = FloorState(*(np.repeat(array, n_choices, axis=0) for array in one))
    found = np.bincount(policy.choose(many, idle(n_choices, n_arms), rng).arms, minlength=n_arms)
    # Cells of less than 5 are put together, for the chi-square to be one.
    rare = expected < 5.0
    assert abs(found[rare].sum() - expected[rare].sum()) <= 4.0 * math.sqrt(expected[rare].sum()) + 4.0
    chi_square = ((found - expected)[~rare] ** 2 / expected[~rare]).sum()
    # 99.99% quantile with 4 degrees of freedom, for twelve tests.
    assert chi_square < 23.51


@repeated
@given(n_arms=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_propensities_are_a_distribution_of_each_replication_alone(n_arms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy, state = QualityFloor(int(rng.integers(n_arms)), 0.05), states(rng, 3, n_arms)
    pending = rng.integers(3, size=(3, n_arms))
    together = policy.propensities(state, Context(pending))
    assert (together >= 0.0).all()
    np.testing.assert_allclose(together.sum(axis=1), 1.0, rtol=1e-12)
    arms = policy.choose(state, Context(pending), rng).arms
    assert (together[np.arange(3), arms] > 0.0).all()
    for i in range(3):
        alone = FloorState(*(array[i : i + 1] for array in state))
        np.testing.assert_allclose(
            policy.propensities(alone, Context(pending[i : i + 1]))[0], together[i], rtol=1e-7, atol=1e-9
        )


@repeated
@given(n_arms=st.integers(2, 6), seed=st.integers(0, 2**32))
def test_the_guard_is_the_sum_that_it_claims_to_be(n_arms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, state = int(rng.integers(n_arms)), states(rng, 1, n_arms)
    pending = rng.integers(4, size=(1, n_arms))
    alpha, beta = state.alpha[0], state.beta[0]
    mean = alpha / (alpha + beta)
    variance = alpha * beta / (alpha + beta) ** 2 / (alpha + beta + 1.0)
    for arm in set(range(n_arms)) - {reference}:
        taken = alpha + beta - 2.0 + pending[0]
        taken[arm] += 1.0
        # The deficit is weight @ qualities, with all choices of others at the reference.
        weight = -taken
        weight[reference] = taken.sum() - taken[reference]
        least = float(weight @ mean + NormalDist().inv_cdf(0.9) * math.sqrt(weight**2 @ variance)) / taken.sum()
        if 1e-3 < least < 0.99:
            for margin, is_allowed in ((least * (1.0 - 1e-7), False), (least * (1.0 + 1e-7), True)):
                allowed = QualityFloor(reference, margin, 0.9).allowed(state, Context(pending))
                assert allowed[0, arm] == is_allowed and allowed[0, reference]


def test_nothing_but_the_reference_until_the_margin_has_room() -> None:
    # One choice of an unknown arm may cost 0.3 + 1.64 * 0.3 or so, and 0.05 is allowed for each task so far.
    policy = QualityFloor(1, 0.05)
    few, many = (
        FloorState(np.array([[1.0, 1.0 + 0.8 * n]]), np.array([[1.0, 1.0 + 0.2 * n]]), np.zeros((1, 2)))
        for n in (10, 30)
    )
    assert policy.allowed(few, idle(1, 2)).tolist() == [[False, True]]
    assert policy.allowed(many, idle(1, 2)).tolist() == [[True, True]]
    # Choices that are out use the room up.
    assert policy.allowed(many, Context(np.array([[5, 0]]))).tolist() == [[False, True]]


def test_an_arm_that_is_known_to_cost_more_is_never_taken() -> None:
    policy = QualityFloor(0, 0.1, None)
    state = FloorState(np.full((1, 2), 50.0), np.full((1, 2), 50.0), np.array([[100.0, 200.0]]))
    assert policy.propensities(state, idle(1, 2)).tolist() == [[1.0, 0.0]]


def test_an_update_by_hand() -> None:
    policy = QualityFloor(0, 0.1)
    feedback = Feedback(
        np.array([1, 0]),
        np.zeros(2),
        np.array([True, False]),
        quality=np.array([0.25, np.nan]),
        cost_usd=np.array([0.5, np.nan]),
    )
    state = policy.update(policy.init(2, 2), feedback)
    assert state.alpha.tolist() == [[1.0, 1.25], [1.0, 1.0]]
    assert state.beta.tolist() == [[1.0, 1.75], [1.0, 1.0]]
    assert state.cost_usd.tolist() == [[0.0, 0.5], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"quality": None}, "lacks"),
        ({"cost_usd": None}, "lacks"),
        ({"quality": np.array([1.5])}, "quality"),
        ({"quality": np.array([np.nan])}, "quality"),
        ({"cost_usd": np.array([-1.0])}, "cost_usd"),
        ({"cost_usd": np.array([np.inf])}, "cost_usd"),
        ({"rewards": np.array([np.nan])}, "NaN"),
    ],
)
def test_outcomes_that_cannot_be_learnt_from_are_refused(changed: dict[str, Any], named: str) -> None:
    policy = QualityFloor(0, 0.1)
    feedback = Feedback(np.zeros(1, np.int64), np.ones(1), quality=np.ones(1), cost_usd=np.ones(1))
    with pytest.raises(ValueError, match=named):
        policy.update(policy.init(2, 1), feedback._replace(**changed))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((-1, 0.1, 0.95), "reference"),
        ((0, 0.0, 0.95), "margin"),
        ((0, 1.0, 0.95), "margin"),
        ((0, math.nan, 0.95), "margin"),
        ((0, 0.1, 0.5), "confidence"),
        ((0, 0.1, 1.0), "confidence"),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(arguments: tuple[int, float, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        QualityFloor(*arguments)


def test_a_reference_that_is_no_arm_is_refused() -> None:
    with pytest.raises(ValueError, match="not among 2 arms"):
        QualityFloor(2, 0.1).init(2, 1)


def test_params_are_the_hyper_parameters() -> None:
    assert QualityFloor(1, 0.1).params == {"reference": 1, "margin": 0.1, "confidence": 0.975}


def test_the_floor_holds_and_saves() -> None:
    # One arm is as good and ten times as cheap, three are cheap and too bad. Simulated.
    quality, cost = np.array([0.8, 0.8, 0.5, 0.6, 0.7]), np.array([1.0, 0.1, 0.01, 0.02, 0.05])
    outcomes, n_replications, horizon = np.random.default_rng(0), 200, 1000

    def results(first: int, arms: IntArray) -> Results:
        found = (outcomes.random(arms.shape) < quality[arms]).astype(np.float64)
        return Results(found, found, cost[arms])

    def held(confidence: float | None) -> tuple[int, float]:
        policy = QualityFloor(0, 0.05, confidence)
        arms = play(policy, 5, n_replications, horizon, results, np.random.default_rng(1)).arms
        kept = quality[arms].mean(axis=0) >= 0.75 - 1e-12
        return int(kept.sum()), float(cost[arms].mean())

    n_held, mean_usd = held(0.975)
    # Were it held with probability 95%, 181 of 200 or fewer would have a probability of 1%.
    assert n_held > 181
    assert mean_usd < 0.7
    assert held(None)[0] < n_held


def test_propensities_of_a_reference_that_is_well_known() -> None:
    """The margin is some sixteen deviations of the reference's posterior, and an arm lies right on it."""
    n = 50_000.0
    state = FloorState(
        np.array([[1.0 + 0.8 * n, 1.0 + 0.7805 * n]]),
        np.array([[1.0 + 0.2 * n, 1.0 + 0.2195 * n]]),
        np.array([[2.0 * n, n]]),
    )
    policy = QualityFloor(0, 0.02, None)
    chances = policy.propensities(state, Context(np.zeros((1, 2), np.int64)))[0]
    many = FloorState(*(array.repeat(40_000, axis=0) for array in state))
    chosen = policy.choose(many, Context(np.zeros((40_000, 2), np.int64)), np.random.default_rng(3)).arms
    share = float((chosen == 1).mean())
    assert abs(share - chances[1]) < 4.0 * np.sqrt(chances[1] * chances[0] / 40_000)


def test_one_arm_is_certain_however_wide_the_margin() -> None:
    state = FloorState(np.array([[553.0]]), np.array([[1.2]]), np.array([[1.0]]))
    assert QualityFloor(0, 0.5).propensities(state, Context(np.zeros((1, 1), np.int64))).tolist() == [[1.0]]
