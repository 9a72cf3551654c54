"""Restarts: the detector by hand, against a direct evaluation and by its rates, and what a restart resets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Feedback, FloatArray, IntArray, Policy
from krins.routing.baselines import UniformRandom
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import SlidingWindow
from krins.routing.play import Results, play
from krins.routing.restart import Restarting, RestartState
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1

NEVER = 1e-300
"""A rate of false alarms whose threshold no short play reaches."""
repeated = settings(deadline=None, max_examples=20, derandomize=True)


def learn(policy: Policy[Any], n_arms: int, arms: IntArray, rewards: FloatArray) -> list[IntArray]:
    """The detector's counts after each step; arrays have shape (n_steps, n_replications)."""
    state, counts = policy.init(n_arms, arms.shape[1]), []
    for now, reward in zip(arms, rewards, strict=True):
        state = policy.update(state, Feedback(now, reward))
        counts.append(state.counts.copy())
    return counts


def divergence(p: float, q: float) -> float:
    hit = p * math.log(p / q) if p > 0.0 else 0.0
    miss = (1.0 - p) * math.log((1.0 - p) / (1.0 - q)) if p < 1.0 else 0.0
    return hit + miss


def is_seen(rewards: list[float], window: int, threshold: float) -> bool:
    """The definition, split by split."""
    n = len(rewards)
    lags = {2**k for k in range(12)} | {3 * 2**k for k in range(12)} | {window}
    for lag in (lag for lag in lags if lag <= min(window, n - 1)):
        first, last, mean = np.mean(rewards[:-lag]), np.mean(rewards[-lag:]), np.mean(rewards)
        ratio = lag * divergence(float(last), float(mean)) + (n - lag) * divergence(float(first), float(mean))
        if ratio >= threshold:
            return True
    return False


def test_ten_ones_and_then_zeros_are_seen_at_the_fourth_zero() -> None:
    # Both parts are pure, so the ratio is n H(zeros / n): 7.02 after three zeros and 8.38 after four. The threshold
    # is ln(3 n sqrt(n) / 0.05), 7.94 and 8.05.
    rewards = np.r_[np.ones(10), np.zeros(5)][:, None]
    counts = learn(Restarting(UniformRandom(), false_alarm=0.05), 1, np.zeros(rewards.shape, np.int64), rewards)
    assert np.ravel(counts).tolist() == [*range(1, 14), 0, 1]


def test_the_level_is_shared_among_the_arms() -> None:
    # With three arms the threshold is 9.15, 9.26 and 9.35 after four, five and six zeros. After four the ratio is 8.38;
    # after five it is 9.55 where the zeros begin, which is no split that is tested, and at most 6.84 where one is
    # (nine ones and the rest); after six it is 10.59.
    rewards = np.r_[np.ones(10), np.zeros(6)][:, None]
    counts = learn(Restarting(UniformRandom(), false_alarm=0.05), 3, np.full(rewards.shape, 1), rewards)
    assert [int(step[0, 1]) for step in counts] == [*range(1, 16), 0]


