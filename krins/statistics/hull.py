"""The cost-quality hull: the best that mixing fixed models at random can do.

Sending a share of tasks to one model and the rest to another gives any point between them, so a router earns
something only above the upper concave hull of (cost, quality). Invariants: the hull runs from the cheapest model to
the best one; outside that range of cost or quality there is nothing to compare with, and the answer is None.
Left out: which models there are and what they cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from krins.interfaces import FloatArray, IntArray

_ROUNDING = 1e-12
"""Relative: a router that always takes the hull's last model is on the hull, however its mean was summed."""


@dataclass(frozen=True)
class Mixture:
    """A point on the hull: the arms `left` and `right`, mixed so that a share `weight` goes to `right`."""

    left: int
    right: int
    weight: float
    slope: float
    """Quality gained for one more US dollar, on this edge."""


@dataclass(frozen=True)
class Hull:
    """Vertices in order of rising cost and quality."""

    arms: IntArray
    """Shape (n_vertices,): index of each vertex's arm."""
    cost_usd: FloatArray
    quality: FloatArray

    def mixture_at_cost(self, cost_usd: float) -> Mixture | None:
        return self._mixture(self.cost_usd, cost_usd)

    def mixture_at_quality(self, quality: float) -> Mixture | None:
        return self._mixture(self.quality, quality)

    def quality_at(self, cost_usd: float) -> float | None:
        return self._interpolate(self.mixture_at_cost(cost_usd), self.quality)

    def cost_at(self, quality: float) -> float | None:
        return self._interpolate(self.mixture_at_quality(quality), self.cost_usd)

    def _mixture(self, axis: FloatArray, at: float) -> Mixture | None:
        slack = _ROUNDING * abs(axis[-1])
        if len(axis) < 2 or not axis[0] - slack <= at <= axis[-1] + slack:
            return None
        at = min(max(at, axis[0]), axis[-1])
        right = int(np.clip(np.searchsorted(axis, at), 1, len(axis) - 1))
        weight = (at - axis[right - 1]) / (axis[right] - axis[right - 1])
        rise, run = np.diff(self.quality)[right - 1], np.diff(self.cost_usd)[right - 1]
        return Mixture(int(self.arms[right - 1]), int(self.arms[right]), float(weight), float(rise / run))

    def _interpolate(self, mixture: Mixture | None, axis: FloatArray) -> float | None:
        if mixture is None:
            return None
        at = dict(zip(self.arms.tolist(), axis.tolist(), strict=True))
        return float((1 - mixture.weight) * at[mixture.left] + mixture.weight * at[mixture.right])


def cost_quality_hull(cost_usd: FloatArray, quality: FloatArray) -> Hull:
    """Upper concave hull of points (cost_usd, quality), shapes (n_arms,), by Andrew's monotone chain.

    Starts at the cheapest arm (of equally cheap ones the best) and ends at the best arm (of equally good ones the
    cheapest); arms in between that are dominated or below the hull are left out.
    """
    kept: list[int] = []
    for arm in np.lexsort((-quality, cost_usd)):
        if kept and quality[arm] <= quality[kept[-1]]:
            continue
        while len(kept) > 1 and not _turns_right(kept[-2], kept[-1], int(arm), cost_usd, quality):
            kept.pop()
        kept.append(int(arm))
    arms = np.array(kept, np.int64)
    return Hull(arms, cost_usd[arms], quality[arms])


def _turns_right(first: int, second: int, third: int, x: FloatArray, y: FloatArray) -> bool:
    cross = (x[second] - x[first]) * (y[third] - y[first]) - (y[second] - y[first]) * (x[third] - x[first])
    return bool(cross < 0)
