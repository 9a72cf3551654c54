"""Reads a report in the Test Anything Protocol, as `node --test` writes it: nested by four spaces a level.

A test is a leaf; its name has those of the suites around it. Invariant: any text is read; what is no line of the
protocol counts for nothing, and text inside a diagnostic block never counts as a result.
Source: TAP 14, https://testanything.org/tap-version-14-specification.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

_SUBTEST = re.compile(r"( *)# Subtest: (.*)")
_RESULT = re.compile(r"( *)(not )?ok \d+ - (.*?)( # (?:SKIP|TODO)\b.*)?$")
_BLOCK_START, _BLOCK_END = re.compile(r"( *)---$"), re.compile(r"( *)\.\.\.$")
_ERROR = re.compile(r" *error: (.*)")
_REASON_CHARACTERS = 300


class TapTest(NamedTuple):
    name: str
    passed: bool
    skipped: bool
    """Or to be done: it says nothing of the code."""
    reason: str


def read_tap(report: str) -> Iterator[TapTest]:
    """The tests of a report, without the suites around them."""
    lines = report.splitlines()
    names: list[str] = []
    deepest = -1
    number = 0
    while number < len(lines):
        if started := _SUBTEST.match(lines[number]):
            names[len(started.group(1)) // 4 :] = [started.group(2)]
        elif result := _RESULT.match(lines[number]):
            indent, failed, name, directive = result.groups()
            level = len(indent) // 4
            end = _end_of_block(lines, number + 1)
            if level >= deepest:
                full_name = " > ".join([*names[:level], name])
                reason = _reason(lines[number + 1 : end])
                yield TapTest(full_name, not failed, directive is not None, reason)
            deepest, number = level, end - 1
        number += 1


def _end_of_block(lines: list[str], start: int) -> int:
    """The line after the diagnostic block that begins at `start`; `start` itself where there is none."""
    opened = _BLOCK_START.match(lines[start]) if start < len(lines) else None
    if not opened:
        return start
    for number in range(start + 1, len(lines)):
        closed = _BLOCK_END.match(lines[number])
        if closed and closed.group(1) == opened.group(1):
            return number + 1
    return len(lines)


def _reason(block: list[str]) -> str:
    for line, following in pairwise([*block, ""]):
        if found := _ERROR.match(line):
            text = found.group(1)
            return (following.strip() if text in ("|-", "|", ">-") else text)[:_REASON_CHARACTERS]
    return ""
