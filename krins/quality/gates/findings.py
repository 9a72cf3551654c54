"""Findings of tools in the texts that a change touches, and which of them the change adds.

A finding is old where the texts that the change replaces or removes hold one of the same rule on the same text, as
often: so code that moves, even between files, is not blamed on who moved it. Code copied from a file that stays as it
is counts as added. Invariants: the order is that of path and line; evidence names file, line and rule.
Left out: how findings come about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from krins.domain import Change, GateStatus
from krins.quality.gates.base import Opinion, one_line, shown


class Finding(NamedTuple):
    """What a rule has to say about a place in a file."""

    path: str
    line: int
    rule: str
    message: str
    text: str
    """What was found, such as its lines: by it, and by the rule, a finding is known again elsewhere."""
    fails: bool = True
    """Else it is said and does not fail the gate."""


class Scanned(NamedTuple):
    """What a tool made of some texts."""

    findings: Sequence[Finding]
    unread: Sequence[str] = ()
    """Why some texts were not looked at, in words."""


Scan = Callable[[Mapping[str, str]], Scanned]
"""Looks for findings in texts by path.

Raises:
    GateFault: nothing was looked at.
"""


def lines_of(text: str, first: int, last: int) -> str:
    """Lines `first` to `last`, counted from 1, without the spaces around them."""
    return "\n".join(line.strip() for line in text.split("\n")[first - 1 : last])


def added(findings: Iterable[Finding], old: Iterable[Finding]) -> list[Finding]:
    """The `findings` that are not among the `old` ones, each of which accounts for one."""
    known = Counter((finding.rule, finding.text) for finding in old)
    new = []
    for finding in sorted(findings):
        if known[finding.rule, finding.text]:
            known[finding.rule, finding.text] -= 1
        else:
            new.append(finding)
    return new


def scan_change(change: Change, concerns: Callable[[str, str], bool], scan: Scan) -> Scanned | None:
    """What a change adds to the files whose path and text it `concerns`; None where it writes none of them."""
    written = {path: text for path, text in change.written.items() if concerns(path, text)}
    if not written:
        return None
    findings, unread = scan(written)
    if not findings:
        return Scanned((), unread)
    touched = sorted({*written, *change.deleted} & change.before.keys())
    before = {path: text for path in touched if concerns(path, text := change.before[path])}
    old = scan(before).findings
    return Scanned(added(findings, old), unread)


def opinion_of(scanned: Scanned) -> Opinion:
    """Failed by any finding that fails; not run where some text was not looked at; else passed."""
    failing = [finding for finding in scanned.findings if finding.fails]
    said = [finding for finding in scanned.findings if not finding.fails]
    lines = [_line(finding) for finding in failing]
    lines += [f"not looked at: {why}" for why in scanned.unread]
    lines += [f"noted, does not fail: {_line(finding)}" for finding in said]
    silent = GateStatus.NOT_RUN if scanned.unread else GateStatus.PASSED
    status = GateStatus.FAILED if failing else silent
    return Opinion(status, "\n".join(lines) or "the change adds no finding")


def _line(finding: Finding) -> str:
    return f"{shown(finding.path)}:{finding.line}: {finding.rule}: {one_line(finding.message)}"
