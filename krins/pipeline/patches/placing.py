"""Where in a file a hunk belongs.

The order: exactly where it says, if it names the very text that it was made from (git's blob); the one place where its
lines stand exactly; the one place where they stand but for trailing whitespace and line ends; the one place where they
stand but for indentation. A line number alone never chooses among places that match equally well: in a file that has
moved, or with a number miscounted, it would point at a twin. There is no search for lines that nearly match.

Invariants: a hunk goes to one place or raises PatchFailed;
searching a file of n lines for a hunk of m is O(n + m), whatever repeats in either (each line is one character of a
string there, and CPython's search is linear in the worst case). Left out: several hunks of one file
(`krins.pipeline.patches.applying`), and what becomes of the lines there (`krins.pipeline.patches.fitting`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from krins.errors import PatchFailed
from krins.pipeline.patches.edits import Hunk, HunkLine
from krins.pipeline.patches.fitting import Likeness, Replacement, changes, fitted
from krins.pipeline.patches.numbers import are_in_order, is_copied, numbered
from krins.pipeline.patches.texts import TextLines

_LEAST_BLOB_DIGITS = 7
_MOST_DISTINCT_LINES = 0x10FFFF
_MORE_CONTEXT = "give more of the lines around it, exactly as they are in the file"


_KEYS: dict[Likeness, Callable[[str], str]] = {
    Likeness.EXACT: str,
    Likeness.TRAILING_SPACE: str.rstrip,
    Likeness.INDENTATION: str.strip,
}


class _Searched:
    """A file's lines, each as one character: equal lines are equal characters."""

    def __init__(self, lines: Sequence[str], key: Callable[[str], str]) -> None:
        self._key = key
        self._characters: dict[str, str] = {}
        self._text = self._encoded(lines)

    def _encoded(self, lines: Sequence[str]) -> str:
        return "".join([self._character(self._key(line)) for line in lines])

    def _character(self, line: str) -> str:
        if len(self._characters) > _MOST_DISTINCT_LINES:
            raise PatchFailed(f"a file of more than {_MOST_DISTINCT_LINES:,} different lines", "leave it alone")
        return self._characters.setdefault(line, chr(len(self._characters)))

    def _pattern(self, wanted: Sequence[str]) -> str | None:
        """None where a line is not in the file at all."""
        characters = [self._characters.get(self._key(line)) for line in wanted]
        return None if None in characters else "".join([character for character in characters if character])

    def places(self, wanted: Sequence[str]) -> list[int]:
        """The first two places at which `wanted` stands."""
        pattern = self._pattern(wanted)
        first = -1 if pattern is None else self._text.find(pattern)
        if pattern is None or first < 0:
            return []
        second = self._text.find(pattern, first + 1)
        return [first] if second < 0 else [first, second]

    def is_at(self, wanted: Sequence[str], place: int) -> bool:
        pattern = self._pattern(wanted)
        return pattern is not None and place >= 0 and self._text.startswith(pattern, place)

    def replace(self, replacements: Sequence[Replacement]) -> None:
        pieces, at = [], 0
        for start, end, lines in replacements:
            pieces += [self._text[at:start], self._encoded(lines)]
            at = end
        self._text = "".join([*pieces, self._text[at:]])


