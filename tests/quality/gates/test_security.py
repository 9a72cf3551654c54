"""The gates of static security: what is red, what is said, what is old, and what cannot be read."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from krins.domain import GateStatus
from krins.quality.gates.security import SecurityGate, SemgrepGate
from tests.quality.gates.conftest import NOTHING, ask, said

LOG_WITH_EVAL = "def log(text):\n    print(eval(text))\n"
GATE = SecurityGate()


def test_log_with_eval_is_blocked() -> None:
    result = ask(GATE, {"log.py": LOG_WITH_EVAL})
    assert result.is_red
    assert result.evidence.startswith("log.py:2: ruff S307: ")
    assert "bandit" not in result.evidence  # what both find is said once


def test_no_comment_excuses() -> None:
    excused = "# ruff: noqa\ndef log(text):\n    return eval(text)  # noqa: S307  # nosec\n"
    sql = "def f(c, x):\n    c.execute(f'select * from t where a={x}')  # nosec\n"
    lines = ask(GATE, {"log.py": excused, "sql.py": sql}).evidence.splitlines()
    assert [line[:22] for line in lines] == ["log.py:3: ruff S307: U", "sql.py:2: bandit B608:"]


def test_small_findings_are_said_and_passwords_never_quoted() -> None:
    text = "import subprocess\nassert True\npassword = 'hunter2222'\nsubprocess.run(['ls'])\n"
    result = ask(GATE, {"a.py": text})
    assert result.status is GateStatus.PASSED
    assert "noted, does not fail: a.py:2: ruff S101: " in result.evidence
    assert "a.py:3: ruff S105: " in result.evidence and "hunter" not in result.evidence


def test_of_sql_only_what_bandit_is_sure_of_fails() -> None:
    text = "def f(c, x):\n    q = f'select * from t where a={x}'\n    c.execute(f'select * from t where a={x}')\n"
    assert [line[:22] for line in ask(GATE, {"a.py": text}).evidence.splitlines()] == [
        "a.py:3: bandit B608: P",
        "noted, does not fail: ",
    ]


def test_tests_may_assert_and_may_not_eval() -> None:
    assert said(ask(GATE, {"tests/test_a.py": "assert open('/tmp/x')\n"})) == ("passed", "the change adds no finding")
    assert ask(GATE, {"tests/test_a.py": "eval('1')\n"}).is_red


def test_code_that_moves_is_old_and_code_that_is_copied_is_new() -> None:
    stays = LOG_WITH_EVAL.replace("eval", "exec")
    old = {"a.py": LOG_WITH_EVAL, "b.py": "", "c.js": "eval(a)\n", "d.py": stays}
    moved = {"a.py": "", "b.py": "class A:\n    " + LOG_WITH_EVAL.replace("\n", "\n    "), "e.js": "\neval(a)\n"}
    assert said(ask(GATE, {**moved, "d.py": stays}, old)) == ("passed", "the change adds no finding")
    copied = ask(GATE, {**moved, "d.py": stays, "f.py": stays}, old)
    assert copied.evidence == "f.py:2: ruff S102: Use of `exec` detected"


def test_javascript_and_typescript() -> None:
    bad = {
        "a.js": "eval(a);\nwindow.eval(a);\nnew Function('a');\ncp.exec(`ls ${a}`);\nexecSync('ls ' + a);\n",
        "b.tsx": "const a = <b/>;\neval(a);\n",
        "c.mts": "eval(a as string);\n",
    }
    places = [line.split(" ")[0] for line in ask(GATE, bad).evidence.splitlines()]
    assert places == ["a.js:1:", "a.js:2:", "a.js:3:", "a.js:4:", "a.js:5:", "b.tsx:2:", "c.mts:1:"]
    good = "/a/.exec(b);\ncp.exec('ls');\nmy.eval(a);\nexec(`ls`);\nevaluate(a);\nnew Functions();\n"
    assert ask(GATE, {"a.js": good}).status is GateStatus.PASSED


def test_exec_of_a_regular_expression_is_no_command() -> None:
    good = "/(a)/.exec(b || '');\nP.exec(b ?? '');\nP.exec(`${x}`);\nP.exec(a + b);\nexec(a || 'ls');\n"
    assert said(ask(GATE, {"a.js": good, "b.ts": good})) == ("passed", "the change adds no finding")
    bad = (
        "import sh from 'node:child_process';\nimport * as all from 'child_process';\n"
        "const own = require('child_process');\nsh.exec(`${x}`);\nall.execSync('a' + b);\nown.exec('a' + b);\n"
        "require('child_process').exec('a' + b);\nchild_process.exec('a' + b);\nexec('a' + b);\n"
    )
    for path in ("a.js", "a.ts"):
        places = [line.split(": ")[0] for line in ask(GATE, {path: bad}).evidence.splitlines()]
        assert places == [f"{path}:{number}" for number in range(4, 10)]


def test_eval_and_function_by_other_ways() -> None:
    result = ask(GATE, {"a.js": "(0, eval)(t);\nwindow['eval'](t);\nnew globalThis.Function(t);\n(0, my)(t);\n"})
    assert [line.split(": ")[0] for line in result.evidence.splitlines()] == ["a.js:1", "a.js:2", "a.js:3"]


@pytest.mark.parametrize("path", ["bin/tool", "A.PY", "a.pyw"])
def test_python_by_other_names(path: str) -> None:
    result = ask(GATE, {path: "#!/usr/bin/env python3\nimport sys\nprint(eval(sys.argv[1]))\n"})
    assert result.is_red and result.evidence.startswith(f"{path}:3: ruff S307: ")


def test_what_cannot_be_read_does_not_pass() -> None:
    broken = ask(GATE, {"a.py": "def (:\n"})
    assert broken.status is GateStatus.NOT_RUN and "not looked at: a.py: ruff cannot parse it" in broken.evidence
    assert ask(GATE, {"a.py": "def (:\n", "b.py": LOG_WITH_EVAL}).is_red
    assert ask(GATE, {"a.py": "-" * 100_000 + "1"}).status is GateStatus.NOT_RUN


def test_other_files_need_no_look() -> None:
    assert ask(GATE, {"a.md": "eval(x)"}).status is GateStatus.NOT_NEEDED
    assert ask(GATE, NOTHING, {"a.py": LOG_WITH_EVAL}).status is GateStatus.NOT_NEEDED


def test_names_of_files_mean_nothing_to_the_tools(tmp_path: Path) -> None:
    names = ["../../x.py", "/etc/x.py", "--help.py", "a\nb.py", "pyproject.toml/x.py", f"{tmp_path}/x.py"]
    result = ask(GATE, {**dict.fromkeys(names, LOG_WITH_EVAL), "ruff.toml": "[lint]\nignore=['S']", ".bandit": "x"})
    assert result.is_red and len(result.evidence.splitlines()) == len(names)
    assert not list(tmp_path.iterdir())


def test_a_tool_that_is_missing_or_broken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert said(ask(SemgrepGate(), {"a.js": "eval(a)"}))[1].startswith("semgrep is not installed")
    for script, why in {
        "exit 3": "semgrep ended with exit code 3: it said nothing",
        "echo hello": "semgrep answered with no JSON",
        "echo '{}'": "the gate broke: KeyError",
    }.items():
        (tmp_path / "semgrep").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "semgrep").chmod(stat.S_IRWXU)
        status, evidence = said(ask(SemgrepGate(), {"a.js": "eval(a)"}))
        assert status == "not_run" and evidence.startswith(why)
    assert ask(SemgrepGate(), {"a.py": "eval(a)"}).status is GateStatus.NOT_NEEDED


@pytest.mark.skipif(shutil.which("semgrep") is None, reason="semgrep, an extra, is not installed")
def test_semgrep_knows_its_local_rules() -> None:
    text = "eval(a);\nel.innerHTML = `<b>${x}</b>`;\ncp.exec(`ls ${a}`);\nget({host: h, rejectUnauthorized: false});\n"
    result = ask(SemgrepGate(), {"a.js": text})
    assert result.is_red
    places = [line.split(": ")[0] for line in result.evidence.splitlines()]
    assert places == ["a.js:1", "a.js:3", "a.js:4", "noted, does not fail"]
