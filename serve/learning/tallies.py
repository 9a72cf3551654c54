"""Sums by arm: what the page and the API say of each.

Invariant: sums alone, so that they can be kept and gone on with. Left out: what the router makes of outcomes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_Z = 1.959963984540054
_LEAST_FOR_NORMAL = 30


class Tally(BaseModel):
    """Of one arm."""

    decisions: int = 0
    answers: int = 0
    failures: int = 0
    outcomes: int = 0
    quality: float = 0.0
    """Sums from here on."""
    learnt: int = 0
    reward: float = 0.0
    reward_squares: float = 0.0
    priced: int = 0
    """Answers of which the cost is known."""
    cost_usd: float = 0.0
    """For people; what is owed is in the journal, to the last digit."""
    counted: int = 0
    """Answers of which the length is known."""
    output_tokens: float = 0.0

    def figures(self, all_decisions: int) -> Mapping[str, Any]:
        return {
            "decisions": self.decisions,
            "share": _mean(self.decisions, all_decisions),
            "answers": self.answers,
            "failures": self.failures,
            "outcomes": self.outcomes,
            "mean_quality": _mean(self.quality, self.outcomes),
            "quality_interval": wilson(self.quality, self.outcomes),
            "mean_reward": _mean(self.reward, self.learnt),
            "reward_interval": normal(self.reward, self.reward_squares, self.learnt),
            "mean_cost_usd": _mean(self.cost_usd, self.priced),
            "spend_usd": self.cost_usd,
        }


def _mean(total: float, n: int) -> float | None:
    return total / n if n else None


def wilson(total: float, n: int) -> tuple[float, float] | None:
    """95% interval of a mean of values in [0, 1] (Wilson 1927). Of graded values it is wide: none spread more than
    zeros and ones of the same mean."""
    if not n:
        return None
    mean = total / n
    centre = (mean + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(max(mean * (1 - mean), 0.0) / n + _Z**2 / (4 * n * n))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def normal(total: float, squares: float, n: int) -> tuple[float, float] | None:
    """95% interval of a mean of many values; None for fewer than 30."""
    if n < _LEAST_FOR_NORMAL:
        return None
    mean = total / n
    half = _Z * math.sqrt(max(squares / n - mean * mean, 0.0) / (n - 1))
    return mean - half, mean + half
