"""Tests of a mean that hold at every moment at once, so that one may look after each value and stop when it is settled.

They are for a finite population that is drawn without replacement, as the cells of an evaluation grid in random order
are: when all is drawn nothing is open any more. Invariants: a test's evidence is a supermartingale under its
hypothesis, so it passes 1 / level with at most that probability however long one looks (Ville 1939); values are taken
in blocks of any size with the same outcome. Left out: which means are to be compared, and how errors of several tests
add up.
"""

from __future__ import annotations

import math

import numpy as np

from krins.interfaces import FloatArray

FRACTIONS = np.linspace(0.02, 0.98, 20)
"""Shares of the largest bet that cannot ruin a bettor; the wealth is the mean over bettors with each of them."""


class BettingTest:
    """Evidence that the mean of a population of `size` values in [-1, 1] is greater than `bound`.

    A bettor stakes a fixed share of wealth on each next value being above what the hypothesis "mean <= bound" and the
    values so far leave for it on average (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables
    by betting", section 5 for sampling without replacement). One more value than the hypothesis can explain refutes it
    outright. `values` come in random order.
    """

    def __init__(self, size: int, bound: float) -> None:
        self._size, self._bound = size, bound
        self._sum = 0.0
        self._log_wealth = np.zeros(len(FRACTIONS))
        self.n_values = 0
        """Taken so far."""
        self.log_evidence = 0.0
        """The highest logarithm of the mean wealth so far; infinite once the hypothesis is impossible."""

    def take(self, values: FloatArray) -> None:
        """Bet on the next values, shape (n,)."""
        if len(values) == 0:
            return
        before = self._sum + np.concatenate([[0.0], np.cumsum(values)])
        left = self._size - self.n_values - np.arange(len(values) + 1)
        most = self._bound * self._size
        path = self._wealth(values, (most - before[:-1]) / left[:-1])
        # All that is left may be -1; the slack is for rounding.
        is_impossible = bool((before - left > most + 1e-9 * self._size).any())
        self.log_evidence = math.inf if is_impossible else max(self.log_evidence, float(path.max()))
        self._sum, self.n_values = float(before[-1]), self.n_values + len(values)

    def _wealth(self, values: FloatArray, expected: FloatArray) -> FloatArray:
        """Logarithm of the mean wealth after each value, shape (n,)."""
        # A value is at least -1, so a stake of 1 / (1 + expected) loses at most all. Beyond [-1, 1] the hypothesis is
        # impossible on the one side, and on the other anything that comes is a loss: bets there no longer matter.
        largest = 1.0 / (1.0 + np.clip(expected, -1.0 + 1e-9, None))
        with np.errstate(divide="ignore"):
            gains = np.log1p(np.maximum(FRACTIONS[:, None] * largest * (values - expected), -1.0))
        paths = self._log_wealth[:, None] + np.cumsum(gains, axis=1)
        self._log_wealth = paths[:, -1]
        return np.asarray(np.logaddexp.reduce(paths, axis=0) - math.log(len(FRACTIONS)))


def betting_lower_limit(values: FloatArray, size: int, level: float) -> float:
    """The greatest mean that `BettingTest` refutes as an upper bound at error probability `level`, to within 1e-4; -1
    where it refutes none.

    Lower limits at all moments hold together with probability 1 - `level`. `values`: shape (n,), in random order, of a
    population of `size` values in [-1, 1].
    """
    least = (float(values.sum()) - (size - len(values))) / size
    if len(values) == size:
        return least
    low, high = -1.0, float(values.mean()) if len(values) else -1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        test = BettingTest(size, middle)
        test.take(values)
        low, high = (middle, high) if test.log_evidence >= -math.log(level) else (low, middle)
    return max(low, least)
