"""What all index policies have in common: the arm with the largest index, once each arm has been tried.

Invariants: no randomness at all, so that every choice has probability 1 and a log of it supports no other policy.
Left out: the indices (`ucb`, `divergence`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray
from krins.routing.tally import Lead, Tally, add_rewards, empty_tally, one_hot, rewards_learnt


@dataclass(frozen=True, slots=True)
class IndexPolicy(ABC):
    """A policy that takes the arm which leads by its state alone.

    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite.
    """

    reward_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        check_range(self.reward_range)

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    @abstractmethod
    def lead(self, state: Any, context: Context) -> Lead: ...

    def choose(self, state: Any, context: Context, rng: np.random.Generator) -> Choice:
        arms = self.lead(state, context).arms
        return Choice(arms, np.ones(arms.size))

    def propensities(self, state: Any, context: Context) -> FloatArray:
        return one_hot(self.lead(state, context).arms, context.pending.shape[1])


@dataclass(frozen=True, slots=True)
class TallyIndexPolicy(IndexPolicy):
    """The same, where the state is a `Tally` of plain rewards."""

    def init(self, n_arms: int, n_replications: int) -> Tally:
        return empty_tally(n_arms, n_replications)

    def update(self, state: Tally, feedback: Feedback) -> Tally:
        return add_rewards(state, feedback)


def check_range(reward_range: tuple[float, float]) -> None:
    """
    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite.
    """
    low, high = reward_range
    if not -1e100 < low < high < 1e100 or high - low < 1e-100:
        raise ValueError(
            f"reward_range is (low, high) with low < high, both finite and not far off, got {reward_range}"
        )


def log_learnt(tally: Tally) -> FloatArray:
    """Shape (n_replications,), or (1,) where t is the same in all: ln t, 0 before the first reward."""
    learnt: FloatArray = rewards_learnt(tally)
    # As a rule it is, and to divide one number by a table takes a third of the time of one for each row.
    if (learnt == learnt[0]).all():
        learnt = learnt[:1]
    return np.log(np.maximum(learnt, 1.0, out=learnt), out=learnt)
