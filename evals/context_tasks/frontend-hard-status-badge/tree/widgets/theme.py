"""Colours and labels."""

from typing import NamedTuple


class Style(NamedTuple):
    colour: str
    label: str


STATUSES = {
    "ok": Style("#1a7f37", "All good"),
    "degraded": Style("#9a6700", "Slow & late"),
    "down": Style("#cf222e", "Down"),
}
SPACING = (0, 4, 8, 16, 32)


def status_style(status):
    """Of a status in upper or lower case; one that is not known is grey and has a question mark."""
    return STATUSES.get(status.lower(), Style("#6e7781", f"{status}?"))
