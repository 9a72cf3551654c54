"""Forgetting: what is remembered, by hand and against a recomputation, and which policies cannot forget."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import BoolArray, Context, Feedback, FloatArray, IntArray, Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.linear import LinUCB
from krins.routing.play import Play, Results, play
from krins.routing.tally import mean_rewards
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned

ADDITIVE: list[Policy[Any]] = [
    EpsilonGreedy(0.3),
    DecayingEpsilonGreedy(0.5),
    UCB1(),
    UCBTuned(),
    ThompsonBeta((0.3, 0.7)),
]
every_additive = pytest.mark.parametrize("policy", ADDITIVE, ids=lambda policy: type(policy).__name__)
repeated = settings(deadline=None, max_examples=15, derandomize=True)


class History(NamedTuple):
    """Shapes are (n_steps, n_replications)."""

    n_arms: int
    arms: IntArray
    rewards: FloatArray
    observed: BoolArray

    def learn(self, policy: Policy[Any]) -> Any:
        state = policy.init(self.n_arms, self.arms.shape[1])
        for arms, rewards, observed in zip(*self[1:], strict=True):
            state = policy.update(state, Feedback(arms, np.where(observed, rewards, np.nan), observed))
        return state

    def alone(self, steps: IntArray, i: int) -> History:
        """Some steps of replication `i`."""
        one = slice(i, i + 1)
        return History(self.n_arms, self.arms[steps, one], self.rewards[steps, one], self.observed[steps, one])


@st.composite
def histories(draw: st.DrawFn, binary: bool = True) -> History:
    n_arms, n_replications, n_steps = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    arms = rng.integers(n_arms, size=(n_steps, n_replications))
    rewards = rng.integers(2, size=arms.shape).astype(np.float64) if binary else rng.random(arms.shape)
    return History(n_arms, arms, rewards, rng.random(arms.shape) < draw(st.sampled_from([0.5, 1.0])))


def learn(policy: Policy[Any], n_arms: int, *steps: tuple[int, float]) -> Any:
    state = policy.init(n_arms, 1)
    for arm, reward in steps:
        state = policy.update(state, Feedback(np.array([arm]), np.array([reward])))
    return state


def idle(n_arms: int) -> Context:
    return Context(np.zeros((1, n_arms), np.int64))


def next_arm(policy: Policy[Any], state: Any, n_arms: int) -> int:
    return int(policy.choose(state, idle(n_arms), np.random.default_rng(0)).arms[0])


def played(policy: Policy[Any], seed: int, delay: int) -> Play:
    table = np.random.default_rng(seed).integers(2, size=(40, 3, 4)).astype(np.float64)

    def results(first: int, arms: IntArray) -> Results:
        return Results(table[np.arange(first, first + len(arms))[:, None], np.arange(3), arms])

    return play(policy, 4, 3, 40, results, np.random.default_rng(seed), delay=delay)


def assert_same(found: Any, expected: Any) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rewards_fade_with_each_lesson() -> None:
    # Weights 1/4, 1/2 and 1, of rewards 1, 0.5 and 0.
    counts, sums = learn(Discounted(UCB1(), 0.5), 2, (0, 1.0), (1, 0.5), (0, 0.0))
    assert counts.tolist() == [[1.25, 0.5]]
    assert sums.tolist() == [[0.25, 0.25]]


def test_a_prior_does_not_fade() -> None:
    alpha, beta = learn(Discounted(ThompsonBeta((2.0, 3.0)), 0.5), 2, (0, 1.0), (1, 1.0), (0, 0.0))
    assert alpha.tolist() == [[2.25, 2.5]]
    assert beta.tolist() == [[4.0, 3.0]]


def test_a_weight_below_one_is_not_taken_for_one() -> None:
    # Weights 1/4 and 1/2 + 1: the mean of the first arm is its only reward, and its bonus twice that of one reward.
    policy = UCB1()
    state = learn(Discounted(policy, 0.5), 2, (0, 0.8), (1, 0.0), (1, 0.6))
    log_learnt = math.log(1.75)
    expected = [0.8 + math.sqrt(2 * log_learnt / 0.25), 0.4 + math.sqrt(2 * log_learnt / 1.5)]
    np.testing.assert_allclose(policy.indices(state), [expected], rtol=1e-14)
    np.testing.assert_allclose(mean_rewards(state), [[0.8, 0.4]], rtol=1e-14)


def test_an_arm_is_tried_again_once_its_weight_has_all_but_vanished() -> None:
    greedy = Discounted(EpsilonGreedy(0.0), 0.5)
    still = learn(greedy, 2, (0, 0.25), *[(1, 0.5)] * 300)
    np.testing.assert_allclose(mean_rewards(still), [[0.25, 0.5]], rtol=1e-12)
    assert next_arm(greedy, still, 2) == 1
    # 2^-340 is below 1e-100, and 2^-1100 is no double at all.
    for n_lessons in (340, 1100):
        assert next_arm(greedy, learn(greedy, 2, (0, 0.25), *[(1, 0.5)] * n_lessons), 2) == 0
        assert next_arm(Discounted(UCB1(), 0.5), learn(greedy, 2, (0, 0.25), *[(1, 0.5)] * n_lessons), 2) == 0


@every_additive
@repeated
@given(history=histories(), seed=st.integers(0, 2**32), delay=st.integers(0, 5))
def test_a_discount_of_one_is_the_plain_policy_bit_for_bit(
    policy: Policy[Any], history: History, seed: int, delay: int
) -> None:
    assert_same(history.learn(Discounted(policy, 1.0)), history.learn(policy))
    np.testing.assert_array_equal(played(Discounted(policy, 1.0), seed, delay).arms, played(policy, seed, delay).arms)


@every_additive
@repeated
@given(history=histories(), seed=st.integers(0, 2**32), delay=st.integers(0, 5))
def test_a_window_longer_than_the_play_is_the_plain_policy_bit_for_bit(
    policy: Policy[Any], history: History, seed: int, delay: int
) -> None:
    assert_same(history.learn(SlidingWindow(policy, 60)).inner, history.learn(policy))
    np.testing.assert_array_equal(played(SlidingWindow(policy, 60), seed, delay).arms, played(policy, seed, delay).arms)


@every_additive
@repeated
@given(data=st.data(), window=st.integers(1, 12))
def test_a_window_holds_the_last_lessons(policy: Policy[Any], data: st.DataObject, window: int) -> None:
    history = data.draw(histories(binary=isinstance(policy, ThompsonBeta)))
    found = history.learn(SlidingWindow(policy, window))
    for i in range(history.arms.shape[1]):
        last = np.flatnonzero(history.observed[:, i])[-window:]
        expected = history.alone(last, i).learn(policy)
        for ours, theirs in zip(found.inner, expected, strict=True):
            np.testing.assert_allclose(ours[i : i + 1], theirs, rtol=1e-13, atol=1e-13)
        counts = np.bincount(history.arms[last, i], minlength=history.n_arms)
        np.testing.assert_array_equal(found.held[i], counts)
        gone = counts == 0
        assert_same(
            *([array[i, gone] for array in state] for state in (found.inner, policy.init(history.n_arms, i + 1)))
        )


@every_additive
@repeated
@given(history=histories(), discount=st.floats(0.1, 1.0))
def test_a_discount_weighs_each_lesson_by_its_age(policy: Policy[Any], history: History, discount: float) -> None:
    found = history.learn(Discounted(policy, discount))
    start = policy.init(history.n_arms, 1)
    for i in range(history.arms.shape[1]):
        expected = [array.copy() for array in start]
        for age, step in enumerate(np.flatnonzero(history.observed[:, i])[::-1]):
            lesson = Feedback(history.arms[step, i : i + 1], history.rewards[step, i : i + 1])
            once = policy.update(policy.init(history.n_arms, 1), lesson)
            for total, after, before in zip(expected, once, start, strict=True):
                total += discount**age * (after - before)
        np.testing.assert_allclose([array[i : i + 1] for array in found], expected, rtol=1e-12, atol=1e-12)


def test_an_arm_that_left_the_window_is_tried_again() -> None:
    # Real rewards, whose sum and difference are not exact: 0.1 + 0.2 - 0.1 - 0.2 leaves a crumb.
    for policy in (SlidingWindow(UCB1(), 3), SlidingWindow(EpsilonGreedy(0.0), 3)):
        before = learn(policy, 2, (0, 0.1), (0, 0.2), (1, 0.9), (1, 0.9))
        assert before.inner.counts.tolist() == [[1.0, 2.0]]
        gone = learn(policy, 2, (0, 0.1), (0, 0.2), (1, 0.9), (1, 0.9), (1, 0.9))
        assert [array[0].tolist()[0] for array in gone.inner] == [0.0, 0.0]
        assert next_arm(policy, gone, 2) == 0


@pytest.mark.parametrize("policy", [Discounted(UCB1(), 0.5), SlidingWindow(UCB1(), 2)], ids=["discount", "window"])
@repeated
@given(history=histories())
def test_replications_do_not_touch_each_other_and_what_is_not_observed_forgets_nothing(
    policy: Policy[Any], history: History
) -> None:
    together = policy.propensities(
        history.learn(policy), Context(np.zeros((history.arms.shape[1], history.n_arms), int))
    )
    for i, row in enumerate(together):
        alone = history.alone(np.flatnonzero(history.observed[:, i]), i)
        np.testing.assert_array_equal(policy.propensities(alone.learn(policy), idle(history.n_arms))[0], row)


def test_choices_have_the_probability_that_they_state() -> None:
    for policy in (Discounted(EpsilonGreedy(0.4), 0.9), SlidingWindow(EpsilonGreedy(0.4), 3)):
        state = learn(policy, 3, (0, 1.0), (1, 0.0), (2, 0.5))
        arms, probabilities = policy.choose(state, idle(3), np.random.default_rng(5))
        assert probabilities is not None
        np.testing.assert_allclose(policy.propensities(state, idle(3)), [[0.6 + 0.4 / 3, 0.4 / 3, 0.4 / 3]])
        np.testing.assert_allclose(probabilities, policy.propensities(state, idle(3))[0, arms])


@pytest.mark.parametrize(
    "policy",
    [ThompsonNormal(), FixedArm(0), UniformRandom(), Discounted(UCB1(), 0.9), SlidingWindow(UCB1(), 9)],
    ids=lambda policy: type(policy).__name__,
)
def test_a_policy_whose_state_does_not_add_up_is_refused(policy: Policy[Any]) -> None:
    for wrapper in (Discounted(policy, 0.9), SlidingWindow(policy, 9)):
        with pytest.raises(ValueError, match=f"{type(policy).__name__} does not"):
            wrapper.init(3, 2)


def test_a_linear_policy_is_refused() -> None:
    for wrapper in (Discounted(LinUCB(2), 0.9), SlidingWindow(LinUCB(2), 9)):
        with pytest.raises(ValueError, match="LinUCB does not"):
            wrapper.init(3, 2)


@pytest.mark.parametrize("discount", [0.0, -0.1, 1.1, math.nan])
def test_a_discount_that_is_none_is_refused(discount: float) -> None:
    with pytest.raises(ValueError, match="discount lies in"):
        Discounted(UCB1(), discount)


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SlidingWindow(UCB1(), 0)


def test_params_name_the_wrapped_policy() -> None:
    inner = {"name": "EpsilonGreedy", "epsilon": 0.3}
    assert Discounted(EpsilonGreedy(0.3), 0.9).params == {"policy": inner, "discount": 0.9}
    assert SlidingWindow(EpsilonGreedy(0.3), 7).params == {"policy": inner, "window": 7}
