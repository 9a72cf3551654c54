"""How the page writes figures: as many digits as they bear, times in UTC, and a dash where nobody knows.

Left out: which figures there are (`serve.page.data`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

UNKNOWN = "-"
_MAX_TEXT = 120


def count(value: int) -> str:
    return f"{value:,}"


def percent(ratio: float | None) -> str:
    """Of a share: one digit after the point below 10%, for an exploration floor is a few per cent."""
    if ratio is None:
        return UNKNOWN
    return f"{ratio:.1%}" if 0 < abs(ratio) < 0.0995 else f"{ratio:.0%}"


def usd(amount: Decimal) -> str:
    """Cents, and below a dollar two digits that are not zero."""
    decimals = max(2, 1 - amount.adjusted()) if amount else 2
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,.{decimals}f}"


def estimate(mean: float | None, interval: tuple[float, float] | None) -> str:
    """The mean, and the ends of its interval where it has one."""
    return _estimate(mean, interval, ".3f")


def percent_estimate(mean: float | None, interval: tuple[float, float] | None) -> str:
    return _estimate(mean, interval, ".0%")


def _estimate(mean: float | None, interval: tuple[float, float] | None, form: str) -> str:
    if mean is None:
        return UNKNOWN
    ends = "" if interval is None else f" [{interval[0]:{form}}, {interval[1]:{form}}]"
    return f"{mean:{form}}{ends}"


def moment(at_seconds: float) -> str:
    """As machines read it: ISO 8601."""
    return datetime.fromtimestamp(at_seconds, UTC).isoformat(timespec="seconds")


def time_of_day(at_seconds: float) -> str:
    return f"{datetime.fromtimestamp(at_seconds, UTC):%H:%M:%S}"


def short(text: str) -> str:
    """Names and reasons come from elsewhere and may be of any length."""
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
