"""The gate of licences: nothing of the GPL's kin comes in unseen.

Two ways in are watched: a dependency that the change adds to a manifest, and text in a written file that puts it under
a licence, which is an `SPDX-License-Identifier`, or the words of the GPL's own notice or title. What stands in the
texts that the change replaces or removes is old. A dependency whose licence is not at hand, and an identifier that is
no SPDX expression of known licences, make the gate NOT_RUN, unless something is flagged: unknown does not pass.
Invariant: a finding fails the gate; whether that blocks is for whoever builds it to say.
Left out: whether a licence suits the project; that is for a person to decide.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping

from krins.domain import Change, GateStatus
from krins.quality.gates.base import CheckedGate, Now, Opinion, shown
from krins.quality.gates.copyleft import is_copyleft
from krins.quality.gates.dependencies import dependencies, licence_of
from krins.quality.gates.findings import Finding, Scanned, opinion_of, scan_change

_SPDX = re.compile(r"SPDX-License-Identifier:((?:(?!SPDX-License-)[^\r\n])*)")
"""Up to the end of the line, or the next one in it. Nothing follows that could fail, so this takes linear time."""
_CLOSER = re.compile(r"""\*/|-->|#}|\]\]|\*\)|["'`\\]""")
"""Ends a comment or a string."""
_BEHIND = " \t-.,;#*/|"
_EXPRESSION = re.compile(r"[(A-Za-z]")
"""What an expression starts with. Code that makes or reads headers has a hole, a pattern or nothing in its place."""
_UNREADABLE = "unreadable SPDX identifier"
_GAP = r"[\s#*/;%\-\"'.]+"
"""Between two words of a notice that a comment wraps over lines."""
_KIND = f"(?:(?:Affero|Lesser|Library){_GAP})?"
_NOTICE = re.compile(
    f"terms{_GAP}of{_GAP}(?:version{_GAP}\\d{_GAP}of{_GAP})?the{_GAP}GNU{_GAP}{_KIND}General{_GAP}Public{_GAP}License"
    f"|GNU{_GAP}{_KIND}General{_GAP}Public{_GAP}License{_GAP}version{_GAP}\\d",
    re.IGNORECASE,
)


class LicencesGate(CheckedGate):
    name = "licences"

    def __init__(self, blocks: bool = False, now: Now = time.monotonic) -> None:
        super().__init__(now)
        self.blocks = blocks

    def _look(self, change: Change) -> Opinion:
        texts = scan_change(change, lambda path, text: True, _scan)
        if texts is None:
            return Opinion(GateStatus.NOT_NEEDED, "the change writes no file")
        findings, unknown, known = _of_dependencies(change)
        findings += [finding for finding in texts.findings if finding.rule != _UNREADABLE]
        unread = [f"{shown(one.path)}:{one.line}: {one.message}" for one in texts.findings if one.rule == _UNREADABLE]
        opinion = opinion_of(Scanned(findings, [*unread, *unknown]))
        if opinion.status is GateStatus.PASSED and known:
            return Opinion(opinion.status, "\n".join(known))
        return opinion


def _of_dependencies(change: Change) -> tuple[list[Finding], list[str], list[str]]:
    """Of those that a change adds: flagged ones, those that nobody knows of, and the rest."""
    findings, unknown, known = [], [], []
    before = dependencies(change.before)
    for dependency, path in dependencies(change.after).items():
        if dependency in before:
            continue
        name, licence = shown(dependency.name), licence_of(dependency, change.after)
        if licence is None or licence.is_copyleft is None:
            unknown.append(f"{shown(path)}: unknown licence of {name}: not checked")
        elif licence.is_copyleft:
            message = f"{name} comes under {shown(licence.expression)}, by {shown(licence.source)}"
            findings.append(Finding(path, _line_of(dependency.name, change.after[path]), "dependency", message, ""))
        else:
            known.append(f"{shown(path)}: {name} comes under {shown(licence.expression)}, by {shown(licence.source)}")
    return findings, unknown, known


def _line_of(name: str, text: str) -> int:
    """The first that names a dependency, in whichever of its spellings."""
    spelled = re.compile(re.sub(r"-", "[-_.]", re.escape(name).replace(r"\-", "-")), re.IGNORECASE)
    match = spelled.search(text)
    return _line(text, match.start()) if match else 1


def _scan(texts: Mapping[str, str]) -> Scanned:
    return Scanned([finding for path, text in texts.items() for finding in _findings(path, text)])


def _findings(path: str, text: str) -> Iterator[Finding]:
    for match in _SPDX.finditer(text):
        expression = _CLOSER.split(match.group(1), maxsplit=1)[0].strip().rstrip(_BEHIND)
        copyleft = is_copyleft(expression) if _EXPRESSION.match(expression) else False
        if copyleft is not False:
            rule, message = "SPDX identifier", f"under {shown(expression)}"
            if copyleft is None:
                rule, message = _UNREADABLE, f"the SPDX identifier {shown(expression)!r} cannot be read"
            yield Finding(path, _line(text, match.start()), rule, message, expression)
    for match in _NOTICE.finditer(text):
        words = " ".join(re.findall(r"\w+", match.group().lower()))
        yield Finding(path, _line(text, match.start()), "licence text", f"it says {words!r}", words)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
