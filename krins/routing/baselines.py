"""Baselines: always the same arm, and any arm at random. What a policy must beat to be worth its trouble.

Invariants: neither learns, so that their state is empty; both know the probability of every choice.
Left out: mixtures of arms on the cost-quality hull, which are computed and not played.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray
from krins.routing.tally import lesson, one_hot, state_shape


class Nothing(NamedTuple):
    """The state of a policy that learns nothing: no arrays."""


@dataclass(frozen=True, slots=True)
class FixedArm:
    """Always arm number `arm`. Its propensities are those of an arm that was decided beforehand: 1 and 0.

    Raises:
        ValueError: `arm` is negative; from `init`, there is no such arm.
    """

    arm: int

    def __post_init__(self) -> None:
        if self.arm < 0:
            raise ValueError(f"arms are numbered from 0, got {self.arm}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> Nothing:
        state_shape(n_arms, n_replications)
        if self.arm >= n_arms:
            raise ValueError(f"arm {self.arm} is not among {n_arms} arms, numbered from 0")
        return Nothing()

    def choose(self, state: Nothing, context: Context, rng: np.random.Generator) -> Choice:
        n_replications = len(context.pending)
        return Choice(np.full(n_replications, self.arm, np.int64), np.ones(n_replications))

    def update(self, state: Nothing, feedback: Feedback) -> Nothing:
        lesson(feedback)
        return state

    def propensities(self, state: Nothing, context: Context) -> FloatArray:
        n_replications, n_arms = context.pending.shape
        return one_hot(np.full(n_replications, self.arm), n_arms)


@dataclass(frozen=True, slots=True)
class UniformRandom:
    """Any arm, each with the same probability. A log of it supports every other policy."""

    @property
    def params(self) -> Mapping[str, Any]:
        return {}

    def init(self, n_arms: int, n_replications: int) -> Nothing:
        state_shape(n_arms, n_replications)
        return Nothing()

    def choose(self, state: Nothing, context: Context, rng: np.random.Generator) -> Choice:
        n_replications, n_arms = context.pending.shape
        return Choice(rng.integers(n_arms, size=(n_replications,)), np.full(n_replications, 1.0 / n_arms))

    def update(self, state: Nothing, feedback: Feedback) -> Nothing:
        lesson(feedback)
        return state

    def propensities(self, state: Nothing, context: Context) -> FloatArray:
        return np.full(context.pending.shape, 1.0 / context.pending.shape[1])
