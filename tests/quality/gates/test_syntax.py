"""The gate of syntax: languages, old errors, and texts that are made to break it."""

from __future__ import annotations

import shutil

import pytest

from krins.domain import GateStatus
from krins.interfaces import Limits, Sandbox
from krins.pipeline.syntax import syntax_error_lines
from krins.quality.bubblewrap import Bubblewrap
from krins.quality.gates.syntax import SyntaxGate
from tests.quality.gates.conftest import NeverAsked, ask, said

WRONG = {
    "a.py": ("x = 1\ndef f(:\n", 2),
    "b.sh": ("#!/bin/sh\nif true; then\n", 3),
    "c.bash": ("x=(1 2)\nfi\n", 2),
    "script": ("#!/usr/bin/env bash\nfi\n", 2),
    "bin/tool": ("#!/usr/bin/env python3\nx = (\n", 2),
    "d.json": ('{\n"a": 1,\n}', 3),
    "e.yaml": ("a: 1\nb: [", 2),
    "f.toml": ("a = 1\nb =\n", 2),
    "g.go": ("package a\nfunc (\n", 2),
    "h.tsx": ("const a = 1;\nconst b = <p>;\n", 2),
}
RIGHT = {
    "a.py": "def f(): return 1\n",
    "b.sh": "x=(1 2)\n",
    "c.zsh": "#!/bin/zsh\nnot for us\n",
    "d.json": "[1]",
    "e.yaml": "a: !Ref b\n---\nb: &x {<<: *x}\n",
    "f.toml": "a = 1\n",
    "g.go": "package a\n",
    "tsconfig.json": "{ // comments\n}",
    "chart/templates/a.yaml": "{{ if .x }}\na: [\n{{ end }}",
    "notes.txt": "def f(:",
}
NODE = pytest.mark.skipif(shutil.which("node", path="/usr/bin:/bin") is None, reason="there is no Node")


@pytest.fixture
def gate(sandbox: Sandbox) -> SyntaxGate:
    return SyntaxGate(sandbox, syntax_error_lines)


def test_each_language_has_its_errors_found_by_file_and_line(gate: SyntaxGate) -> None:
    result = ask(gate, {path: text for path, (text, _) in WRONG.items()})
    places = {tuple(line.split(":")[:2]) for line in result.evidence.splitlines()}
    assert result.is_red
    for path, (_, line) in WRONG.items():
        assert (path, str(line)) in places, result.evidence
    assert all(": syntax: " in line for line in result.evidence.splitlines())


def test_what_parses_passes(gate: SyntaxGate) -> None:
    assert said(ask(gate, RIGHT)) == ("passed", "6 files parsed")


def test_a_byte_order_mark_is_no_error_and_hides_none(gate: SyntaxGate) -> None:
    good = {"a.py": "\ufeffx = 1\n", "b.json": '\ufeff{"a": 1}'}
    assert said(ask(gate, good)) == ("passed", "2 files parsed")
    bad = ask(gate, {"a.py": "\ufeffx = (\n", "b.json": '\ufeff{"a": '}, good)
    assert bad.is_red and [line.split(":")[0] for line in bad.evidence.splitlines()] == ["a.py", "b.json"]


def test_a_script_of_python_2_is_not_judged_by_python_3(gate: SyntaxGate) -> None:
    assert ask(gate, {"tool": "#!/usr/bin/python2.7\nprint 'x'\n"}).status is GateStatus.NOT_NEEDED


@NODE
def test_node_takes_scripts_modules_and_leaves_jsx_alone(gate: SyntaxGate) -> None:
    good = {"a.js": "import a from 'b'; await a", "b.js": "require('a'); with (x) {}", "c.js": "const a = <b/>;"}
    assert ask(gate, good).status is GateStatus.PASSED
    bad = ask(gate, {"a.js": "let a = 1;\nlet a = 2;", "b.mjs": "\nwith (x) {}", "c.cjs": "\nimport a from 'b'"})
    assert [line.split(": ")[0] for line in bad.evidence.splitlines()] == ["a.js:2", "b.mjs:2", "c.cjs:2"]


def test_an_error_that_was_there_before_does_not_fail() -> None:
    gate = SyntaxGate(Bubblewrap(), syntax_error_lines)
    old = {"a.py": "def f(:\n", "b.json": "{"}
    result = ask(gate, {"a.py": "def g(:\n", "b.json": "[", "c.json": "1"}, old)
    assert said(result) == ("passed", "3 files parsed, 2 of which had syntax errors before")
    assert ask(gate, {**old, "c.json": "["}, old).evidence.startswith("c.json:1: syntax: ")


def test_nothing_to_parse_needs_no_sandbox() -> None:
    gate = SyntaxGate(NeverAsked(), syntax_error_lines)
    assert ask(gate, {"a.txt": "x"}).status is GateStatus.NOT_NEEDED
    assert ask(gate, {}, {"a.py": "x"}).status is GateStatus.NOT_NEEDED


def test_a_broken_sandbox_is_no_verdict() -> None:
    result = ask(SyntaxGate(NeverAsked(), syntax_error_lines), {"a.py": "x"})
    assert said(result) == ("not_run", "the gate broke: AssertionError: the sandbox was started")
    assert not result.is_red


def test_bombs_are_errors_and_end() -> None:
    gate = SyntaxGate(Bubblewrap(), syntax_error_lines, Limits(20.0, 20, 2 * 2**30, 64))
    deep = {"a.py": "(" * 100_000, "b.py": "-" * 100_000 + "1", "c.py": "0\0", "d.py": "\ud800 = 1"}
    deep |= {"e.json": "[" * 100_000, "f.yaml": "[" * 5_000, "g.toml": "a = " + "[" * 50_000, "h.go": "{" * 50_000}
    result = ask(gate, deep)
    assert result.is_red and {line[0] for line in result.evidence.splitlines()} == set("abcdefgh")


def test_names_of_files_cannot_break_the_evidence() -> None:
    gate = SyntaxGate(Bubblewrap(), syntax_error_lines)
    result = ask(gate, {"../../etc/x.py": "(", "a\nb.py": "(", "-c.py": "(", "/d.py": "(", "e" * 5000 + ".json": "["})
    lines = result.evidence.splitlines()
    assert [line.split(":1")[0] for line in lines[:4]] == ["-c.py", "../../etc/x.py", "/d.py", r"'a\nb.py'"]
    assert len(lines) == 5 and len(lines[4]) < 300


def test_seconds_are_those_of_the_clock() -> None:
    times = iter([2.0, 5.5])
    assert ask(SyntaxGate(NeverAsked(), syntax_error_lines, now=times.__next__), {"a.json": "1"}).seconds == 3.5
