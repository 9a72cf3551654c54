"""How numbers are written: as many digits as they bear, and no more.

Invariants: a figure's interval and spread have the decimals of its mean; nothing is written as minus zero. Units stand
with the mean alone, since columns name them too; thousands are not grouped, for a comma parts the ends of an interval.
Left out: where on the page a number goes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from krins.runs.result import Baseline, Figure

UNKNOWN = "-"
"""Stands where the data cannot tell."""


class Written(NamedTuple):
    """A figure as text; None where it has no interval or no spread."""

    mean: str
    interval: str | None = None
    """95% over tasks, `[low, high]`."""
    spread: str | None = None
    """Central 95% of replications, `low to high`."""


@dataclass(frozen=True)
class Notation:
    """One way to write figures."""

    decimals: Callable[[Figure], int]
    prefix: str = ""
    suffix: str = ""
    scale: float = 1.0
    is_signed: bool = False

    def write(self, figure: Figure) -> Written:
        decimals = self.decimals(figure)

        def number(value: float) -> str:
            return _number(value * self.scale, decimals, self.is_signed)

        mean = number(figure.mean)
        sign = mean[0] if mean[0] in "+-" else ""
        return Written(
            mean=f"{sign}{self.prefix}{mean.removeprefix(sign)}{self.suffix}",
            interval=None
            if figure.low is None or figure.high is None
            else f"[{number(figure.low)}, {number(figure.high)}]",
            spread=None
            if figure.replication_low is None or figure.replication_high is None
            else f"{number(figure.replication_low)} to {number(figure.replication_high)}",
        )


def _number(value: float, decimals: int, is_signed: bool) -> str:
    text = f"{value:+.{decimals}f}"
    if not text.strip("+-0."):
        return text[1:]
    return text if is_signed else text.removeprefix("+")


def _decimals_for(value: float, significant: int) -> int:
    """Decimals that show `significant` digits of a value, after rounding to them; none for zero."""
    return max(0, significant - 1 - int(f"{value:.{significant - 1}e}".split("e")[1])) if value else 0


def _three_digits_of_mean(figure: Figure) -> int:
    return _decimals_for(figure.mean, 3)


def _three_digits_of_largest(figure: Figure) -> int:
    """So that a mean near zero is written no finer than its interval."""
    return _decimals_for(max(abs(value) for value in (figure.mean, figure.low, figure.high) if value is not None), 3)


def _percent_decimals(figure: Figure) -> int:
    """As fine as half the interval's width; without one, two digits of the share or of its distance to 100%."""
    percent = abs(100 * figure.mean)
    if percent < 0.005 or percent == 100:
        return 0
    width = 0.0 if figure.low is None or figure.high is None else 50 * (figure.high - figure.low)
    resolution = width if width > 0.005 else min(percent, abs(100 - percent)) / 10
    decimals = 0 if resolution >= 0.995 else 1 if resolution >= 0.0995 else 2
    return max(decimals, 1) if round(percent) in (0, 100) else decimals


QUALITY = Notation(lambda _: 3)
QUALITY_DIFFERENCE = Notation(lambda _: 3, is_signed=True)
USD = Notation(_three_digits_of_mean, prefix="$")
COUNT = Notation(_three_digits_of_mean)
"""Tokens and seconds."""
AMOUNT = Notation(_three_digits_of_largest)
"""Regret: positive or negative, of any size."""
PERCENT = Notation(_percent_decimals, suffix="%", scale=100.0)


def write_usd(value: float) -> str:
    return USD.write(Figure(mean=value)).mean


def write_percent(share: float) -> str:
    """A share of a whole, never rounded to none of it."""
    if 0 < share < 0.00005:
        return "<0.01%"
    return PERCENT.write(Figure(mean=share)).mean


def write_place(rule: Baseline) -> str:
    """A model, its quality, and what it costs where that is known: `small-model 0.625 at $0.0633`."""
    cost = "" if rule.cost_usd is None else f" at {write_usd(rule.cost_usd.mean)}"
    return f"{rule.model} {QUALITY.write(rule.quality).mean}{cost}"


def write_seconds(seconds: float) -> str:
    """A duration, such as `0.4 s`, `41 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = math.floor(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def write_number(count: int, noun: str) -> str:
    """`1 task`, `1,051 tasks`, `2 passes`, `12 repositories`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"
