"""Several comparisons at once: p-values and intervals that allow for how many there are.

Invariants: an adjusted p-value is never below its own p-value, and adjusting keeps their order. Both methods hold
however the comparisons, which share their tasks, depend on each other. Left out: methods that control the share of
false claims instead of the chance of any.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """Adjusted p-values: claiming what is at most `level` makes any false claim with at most that probability.

    Step-down (Holm 1979, "A simple sequentially rejective multiple test procedure").
    """
    adjusted: dict[Name, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def simultaneous_level(level: float, n_comparisons: int) -> float:
    """Level of each of `n_comparisons` intervals, so that all of them hold at once with `level` (Bonferroni)."""
    return 1.0 - (1.0 - level) / max(n_comparisons, 1)
