"""Security findings in Python: ruff's S rules, and bandit.

Ruff's S rules are bandit's under another letter, without bandit's severity. A finding fails if bandit gives its rule at
least medium severity (and, where bandit found it, medium confidence); below, it is said. What both find is said once,
by ruff. Comments that excuse a line (`noqa`, `nosec`) count for nothing: the code's author would excuse itself.
Invariants: nothing of the code is run or imported; a text that one of the two cannot read is said to be unread.
Left out: what is said of passwords by bandit, whose message quotes them; ruff's does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from krins.quality.gates.base import shown
from krins.quality.gates.findings import Finding, Scanned, lines_of
from krins.quality.gates.kinds import is_test
from krins.quality.gates.tools import number_of, python_tool, run_over

_RUFF = ("check", "--select", "S", "--ignore", "S113,S608", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero")
"""Without the two of which bandit is seldom sure: only it can tell when."""
_BANDIT = ("-q", "-r", "--ignore-nosec", "--exit-zero")
_OF_LOW_SEVERITY = frozenset({101, 105, 106, 107, 110, 112, 311, 603, 606, 607})
"""In bandit 1.9."""
_USUAL_IN_TESTS = frozenset({101, 105, 106, 107, 108, 110, 311, 404, 603, 607})
_PASSWORDS = frozenset({105, 106, 107})
_SERIOUS = frozenset({"MEDIUM", "HIGH"})


def scan_python(texts: Mapping[str, str]) -> Scanned:
    """Implements `krins.quality.gates.findings.Scan`."""
    if not texts:
        return Scanned(())
    ruff = _scan_with_ruff(texts)
    bandit = _scan_with_bandit(texts)
    said = {(finding.path, finding.line, _number(finding.rule)) for finding in ruff.findings}
    more = [found for found in bandit.findings if (found.path, found.line, _number(found.rule)) not in said]
    return Scanned([*ruff.findings, *more], sorted({*ruff.unread, *bandit.unread}))


def _number(rule: str) -> int:
    return int(rule.rpartition(" ")[2][1:])


def _suffix(path: str) -> str:
    return ".py"


def _scan_with_ruff(texts: Mapping[str, str]) -> Scanned:
    rows, paths = run_over(texts, [*python_tool("ruff"), *_RUFF, "--output-format", "json", "."], _suffix)
    findings, unread = [], set()
    for row in rows:
        path, code = paths[number_of(row["filename"])], row["code"] or ""
        first, last = row["location"]["row"], row["end_location"]["row"]
        if not code.startswith("S"):
            unread.add(f"{shown(path)}: ruff cannot parse it")
        elif not _is_usual(path, number := int(code[1:])):
            text = lines_of(texts[path], first, last)
            fails = number not in _OF_LOW_SEVERITY
            findings.append(Finding(path, first, f"ruff {code}", row["message"], text, fails))
    return Scanned(findings, sorted(unread))


def _scan_with_bandit(texts: Mapping[str, str]) -> Scanned:
    answer, paths = run_over(texts, [*python_tool("bandit"), *_BANDIT, "-f", "json", "."], _suffix)
    unread = [f"{shown(paths[number_of(row['filename'])])}: bandit: {row['reason']}" for row in answer["errors"]]
    return Scanned(list(_bandit_findings(answer["results"], paths, texts)), unread)


def _bandit_findings(
    rows: Sequence[Mapping[str, Any]], paths: Sequence[str], texts: Mapping[str, str]
) -> Iterator[Finding]:
    for row in rows:
        path, code, line = paths[number_of(row["filename"])], row["test_id"], row["line_number"]
        number = int(code[1:])
        if number in _PASSWORDS or _is_usual(path, number):
            continue
        text = lines_of(texts[path], min(row["line_range"]), max(row["line_range"]))
        fails = {row["issue_severity"], row["issue_confidence"]} <= _SERIOUS
        yield Finding(path, line, f"bandit {code}", row["issue_text"], text, fails)


def _is_usual(path: str, number: int) -> bool:
    return number in _USUAL_IN_TESTS and is_test(path)