class PatchedFile:
    """A file that hunks are placed in, and that one patch after another is made of."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._before = text
        found = TextLines.of(text)
        self._shown, self._lines = found.lines, list(found.lines)
        self._ends_in_newline = found.ends_in_newline
        self._searched: dict[Likeness, _Searched] = {}
        self._is_patched = False

    @property
    def text(self) -> str:
        return TextLines(self._lines, self._ends_in_newline).text if self._is_patched else self._before

    def is_blob(self, digits: str) -> bool:
        """Whether it is yet the text whose name in git begins so."""
        return len(digits) >= _LEAST_BLOB_DIGITS and not self._is_patched and self._blob.startswith(digits)

    @cached_property
    def _blob(self) -> str:
        return blob_name(self._before)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._shown)

    def replace(self, replacements: Sequence[Replacement], ends_in_newline: bool | None) -> None:
        """Replace lines; by place, and disjoint. `ends_in_newline`: None leaves the file's end as it is."""
        for searched in self._searched.values():
            searched.replace(replacements)
        lines: list[str] = []
        at = 0
        for start, end, new in replacements:
            lines += [*self._lines[at:start], *new]
            at = end
        self._lines = [*lines, *self._lines[at:]]
        self._ends_in_newline = self._ends_in_newline if ends_in_newline is None else ends_in_newline
        self._is_patched = True

    def replacements(self, hunk: Hunk, is_its_text: bool) -> list[Replacement]:
        """What `hunk` replaces; `is_its_text`: this is the very text that it was made from.

        Raises:
            PatchFailed: its lines stand nowhere or in several places, or how to indent its new lines is unclear.
        """
        if not is_its_text:
            hunk = self._without_numbers(hunk)
        start, likeness = self._place(hunk, is_its_text)
        there = self._lines[start : start + len(hunk.old)]
        return changes(fitted(hunk, there, likeness, self._path), start)

    def _without_numbers(self, hunk: Hunk) -> Hunk:
        """The hunk without line numbers copied from how a context shows the file ("12:def f():" for line 12).

        A number goes only where the file's line of that number reads just as what follows it, and none reads as the
        whole does; before a new line, where it went before an old one, or where most lines are numbered in order.
        """
        matches = [numbered(line.text) for line in hunk.lines]
        marks = [line.mark for line in hunk.lines]
        found = [
            (mark, match[1])
            for mark, match in zip(marks, matches, strict=True)
            if match and is_copied(match, self._shown, self._known)
        ]
        copied = {number for mark, number in found if mark != "+"}
        are_all = bool(found) and are_in_order(hunk.new)

        def bare(line: HunkLine, match: re.Match[str] | None) -> HunkLine:
            if match is None:
                return line
            is_number = match[1] in copied or (are_all and line.mark == "+" and match[0] not in self._known)
            return line._replace(text=match[2]) if is_number else line

        return replace(hunk, lines=[*map(bare, hunk.lines, matches)]) if found else hunk

    def _place(self, hunk: Hunk, is_its_text: bool) -> tuple[int, Likeness]:
        old = hunk.old
        if is_its_text and hunk.old_start is not None:
            # Of no lines, a hunk's header names the line that they stand behind.
            stated = hunk.old_start - 1 if old else hunk.old_start
            if self._in(Likeness.EXACT).is_at(old, stated):
                return stated, Likeness.EXACT
        if not old and self._lines:
            raise PatchFailed(f"{self._path}: {hunk.name} shows no line of the file that it changes", _MORE_CONTEXT)
        for likeness in Likeness:
            if places := self._among(hunk, old, likeness):
                break
        else:
            raise PatchFailed(f"{self._path}: {hunk.name} {self._why_nowhere(old)}", _MORE_CONTEXT)
        if len(places) > 1:
            where = " and ".join(f"line {place + 1}" for place in places)
            raise PatchFailed(f"{self._path}: {hunk.name} matches equally well at {where}", _MORE_CONTEXT)
        return places[0], likeness

    def _among(self, hunk: Hunk, old: list[str], likeness: Likeness) -> list[int]:
        searched = self._in(likeness)
        if hunk.newline_at_end is None:
            return searched.places(old)
        at_end = len(self._lines) - len(old)
        return [at_end] if searched.is_at(old, at_end) else []

    def _in(self, likeness: Likeness) -> _Searched:
        if likeness not in self._searched:
            self._searched[likeness] = _Searched(self._lines, _KEYS[likeness])
        return self._searched[likeness]

    def _why_nowhere(self, old: Sequence[str]) -> str:
        known = {line.strip() for line in self._lines}
        strange = next((line for line in old if line.strip() not in known), None)
        if strange is None:
            return f"does not apply: its {len(old)} lines are in the file, but not together and in this order"
        return f"does not apply: no line of the file is {strange.strip()[:120]!r}"


def blob_name(text: str) -> str:
    """Git's name for a text."""
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
