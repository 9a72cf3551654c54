"""The policies under test, each named once, and what a test needs to drive any of them.

A new policy is one more line in POLICIES: every test of all policies then holds it to the same contract. Whatever a
policy looks at, `feedback`, `context` and `played` fill in, so that no test needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from krins.interfaces import BoolArray, Context, Feedback, FloatArray, IntArray, Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.budgeted import Budgeted
from krins.routing.divergence import IMED, KLUCB
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.exp3 import EXP3
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.linear import LinTS, LinUCB
from krins.routing.play import Play, Results, play
from krins.routing.quality_floor import QualityFloor
from krins.routing.restart import Restarting
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned

N_FEATURES = 3
"""Of a task; the first is always 1."""


@dataclass(frozen=True)
class UnderTest:
    """A policy, and what it promises beyond the contract."""

    policy: Policy[Any]
    learns: bool = True
    """Comes to prefer the arms with the higher rewards, whatever features say."""
    takes_features: bool = False
    """Of N_FEATURES features, without which it refuses to choose and to learn."""
    exchangeable: bool = True
    """Knows arms by what they brought alone: numbered in another way, they are chosen in that way."""
    first_each_once: bool = False
    """Chooses each arm once, in order, before anything else."""
    any_order: bool = False
    """Rewards of 0 and 1 may come back in any order: the state is the same to the last bit."""
    binary: bool = False
    """Learns from rewards of 0 and 1 alone."""
    name: str = ""
    """By default that of the class."""

    def __str__(self) -> str:
        return self.name or type(self.policy).__name__


POLICIES = [
    UnderTest(EpsilonGreedy(0.3), first_each_once=True, any_order=True),
    UnderTest(DecayingEpsilonGreedy(0.5), first_each_once=True, any_order=True),
    UnderTest(UCB1(), first_each_once=True, any_order=True),
    UnderTest(UCBTuned(), first_each_once=True, any_order=True),
    UnderTest(KLUCB(), first_each_once=True, any_order=True),
    UnderTest(IMED(), first_each_once=True, any_order=True),
    UnderTest(EXP3()),
    UnderTest(ThompsonBeta(), any_order=True, binary=True),
    UnderTest(ThompsonNormal()),
    UnderTest(FixedArm(0), learns=False, exchangeable=False, any_order=True),
    UnderTest(UniformRandom(), learns=False, any_order=True),
    UnderTest(LinUCB(N_FEATURES), takes_features=True),
    UnderTest(LinUCB(N_FEATURES, shared=True), takes_features=True, exchangeable=False, name="LinUCB shared"),
    UnderTest(LinTS(N_FEATURES), takes_features=True),
    UnderTest(ExplorationFloor(UCB1(), 0.2), name="UCB1 with a floor"),
    UnderTest(Discounted(UCB1(), 0.95), first_each_once=True, name="UCB1 discounted"),
    UnderTest(SlidingWindow(EpsilonGreedy(0.3), 50), first_each_once=True, name="EpsilonGreedy in a window"),
    UnderTest(Restarting(ThompsonNormal()), name="ThompsonNormal restarting"),
    UnderTest(Budgeted(0.05)),
    UnderTest(QualityFloor(0, 0.1), learns=False, exchangeable=False),
]


def each_policy(fits: Callable[[UnderTest], bool] = lambda tested: True) -> pytest.MarkDecorator:
    """Run a test of `tested` with every policy that fits."""
    return pytest.mark.parametrize("tested", [tested for tested in POLICIES if fits(tested)], ids=str)


def features(n_replications: int, rng: np.random.Generator) -> FloatArray:
    """Shape (n_replications, N_FEATURES)."""
    found = rng.uniform(-1.0, 1.0, (n_replications, N_FEATURES))
    found[:, 0] = 1.0
    return found


def plain_features(n_replications: int) -> FloatArray:
    """Shape (n_replications, N_FEATURES): 1 and nothing else, the same for all."""
    return np.eye(1, N_FEATURES).repeat(n_replications, axis=0)


def context(pending: IntArray, seed: int = 0) -> Context:
    return Context(pending, features(len(pending), np.random.default_rng(seed)))


def idle(n_arms: int, n_replications: int = 1) -> Context:
    """Nothing is out, and the task is plain."""
    return Context(np.zeros((n_replications, n_arms), np.int64), plain_features(n_replications))


def feedback(arms: IntArray, rewards: FloatArray, observed: BoolArray | None = None, seed: int = 0) -> Feedback:
    """With everything that any policy learns from; `seed` draws what is not given."""
    rng = np.random.default_rng(seed)
    return Feedback(
        arms,
        rewards,
        observed,
        probabilities=rng.uniform(0.1, 1.0, arms.size),
        features=features(arms.size, rng),
        quality=np.clip(rewards, 0.0, 1.0),
        cost_usd=rng.uniform(0.0, 0.1, arms.size),
    )


def pick(step: Feedback, rows: IntArray | slice) -> Feedback:
    """What came of the decisions of some replications."""
    return Feedback._make(None if array is None else array[rows] for array in step)


def told(policy: Policy[Any], n_arms: int, lessons: list[tuple[int, float]]) -> Any:
    """The state of one replication after an arm's reward after the other, on plain tasks, with probability 1/n_arms."""
    state = policy.init(n_arms, 1)
    for arm, reward in lessons:
        step = feedback(np.array([arm]), np.array([reward]))
        step = step._replace(probabilities=np.array([1.0 / n_arms]), features=plain_features(1))
        state = policy.update(state, step)
    return state


def played(
    policy: Policy[Any], means: FloatArray, n_replications: int, horizon: int, seed: int = 0, round_size: int = 1
) -> Play:
    """Played for rewards that are always the mean of the arm, of 0 or 1 for instance."""

    def results(first: int, arms: IntArray) -> Results:
        return Results(means[arms], quality=np.clip(means[arms], 0.0, 1.0), cost_usd=np.full(arms.shape, 0.01))

    return play(
        policy,
        means.size,
        n_replications,
        horizon,
        results,
        np.random.default_rng(seed),
        round_size,
        features=lambda step: features(n_replications, np.random.default_rng(step)),
    )


def arrays(state: Any) -> list[FloatArray]:
    """All arrays of a state. States may hold states."""
    return [state] if isinstance(state, np.ndarray) else [array for part in state for array in arrays(part)]


def mapped(state: Any, function: Callable[[FloatArray], FloatArray]) -> Any:
    """The state with `function` of each of its arrays."""
    return (
        function(state) if isinstance(state, np.ndarray) else type(state)(*(mapped(part, function) for part in state))
    )


def copied(state: Any) -> Any:
    """For `update`, which takes its state over."""
    return mapped(state, np.copy)


def assert_same(state: Any, other: Any) -> None:
    """To the last bit."""
    for one, two in zip(arrays(state), arrays(other), strict=True):
        np.testing.assert_array_equal(one, two)


def random_state(tested: UnderTest, names: IntArray, n_replications: int, seed: int) -> Any:
    """Learnt from random rewards of every arm, real ones where the policy takes them, so that no two arms stand equal.

    Arm i goes by the number names[i].
    """
    rng, n_arms = np.random.default_rng(seed), names.size
    state = tested.policy.init(n_arms, n_replications)
    for i in range(3 * n_arms):
        arms = np.full(n_replications, i) if i < n_arms else rng.integers(n_arms, size=n_replications)
        rewards = rng.random(n_replications)
        rewards = np.round(rewards) if tested.binary else rewards
        state = tested.policy.update(state, feedback(names[arms], rewards, seed=seed + i))
    return state
