"""Search/replace blocks, as aider has models write them:

    src/a.py
    <<<<<<< SEARCH
    lines as they are
    =======
    lines as they shall be
    >>>>>>> REPLACE

in fences or not; a block without a path is of the file of the block before. An empty search creates a file.
Source: https://aider.chat/docs/more/edit-formats.html. Unlike aider's, a search finds one place or fails.
Invariants: one pass over the answer; a block that does not end raises. Left out: applying.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence, Set
from typing import NamedTuple

from krins.errors import PatchFailed
from krins.pipeline.patches.edits import FilePatch, Hunk, HunkLine, Kind
from krins.pipeline.patches.markdown import Fence, dedented
from krins.pipeline.patches.names import path_in_info, path_on_line

_SEARCH = re.compile(r"([ \t]*)(<{5,9})[ ]?SEARCH>?[ \t]*")
_REPLACE = re.compile(r"[ \t]*>{5,9}[ ]?REPLACE[ \t]*")
_LINES_ABOVE = 4


class Blocks(NamedTuple):
    patches: Sequence[FilePatch]
    taken: Set[int]
    """Numbers, from 0, of the answer's lines that are in blocks."""


def read_blocks(lines: Sequence[str], tree: Collection[str], only_path: str | None) -> Blocks:
    """The blocks of an answer; `only_path` is the file of those that name none.

    Raises:
        PatchFailed: a block does not end, has not one divider, or is of no file.
    """
    patches: list[FilePatch] = []
    taken: set[int] = set()
    at, path = 0, None
    while at < len(lines):
        match = _SEARCH.fullmatch(lines[at]) if "SEARCH" in lines[at][:80] else None
        if match is None:
            at += 1
            continue
        name = f"search/replace block {len(patches) + 1}"
        path = _path_above(lines, at, tree) or path or only_path
        if path is None:
            raise PatchFailed(f"{name} names no file", "write the file's path on the line above it")
        end = _end(lines, at, f"{path}: {name}")
        block = [dedented(line, len(match[1])) for line in lines[at + 1 : end]]
        patches.append(_patch(path, name, block, "=" * len(match[2]), tree))
        taken.update(range(at, end + 1))
        at = end + 1
    return Blocks(patches, taken)


def _path_above(lines: Sequence[str], at: int, tree: Collection[str]) -> str | None:
    for line in reversed(lines[max(0, at - _LINES_ABOVE) : at]):
        if fence := Fence.of(line):
            if path := path_in_info(fence.info, tree):
                return path
        elif line.strip():
            return path_on_line(line, tree)
    return None


def _end(lines: Sequence[str], at: int, name: str) -> int:
    for number in range(at + 1, len(lines)):
        if _REPLACE.fullmatch(lines[number][:200]):
            return number
        if _SEARCH.fullmatch(lines[number][:200]):
            break
    raise PatchFailed(f"{name} is cut off", "end it with >>>>>>> REPLACE")


def _patch(path: str, name: str, block: Sequence[str], divider: str, tree: Collection[str]) -> FilePatch:
    dividers = [number for number, line in enumerate(block) if line.rstrip() == divider]
    if len(dividers) != 1:
        raise PatchFailed(f"{path}: {name} has {len(dividers)} lines {divider!r} and not one", "write a unified diff")
    old, new = block[: dividers[0]], block[dividers[0] + 1 :]
    kind = Kind.CHANGED if path in tree or any(line.strip() for line in old) else Kind.CREATED
    return FilePatch(path, [Hunk(name, _as_hunk([] if kind is Kind.CREATED else old, new))], kind)


def _as_hunk(old: Sequence[str], new: Sequence[str]) -> list[HunkLine]:
    """Lines that both begin or end with are shown, not replaced, and so keep the file's own whitespace."""
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    return [
        *(HunkLine(" ", line) for line in old[:head]),
        *(HunkLine("-", line) for line in old[head : len(old) - tail]),
        *(HunkLine("+", line) for line in new[head : len(new) - tail]),
        *(HunkLine(" ", line) for line in old[len(old) - tail :]),
    ]
