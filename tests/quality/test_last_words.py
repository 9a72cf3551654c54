"""What a program says of itself counts for nothing: it prints that it passed, and its exit code says otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from krins.domain import Change
from krins.errors import SandboxFault
from krins.interfaces import Sandbox
from krins.quality.gates.own_tests import VisibleTestsGate
from krins.quality.hidden_tests import HiddenTests
from tests.quality.conftest import of

HAS_NO_NODE = shutil.which("node", path="/usr/bin:/bin") is None
PASSES = (
    "import os, sys\nprint('PASSED', flush=True)\nprint('Ran 1 test in 0.0s\\n\\nOK', file=sys.stderr, flush=True)\n"
)
LEAVES = PASSES + "os._exit(3)\n"
VISIBLE = {
    "test_p.py": LEAVES,
    "p_test.py": f"import unittest\n{PASSES}class P(unittest.TestCase):\n    def test(self): os._exit(3)\n",
    "p.test.sh": "echo PASSED\nexit 3\n",
    "p.test.mjs": "console.log('TAP version 13\\nok 1 - p\\n1..1\\n# pass 1\\nPASSED'); process.exitCode = 3;\n",
}


@pytest.mark.parametrize("code", [3, 137])
def test_the_exit_code_is_that_of_the_program(run: Callable[..., Any], code: int) -> None:
    end = "sys.exit(3)" if code == 3 else "os.kill(os.getpid(), 9)"
    ran = run(PASSES + end)
    assert (ran.output, ran.exit_code) == ("PASSED\n", code)


@pytest.mark.parametrize("path", VISIBLE)
def test_a_visible_test_that_prints_passed_and_fails_has_failed(sandbox: Sandbox, path: str) -> None:
    if path.endswith(".mjs") and HAS_NO_NODE:
        pytest.skip("there is no Node")
    tree = {path: VISIBLE[path], "a.py": "1\n"}
    result = VisibleTestsGate(sandbox, [path]).check(Change(tree, {**tree, "a.py": "2\n"}, ""))
    assert result.is_red
    assert result.evidence.startswith(f"{path}: test: the whole file: ")


TESTS = {
    "at import": "def test_it(solution): pass",
    "in a call": "def test_it(solution): assert solution.f() == 1",
    "as a program": "def test_it(project): assert project.run('python', 'solution.py').exit_code == 0",
}
SOLUTIONS = {
    "at import": LEAVES,
    "in a call": "def f():\n" + "".join(f"    {line}\n" for line in LEAVES.splitlines()),
    "as a program": LEAVES,
}


@pytest.mark.parametrize("when", TESTS)
def test_a_solution_that_prints_passed_and_fails_has_failed(hidden_tests: HiddenTests, when: str) -> None:
    verdict = hidden_tests.verify(of(SOLUTIONS[when]), TESTS[when])
    assert (verdict.quality, verdict.checks_passed, verdict.checks_total) == (0.0, 0, 1)
    assert "exit code 3" in verdict.evidence or "exit_code == 0" in verdict.evidence


def test_hidden_tests_that_print_passed_and_fail_give_no_verdict(hidden_tests: HiddenTests) -> None:
    body = LEAVES.replace("\n", "\n    ")
    with pytest.raises(SandboxFault, match="the tests ended their own process"):
        hidden_tests.verify(of("x = 1"), f"def test_it(solution):\n    {body}")
