"""Simulated worlds for `budget_pacing`: arms, prices that may change, delays, and what could be had in them at best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from krins.interfaces import BoolArray, FloatArray, IntArray

HORIZONS = (2_000, 20_000)
MOST_DELAY = 200


class Worlds(NamedTuple):
    """A batch of runs. Shapes are (n_runs, n_arms) or (n_runs,)."""

    horizon: int
    quality: FloatArray
    before_usd: FloatArray
    """Mean cost before the change."""
    after_usd: FloatArray
    change: IntArray
    """Task of the change; the horizon, if there is none."""
    delay: IntArray

    def mean_usd(self, task: int) -> FloatArray:
        return np.where((task >= self.change)[:, None], self.after_usd, self.before_usd)


def worlds(n_runs: int, rng: np.random.Generator) -> Worlds:
    n_arms = int(rng.integers(2, 10))
    horizon = int(np.exp(rng.uniform(*np.log(HORIZONS))))
    drawn = [_arms(n_arms, rng) for _ in range(n_runs)]
    quality, cost = (np.array([each[i] for each in drawn]) for i in range(2))
    best_usd = _best_usd(quality, cost)
    allowance = np.exp(rng.uniform(np.log(cost.min(axis=1)), np.log(best_usd)))
    before = cost / allowance[:, None]
    factor = 10.0 ** rng.choice([-1.0, 1.0], n_runs)
    is_changed = rng.random((n_runs, 1)) < 0.5
    one = np.arange(n_arms) == rng.integers(n_arms, size=(n_runs, 1))
    after = np.where(is_changed | one, before * factor[:, None], before)
    change = np.where(rng.random(n_runs) < 0.5, rng.integers(horizon, size=n_runs), horizon)
    return Worlds(horizon, quality, before, after, change, rng.integers(MOST_DELAY + 1, size=n_runs))


def _arms(n_arms: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Qualities and costs such that the best arm is not the cheapest."""
    while True:
        quality, cost = rng.uniform(0.1, 0.95, n_arms), 10.0 ** rng.uniform(-2.0, 0.0, n_arms)
        if rng.random() < 0.5:
            quality, cost = np.sort(quality), np.sort(cost)
        if quality.argmax() != cost.argmin():
            return quality, cost


def _best_usd(quality: FloatArray, cost: FloatArray) -> FloatArray:
    best: FloatArray = cost[np.arange(len(cost)), quality.argmax(axis=1)]
    return best


def binding(batch: Worlds) -> BoolArray:
    """Where spending the allowance, no less and no more, is possible and of use at all times."""
    binds = (batch.before_usd.min(axis=1) < 1.0) & (_best_usd(batch.quality, batch.before_usd) > 1.0)
    after = (batch.after_usd.min(axis=1) < 1.0) & (_best_usd(batch.quality, batch.after_usd) > 1.0)
    throughout: BoolArray = binds & (after | (batch.change >= batch.horizon))
    return throughout


def room(quality: FloatArray, mean_usd: FloatArray) -> FloatArray:
    """Shape (n_runs,): by how much a task the account falls with the cheapest arm, or rises with the best."""
    least: FloatArray = np.minimum(1.0 - mean_usd.min(axis=1), _best_usd(quality, mean_usd) - 1.0)
    return least


def best_mixture(quality: FloatArray, mean_usd: FloatArray) -> FloatArray:
    """Shape (n_runs,): most expected quality of arms mixed to cost at most 1 USD on average; NaN if all cost more."""
    low, high = mean_usd[:, :, None], mean_usd[:, None, :]
    spans = (low <= 1.0) & (high > 1.0)
    share = np.where(spans, (1.0 - low) / np.where(spans, high - low, 1.0), 0.0)
    mixed = quality[:, :, None] * (1.0 - share) + quality[:, None, :] * share
    found: FloatArray = np.where(low <= 1.0, mixed, -np.inf).max(axis=(1, 2))
    return np.where(found >= 0.0, found, np.nan)
