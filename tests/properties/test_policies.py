"""What holds for every policy, whatever it has learnt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Feedback, FloatArray, IntArray, Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.play import Results, play
from krins.routing.tally import Tally
from krins.routing.thompson import BetaState, NormalState, ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1

POLICIES: list[Policy[Any]] = [
    EpsilonGreedy(0.3),
    DecayingEpsilonGreedy(0.5),
    UCB1(),
    ThompsonBeta(),
    ThompsonNormal(),
    FixedArm(0),
    UniformRandom(),
]
COUNTING: list[Policy[Any]] = [EpsilonGreedy(0.3), DecayingEpsilonGreedy(0.5), UCB1(), ThompsonBeta()]
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
repeated = settings(deadline=None, max_examples=60, derandomize=True)


class History(NamedTuple):
    """One step after another: arms and rewards of all replications, and choices that are still out."""

    n_arms: int
    arms: IntArray
    """Shape (n_steps, n_replications)."""
    rewards: FloatArray
    """Of the same shape, 0 or 1."""
    pending: IntArray
    """Shape (n_replications, n_arms)."""

    def learn(self, policy: Policy[Any]) -> Any:
        state = policy.init(self.n_arms, len(self.pending))
        for arms, rewards in zip(self.arms, self.rewards, strict=True):
            state = policy.update(state, Feedback(arms, rewards))
        return state

    @property
    def context(self) -> Context:
        return Context(self.pending)


@st.composite
def histories(draw: st.DrawFn, min_steps: int = 0) -> History:
    n_arms, n_replications = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    n_steps = draw(st.integers(min_steps, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    arms = rng.integers(n_arms, size=(n_steps, n_replications))
    rewards = rng.integers(2, size=arms.shape).astype(np.float64)
    return History(n_arms, arms, rewards, rng.integers(draw(st.integers(1, 3)), size=(n_replications, n_arms)))


def copies(state: Any) -> list[FloatArray]:
    return [array.copy() for array in state]


def assert_same(state: Any, arrays: list[FloatArray]) -> None:
    for now, before in zip(state, arrays, strict=True):
        np.testing.assert_array_equal(now, before)


@every_policy
@repeated
@given(history=histories())
def test_propensities_are_a_distribution(policy: Policy[Any], history: History) -> None:
    found = policy.propensities(history.learn(policy), history.context)
    assert found.shape == history.pending.shape
    assert (found >= 0.0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


@every_policy
@repeated
@given(history=histories(), seed=st.integers(0, 2**32))
def test_a_choice_has_the_probability_that_it_states(policy: Policy[Any], history: History, seed: int) -> None:
    state = history.learn(policy)
    arms, probabilities = policy.choose(state, history.context, np.random.default_rng(seed))
    assert arms.shape == (len(history.pending),)
    chances = policy.propensities(state, history.context)[np.arange(arms.size), arms]
    assert (chances > 0.0).all()
    if probabilities is not None:
        np.testing.assert_allclose(probabilities, chances, rtol=1e-14)


@every_policy
@repeated
@given(history=histories(min_steps=1), seed=st.integers(0, 2**32))
def test_no_method_changes_its_arguments(policy: Policy[Any], history: History, seed: int) -> None:
    state = history.learn(policy)
    before, pending = copies(state), history.pending.copy()
    arms, rewards = history.arms[0].copy(), history.rewards[0].copy()
    observed = np.random.default_rng(seed).random(arms.size) < 0.5
    given_observed = observed.copy()
    policy.choose(state, history.context, np.random.default_rng(seed))
    policy.propensities(state, history.context)
    policy.update(state, Feedback(arms, rewards))
    policy.update(state, Feedback(arms, rewards, observed))
    assert_same(state, before)
    given_arguments = [pending, arms, rewards, given_observed]
    assert_same([history.pending, history.arms[0], history.rewards[0], observed], given_arguments)


@every_policy
@repeated
@given(history=histories(min_steps=1))
def test_what_was_not_observed_changes_nothing(policy: Policy[Any], history: History) -> None:
    state = history.learn(policy)
    arms = history.arms[0]
    unknown = np.full(arms.size, np.nan)
    assert_same(policy.update(state, Feedback(arms, unknown, np.zeros(arms.size, np.bool_))), copies(state))


@every_policy
@repeated
@given(history=histories(min_steps=1), seed=st.integers(0, 2**32))
def test_a_mask_picks_replications(policy: Policy[Any], history: History, seed: int) -> None:
    state = history.learn(policy)
    arms, rewards = history.arms[0], history.rewards[0]
    observed = np.random.default_rng(seed).random(arms.size) < 0.5
    masked, full = (
        policy.update(state, Feedback(arms, rewards, observed)),
        policy.update(state, Feedback(arms, rewards)),
    )
    for was, part, whole in zip(state, masked, full, strict=True):
        np.testing.assert_array_equal(part, np.where(observed[:, None], whole, was))


@every_policy
@repeated
@given(history=histories())
def test_replications_do_not_touch_each_other(policy: Policy[Any], history: History) -> None:
    together = policy.propensities(history.learn(policy), history.context)
    for i in range(len(together)):
        one = slice(i, i + 1)
        alone = History(history.n_arms, history.arms[:, one], history.rewards[:, one], history.pending[one])
        np.testing.assert_allclose(
            policy.propensities(alone.learn(policy), alone.context), together[one], rtol=1e-9, atol=1e-12
        )


@repeated
@given(history=histories(), round_size=st.integers(1, 7), seed=st.integers(0, 2**32))
def test_a_batch_without_chance_is_as_many_single_plays(history: History, round_size: int, seed: int) -> None:
    n_replications, n_arms = history.pending.shape
    table = np.random.default_rng(seed).random((30, n_replications, n_arms))

    def played(first: int, last: int) -> IntArray:
        rows = np.arange(first, last)
        return play(
            UCB1(),
            n_arms,
            rows.size,
            len(table),
            lambda first, arms: Results(table[np.arange(first, first + len(arms))[:, None], rows, arms]),
            np.random.default_rng(0),
            round_size,
        ).arms.astype(np.int64)

    single = [played(i, i + 1) for i in range(n_replications)]
    np.testing.assert_array_equal(played(0, n_replications), np.hstack(single))


@pytest.mark.parametrize("policy", COUNTING, ids=lambda policy: type(policy).__name__)
@repeated
@given(history=histories(min_steps=2), seed=st.integers(0, 2**32))
def test_rewards_may_come_back_in_any_order(policy: Policy[Any], history: History, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(history.arms))
    shuffled = history._replace(arms=history.arms[order], rewards=history.rewards[order])
    assert_same(shuffled.learn(policy), copies(history.learn(policy)))


@repeated
@given(history=histories(min_steps=2), seed=st.integers(0, 2**32))
def test_the_order_of_real_rewards_matters_by_rounding_alone(history: History, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rewards, order = rng.normal(size=history.arms.shape), rng.permutation(len(history.arms))
    straight = history._replace(rewards=rewards)
    shuffled = history._replace(arms=history.arms[order], rewards=rewards[order])
    found, expected = (np.array(each.learn(ThompsonNormal())) for each in (shuffled, straight))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def random_state(policy: Policy[Any], rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    """Every arm has rewards, and no two stand equal."""
    if isinstance(policy, ThompsonBeta):
        return BetaState(rng.uniform(0.3, 50.0, shape), rng.uniform(0.3, 50.0, shape))
    if isinstance(policy, ThompsonNormal):
        strength, degrees, scale = rng.uniform(0.5, 50.0, (3, *shape))
        return NormalState(rng.normal(size=shape), strength, 0.5 + degrees, scale)
    counts = rng.integers(1, 30, shape).astype(np.float64)
    return Tally(counts, counts * rng.random(shape))


@pytest.mark.parametrize("policy", [p for p in POLICIES if not isinstance(p, FixedArm)], ids=lambda p: type(p).__name__)
@repeated
@given(n_arms=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_arms_have_no_names(policy: Policy[Any], n_arms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, order = random_state(policy, rng, (3, n_arms)), rng.permutation(n_arms)
    if not isinstance(policy, UniformRandom):
        permuted = type(state)(*(array[:, order] for array in state))
    else:
        permuted = state = policy.init(n_arms, 3)
    idle = Context(np.zeros((3, n_arms), np.int64))
    expected = policy.propensities(state, idle)[:, order]
    np.testing.assert_allclose(policy.propensities(permuted, idle), expected, rtol=1e-9, atol=1e-12)


@repeated
@given(history=histories(), power=st.integers(-8, 8), seed=st.integers(0, 2**32))
def test_the_unit_of_the_reward_does_not_matter(history: History, power: int, seed: int) -> None:
    # Powers of two, so that scaling rounds nothing.
    unit = 2.0**power
    rewards = np.random.default_rng(seed).integers(0, 16, history.arms.shape) / 16.0
    plain, scaled = history._replace(rewards=rewards), history._replace(rewards=rewards * unit)
    pairs: list[tuple[Policy[Any], Policy[Any]]] = [
        (EpsilonGreedy(0.3), EpsilonGreedy(0.3)),
        (DecayingEpsilonGreedy(0.5), DecayingEpsilonGreedy(0.5)),
        (UCB1((0.0, 1.0)), UCB1((0.0, unit))),
        (ThompsonNormal(0.5, 1.0, 1.0, 0.25), ThompsonNormal(0.5 * unit, 1.0, 1.0, 0.25 * unit**2)),
    ]
    for policy, other in pairs:
        found = other.propensities(scaled.learn(other), history.context)
        np.testing.assert_allclose(found, policy.propensities(plain.learn(policy), history.context), atol=1e-9)


@repeated
@given(history=histories(), seed=st.integers(0, 2**32))
def test_the_zero_of_the_reward_does_not_matter_to_normal_thompson(history: History, seed: int) -> None:
    rewards = np.random.default_rng(seed).normal(size=history.arms.shape)
    plain, moved = history._replace(rewards=rewards), history._replace(rewards=rewards + 8.0)
    expected = ThompsonNormal(0.5).propensities(plain.learn(ThompsonNormal(0.5)), history.context)
    found = ThompsonNormal(8.5).propensities(moved.learn(ThompsonNormal(8.5)), history.context)
    np.testing.assert_allclose(found, expected, atol=1e-8)
