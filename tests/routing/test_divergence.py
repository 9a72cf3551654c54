"""KL-UCB and IMED: hand-worked indices, and what holds for every tally."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, FloatArray
from krins.routing.divergence import IMED, KLUCB, bernoulli_divergence
from krins.routing.tally import Tally

RNG = np.random.default_rng(0)
repeated = settings(deadline=None, max_examples=60, derandomize=True)


def idle(n_arms: int) -> Context:
    return Context(np.zeros((1, n_arms), np.int64))


def tally(counts: list[float], sums: list[float]) -> Tally:
    return Tally(np.array([counts]), np.array([sums]))


@st.composite
def tallies(draw: st.DrawFn, max_count: int = 10_000) -> Tally:
    """Of rewards of 0 and 1; every arm has some."""
    counts = draw(st.lists(st.integers(1, max_count), min_size=1, max_size=6))
    sums = [draw(st.integers(0, count)) for count in counts]
    return tally([float(count) for count in counts], [float(total) for total in sums])


def test_the_divergence_by_hand() -> None:
    half = math.log(2.0)
    found = bernoulli_divergence(np.array([0.5, 0.0, 1.0, 0.3]), np.array([0.25, 0.5, 0.5, 0.3]))
    np.testing.assert_allclose(found, [0.5 * math.log(4.0 / 3.0), half, half, 0.0], rtol=1e-15)
    assert found[3] == 0.0


def test_the_divergence_is_large_and_finite_where_it_is_infinite() -> None:
    found = bernoulli_divergence(np.array([0.5, 0.5, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0]))
    assert (found > 300.0).all() and np.isfinite(found).all()


def test_the_bound_of_an_arm_that_always_failed() -> None:
    # n * -ln(1 - q) = ln t
    state = tally([2.0, 6.0], [0.0, 3.0])
    assert KLUCB().indices(state)[0, 0] == pytest.approx(1.0 - 8.0**-0.5, rel=1e-14)


def test_the_bound_of_an_arm_that_never_failed() -> None:
    assert KLUCB().indices(tally([2.0, 6.0], [2.0, 3.0]))[0, 0] == 1.0


def test_the_bound_of_an_arm_that_failed_half_the_time() -> None:
    # kl(1/2, q) = -ln(4 q (1 - q)) / 2, so that 4 q (1 - q) = exp(-2 ln(t) / n)
    expected = (1.0 + math.sqrt(1.0 - 40.0 ** (-2.0 / 10.0))) / 2.0
    assert KLUCB().indices(tally([10.0, 30.0], [5.0, 0.0]))[0, 0] == pytest.approx(expected, rel=1e-14)


def test_c_weighs_the_logarithm_of_the_logarithm() -> None:
    state = tally([4.0, 16.0], [0.0, 8.0])
    level = (math.log(20.0) + 3.0 * math.log(math.log(20.0))) / 4.0
    assert KLUCB(c=3.0).indices(state)[0, 0] == pytest.approx(1.0 - math.exp(-level), rel=1e-14)


def test_c_counts_for_nothing_where_the_logarithm_is_below_one() -> None:
    state = tally([1.0, 1.0], [0.0, 1.0])
    assert KLUCB(c=3.0).indices(state).tolist() == KLUCB().indices(state).tolist()


def test_after_one_reward_the_bound_is_the_mean() -> None:
    assert KLUCB().indices(tally([1.0], [0.25])).tolist() == [[pytest.approx(0.25, abs=1e-15)]]


def test_the_largest_bound_is_chosen_with_certainty() -> None:
    # 40^-0.1 = 0.69, so that the bounds are 0.78 and 0.12
    state = tally([10.0, 30.0], [5.0, 0.0])
    choice = KLUCB().choose(state, idle(2), RNG)
    assert choice.arms.tolist() == [0]
    assert choice.probabilities is not None
    assert choice.probabilities.tolist() == [1.0]
    assert KLUCB().propensities(state, idle(2)).tolist() == [[1.0, 0.0]]


def test_bounds_that_a_double_cannot_tell_apart_are_told_apart() -> None:
    # 1 - q is about (1 - p) exp(-ln(t) / (1 - p)): exp(-346), exp(-116) and exp(-693), for t = 32
    state = tally([1.0, 1.0, 1.0, 29.0], [0.99, 0.97, 0.995, 0.0])
    assert KLUCB().indices(state)[0, :3].tolist() == [1.0] * 3
    assert KLUCB().choose(state, idle(4), RNG).arms.tolist() == [2]


def test_arms_that_never_failed_stand_equal_and_above_the_others() -> None:
    state = tally([1.0, 9.0, 3.0], [0.999999, 9.0, 3.0])
    assert KLUCB().choose(state, idle(3), RNG).arms.tolist() == [1]


@pytest.mark.parametrize("policy", [KLUCB((-1.0, 3.0)), IMED((-1.0, 3.0))])
def test_rewards_are_scaled_by_their_range(policy: KLUCB | IMED) -> None:
    plain = tally([5.0, 10.0, 40.0], [2.0, 7.0, 8.0])
    scaled = Tally(plain.counts, 4.0 * plain.sums - plain.counts)
    if isinstance(policy, KLUCB):
        np.testing.assert_allclose(policy.indices(scaled), 4.0 * KLUCB().indices(plain) - 1.0, rtol=1e-13)
    else:
        np.testing.assert_allclose(policy.indices(scaled), IMED().indices(plain), rtol=1e-13)


def test_a_mean_beyond_the_range_is_its_end() -> None:
    state, at_the_ends = tally([2.0, 4.0], [3.0, -1.0]), tally([2.0, 4.0], [2.0, 0.0])
    assert KLUCB().indices(state).tolist() == KLUCB().indices(at_the_ends).tolist()
    assert IMED().indices(state).tolist() == IMED().indices(at_the_ends).tolist()


def test_weights_below_one_are_used_as_they_are() -> None:
    state = tally([0.25, 7.75], [0.0, 4.0])
    assert KLUCB().indices(state)[0, 0] == pytest.approx(1.0 - 8.0**-4.0, rel=1e-14)
    assert IMED().indices(state)[0, 0] == pytest.approx(
        0.25 * math.log(1.0 / (1.0 - 4.0 / 7.75)) + math.log(0.25), rel=1e-13
    )


@repeated
@given(state=tallies())
def test_the_evidence_against_the_bound_is_ln_t(state: Tally) -> None:
    bound = KLUCB().indices(state)
    log_t, mean = math.log(state.counts.sum()), state.sums / state.counts
    open_ended = mean < 1.0
    evidence = state.counts * bernoulli_divergence(mean, bound)
    # What half a unit in the last place of the bound makes of it: n * (q - p) / (q (1 - q)) * 2^-53.
    rounding = state.counts * (bound - mean) / np.maximum(bound * (1.0 - bound), 1e-16) * 2.0**-52
    assert (np.abs(evidence - log_t) < 1e-9 + rounding)[open_ended].all()
    assert (bound[~open_ended] == 1.0).all()


@repeated
@given(state=tallies())
def test_the_bound_lies_between_the_mean_and_that_of_pinsker(state: Tally) -> None:
    bound, mean = KLUCB().indices(state), state.sums / state.counts
    half_width = np.sqrt(math.log(state.counts.sum()) / (2.0 * state.counts))
    assert (bound >= mean - 1e-15).all()
    assert (bound <= np.minimum(mean + half_width, 1.0) + 1e-15).all()


@repeated
@given(state=tallies(), more=st.integers(1, 10_000))
def test_the_bound_of_an_arm_grows_with_the_rewards_of_others(state: Tally, more: int) -> None:
    counts, sums = (np.append(array, [[1.0]], axis=1) for array in state)
    later = Tally(counts.copy(), sums)
    later.counts[0, -1] += more
    before, after = (KLUCB().indices(each)[0, :-1] for each in (Tally(counts, sums), later))
    assert (after >= before).all()
    # Few rewards move it by more than rounding.
    moves = (sums / counts)[0, :-1] < 1.0
    assert (after > before)[moves & (counts[0, :-1] <= 100.0) & (after < 1.0 - 1e-9)].all()


@repeated
@given(
    mean=st.floats(1e-9, 1.0 - 1e-9), n=st.floats(0.1, 1e5), t_by_n=st.floats(1.01, 1e6), solve=st.just(KLUCB().indices)
)
def test_two_steps_solve_what_bisection_solves(mean: float, n: float, t_by_n: float, solve: Any) -> None:
    state = tally([n, n * (t_by_n - 1.0)], [n * mean, 0.0])
    level = max(math.log(n * t_by_n), 0.0) / n
    low, high = 0.0, 1.0 + level / (1.0 - mean) - math.log(mean) / (1.0 - mean)
    for _ in range(200):
        # u = ln((1 - p) / (1 - q)), in which nothing cancels
        u = (low + high) / 2.0
        excess = (1.0 - mean) * u - mean * math.log1p(-math.expm1(-u) * (1.0 - mean) / mean) - level
        low, high = (low, u) if excess > 0.0 else (u, high)
    expected = mean - math.expm1(-low) * (1.0 - mean)
    assert solve(state)[0, 0] == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_imed_by_hand() -> None:
    state = tally([4.0, 2.0, 6.0], [2.0, 0.0, 3.0])
    # means 1/2, 0, 1/2: no evidence against the first and the last
    np.testing.assert_allclose(IMED().indices(state), [[math.log(4.0), 3.0 * math.log(2.0), math.log(6.0)]], rtol=1e-15)
    choice = IMED().choose(state, idle(3), RNG)
    assert choice.arms.tolist() == [0]
    assert choice.probabilities is not None
    assert choice.probabilities.tolist() == [1.0]
    assert IMED().propensities(state, idle(3)).tolist() == [[1.0, 0.0, 0.0]]


def test_imed_tries_an_arm_against_which_there_is_less_evidence_than_the_leader_has_rewards() -> None:
    # 5 * ln 2 + ln 5 = 5.08 against ln 100 = 4.61 and ln 200 = 5.30
    behind = [0.0, 5.0]
    assert IMED().choose(tally([100.0, behind[1]], [50.0, behind[0]]), idle(2), RNG).arms.tolist() == [0]
    assert IMED().choose(tally([200.0, behind[1]], [100.0, behind[0]]), idle(2), RNG).arms.tolist() == [1]


def test_imed_takes_no_untried_arm_for_the_best() -> None:
    # Rewards from -1 to 1: no reward at all is not a mean of 0, better than those of -1/2.
    state = Tally(np.array([[4.0, 0.0]]), np.array([[-2.0, 0.0]]))
    assert IMED((-1.0, 1.0)).indices(state)[0, 0] == pytest.approx(math.log(4.0), rel=1e-15)


@repeated
@given(state=tallies())
def test_the_leader_of_imed_has_the_logarithm_of_its_count(state: Tally) -> None:
    index, mean = IMED().indices(state), state.sums / state.counts
    log_counts = np.log(state.counts)
    leads = mean == mean.max()
    np.testing.assert_array_equal(index[leads], log_counts[leads])
    assert (index >= log_counts - 1e-9).all()
    assert np.isfinite(index).all()


@repeated
@given(state=tallies(100), seed=st.integers(0, 2**32))
def test_indices_move_with_their_arms(state: Tally, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(state.counts.shape[1])
    moved = Tally(*(array[:, order] for array in state))
    for indices in (KLUCB().indices, IMED().indices):
        np.testing.assert_allclose(indices(moved), indices(state)[:, order], rtol=1e-15)


@pytest.mark.parametrize("kind", [KLUCB, IMED])
def test_a_range_without_width_is_refused(kind: type[KLUCB | IMED]) -> None:
    with pytest.raises(ValueError, match="low < high"):
        kind((1.0, 1.0))


@pytest.mark.parametrize("c", [-1.0, math.nan, math.inf])
def test_a_c_that_shrinks_the_bound_is_refused(c: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        KLUCB(c=c)


def test_params_are_the_hyper_parameters() -> None:
    assert KLUCB((-1.0, 2.0), 3.0).params == {"reward_range": (-1.0, 2.0), "c": 3.0}
    assert IMED((-1.0, 2.0)).params == {"reward_range": (-1.0, 2.0)}


def test_the_first_arms_without_rewards_do_not_upset_the_arithmetic() -> None:
    # Warnings are errors: nothing overflows, and nothing is divided by zero.
    states: list[FloatArray] = [np.array([[0.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]), np.array([[2.0, 0.0, 1.0]])]
    for counts in states:
        for sums in (counts, 0.0 * counts):
            KLUCB().choose(Tally(counts, sums), idle(3), RNG)
            IMED().choose(Tally(counts, sums), idle(3), RNG)
