"""How well a score tells the prompts that need the strong model of two: quality against share of calls, APGR and CPT.

The protocol of RouteLLM (Ong et al. 2024, "RouteLLM: Learning to route LLMs with preference data", section 4), as its
published code runs it. A score ranks prompts, the ones at or above a threshold go to the strong model, and thresholds
at the deciles of the scores trace a curve from all calls to none.

Invariants: only the order of scores and their ties matter, so every strictly rising transform of them has the same
curve to the last bit. Tied prompts go to the same model. As upstream, a threshold that is the largest score takes none,
so scores with many ties at the top are judged by few points; a constant score has but the two ends, and an APGR of 0.5.
Left out: costs in dollars, more than two models, and uncertainty.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from krins.errors import UserError
from krins.interfaces import FloatArray

_ROUNDING = 1e-12
"""A share that is reached up to the rounding of a mean is reached."""


class RoutingCurve(NamedTuple):
    """Mean quality at each threshold. Shapes are (n_points,), from no calls to the strong model to all of them."""

    strong_share: FloatArray
    """Of calls, strictly rising from 0 to 1."""
    quality: FloatArray

    @property
    def gap_recovered(self) -> FloatArray:
        """PGR of each point: (quality - weak) / (strong - weak); 0 at the first point, 1 at the last.

        It exceeds 1 where a mixture is better than the strong model by itself.
        """
        weak, strong = self.quality[0], self.quality[-1]
        return np.asarray((self.quality - weak) / (strong - weak))

    @property
    def apgr(self) -> float:
        """Average performance gap recovered: the area under PGR by the trapezoid rule; random routing expects 0.5."""
        return float(np.trapezoid(self.gap_recovered, self.strong_share))

    def cpt(self, recovered: float) -> float:
        """Call-performance threshold: least share of calls to the strong model that recovers this part of the gap.

        Linear between the points of the running maximum of PGR.

        Args:
            recovered: in (0, 1], 0.5 for CPT(50%).
        """
        if not 0.0 < recovered <= 1.0:
            raise ValueError(f"the part of the gap to recover lies in (0, 1], got {recovered}")
        reached = np.maximum.accumulate(self.gap_recovered)
        right = int(np.argmax(reached >= recovered - _ROUNDING))
        left = right - 1
        weight = (recovered - reached[left]) / (reached[right] - reached[left])
        shares = self.strong_share
        return float(shares[left] + min(weight, 1.0) * (shares[right] - shares[left]))


def routing_curve(scores: FloatArray, weak: FloatArray, strong: FloatArray, n_thresholds: int = 10) -> RoutingCurve:
    """The curve of thresholds at the quantiles 0, 1/n_thresholds, ..., 1 of the scores, without repetitions.

    A prompt at the threshold goes to the strong model; at the last threshold, the largest score, nobody does.

    Args:
        scores: shape (n_prompts,), finite or infinite but not NaN; higher where the strong model is needed more.
        weak, strong: shape (n_prompts,), quality of the two models' answers on any one scale.

    Raises:
        UserError: there is no prompt, or the strong model is not better than the weak one, so there is no gap.
        ValueError: shapes differ, a value is NaN, or n_thresholds is below 1.
    """
    n = len(scores)
    if n == 0:
        raise UserError("there is no prompt to route", "give a table with answers of both models")
    if not scores.shape == weak.shape == strong.shape == (n,) or n_thresholds < 1:
        raise ValueError(f"scores and qualities have one shape (n,), got {scores.shape}, {weak.shape}, {strong.shape}")
    if np.isnan(scores).any() or not np.isfinite(weak).all() or not np.isfinite(strong).all():
        raise ValueError("scores are no NaN, and qualities are finite")
    if not strong.mean() > weak.mean():
        raise UserError(
            f"the strong model's mean quality {strong.mean():.4g} is not above the weak one's {weak.mean():.4g}, so "
            "there is no gap to recover",
            "exchange the two models, or choose others",
        )
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    # A quantile between two scores parts them where the upper one does. Taken by rank, in whole numbers, it does not
    # depend on how an interpolated score was rounded.
    ranks = np.arange(n_thresholds) * (n - 1)
    below, above = ordered[ranks // n_thresholds], ordered[-(-ranks // n_thresholds)]
    thresholds = above[(below < ordered[-1]) | (below == ordered[0])]
    n_strong = np.unique(np.append(n - np.searchsorted(ordered, thresholds, side="left"), 0))
    gained = np.concatenate([[0.0], np.cumsum((strong - weak)[order][::-1])])
    return RoutingCurve(n_strong / n, weak.mean() + gained[n_strong] / n)
