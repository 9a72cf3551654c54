"""The gates of static security: one that is always at hand, and semgrep where it is installed.

Invariant: only what a change adds counts (findings.py). Left out: the rules (python_security.py,
javascript_security.py, semgrep_rules.yaml), and languages that they do not know.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from krins.domain import Change, GateStatus
from krins.errors import GateFault
from krins.quality.gates.base import CheckedGate, Now, Opinion
from krins.quality.gates.findings import Finding, Scanned, lines_of, opinion_of, scan_change
from krins.quality.gates.javascript_security import is_javascript, scan_javascript
from krins.quality.gates.kinds import is_python
from krins.quality.gates.python_security import scan_python
from krins.quality.gates.tools import number_of, run_over

_RULES = Path(__file__).with_name("semgrep_rules.yaml")
_SEMGREP = ("scan", "--config", str(_RULES), "--json", "--quiet", "--metrics=off", "--disable-version-check")
_WITHOUT_EXCUSES = ("--disable-nosem", "--no-git-ignore", "--max-target-bytes=0", ".")


class SecurityGate(CheckedGate):
    name = "security"

    def _look(self, change: Change) -> Opinion:
        scanned = scan_change(change, lambda path, text: is_python(path, text) or is_javascript(path), _scan)
        if scanned is None:
            return Opinion(GateStatus.NOT_NEEDED, "the change writes no Python, JavaScript or TypeScript")
        return opinion_of(scanned)


def _scan(texts: Mapping[str, str]) -> Scanned:
    python = scan_python({path: text for path, text in texts.items() if is_python(path, text)})
    javascript = scan_javascript({path: text for path, text in texts.items() if is_javascript(path)})
    return Scanned([*python.findings, *javascript.findings], python.unread)


class SemgrepGate(CheckedGate):
    """An extra: semgrep is large, and no dependency of krins. Where it is missing, the gate blocks nothing."""

    name = "semgrep"

    def __init__(self, now: Now = time.monotonic) -> None:
        super().__init__(now)
        self._program = shutil.which("semgrep")
        self.blocks = self._program is not None

    def _look(self, change: Change) -> Opinion:
        scanned = scan_change(change, lambda path, text: is_javascript(path), self._scan)
        if scanned is None:
            return Opinion(GateStatus.NOT_NEEDED, "the change writes no JavaScript or TypeScript")
        return opinion_of(scanned)

    def _scan(self, texts: Mapping[str, str]) -> Scanned:
        if self._program is None:
            raise GateFault("semgrep is not installed", "install semgrep, and let PATH name its folder")
        command = [self._program, *_SEMGREP, *_WITHOUT_EXCUSES]
        answer, paths = run_over(texts, command, lambda path: path[path.rfind(".") :].lower())
        unread = [f"semgrep: {row.get('message', 'it cannot read a file')}" for row in answer["errors"]]
        return Scanned([_finding(row, paths, texts) for row in answer["results"]], unread)


def _finding(row: Mapping[str, object], paths: list[str], texts: Mapping[str, str]) -> Finding:
    path = paths[number_of(str(row["path"]))]
    start, end, extra = row["start"], row["end"], row["extra"]
    assert isinstance(start, dict) and isinstance(end, dict) and isinstance(extra, dict)
    rule = "semgrep " + str(row["check_id"]).rpartition(".")[2]
    text = lines_of(texts[path], start["line"], end["line"])
    return Finding(path, start["line"], rule, extra["message"], text, extra["severity"] == "ERROR")
