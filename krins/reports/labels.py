"""Where names go in a picture, so that each stands by its mark and none upon another.

Pure geometry in pixels, y downwards. Invariants: labels keep off each other wherever there is room at all; the same
input gives the same places. Left out: drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from krins.reports.columns import wrap_name

Align = Literal["left", "center", "right"]

FONT_PIXELS = 12
LINE_PIXELS = 14
_CHARACTER_PIXELS = 6.8
"""Mean advance of a semibold sans-serif character at `FONT_PIXELS`, on the generous side."""


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Area in common, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True)
class Label:
    """A name in lines: `x` is where their left end, centre or right end is, as `align` says; `y` is their middle."""

    lines: list[str]
    x: float
    y: float
    align: Align = "left"


def label_lines(name: str) -> list[str]:
    return wrap_name(name, 30)


def label_size(lines: Sequence[str]) -> tuple[float, float]:
    """Width and height."""
    return max(map(len, lines)) * _CHARACTER_PIXELS, len(lines) * LINE_PIXELS


def dodge(centres: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """New centres, as near the given ones as their order and no overlap allow, inside [low, high] if they fit there.

    Neighbours that would overlap are merged into one block at their mean place (pool adjacent violators).
    """
    order = sorted(range(len(centres)), key=lambda i: centres[i])
    blocks: list[tuple[float, list[int]]] = []  # (top, members)
    for i in order:
        members = [i]
        top = _top(members, centres, heights, low, high)
        while blocks and blocks[-1][0] + sum(heights[m] for m in blocks[-1][1]) > top:
            members = [*blocks.pop()[1], *members]
            top = _top(members, centres, heights, low, high)
        blocks.append((top, members))
    placed = [0.0] * len(centres)
    for top, members in blocks:
        for i in members:
            placed[i] = top + heights[i] / 2
            top += heights[i]
    return placed


def _top(members: Sequence[int], centres: Sequence[float], heights: Sequence[float], low: float, high: float) -> float:
    """Where a block begins, so that its members lie nearest (in the mean) to where they belong."""
    total, offsets = 0.0, []
    for i in members:
        offsets.append(centres[i] - total - heights[i] / 2)
        total += heights[i]
    return max(low, min(sum(offsets) / len(offsets), high - total))


_ROUNDING = 1e-9


class _Spot(NamedTuple):
    """One place that a label may take."""

    box: Box
    align: Align
    distance: float


def place(
    names: Sequence[str],
    marks: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    width: float,
    height: float,
) -> list[Label]:
    """A label near each mark, inside the picture. Greedy: earlier names choose first among places around their mark.

    Args:
        marks: centre of each name's mark.
        obstacles: what labels had better not cover, such as lines and other marks; labels weigh more.
    """
    mark_boxes = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in marks]
    page = Box(0, 0, width, height)
    taken: list[Box] = []

    def penalty(spot: _Spot) -> tuple[bool, float]:
        outside = spot.box.area - spot.box.overlap(page)
        covered = sum(map(spot.box.overlap, taken))
        harm = covered + sum(map(spot.box.overlap, mark_boxes)) + outside
        # First of all no other label: a sliver of one would weigh less than the way to a free place.
        return covered > _ROUNDING, 4 * harm + sum(map(spot.box.overlap, obstacles)) + 2 * spot.distance

    labels = []
    for name, (x, y) in zip(names, marks, strict=True):
        lines = label_lines(name)
        box, align, _ = min(_spots(x, y, *label_size(lines)), key=penalty)
        taken.append(box)
        anchor = {"left": box.left, "center": (box.left + box.right) / 2, "right": box.right}[align]
        labels.append(Label(lines, anchor, (box.top + box.bottom) / 2, align))
    return labels


def _spots(x: float, y: float, width: float, height: float) -> Iterator[_Spot]:
    """Places around a mark; right of it comes first."""
    for distance in (9.0, 18.0, 30.0, 45.0, 65.0, 90.0):
        slant = distance * 0.8
        above, below = y - slant - height / 2, y + slant + height / 2
        corners: list[tuple[Align, float, float]] = [
            ("left", x + distance, y),
            ("right", x - distance, y),
            ("center", x, y - distance - height / 2),
            ("center", x, y + distance + height / 2),
            ("left", x + slant, above),
            ("left", x + slant, below),
            ("right", x - slant, above),
            ("right", x - slant, below),
        ]
        for align, anchor, middle in corners:
            left = anchor - width * {"left": 0.0, "center": 0.5, "right": 1.0}[align]
            yield _Spot(Box(left, middle - height / 2, left + width, middle + height / 2), align, distance)
