"""The lines of a source, by offsets of bytes.

Invariant: lines count from 1 and end at "\\n" alone; a last one without it is a line, an empty source has none.
"""

from __future__ import annotations

import re
from bisect import bisect_left

import numpy as np

_INDENT = re.compile(rb"[ \t\r\f\v]*")


class Lines:
    """Where the lines of a source begin and end."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.breaks: list[int] = np.flatnonzero(np.frombuffer(source, np.uint8) == ord("\n")).tolist()
        self.count = len(self.breaks) + (not source.endswith(b"\n") and bool(source))

    def line(self, offset: int) -> int:
        """The line, from 1, that a byte is on; a line's break is on it."""
        return bisect_left(self.breaks, offset) + 1

    def line_before(self, offset: int) -> int:
        """The line of the last byte before an offset that is not white space."""
        while self.source[offset - 1 : offset].isspace():
            offset -= 1
        return self.line(max(offset - 1, 0))

    def start(self, line: int) -> int:
        """The offset of a line's first byte; behind the last line, the source's length."""
        if line > self.count:
            return len(self.source)
        return self.breaks[line - 2] + 1 if line > 1 else 0

    def text(self, line: int) -> bytes:
        return self.source[self.start(line) : self.start(line + 1)]

    def is_first(self, offset: int, line: int) -> bool:
        """Whether nothing but white space stands before a byte on its line."""
        indent = _INDENT.match(self.source, self.start(line))
        return indent is not None and indent.end() >= offset


__all__ = ["Lines"]
