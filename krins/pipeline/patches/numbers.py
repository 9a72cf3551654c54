"""Line numbers that a model copied from how a context shows a file: "12:def f():" for line 12, as grep writes it.

Invariant: what may be a line of the file itself is none. Left out: taking them off.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

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
