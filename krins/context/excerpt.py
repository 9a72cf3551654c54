"""What of a file is shown: whole lines, and how much of the file they are.

A skeleton is lines too: those of signatures and docstrings. Everything shown is the file's own text in its own lines,
so that a patch made from it applies; the first of each range has its number before it, as grep writes it.
Invariants: shown ranges are sorted, disjoint, and equal the file's text; nothing else than whole lines is ever shown;
every line's number can be read back from the text. Left out: which lines are worth showing (`krins.context.packing`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from krins.context.facts import FileFacts, Kind
from krins.interfaces import BoolArray


class Level(IntEnum):
    """How much of a file is shown, least first."""

    PATH = 1
    """Its name at most."""
    OUTLINE = 2
    """Signatures of what stands at the top level."""
    SIGNATURES = 3
    """Of all functions and classes."""
    SKELETON = 4
    """Signatures and docstrings."""
    BODIES = 5
    """Some bodies in full."""
    WHOLE = 6


LEGEND = '"=== PATH (N lines)" begins a file, "=== PATH (M of N lines)" a part of one, where "A:" begins line A.\n'
_LIKE_A_MARK = re.compile(r"\d+:|===")
"""A part's line that begins so has its number before it too, lest it be read as a mark."""


class Range(NamedTuple):
    """Lines from 1, both ends inclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One file, as far as it is shown."""

    path: str
    level: Level
    n_lines: int
    """Of the whole file."""
    ranges: tuple[Range, ...]
    text: str
    """As it stands in the context, with the file's name above it."""


def lines_of(source: bytes) -> list[str]:
    """The lines of a file, without the "\\n" that ends each."""
    lines = source.decode().split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def skeleton(facts: FileFacts, level: Level) -> BoolArray:
    """Shape (n_lines,): the lines that a file's skeleton of that level has."""
    shown = np.zeros(facts.n_lines, dtype=np.bool_)
    if level < Level.OUTLINE:
        return shown
    for index in facts.unit_definitions.tolist():
        if index < 0:
            continue
        definition = facts.definitions[index]
        if level == Level.OUTLINE and definition.parent >= 0:
            continue
        shown[definition.signature_start - 1 : definition.signature_end] = True
        if level >= Level.SKELETON and definition.doc_start:
            shown[definition.doc_start - 1 : definition.doc_end] = True
    return shown


def around(facts: FileFacts, unit: int, shown: BoolArray) -> None:
    """Add the signatures of the classes that a unit stands in to the lines that are shown."""
    index = int(facts.unit_definitions[unit])
    index = facts.definitions[index].parent if index >= 0 else -1
    while index >= 0:
        definition = facts.definitions[index]
        if definition.kind is Kind.CLASS:
            shown[definition.signature_start - 1 : definition.signature_end] = True
        index = definition.parent


def excerpt(path: str, level: Level, lines: Sequence[str], shown: BoolArray) -> Excerpt:
    """A file's excerpt, which says how long the file is and where its lines stand, as `LEGEND` tells."""
    ranges = (Range(1, len(lines)),) if shown.all() else _worthwhile(lines, ranges_of(shown))
    n_shown = sum(end - start + 1 for start, end in ranges)
    is_whole = n_shown == len(lines)
    how_much = "" if is_whole else f"{n_shown} of "
    parts = [f"=== {printable(path)} ({how_much}{len(lines)} {'line' if len(lines) == 1 else 'lines'})"]
    parts += lines if is_whole else _numbered(lines, ranges)
    return Excerpt(path, Level.WHOLE if is_whole else level, len(lines), ranges, "\n".join(parts) + "\n")


def _numbered(lines: Sequence[str], ranges: Sequence[Range]) -> Iterator[str]:
    for start, end in ranges:
        for number, line in enumerate(lines[start - 1 : end], start):
            yield f"{number}:{line}" if number == start or _LIKE_A_MARK.match(line) else line


def printable(path: str) -> str:
    """On one line, whatever is in it."""
    return path if path.isprintable() else json.dumps(path)


def ranges_of(shown: BoolArray) -> tuple[Range, ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shown, [False]]).astype(np.int8)))
    return tuple(Range(start + 1, end) for start, end in edges.reshape(-1, 2).tolist())


def _worthwhile(lines: Sequence[str], ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Blank lines between two ranges are shown as well, they cost less than a mark; but not blank lines alone."""
    joined: list[Range] = []
    for found in ranges:
        if _is_blank(lines[found.start - 1 : found.end]):
            continue
        if joined and _is_blank(lines[joined[-1].end : found.start - 1]):
            found = Range(joined.pop().start, found.end)
        joined.append(found)
    return tuple(joined)


def _is_blank(lines: Sequence[str]) -> bool:
    return not any(line.strip() for line in lines)


__all__ = ["LEGEND", "Excerpt", "Level", "Range", "around", "excerpt", "lines_of", "printable", "ranges_of", "skeleton"]
