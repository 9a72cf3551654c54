"""A file's text as lines, and back again without a loss.

Invariants: only "\\n" ends a line, so a line of a CRLF file ends in "\\r", and form feeds and Unicode's line ends are
text like any other; `TextLines.of(text).text == text`. Left out: other encodings than UTF-8, which trees do not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextLines:
    """The lines of a text, each without its "\\n"."""

    lines: Sequence[str]
    ends_in_newline: bool = True
    """Whether a "\\n" stands behind the last line; True for an empty text, whose first line will have one."""

    @classmethod
    def of(cls, text: str) -> TextLines:
        lines = text.split("\n")
        if lines[-1]:
            return cls(lines, False)
        return cls(lines[:-1])

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + ("\n" if self.lines and self.ends_in_newline else "")

    @property
    def has_crlf(self) -> bool:
        """Whether all lines end as in DOS."""
        return bool(self.lines) and all(line.endswith("\r") for line in self.lines)


def answer_lines(answer: str) -> list[str]:
    """The lines of an answer; without "\\r" where all have one, for then it came with the answer's transport."""
    found = TextLines.of(answer)
    body = found.lines if found.ends_in_newline else found.lines[:-1]
    if body and all(line.endswith("\r") for line in body):
        return [line.removesuffix("\r") for line in found.lines]
    return list(found.lines)
