"""UCB1 and UCB-tuned: the arm whose reward could still be the largest.

Invariants: no randomness at all, so that every choice has probability 1 and a log of it supports no other policy;
each arm is tried once before the index has a say.
Left out: indices from the divergence (`divergence`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from krins.interfaces import Context, Feedback, FloatArray
from krins.routing.index import IndexPolicy, TallyIndexPolicy, log_learnt
from krins.routing.tally import (
    Lead,
    Tally,
    add_at,
    divisors,
    leading_arms,
    lesson,
    places_of,
    state_shape,
)


@dataclass(frozen=True, slots=True)
class UCB1(TallyIndexPolicy):
    """Mean reward + (high - low) * sqrt(2 ln t / n): t rewards learnt over all arms, n of them for this arm.

    Auer, Cesa-Bianchi and Fischer, Finite-time analysis of the multiarmed bandit problem (2002), section 2, figure 1.
    The logarithmic bound holds for rewards within `reward_range` (low, high) that come back before the next choice;
    neither is checked. A range wider than the rewards explores more than it needs to. State: `Tally`.

    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite.
    """

    def indices(self, state: Tally) -> FloatArray:
        """Shape (n_replications, n_arms): the upper confidence bounds; of no meaning for an arm without a reward."""
        counts = divisors(state)
        # In place: a temporary array costs as much as the arithmetic on it.
        index: FloatArray = self.squared_width(log_learnt(state))[:, None] / counts
        np.sqrt(index, out=index)
        index += np.divide(state.sums, counts, out=counts)
        return index

    def squared_width(self, log_learnt: FloatArray) -> FloatArray:
        """Square of (high - low) * sqrt(2 ln t), of the shape of `log_learnt`."""
        low, high = self.reward_range
        return 2.0 * (high - low) ** 2 * log_learnt

    def lead(self, state: Tally, context: Context) -> Lead:
        return leading_arms(self.indices(state), state, context.pending)


class Moments(NamedTuple):
    """What each arm has brought so far, and how much it varied."""

    counts: FloatArray
    """Shape (n_replications, n_arms): rewards learnt."""
    sums: FloatArray
    """Shape (n_replications, n_arms): their sum."""
    squares: FloatArray
    """Shape (n_replications, n_arms): sum of their squared distances from the low end of the range."""

    @property
    def tally(self) -> Tally:
        return Tally(self.counts, self.sums)


@dataclass(frozen=True, slots=True)
class UCBTuned(IndexPolicy):
    """Mean reward + (high - low) * sqrt(ln t / n * min(1/4, V)), V = variance + sqrt(2 ln t / n).

    The variance is the one that the arm's n rewards had so far, for rewards scaled to [0, 1]; 1/4 is the largest that
    such rewards can have. Auer, Cesa-Bianchi and Fischer (2002), section 4, which has no proof of a regret bound and
    finds it better than UCB1 in all experiments: so it is, but where all rewards are rare (`experiments/LOG.md`) its
    V is nearly all sqrt(2 ln t / n), and `KLUCB` does better. `reward_range` as for `UCB1`. State: `Moments`.

    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite.
    """

    def init(self, n_arms: int, n_replications: int) -> Moments:
        shape = state_shape(n_arms, n_replications)
        return Moments(np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def update(self, state: Moments, feedback: Feedback) -> Moments:
        rows, arms, rewards = lesson(feedback)
        places = places_of(rows, arms, state.counts.shape[1])
        add_at(state.counts, places, 1.0)
        add_at(state.sums, places, rewards)
        add_at(state.squares, places, (rewards - self.reward_range[0]) ** 2)
        return state

    def indices(self, state: Moments) -> FloatArray:
        """Shape (n_replications, n_arms): the upper confidence bounds; of no meaning for an arm without a reward."""
        low, high = self.reward_range
        counts = divisors(state.tally)
        mean = state.sums / counts
        log_by_count: FloatArray = log_learnt(state.tally)[:, None] / counts
        variance: FloatArray = np.divide(state.squares, counts, out=counts)
        variance -= (mean - low) ** 2
        variance /= (high - low) ** 2
        np.maximum(variance, 0.0, out=variance)
        variance += np.sqrt(2.0 * log_by_count)
        np.minimum(variance, 0.25, out=variance)
        variance *= log_by_count
        bonus: FloatArray = np.sqrt(variance, out=variance)
        bonus *= high - low
        bonus += mean
        return bonus

    def lead(self, state: Moments, context: Context) -> Lead:
        return leading_arms(self.indices(state), state.tally, context.pending)
