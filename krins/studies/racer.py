"""The race itself: which arm's answer is wanted next, and whether it is settled which one is the best.

All arms walk through the same units (a task, or one sample of it) in the same random order, so that two of them are
compared on the units that both were asked. The one that is ahead is the leader; each of the others goes on until the
leader is shown to be not worse than it by `tolerance` or more, and the leader goes on with them: a leader and its
challengers as in LUCB (Kalyanakrishnan, Tewari, Auer and Stone 2012), with the evidence of Waudby-Smith and Ramdas's
bets in place of confidence bounds of single arms, for differences on common units vary less.

Invariants: which arm is named the winner is wrong, by `tolerance` or more, with at most `error_probability`, for each
of the other arms has an equal share of it and only the truly best one can be wronged; the truth is what the full grid
would show. The same order, values and size of rounds give the same race. Left out: getting the values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from krins.interfaces import FloatArray, IntArray
from krins.statistics.anytime import BettingTest, betting_lower_limit

N_FIRST = 20
"""Units that every arm is asked before any is compared: fewer make for wrong leaders, which cost more."""


class Question(NamedTuple):
    unit: int
    arm: int


class Racer:
    """A race of `n_arms` arms over `n_units` units in their order; `values` that it is told lie in [0, 1]."""

    def __init__(
        self, n_units: int, n_arms: int, error_probability: float, tolerance: float = 0.0, round_size: int = 1
    ) -> None:
        """`round_size`: units that each arm is asked at a time."""
        self.n_units, self.n_arms, self.tolerance = n_units, n_arms, tolerance
        self.error_probability_a_pair = error_probability / max(n_arms - 1, 1)
        self._round_size = round_size
        self._values = np.full((n_units, n_arms), np.nan)
        self._totals = np.zeros((n_units + 1, n_arms))
        """Of the values of as many units."""
        self.n_asked: IntArray = np.zeros(n_arms, np.int64)
        self._costs = np.zeros(n_arms)
        self._tests: dict[tuple[int, int], BettingTest] = {}
        self.leader = 0

    def next_round(self) -> list[Question]:
        """What is to be asked next; nothing once it is settled. All of it is to be told before the next round."""
        if self.n_arms < 2:
            return []
        if not self.n_asked.any():
            return self._questions(range(self.n_arms), min(N_FIRST, self.n_units))
        self._lead()
        open_arms = self.open_challengers()
        if not open_arms:
            return []
        # Those that are behind catch up first; all that are level go on together.
        racing = [*open_arms, self.leader]
        least = min(int(self.n_asked[arm]) for arm in racing)
        behind = [arm for arm in racing if self.n_asked[arm] == least]
        return self._questions(behind, min(self._round_size, self.n_units - least))

    def tell(self, questions: Sequence[Question], values: Sequence[float], costs: Sequence[float]) -> None:
        """Answers to a round. `costs` break ties alone.

        Raises:
            ValueError: a value is outside [0, 1], or no number.
        """
        for question, value, cost in zip(questions, values, costs, strict=True):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"values that race lie in [0, 1], got {value}")
            unit, arm = question
            self._values[unit, arm] = value
            self._totals[unit + 1, arm] = self._totals[unit, arm] + value
            self.n_asked[arm] += 1
            self._costs[arm] += cost

    def open_challengers(self) -> list[int]:
        """Arms that may still be better than the leader by more than the tolerance."""
        return [arm for arm in range(self.n_arms) if arm != self.leader and not self._is_settled(arm)]

    def means(self) -> FloatArray:
        """Of the values so far, shape (n_arms,)."""
        return np.asarray(self._totals[self.n_asked, np.arange(self.n_arms)] / self.n_asked)

    def lead_over(self, arm: int) -> float:
        """Mean by which the leader is ahead of `arm` on the units that both were asked."""
        return float(self._differences(self.leader, arm).mean())

    def is_level_with(self, arm: int) -> bool:
        """Whether the full grid has been seen to show no difference between the leader and `arm`."""
        differences = self._differences(self.leader, arm)
        return len(differences) == self.n_units and math.isclose(differences.sum(), 0.0, abs_tol=1e-9)

    def least_lead_over(self, arm: int) -> float:
        """Lower limit of the leader's lead over `arm` on all units, by the evidence that settles them."""
        return betting_lower_limit(self._differences(self.leader, arm), self.n_units, self.error_probability_a_pair)

    def _questions(self, arms: Sequence[int] | range, n: int) -> list[Question]:
        return [Question(int(self.n_asked[arm]) + i, arm) for i in range(n) for arm in arms]

    def _lead(self) -> None:
        """Another arm takes the lead when it is ahead on common units, or level and cheaper."""
        n_common = np.minimum(self.n_asked, self.n_asked[self.leader])
        leads = self._totals[n_common, self.leader] - self._totals[n_common, np.arange(self.n_arms)]
        prices = self._costs / self.n_asked
        # Rounded, for sums of the same values in another order are level too.
        self.leader = min(range(self.n_arms), key=lambda arm: (round(leads[arm], 9), prices[arm], arm != self.leader))

    def _is_settled(self, arm: int) -> bool:
        test = self._tests.setdefault((self.leader, arm), BettingTest(self.n_units, -self.tolerance))
        enough = -math.log(self.error_probability_a_pair)
        if test.log_evidence < enough:
            test.take(self._differences(self.leader, arm)[test.n_values :])
        # Once all units are drawn there is nothing left to bet on, and the answer is known.
        is_known = test.n_values == self.n_units and self.lead_over(arm) >= -self.tolerance - 1e-12
        return is_known or test.log_evidence >= enough

    def _differences(self, first: int, second: int) -> FloatArray:
        n = int(min(self.n_asked[first], self.n_asked[second]))
        return np.asarray(self._values[:n, first] - self._values[:n, second])
