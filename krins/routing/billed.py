"""Outcomes as quality and cost apart, for policies that weigh the two themselves.

Invariant: what cannot be a quality or a cost is refused before anything is learnt. Left out: what is made of them
(`budgeted`, `quality_floor`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from krins.interfaces import Feedback, FloatArray, IntArray
from krins.routing.tally import lesson


class Billed(NamedTuple):
    """Outcomes that are there to be learnt from, replications without one left out. Shapes are (n_observed,)."""

    rows: IntArray
    arms: IntArray
    quality: FloatArray
    """In [0, 1]."""
    cost_usd: FloatArray
    """Finite and not negative."""


def billed(feedback: Feedback, learner: str) -> Billed:
    """Quality and cost of one decision in each replication.

    Raises:
        ValueError: an observed quality or cost is missing or out of range, or a reward is NaN or infinite.
    """
    if feedback.quality is None or feedback.cost_usd is None:
        raise ValueError(f"{learner} learns from quality and cost_usd, and the feedback lacks at least one of them")
    rows, arms, _ = lesson(feedback)
    quality, cost_usd = feedback.quality[rows], feedback.cost_usd[rows]
    for name, values, most in (("quality", quality, 1.0), ("cost_usd", cost_usd, np.finfo(np.float64).max)):
        # Written so that NaN is wrong as well.
        wrong = ~((values >= 0.0) & (values <= most))
        if wrong.any():
            allowed = "in [0, 1]" if most == 1.0 else "finite and at least 0"
            raise ValueError(f"{learner} learns from {name}, which is {allowed}, got {values[wrong][0]}")
    return Billed(rows, arms, quality, cost_usd)
