"""The axes of cost and quality: what ranges they show, and where a value lies in pixels.

Left out: drawing them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from krins.reports.picture import HEIGHT, WIDTH
from krins.runs.result import Figure

Domain = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    cost: Domain
    """US dollars."""
    quality: Domain
    is_log: bool
    """Of cost."""

    def x(self, cost_usd: float) -> float:
        """Pixels from the left; what lies below a logarithmic axis is put at its end."""
        low, high = self.cost
        if self.is_log:
            return WIDTH * math.log(max(cost_usd, low) / low) / math.log(high / low)
        return WIDTH * (cost_usd - low) / (high - low)

    def y(self, quality: float) -> float:
        """Pixels from the top."""
        low, high = self.quality
        return HEIGHT * (high - quality) / (high - low)

    def cost_ticks(self) -> list[float]:
        """For a logarithmic axis: 1, 2 and 5 times the powers of ten, or the powers alone where there are many."""
        low, high = self.cost
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = (1, 2, 5) if len(exponents) <= 4 else (1,)
        values = [float(f"{step}e{exponent}") for exponent in exponents for step in steps]
        return [value for value in values if low <= value <= high]


def fit_axes(with_bars: Sequence[tuple[Figure, Figure]], points: Sequence[tuple[Figure, Figure]]) -> Axes:
    """Axes for points and intervals of (cost, quality): all points fit, and all but the ends of very wide intervals.

    Cost is logarithmic where the points span more than a decade.
    """
    means = [cost.mean for cost, _ in points]
    is_log = min(means) > 0 and max(means) / min(means) > 10
    lows = [max(cost.low, cost.mean / 2) for cost, _ in with_bars if cost.low is not None]
    highs = [min(cost.high, cost.mean * 2) for cost, _ in with_bars if cost.high is not None]
    low, high = min(means + lows), max(means + highs)
    span = high - low or high or 1.0
    cost = (low / 1.5, high * 1.5) if is_log else (max(0.0, low - 0.1 * span), high + 0.1 * span)
    qualities = [quality.mean for _, quality in points]
    qualities += [end for _, quality in with_bars for end in (quality.low, quality.high) if end is not None]
    low, high = max(0.0, min(qualities)), min(1.0, max(qualities))
    span = high - low or 0.1
    return Axes(cost, (max(0.0, low - 0.06 * span), min(1.0, high + 0.06 * span)), is_log)


def clipped(figure: Figure, domain: Domain) -> Domain:
    """A figure's interval, or its mean where it has none, as far as it lies in the domain."""
    low = figure.mean if figure.low is None else figure.low
    high = figure.mean if figure.high is None else figure.high
    return max(low, domain[0]), min(high, domain[1])
