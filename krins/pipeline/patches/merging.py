"""A change carried over to a base that has moved: git's three-way merge, file by file.

Invariant: where both sides changed the same lines there is a conflict, and then no change at all; nothing is guessed.
What only one side changed, or both alike, is taken over. Left out: renames, which are a deleted and a new file; asking
a model to resolve conflicts.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from krins.domain import Change
from krins.errors import StorageFault, boundary
from krins.pipeline.patches.diffs import unified_diff
from krins.pipeline.patches.git import git

_MARKERS = re.compile(r"^(?:<+|=+|>+|\|+)", re.MULTILINE)
_LEAST_MARKER = 7


class LineRange(NamedTuple):
    """Lines from 1, both ends inclusive; where `end` is before `start`, the gap before line `start`."""

    start: int
    end: int


class Conflict(NamedTuple):
    """What cannot be merged in one file."""

    path: str
    reason: str
    ranges: Sequence[LineRange] = ()
    """Of the file as it is on the base that has moved; empty where the conflict is about the file as a whole."""


class Merge(NamedTuple):
    """What came of a merge: a change of the base that has moved, or conflicts."""

    change: Change | None
    conflicts: Sequence[Conflict] = ()


def merge(change: Change, onto: Mapping[str, str]) -> Merge:
    """
    Raises:
        GitMissing: there is no git.
        StorageFault: no temporary file could be written.
    """
    after = dict(onto)
    conflicts: list[Conflict] = []
    for path in [*change.written, *change.deleted]:
        merged = _merged(path, change.before.get(path), onto.get(path), change.after.get(path))
        if isinstance(merged, Conflict):
            conflicts.append(merged)
        elif merged is None:
            after.pop(path, None)
        else:
            after[path] = merged
    conflicts += _files_under_files(after, change.written)
    if conflicts:
        return Merge(None, tuple(sorted(conflicts)))
    after = dict(sorted(after.items()))
    return Merge(Change(onto, after, unified_diff(onto, after)))


def _merged(path: str, base: str | None, ours: str | None, theirs: str | None) -> str | Conflict | None:
    """`ours` is on the base that has moved, `theirs` in the change; None stands for no file."""
    if base == ours or ours == theirs:
        return theirs
    if theirs is None:
        return Conflict(path, "deleted by the change, and changed on the base")
    if ours is None:
        return Conflict(path, "changed by the change, and deleted on the base")
    if base is None:
        return Conflict(path, "created by both, with different text")
    if "\0" in base + ours + theirs:
        return Conflict(path, "changed by both, and not text")
    return _merged_text(path, base, ours, theirs)


def _merged_text(path: str, base: str, ours: str, theirs: str) -> str | Conflict:
    longest = max((len(mark) for text in (base, ours, theirs) for mark in _MARKERS.findall(text)), default=0)
    size = max(_LEAST_MARKER, longest + 1)  # so that no line of the texts reads as a marker
    with (
        boundary(StorageFault, "a merge's files cannot be written", "look whether the disk is full", catch=OSError),
        tempfile.TemporaryDirectory(prefix="krins-merge-") as name,
    ):
        folder = Path(name)
        for side, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            (folder / side).write_bytes(text.encode())
        options = ("--stdout", "--quiet", f"--marker-size={size}")
        merged = git(folder, "merge-file", *options, "ours", "base", "theirs").decode()
    if ranges := tuple(_conflict_ranges(merged.split("\n"), size)):
        return Conflict(path, "changed by both in the same lines", ranges)
    return merged


def _conflict_ranges(lines: Iterable[str], size: int) -> Iterator[LineRange]:
    """Where the conflicts between markers stand in our text, whose lines are all but theirs and the markers."""
    our_line, start, is_theirs = 1, 0, False
    for line in lines:
        if line.startswith("<" * size):
            start = our_line
        elif line.startswith("=" * size):
            is_theirs = True
            yield LineRange(start, our_line - 1)
        elif line.startswith(">" * size):
            is_theirs = False
        elif not is_theirs:
            our_line += 1


def _files_under_files(after: Mapping[str, str], written: Iterable[str]) -> Iterator[Conflict]:
    """Files that the merge would put where a file is in the place of their folder."""
    folders = {path[:at] for path in after for at in _slashes(path)}
    for path in written:
        if path in folders and path in after:
            yield Conflict(path, "is a file in the change, and a folder on the base")
        elif above := next((path[:at] for at in _slashes(path) if path in after and path[:at] in after), None):
            yield Conflict(path, f"is in the folder {above}, which is a file on the base")


def _slashes(path: str) -> list[int]:
    return [at for at, character in enumerate(path) if character == "/"]
