"""Line numbers that a model copied from how a context shows a file: "12:def f():" for line 12, as grep writes it.

Invariant: what may be a line of the file itself is none. A line that is new can be told by its neighbours alone: where
some number of a block was certainly copied and most lines are numbered in order, all numbers of the block were. Left
out: taking them off.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from itertools import pairwise

_NUMBERED = re.compile(r"(\d{1,9}):(.*)", re.DOTALL)


def numbered(line: str) -> re.Match[str] | None:
    """A line that begins as a numbered one does: the number, and the rest."""
    return _NUMBERED.fullmatch(line)


def is_copied(match: re.Match[str], shown: Sequence[str], known: Container[str]) -> bool:
    """Whether a number was copied from how lines are shown: the line of that number reads as the rest does, trailing
    whitespace aside, and no line as the whole."""
    number = int(match[1])
    is_there = 0 < number <= len(shown) and shown[number - 1].rstrip() == match[2].rstrip()
    return is_there and match[0] not in known


def are_in_order(lines: Sequence[str]) -> bool:
    """Whether most lines are numbered, and most of them by one more than the numbered line before."""
    found = [int(match[1]) for line in lines if (match := numbered(line))]
    n_steps = sum(after == before + 1 for before, after in pairwise(found))
    return 2 * len(found) > sum(bool(line.strip()) for line in lines) and 2 * n_steps >= len(found) - 1
