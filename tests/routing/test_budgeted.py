"""The budgeted router: its linear program, its price, its account, and the mean cost that comes of them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Feedback, FloatArray, IntArray
from krins.routing.budgeted import Budgeted, BudgetState, _balance
from krins.routing.play import Results, play

repeated = settings(deadline=None, max_examples=60, derandomize=True)


def idle(n_replications: int, n_arms: int) -> Context:
    return Context(np.zeros((n_replications, n_arms), np.int64))


def known(
    quality: list[float], cost_usd: list[float], account_usd: float = 0.0, usd_per_task: float = 1.0
) -> BudgetState:
    """A million calls of each arm, with an account as given."""
    n = 1e6
    counts = np.full((1, len(quality)), n)
    spent = np.full_like(counts, n * usd_per_task)
    spent[0, 0] += account_usd
    return BudgetState(counts, n * np.array([quality]), spent, np.full_like(counts, 50.0), 50.0 * np.array([cost_usd]))


def best(policy: Budgeted, state: BudgetState) -> int:
    return int(policy.choose(state, idle(*state.counts.shape), np.random.default_rng(0)).arms[0])


def test_the_price_of_a_step_by_hand() -> None:
    # From (0.5, 0.2) to (2, 0.8): 0.4 a USD at balance, where the middle of the step is 0.25 above the allowance.
    policy, slack = Budgeted(1.0, exploration=0.0, slack=2.0), 2.0
    for account, price in ((-0.25, 0.4), (-0.25 + slack * 1.5, 0.4 * math.e), (-0.25 - slack * 1.5, 0.4 / math.e)):
        state = known([0.2, 0.8], [0.5, 2.0], account)
        np.testing.assert_allclose(policy.account_usd(state, idle(1, 2)), account, atol=1e-9)
        np.testing.assert_allclose(policy.price(state, idle(1, 2)), price, rtol=1e-5)


def test_the_account_decides_between_the_two_arms_in_balance() -> None:
    policy, quality, cost = Budgeted(1.0, exploration=0.0), [0.2, 0.7, 0.8, 0.1], [0.5, 0.9, 2.0, 1.5]
    assert best(policy, known(quality, cost, -0.46)) == 2
    assert best(policy, known(quality, cost, -0.44)) == 1
    # Far from balance, arms beyond the two come in.
    assert best(policy, known(quality, cost, 500.0)) == 0


def test_money_has_no_price_while_the_best_arm_is_within_the_allowance() -> None:
    policy, quality, cost = Budgeted(1.0, exploration=0.0), [0.2, 0.8], [0.5, 0.9]
    state = known(quality, cost, -10.0)
    assert policy.price(state, idle(1, 2)).tolist() == [0.0]
    assert best(policy, state) == 1
    # What was overspent is paid back all the same.
    assert best(policy, known(quality, cost, 20.0)) == 0


def test_ties_go_to_the_cheaper_arm_then_to_the_lower() -> None:
    policy = Budgeted(1.0, exploration=0.0)
    assert best(policy, known([0.8, 0.8, 0.8], [0.5, 0.3, 0.3], -1.0)) == 1


def test_pending_choices_are_in_the_account_at_their_expected_cost() -> None:
    policy, pending = Budgeted(1.0), Context(np.array([[2, 3]]))
    state = known([0.2, 0.8], [0.5, 4.0])
    np.testing.assert_allclose(policy.account_usd(state, pending), 2 * (0.5 - 1.0) + 3 * (4.0 - 1.0), atol=1e-9)


def test_an_update_by_hand() -> None:
    policy = Budgeted(1.0, memory=4.0)
    state = policy.init(2, 2)
    for quality, cost in ((1.0, 3.0), (0.5, 5.0)):
        feedback = Feedback(
            np.array([1, 0]),
            np.array([7.0, np.nan]),
            np.array([True, False]),
            quality=np.array([quality, np.nan]),
            cost_usd=np.array([cost, np.nan]),
        )
        state = policy.update(state, feedback)
    assert state.counts.tolist() == [[0.0, 2.0], [0.0, 0.0]]
    assert state.quality.tolist() == [[0.0, 1.5], [0.0, 0.0]]
    assert state.spent_usd.tolist() == [[0.0, 8.0], [0.0, 0.0]]
    # One call at the allowance, before all others; each call keeps 3/4 of those before.
    assert state.cost_weight.tolist() == [[1.0, 0.75 * 1.75 + 1.0], [1.0, 1.0]]
    assert state.cost_usd.tolist() == [[1.0, 0.75 * (0.75 + 3.0) + 5.0], [1.0, 1.0]]


@repeated
@given(n_arms=st.integers(1, 7), allowance=st.floats(0.02, 60.0), seed=st.integers(0, 2**32))
def test_the_price_of_balance_solves_the_linear_program(n_arms: int, allowance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    quality, cost = rng.random((1, n_arms)), 10.0 ** rng.uniform(-2.0, 2.0, (1, n_arms))
    if cost.min() > allowance:
        return
    balance = _balance(quality, cost, allowance)
    price = balance.price[0] * balance.binds[0]
    # Weak duality makes this an upper bound of every mixture at any price; only the right one reaches the best.
    dual = (quality - price * cost).max() + price * allowance
    np.testing.assert_allclose(dual, best_mixture(quality[0], cost[0], allowance), rtol=1e-9)


def best_mixture(quality: FloatArray, cost: FloatArray, allowance: float) -> float:
    found = max(q for q, c in zip(quality, cost, strict=True) if c <= allowance)
    for low, high in itertools.permutations(range(len(quality)), 2):
        if cost[low] <= allowance < cost[high]:
            share = (allowance - cost[low]) / (cost[high] - cost[low])
            found = max(found, (1.0 - share) * quality[low] + share * quality[high])
    return float(found)


@repeated
@given(n_arms=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_whatever_was_learnt_the_price_is_never_negative_and_replications_are_alone(n_arms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy, state = Budgeted(float(10.0 ** rng.uniform(-3.0, 3.0))), Budgeted(1.0).init(n_arms, 3)
    pending = rng.integers(200, size=(3, n_arms))
    for _ in range(20):
        arms, cost = rng.integers(n_arms, size=3), 10.0 ** rng.uniform(-4.0, 4.0, 3) * rng.integers(2, size=3)
        state = policy.update(state, Feedback(arms, np.zeros(3), quality=rng.random(3), cost_usd=cost))
    price, chances = policy.price(state, Context(pending)), policy.propensities(state, Context(pending))
    assert (price >= 0.0).all() and np.isfinite(price).all()
    arms, probabilities = policy.choose(state, Context(pending), rng)
    assert (chances.sum(axis=1) == 1.0).all() and (chances[np.arange(3), arms] == probabilities).all()
    for i in range(3):
        alone = BudgetState(*(array[i : i + 1] for array in state))
        assert (policy.propensities(alone, Context(pending[i : i + 1]))[0] == chances[i]).all()


@pytest.mark.parametrize(("low", "high"), [(0.5, 2.0), (0.01, 100.0), (0.9, 1.1), (0.0, 1.5)])
def test_the_account_of_two_arms_swings_within_a_step(low: float, high: float) -> None:
    policy, cost, quality = Budgeted(1.0, expected_usd=(low, high)), np.array([low, high]), np.array([0.4, 0.9])
    state, accounts = policy.init(2, 1), []
    for _ in range(1200):
        arms = policy.choose(state, idle(1, 2), np.random.default_rng(0)).arms
        state = policy.update(state, Feedback(arms, np.zeros(1), quality=quality[arms], cost_usd=cost[arms]))
        accounts.append(float(policy.account_usd(state, idle(1, 2))[0]))
    # Once both are known: the middle of the swing is about zero, and a choice goes past its end by itself at most.
    assert max(map(abs, accounts[400:])) <= (high - low) / 2.0 + max(1.0 - low, high - 1.0) + 1e-9
    np.testing.assert_allclose(sum(accounts[400:]) / 800, 0.0, atol=0.3 * (high - low))


def test_a_budget_below_every_cost_gets_the_cheapest_arm() -> None:
    cost, policy = np.array([5.0, 2.0, 9.0]), Budgeted(0.5)

    def results(first: int, arms: IntArray) -> Results:
        return Results(np.ones(arms.shape), np.ones(arms.shape), cost[arms])

    arms = play(policy, 3, 2, 2000, results, np.random.default_rng(0)).arms
    # The others are tried until it is clear that they cost more, ever more seldom.
    assert (arms[:1000] == 1).mean() > 0.97 and (arms[1000:] == 1).mean() > 0.995


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"quality": None}, "lacks"),
        ({"cost_usd": None}, "lacks"),
        ({"quality": np.array([-0.5])}, "quality"),
        ({"cost_usd": np.array([np.nan])}, "cost_usd"),
        ({"cost_usd": np.array([-1e-9])}, "cost_usd"),
        ({"rewards": np.array([np.inf])}, "infinite"),
    ],
)
def test_outcomes_that_cannot_be_learnt_from_are_refused(changed: dict[str, Any], named: str) -> None:
    policy = Budgeted(1.0)
    feedback = Feedback(np.zeros(1, np.int64), np.ones(1), quality=np.ones(1), cost_usd=np.ones(1))
    with pytest.raises(ValueError, match=named):
        policy.update(policy.init(2, 1), feedback._replace(**changed))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"usd_per_task": 0.0}, "usd_per_task"),
        ({"usd_per_task": -1.0}, "usd_per_task"),
        ({"usd_per_task": math.nan}, "usd_per_task"),
        ({"usd_per_task": 1.0, "exploration": -0.1}, "exploration"),
        ({"usd_per_task": 1.0, "memory": 1.0}, "memory"),
        ({"usd_per_task": 1.0, "slack": 0.0}, "slack"),
        ({"usd_per_task": 1.0, "expected_usd": (1.0, math.inf)}, "expected_usd"),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Budgeted(**arguments)


def test_every_arm_needs_an_expected_cost() -> None:
    with pytest.raises(ValueError, match="2 costs for 3 arms"):
        Budgeted(1.0, expected_usd=(1.0, 2.0)).init(3, 1)


def test_params_are_the_hyper_parameters() -> None:
    expected = {"usd_per_task": 2.0, "exploration": 0.5, "memory": 50.0, "slack": 30.0, "expected_usd": None}
    assert Budgeted(2.0).params == expected


@pytest.mark.parametrize("factor", [1.0, 0.1, 10.0])
def test_the_mean_cost_reaches_the_allowance_through_delay_and_a_change_of_price(factor: float) -> None:
    # Simulated. Spending 1 USD a task is possible and of use before and after the change.
    quality, cost = np.array([0.3, 0.5, 0.7, 0.9]), np.array([0.02, 0.06, 1.2, 20.0])
    outcomes, n_replications, horizon, delay = np.random.default_rng(0), 40, 2500, 20

    def results(first: int, arms: IntArray) -> Results:
        usd = cost[arms] * (factor if first >= horizon // 3 else 1.0) * outcomes.exponential(size=arms.shape)
        solved = (outcomes.random(arms.shape) < quality[arms]).astype(np.float64)
        spent.append(usd)
        return Results(solved, solved, usd)

    spent: list[FloatArray] = []
    play(Budgeted(1.0), 4, n_replications, horizon, results, np.random.default_rng(1), delay=delay)
    usd = np.concatenate(spent)
    error = usd.mean(axis=0) - 1.0
    # What is in flight at the end, and the last swing of the account, cannot be made good any more.
    unknown = np.sqrt((usd**2).mean(axis=0) * (delay + 1.0)) / horizon + 20.0 * factor / horizon
    assert (np.abs(error) < 4.0 * unknown).mean() >= 0.9
    assert abs(np.median(error)) < np.median(unknown)