@repeated
@given(
    window=st.integers(1, 20),
    n_steps=st.integers(1, 60),
    change=st.integers(0, 60),
    binary=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_the_detector_is_its_definition(window: int, n_steps: int, change: int, binary: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rewards = rng.beta(np.where(np.arange(n_steps) < change, 9.0, 0.5), 1.0)
    rewards = np.round(rewards) if binary else rewards
    arms = rng.integers(2, size=n_steps)
    counts = learn(Restarting(UniformRandom(), 0.3, window), 2, arms[:, None], rewards[:, None])
    since: list[list[float]] = [[], []]
    for arm, reward, found in zip(arms, rewards, counts, strict=True):
        since[arm].append(float(reward))
        if is_seen(since[arm], window, math.log(3.0 * len(since[arm]) ** 1.5 * 2 / 0.3)):
            since = [[], []]
        assert found.tolist() == [[len(part) for part in since]]


def test_rewards_are_scaled_to_the_range_and_cut_off_at_its_ends() -> None:
    rng = np.random.default_rng(4)
    arms = np.zeros((80, 5), np.int64)
    rewards = np.round(np.r_[rng.beta(9.0, 1.0, (40, 5)), rng.beta(1.0, 9.0, (40, 5))] * 64.0) / 64.0
    plain = learn(Restarting(UniformRandom()), 1, arms, rewards)
    scaled = learn(Restarting(UniformRandom(), reward_range=(-8.0, 8.0)), 1, arms, rewards * 16.0 - 8.0)
    np.testing.assert_array_equal(plain, scaled)
    assert (plain[-1] < 80).all()
    pure = np.round(rewards)
    beyond = np.where(pure > 0.5, 7.0, -3.0)
    cut, whole = (learn(Restarting(UniformRandom()), 1, arms, given) for given in (beyond, pure))
    np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize(
    ("policy", "means"),
    [(UniformRandom(), (0.9, 0.5, 0.1)), (UniformRandom(), (0.98, 0.02, 0.3)), (ThompsonBeta(), (0.9, 0.5, 0.1))],
    ids=["uniform", "uniform, extreme", "Thompson"],
)
def test_false_alarms_are_no_more_frequent_than_stated(policy: Policy[Any], means: tuple[float, ...]) -> None:
    n_replications, n_steps, level = 400, 1000, 0.2
    watched, chances = Restarting(policy, level), np.array(means)
    rng = np.random.default_rng(8)
    state = watched.init(3, n_replications)
    context = Context(np.zeros((n_replications, 3), np.int64))
    restarted = np.zeros(n_replications, np.bool_)
    for _ in range(n_steps):
        arms = watched.choose(state, context, rng).arms
        state = watched.update(state, Feedback(arms, (rng.random(n_replications) < chances[arms]).astype(np.float64)))
        restarted |= state.counts.sum(axis=1) == 0
    # Were the rate the level, as few as this would be seen with a probability of 0.01 or less.
    assert restarted.mean() < level - 2.33 * math.sqrt(level * (1.0 - level) / n_replications)


@pytest.mark.parametrize(("after", "plays"), [(0.1, 24), (0.5, 80)])
def test_a_change_after_500_plays_is_seen_in_time(after: float, plays: int) -> None:
    n_replications = 500
    rng = np.random.default_rng(6)
    chances = np.r_[np.full(500, 0.9), np.full(plays, after)][:, None]
    rewards = (rng.random((500 + plays, n_replications)) < chances) * 1.0
    counts = learn(Restarting(UniformRandom()), 1, np.zeros(rewards.shape, np.int64), rewards)
    seen = counts[-1][:, 0] < plays
    assert seen.mean() > 0.98


@pytest.mark.parametrize(
    "policy",
    [UCB1(), ThompsonBeta((0.5, 2.0)), ThompsonNormal(), SlidingWindow(UCB1(), 5), ExplorationFloor(UCB1(), 0.1)],
    ids=lambda policy: type(policy).__name__,
)
def test_a_restart_resets_the_replication_that_changed_and_no_other(policy: Policy[Any]) -> None:
    n_steps = 14
    rewards = np.ones((n_steps, 3))
    rewards[10:, 1] = 0.0
    watched = Restarting(policy)
    state: RestartState = watched.init(1, 3)
    plain = policy.init(1, 3)
    for reward in rewards:
        state = watched.update(state, Feedback(np.zeros(3, np.int64), reward))
        plain = policy.update(plain, Feedback(np.zeros(3, np.int64), reward))
    assert state.counts[:, 0].tolist() == [n_steps, 0, n_steps]
    for found, learnt, fresh in zip(*(_leaves(part) for part in (state.inner, plain, policy.init(1, 3))), strict=True):
        np.testing.assert_array_equal(found[[0, 2]], learnt[[0, 2]])
        np.testing.assert_array_equal(found[1], fresh[1])
    again = watched.update(state, Feedback(np.zeros(3, np.int64), np.array([1.0, 0.0, 1.0])))
    assert again.counts[:, 0].tolist() == [n_steps + 1, 1, n_steps + 1]


def _leaves(state: Any) -> list[FloatArray]:
    return [state] if isinstance(state, np.ndarray) else [leaf for part in state for leaf in _leaves(part)]


@repeated
@given(seed=st.integers(0, 2**32), delay=st.integers(0, 4))
def test_without_an_alarm_it_is_the_plain_policy_bit_for_bit(seed: int, delay: int) -> None:
    table = np.random.default_rng(seed).integers(2, size=(40, 3, 4)).astype(np.float64)

    def results(first: int, arms: IntArray) -> Results:
        return Results(table[np.arange(first, first + len(arms))[:, None], np.arange(3), arms])

    policies: list[Policy[Any]] = [UCB1(), ThompsonBeta()]
    for policy in policies:
        found = play(Restarting(policy, NEVER), 4, 3, 40, results, np.random.default_rng(seed), delay=delay)
        expected = play(policy, 4, 3, 40, results, np.random.default_rng(seed), delay=delay)
        np.testing.assert_array_equal(found.arms, expected.arms)


@repeated
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.3, 1.0]))
def test_replications_do_not_touch_each_other(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    arms, observed = rng.integers(2, size=(60, 4)), rng.random((60, 4)) < share
    rewards = np.where(np.arange(60)[:, None] < 30, arms, 1.0 - arms)
    policy = Restarting(UCB1(), 0.5, 8)
    state = policy.init(2, 4)
    for step in zip(arms, np.where(observed, rewards, np.nan), observed, strict=True):
        state = policy.update(state, Feedback(*step))
    for i in range(4):
        seen = observed[:, i]
        alone = policy.init(2, 1)
        for arm, reward in zip(arms[seen, i : i + 1], rewards[seen, i : i + 1], strict=True):
            alone = policy.update(alone, Feedback(arm, reward))
        for ours, theirs in zip(_leaves(state), _leaves(alone), strict=True):
            np.testing.assert_array_equal(ours[i], theirs[0])


def test_with_an_exploration_floor_choices_are_as_frequent_as_propensities_say() -> None:
    n_choices, n_arms = 40_000, 4
    policy = Restarting(ExplorationFloor(ThompsonBeta(), 0.2), window=8)
    rng = np.random.default_rng(12)
    steps = [(0, 1.0)] * 12 + [(0, 0.0)] * 6 + [(1, 1.0), (2, 0.0), (1, 1.0), (3, 0.0), (1, 0.0)]
    one, many = policy.init(n_arms, 1), policy.init(n_arms, n_choices)
    for arm, reward in steps:
        one, many = (
            policy.update(state, Feedback(np.full(len(state.counts), arm), np.full(len(state.counts), reward)))
            for state in (one, many)
        )
    assert one.counts[0].sum() < len(steps)
    expected = n_choices * policy.propensities(one, Context(np.zeros((1, n_arms), np.int64)))[0]
    assert expected.min() >= 0.05 * n_choices
    found = np.bincount(policy.choose(many, Context(np.zeros((n_choices, n_arms), np.int64)), rng).arms)
    # 99.9% quantile with 3 degrees of freedom.
    assert ((found - expected) ** 2 / expected).sum() < 16.27


def test_after_a_change_regret_is_a_fraction_of_that_of_the_plain_policy() -> None:
    n_replications, half = 32, 1000
    means = np.array([0.9, 0.7, 0.5, 0.3, 0.1])

    def regret(policy: Policy[Any]) -> FloatArray:
        rng = np.random.default_rng(2)

        def gaps(first: int, arms: IntArray) -> FloatArray:
            gap: FloatArray = 0.9 - (means if first < half else means[::-1])[arms]
            return gap

        def results(first: int, arms: IntArray) -> Results:
            return Results((rng.random(arms.shape) < 0.9 - gaps(first, arms)).astype(np.float64))

        arms = play(policy, 5, n_replications, 2 * half, results, np.random.default_rng(3)).arms.astype(np.int64)
        parts = gaps(0, arms[:half]), gaps(half, arms[half:])
        return np.array([part.sum() / n_replications for part in parts])

    plain, restarting = regret(ThompsonBeta()), regret(Restarting(ThompsonBeta()))
    assert restarting[0] == plain[0]
    assert restarting[1] < 0.25 * plain[1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"false_alarm": 0.0}, "false_alarm"),
        ({"false_alarm": 1.0}, "false_alarm"),
        ({"window": 0}, "window"),
        ({"reward_range": (1.0, 1.0)}, "reward_range"),
    ],
)
def test_hyper_parameters_that_are_none_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Restarting(UCB1(), **wrong)


def test_params_name_the_wrapped_policy() -> None:
    assert Restarting(ThompsonBeta(), 0.1, 64).params == {
        "policy": {"name": "ThompsonBeta", "prior": (1.0, 1.0)},
        "false_alarm": 0.1,
        "window": 64,
        "reward_range": (0.0, 1.0),
    }
