"""Epsilon-greedy: mostly the arm with the best mean reward, now and then any arm.

Invariants: every choice comes with its exact probability; each arm is tried once before chance has a say; a choice
takes exactly one uniform draw for each replication, whatever the state.
Left out: a floor under the probabilities, which a router adds to any policy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray
from krins.routing.tally import Lead, Tally, add_rewards, empty_tally, leading_arms, mean_rewards, rewards_learnt


@dataclass(frozen=True, slots=True)
class EpsilonGreedy:
    """Explore at a constant rate: an arm uniformly among all with probability `epsilon`, else the greedy arm.

    Regret grows linearly, by about epsilon times the mean gap a choice: the rate never falls (Sutton and Barto,
    Reinforcement Learning, 2nd ed., 2018, section 2.2). State: `Tally`.

    Raises:
        ValueError: epsilon is outside [0, 1].
    """

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.epsilon <= 1.0:
            raise ValueError(f"epsilon is a probability and lies in [0, 1], got {self.epsilon}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> Tally:
        return empty_tally(n_arms, n_replications)

    def choose(self, state: Tally, context: Context, rng: np.random.Generator) -> Choice:
        return _explore_or_exploit(_greedy_arms(state, context), self.epsilon, state.counts.shape[1], rng)

    def update(self, state: Tally, feedback: Feedback) -> Tally:
        return add_rewards(state, feedback)

    def propensities(self, state: Tally, context: Context) -> FloatArray:
        return _mixture(_greedy_arms(state, context), self.epsilon, state.counts.shape)


@dataclass(frozen=True, slots=True)
class DecayingEpsilonGreedy:
    """Explore less and less: epsilon = min(1, scale * n_arms / t), where t counts the rewards learnt so far.

    Auer, Cesa-Bianchi and Fischer, Finite-time analysis of the multiarmed bandit problem (2002), section 3, with
    scale = c / d^2. Their logarithmic bound asks for a scale above 5 / d^2, where d is at most the gap between the
    two best arms; nobody knows the gap beforehand, and with a smaller scale the bound does not hold. State: `Tally`.

    Raises:
        ValueError: scale is not a positive, finite number.
    """

    scale: float = 5.0

    def __post_init__(self) -> None:
        if not 0.0 < self.scale < math.inf:
            raise ValueError(f"scale is a positive, finite number, got {self.scale}; for none use EpsilonGreedy(0.0)")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> Tally:
        return empty_tally(n_arms, n_replications)

    def choose(self, state: Tally, context: Context, rng: np.random.Generator) -> Choice:
        return _explore_or_exploit(_greedy_arms(state, context), self._epsilon(state), state.counts.shape[1], rng)

    def update(self, state: Tally, feedback: Feedback) -> Tally:
        return add_rewards(state, feedback)

    def propensities(self, state: Tally, context: Context) -> FloatArray:
        return _mixture(_greedy_arms(state, context), self._epsilon(state), state.counts.shape)

    def _epsilon(self, state: Tally) -> FloatArray:
        learnt = np.maximum(rewards_learnt(state), 1.0)
        epsilon: FloatArray = np.minimum(1.0, self.scale * state.counts.shape[1] / learnt)
        return epsilon


def _greedy_arms(state: Tally, context: Context) -> Lead:
    return leading_arms(mean_rewards(state), state, context.pending)


def _explore_or_exploit(greedy: Lead, epsilon: float | FloatArray, n_arms: int, rng: np.random.Generator) -> Choice:
    # One draw serves twice: the whole part of u * n_arms is a uniform arm, and the rest is uniform on [0, 1) and
    # independent of it. The product never rounds up to n_arms: u is at most 1 - 2^-53, and n_arms * 2^-53 is more
    # than half the spacing of doubles there (or, for a power of two, all of it).
    scaled = rng.random(greedy.arms.size) * n_arms
    any_arm = scaled.astype(np.int64)
    epsilon = _exploration(greedy, epsilon)
    arms = np.where(scaled - any_arm < epsilon, any_arm, greedy.arms)
    each = epsilon / n_arms
    return Choice(arms, np.where(arms == greedy.arms, 1.0 - epsilon + each, each))


def _mixture(greedy: Lead, epsilon: float | FloatArray, shape: tuple[int, ...]) -> FloatArray:
    n_replications, n_arms = shape
    epsilon = np.broadcast_to(_exploration(greedy, epsilon), n_replications)
    each = epsilon / n_arms
    mixture = np.repeat(each[:, None], n_arms, axis=1)
    mixture[np.arange(n_replications), greedy.arms] = 1.0 - epsilon + each
    return mixture


def _exploration(greedy: Lead, epsilon: float | FloatArray) -> float | FloatArray:
    """No chance where an untried arm comes first."""
    return epsilon if greedy.forced is None else np.where(greedy.forced, 0.0, epsilon)
