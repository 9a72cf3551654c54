"""All gates together, in their order."""

from __future__ import annotations

import shutil

from krins.domain import Change, GateStatus
from krins.pipeline.syntax import syntax_error_lines
from krins.quality.bubblewrap import Bubblewrap
from krins.quality.gates.running import default_gates, run_gates
from tests.quality.gates.conftest import NeverAsked

NAMES = ["syntax", "visible tests", "test impact", "security", "secrets", "licences", "semgrep"]
GOOD = "def f(): return 1\n"
TEST = {"test_a.py": "def test_a(): import a; assert a.f() == 1\n"}


def test_a_good_change_passes_and_every_gate_has_its_row() -> None:
    gates = default_gates(Bubblewrap(), syntax_error_lines, ["test_a.py"], lambda change: None)
    results = run_gates(gates, Change(TEST, {**TEST, "a.py": GOOD}, ""))
    assert [result.gate for result in results] == NAMES
    assert [str(result.status) for result in results] == ["passed"] * 6 + ["not_needed"]
    has_semgrep = shutil.which("semgrep") is not None
    assert [result.blocks for result in results] == [True] * 5 + [False, has_semgrep]


def test_red_tests_do_not_hide_red_security() -> None:
    gates = default_gates(Bubblewrap(), syntax_error_lines, ["test_a.py"], lambda change: None)
    results = run_gates(gates, Change({**TEST, "a.py": GOOD}, {**TEST, "a.py": "def f(): return eval('2')\n"}, ""))
    assert [result.gate for result in results if result.is_red] == ["visible tests", "test impact", "security"]


def test_after_red_syntax_nothing_is_run() -> None:
    gates = default_gates(NeverAsked(), syntax_error_lines, ["test_a.py"], lambda change: None)
    results = run_gates(gates, Change(TEST, {**TEST, "a.json": "{"}, ""))
    assert results[0].is_red and [result.gate for result in results] == NAMES
    assert {(result.status, result.evidence) for result in results[1:]} == {(GateStatus.NOT_RUN, "syntax is red")}
