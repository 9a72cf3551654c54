"""What an answer says of a file, whichever format it says it in.

Invariants: frozen data; lines are without their "\\n". Left out: how each format is read, and where an edit belongs
(`krins.pipeline.patches.placing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NamedTuple


class HunkLine(NamedTuple):
    """A line of a hunk: as it is before and after, before alone, or after alone."""

    mark: Literal[" ", "-", "+"]
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of a file that stand together, and what becomes of them."""

    name: str
    """What messages call it."""
    lines: Sequence[HunkLine]
    old_start: int | None = None
    """Line from 1 at which it says to begin before the change. Models count badly, so this alone decides nothing."""
    newline_at_end: bool | None = None
    """Whether the file ends in a newline after the change; None where the hunk does not say so, and does not claim to
    reach the file's end."""

    @property
    def old(self) -> list[str]:
        return [line.text for line in self.lines if line.mark != "+"]

    @property
    def new(self) -> list[str]:
        return [line.text for line in self.lines if line.mark != "-"]


class Kind(Enum):
    CHANGED = "changed"
    CREATED = "created"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class FilePatch:
    """The hunks of one file."""

    path: str
    hunks: Sequence[Hunk]
    kind: Kind = Kind.CHANGED
    old_path: str | None = None
    """Where the file was, if it is moved."""
    old_blob: str = ""
    """The first digits of git's name for the text that the hunks were made from, where the answer gives it."""


@dataclass(frozen=True, slots=True)
class WholeFile:
    """All that a file holds after the change."""

    path: str
    lines: Sequence[str] = field(repr=False)
