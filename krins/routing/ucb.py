"""UCB1: the arm whose reward could still be the largest.

Invariants: no randomness at all, so that every choice has probability 1 and a log of it supports no other policy;
each arm is tried once before the index has a say.
Left out: indices that learn the variance or use the divergence (UCB-tuned, KL-UCB).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray
from krins.routing.tally import Lead, Tally, add_rewards, empty_tally, leading_arms, one_hot, rewards_learnt


@dataclass(frozen=True, slots=True)
class UCB1:
    """Mean reward + (high - low) * sqrt(2 ln t / n): t rewards learnt over all arms, n of them for this arm.

    Auer, Cesa-Bianchi and Fischer, Finite-time analysis of the multiarmed bandit problem (2002), section 2, figure 1.
    The logarithmic bound holds for rewards within `reward_range` (low, high) that come back before the next choice;
    neither is checked. A range wider than the rewards explores more than it needs to. State: `Tally`.

    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite.
    """

    reward_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        low, high = self.reward_range
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"reward_range is (low, high) with low < high, both finite, got {self.reward_range}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> Tally:
        return empty_tally(n_arms, n_replications)

    def choose(self, state: Tally, context: Context, rng: np.random.Generator) -> Choice:
        arms = self._lead(state, context).arms
        return Choice(arms, np.ones(arms.size))

    def update(self, state: Tally, feedback: Feedback) -> Tally:
        return add_rewards(state, feedback)

    def propensities(self, state: Tally, context: Context) -> FloatArray:
        return one_hot(self._lead(state, context).arms, state.counts.shape[1])

    def indices(self, state: Tally) -> FloatArray:
        """Shape (n_replications, n_arms): the upper confidence bounds; of no meaning for an arm without a reward."""
        low, high = self.reward_range
        counts = np.maximum(state.counts, 1.0)
        log_learnt = np.log(np.maximum(rewards_learnt(state), 1.0))
        # In place: a temporary array costs as much as the arithmetic on it.
        index: FloatArray = (2.0 * (high - low) ** 2 * log_learnt)[:, None] / counts
        np.sqrt(index, out=index)
        index += np.divide(state.sums, counts, out=counts)
        return index

    def _lead(self, state: Tally, context: Context) -> Lead:
        return leading_arms(self.indices(state), state, context.pending)
