"""What a hunk makes of the lines that it was placed at.

New lines come verbatim where the hunk's old lines stood exactly, and otherwise with the line ends and the indentation
of what is there, if the lines that it replaces differ from that by one and the same prefix. Invariants: lines that a
hunk only shows keep the file's own text; an indentation that is unclear raises PatchFailed. Left out: finding the place
(`krins.pipeline.patches.placing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from krins.errors import PatchFailed
from krins.pipeline.patches.edits import Hunk, HunkLine


class Likeness(IntEnum):
    """In what lines may differ and still match, strictest first."""

    EXACT = 0
    TRAILING_SPACE = 1
    INDENTATION = 2


class Replacement(NamedTuple):
    """Lines [start, end) of a file, counted from 0, and what comes in their place."""

    start: int
    end: int
    lines: list[str]


def changes(lines: Sequence[HunkLine], start: int) -> list[Replacement]:
    """The runs of lines that really change; what a hunk merely shows may be shown, or changed, by another as well."""
    changes: list[Replacement] = []
    at, is_open = start, False
    for line in lines:
        if line.mark == " ":
            at, is_open = at + 1, False
            continue
        if not is_open:
            changes.append(Replacement(at, at, []))
            is_open = True
        if line.mark == "+":
            changes[-1].lines.append(line.text)
        else:
            at += 1
            changes[-1] = changes[-1]._replace(end=at)
    return changes


@dataclass(frozen=True, slots=True)
class _Indentation:
    """How the file's indentation differs from the hunk's: by a prefix more, or one less."""

    more: str = ""
    less: str = ""

    @classmethod
    def between(cls, line: str, there: str) -> _Indentation | None:
        hunks, files = _indentation(line), _indentation(there)
        if files.endswith(hunks):
            return cls(more=files.removesuffix(hunks))
        return cls(less=hunks.removesuffix(files)) if hunks.endswith(files) else None

    def of(self, line: str) -> str | None:
        if not line.strip():
            return line
        return self.more + line.removeprefix(self.less) if line.startswith(self.less) else None


def fitted(hunk: Hunk, there: Sequence[str], likeness: Likeness, path: str) -> Sequence[HunkLine]:
    """The hunk's lines, new ones with the line ends and indentation of what is there."""
    if likeness is Likeness.EXACT or not hunk.old:
        return hunk.lines
    indentation = _Indentation() if likeness < Likeness.INDENTATION else _common_indentation(hunk, there)
    end = "\r" if there[0].endswith("\r") else ""

    def fit(line: HunkLine) -> HunkLine:
        if line.mark != "+":
            return line
        text = indentation.of(line.text.removesuffix("\r")) if indentation else None
        if text is None:
            unclear = f"{path}: {hunk.name} is indented otherwise than the file, and not by the same everywhere"
            raise PatchFailed(unclear, "indent it as the file is")
        return HunkLine("+", text + end)

    return [fit(line) for line in hunk.lines]


def _common_indentation(hunk: Hunk, there: Sequence[str]) -> _Indentation | None:
    """Told from the lines that are replaced; where none is, from all. None where lines disagree."""
    old = [line for line in hunk.lines if line.mark != "+"]
    pairs = [(line, own) for line, own in zip(old, there, strict=True) if own.strip()]
    replaced = [pair for pair in pairs if pair[0].mark == "-"]
    found = {_Indentation.between(line.text, own) for line, own in replaced or pairs}
    return found.pop() if len(found) == 1 else None


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
