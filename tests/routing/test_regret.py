"""Regret on a known instance against figures from other code; `experiments/regret_reference.py` has the whole table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from krins.interfaces import IntArray, Policy
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1

N_REPLICATIONS = 64
HORIZON = 10_000
GAPS = np.arange(9) / 10.0
"""Success rates 0.9 down to 0.1."""


@pytest.mark.parametrize(
    ("policy", "reference", "half_width"),
    [
        (EpsilonGreedy(0.1), 431.8, 2.8),
        (DecayingEpsilonGreedy(5.0), 140.3, 5.7),
        (DecayingEpsilonGreedy(1.0), 173.1, 15.7),
        (UCB1(), 330.6, 1.2),
        (ThompsonBeta(), 41.6, 0.5),
    ],
    ids=["epsilon 0.1", "min(1, 5K/t)", "min(1, K/t)", "UCB1", "Thompson"],
)
def test_mean_regret_is_that_of_the_reference(policy: Policy[Any], reference: float, half_width: float) -> None:
    rng = np.random.default_rng(20)
    gaps = rng.permuted(np.tile(GAPS, (N_REPLICATIONS, 1)), axis=1)
    rows = np.arange(N_REPLICATIONS)

    def rewards(first: int, arms: IntArray) -> Results:
        return Results((rng.random(arms.shape) < 0.9 - gaps[rows, arms]).astype(np.float64))

    played = play(policy, GAPS.size, N_REPLICATIONS, HORIZON, rewards, np.random.default_rng(21))
    regret = gaps[rows, played.arms].sum(axis=0)
    standard_error = math.hypot(regret.std(ddof=1) / math.sqrt(N_REPLICATIONS), half_width / 1.96)
    assert abs(regret.mean() - reference) < 4.0 * standard_error
