"""Regret on a known instance against figures from other code, for one policy of each family.

`experiments/regret_reference.py` has the whole table.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from krins.interfaces import IntArray, Policy
from krins.routing.divergence import IMED, KLUCB
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCBTuned

N_REPLICATIONS = 64
HORIZON = 10_000
GAPS = np.arange(9) / 10.0
"""Success rates 0.9 down to 0.1."""


@pytest.mark.parametrize(
    ("policy", "reference", "half_width"),
    [
        (DecayingEpsilonGreedy(5.0), 140.3, 5.7),
        (UCBTuned(), 55.1, 0.6),
        (KLUCB(), 58.9, 0.8),
        (IMED(), 47.0, 0.4),
        (ThompsonBeta(), 41.6, 0.5),
    ],
    ids=["min(1, 5K/t)", "UCB-tuned", "KL-UCB", "IMED", "Thompson"],
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
