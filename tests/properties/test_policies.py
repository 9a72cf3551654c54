"""What holds for every policy, whatever it has learnt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Feedback, FloatArray, IntArray, Policy
from krins.routing.divergence import IMED, KLUCB
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.exp3 import EXP3
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned
from tests.routing.policies import (
    UnderTest,
    arrays,
    assert_same,
    context,
    copied,
    each_policy,
    feedback,
    pick,
    random_state,
)

repeated = settings(deadline=None, max_examples=20, derandomize=True)


class History(NamedTuple):
    """One step after another, of all replications, and what the next choice may look at."""

    n_arms: int
    steps: list[Feedback]
    """Rewards are 0 or 1."""
    context: Context

    @property
    def n_replications(self) -> int:
        return len(self.context.pending)

    def learn(self, policy: Policy[Any]) -> Any:
        state = policy.init(self.n_arms, self.n_replications)
        for step in self.steps:
            state = policy.update(state, step)
        return state

    def alone(self, row: int) -> History:
        """That of one replication."""
        one = slice(row, row + 1)
        assert self.context.features is not None
        there = Context(self.context.pending[one], self.context.features[one])
        return History(self.n_arms, [pick(step, one) for step in self.steps], there)

    def with_rewards(self, rewards: FloatArray) -> History:
        """`rewards` have shape (n_steps, n_replications)."""
        return self._replace(steps=[s._replace(rewards=row) for s, row in zip(self.steps, rewards, strict=True)])


@st.composite
def histories(draw: st.DrawFn, min_steps: int = 0) -> History:
    n_arms, n_replications = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    n_steps, seed = draw(st.integers(min_steps, 25)), draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    arms = rng.integers(n_arms, size=(n_steps, n_replications))
    rewards = rng.integers(2, size=arms.shape).astype(np.float64)
    steps = [feedback(arms[i], rewards[i], seed=seed + i) for i in range(n_steps)]
    pending = rng.integers(draw(st.integers(1, 3)), size=(n_replications, n_arms))
    return History(n_arms, steps, context(pending, seed))


@each_policy()
@repeated
@given(history=histories())
def test_propensities_are_a_distribution(tested: UnderTest, history: History) -> None:
    found = tested.policy.propensities(history.learn(tested.policy), history.context)
    assert found.shape == history.context.pending.shape
    assert (found >= 0.0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


@each_policy()
@repeated
@given(history=histories(), seed=st.integers(0, 2**32))
def test_a_choice_has_the_probability_that_it_states(tested: UnderTest, history: History, seed: int) -> None:
    state = history.learn(tested.policy)
    arms, probabilities = tested.policy.choose(state, history.context, np.random.default_rng(seed))
    assert arms.shape == (history.n_replications,)
    chances = tested.policy.propensities(state, history.context)[np.arange(arms.size), arms]
    assert (chances > 0.0).all()
    if probabilities is not None:
        np.testing.assert_allclose(probabilities, chances, rtol=1e-14)


@each_policy()
@repeated
@given(history=histories(min_steps=1), seed=st.integers(0, 2**32))
def test_no_method_changes_its_arguments_but_update_its_state(tested: UnderTest, history: History, seed: int) -> None:
    policy, state = tested.policy, history.learn(tested.policy)
    before, there = copied(state), copied(history.context)
    policy.choose(state, history.context, np.random.default_rng(seed))
    policy.propensities(state, history.context)
    assert_same(state, before)
    assert_same(history.context, there)
    observed = np.random.default_rng(seed).random(history.n_replications) < 0.5
    for step in (
        history.steps[0]._replace(observed=np.ones_like(observed)),
        history.steps[0]._replace(observed=observed),
    ):
        given_step = copied(step)
        state = policy.update(state, step)
        assert_same(step, given_step)


@each_policy()
@repeated
@given(history=histories(min_steps=1))
def test_what_was_not_observed_changes_nothing(tested: UnderTest, history: History) -> None:
    state = history.learn(tested.policy)
    before, nowhere = copied(state), np.zeros(history.n_replications, np.bool_)
    unknown = np.full(history.n_replications, np.nan)
    step = history.steps[0]._replace(rewards=unknown, quality=unknown, observed=nowhere)
    assert_same(tested.policy.update(state, step), before)


@each_policy()
@repeated
@given(history=histories(min_steps=1), seed=st.integers(0, 2**32))
def test_a_mask_picks_replications(tested: UnderTest, history: History, seed: int) -> None:
    policy, was = tested.policy, history.learn(tested.policy)
    observed = np.random.default_rng(seed).random(history.n_replications) < 0.5
    masked = policy.update(copied(was), history.steps[0]._replace(observed=observed))
    full = policy.update(copied(was), history.steps[0])
    for before, part, whole in zip(arrays(was), arrays(masked), arrays(full), strict=True):
        np.testing.assert_array_equal(part[observed], whole[observed])
        np.testing.assert_array_equal(part[~observed], before[~observed])


@each_policy()
@repeated
@given(history=histories())
def test_replications_do_not_touch_each_other(tested: UnderTest, history: History) -> None:
    policy = tested.policy
    together = policy.propensities(history.learn(policy), history.context)
    for i in range(history.n_replications):
        alone = history.alone(i)
        found = policy.propensities(alone.learn(policy), alone.context)
        np.testing.assert_allclose(found, together[i : i + 1], rtol=1e-9, atol=1e-12)


@repeated
@given(history=histories(), round_size=st.integers(1, 7), seed=st.integers(0, 2**32))
def test_a_batch_without_chance_is_as_many_single_plays(history: History, round_size: int, seed: int) -> None:
    n_replications, n_arms = history.context.pending.shape
    table = np.random.default_rng(seed).random((30, n_replications, n_arms))

    def played(policy: Policy[Any], first: int, last: int) -> IntArray:
        rows = np.arange(first, last)
        return play(
            policy,
            n_arms,
            rows.size,
            len(table),
            lambda first, arms: Results(table[np.arange(first, first + len(arms))[:, None], rows, arms]),
            np.random.default_rng(0),
            round_size,
        ).arms.astype(np.int64)

    for policy in (UCB1(), UCBTuned(), KLUCB(), IMED()):
        single = [played(policy, i, i + 1) for i in range(n_replications)]
        np.testing.assert_array_equal(played(policy, 0, n_replications), np.hstack(single))


@each_policy(lambda tested: tested.any_order)
@repeated
@given(history=histories(min_steps=2), seed=st.integers(0, 2**32))
def test_rewards_may_come_back_in_any_order(tested: UnderTest, history: History, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(history.steps))
    shuffled = history._replace(steps=[history.steps[i] for i in order])
    assert_same(shuffled.learn(tested.policy), history.learn(tested.policy))


@repeated
@given(history=histories(min_steps=2), seed=st.integers(0, 2**32))
def test_the_order_of_real_rewards_matters_by_rounding_alone(history: History, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(history.steps))
    straight = history.with_rewards(rng.random((len(history.steps), history.n_replications)))
    shuffled = straight._replace(steps=[straight.steps[i] for i in order])
    policies: tuple[Policy[Any], ...] = ThompsonNormal(), UCBTuned(), EXP3()
    for policy in policies:
        for found, expected in zip(arrays(shuffled.learn(policy)), arrays(straight.learn(policy)), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@each_policy(lambda tested: tested.exchangeable)
@repeated
@given(n_arms=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_arms_have_no_names(tested: UnderTest, n_arms: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(n_arms)
    there = context(np.zeros((3, n_arms), np.int64), seed)
    state, renamed = (random_state(tested, names, 3, seed) for names in (np.arange(n_arms), order))
    expected = tested.policy.propensities(state, there)
    found = tested.policy.propensities(renamed, there)[:, order]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@repeated
@given(history=histories(), power=st.integers(-8, 8), seed=st.integers(0, 2**32))
def test_the_unit_of_the_reward_does_not_matter(history: History, power: int, seed: int) -> None:
    # Powers of two, so that scaling rounds nothing.
    unit = 2.0**power
    rewards = np.random.default_rng(seed).integers(0, 16, (len(history.steps), history.n_replications)) / 16.0
    plain, scaled = history.with_rewards(rewards), history.with_rewards(rewards * unit)
    pairs: list[tuple[Policy[Any], Policy[Any]]] = [
        (EpsilonGreedy(0.3), EpsilonGreedy(0.3)),
        (DecayingEpsilonGreedy(0.5), DecayingEpsilonGreedy(0.5)),
        (UCB1((0.0, 1.0)), UCB1((0.0, unit))),
        (UCBTuned((0.0, 1.0)), UCBTuned((0.0, unit))),
        (KLUCB((0.0, 1.0)), KLUCB((0.0, unit))),
        (IMED((0.0, 1.0)), IMED((0.0, unit))),
        (EXP3((0.0, 1.0)), EXP3((0.0, unit))),
        (ThompsonNormal(0.5, 1.0, 1.0, 0.25), ThompsonNormal(0.5 * unit, 1.0, 1.0, 0.25 * unit**2)),
    ]
    for policy, other in pairs:
        found = other.propensities(scaled.learn(other), history.context)
        np.testing.assert_allclose(found, policy.propensities(plain.learn(policy), history.context), atol=1e-9)


@repeated
@given(history=histories(), seed=st.integers(0, 2**32))
def test_the_zero_of_the_reward_does_not_matter(history: History, seed: int) -> None:
    # Sixteenths, and a zero that moves by 8, so that moving rounds nothing.
    rewards = np.random.default_rng(seed).integers(0, 16, (len(history.steps), history.n_replications)) / 16.0
    plain, moved = history.with_rewards(rewards), history.with_rewards(rewards + 8.0)
    pairs: list[tuple[Policy[Any], Policy[Any]]] = [
        (UCB1(), UCB1((8.0, 9.0))),
        (UCBTuned(), UCBTuned((8.0, 9.0))),
        (KLUCB(), KLUCB((8.0, 9.0))),
        (IMED(), IMED((8.0, 9.0))),
        (EXP3(), EXP3((8.0, 9.0))),
        (ThompsonNormal(0.5), ThompsonNormal(8.5)),
    ]
    for policy, other in pairs:
        found = other.propensities(moved.learn(other), history.context)
        np.testing.assert_allclose(found, policy.propensities(plain.learn(policy), history.context), atol=1e-8)
