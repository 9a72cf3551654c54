"""The gates that run a tree's own tests: three runners, old failures, and candidates that would not be tested."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

import pytest

from krins.domain import Change, GateResult, GateStatus
from krins.interfaces import Limits, Sandbox
from krins.quality.bubblewrap import Bubblewrap
from krins.quality.gates.own_tests import TestImpactGate, VisibleTestsGate
from tests.quality.gates.conftest import NOTHING, NeverAsked, ask, said

PYTHON = """
import unittest, part
class Parts(unittest.TestCase):
    def test_one(self): self.assertEqual(part.one(), 1)
    def test_nothing(self): pass
def test_function(): assert part.one() == 1
def test_of_pytest(tmp_path): pass
"""
NODE = """
import test from "node:test"; import assert from "node:assert"; import { one } from "../part.mjs";
test("one", () => assert.equal(one(), 1));
test("nothing", () => {});
"""
TESTS = {
    "tests/test_part.py": PYTHON,
    "tests/part.test.mjs": NODE,
    "tests/part.test.sh": "#!/bin/bash\n[[ $(cat part) == 1 ]]\n",
}
TREE = {**TESTS, "part.py": "def one(): return 1\n", "part.mjs": "export const one = () => 1\n", "part": "1\n"}
BAD = {**TREE, "part.py": "def one(): return 2\n", "part.mjs": "export const one = () => 2\n", "part": "2\n"}
NEEDS_NODE = pytest.mark.skipif(shutil.which("node", path="/usr/bin:/bin") is None, reason="there is no Node")
TEST_OF_P = "import unittest, p\nclass P(unittest.TestCase):\n    def test(self): self.assertEqual(p.f(), 1)\n"
RIGHT = "def f(): return 1\n"


def visible(sandbox: Sandbox, after: Mapping[str, str], before: Mapping[str, str] = TREE) -> GateResult:
    return ask(VisibleTestsGate(sandbox, sorted(TESTS)), after, before)


def impact(after: Mapping[str, str], before: Mapping[str, str], tests: Sequence[str] | None = None) -> GateResult:
    return ask(TestImpactGate(Bubblewrap(), lambda change: tests), after, before)


@NEEDS_NODE
def test_all_runners_pass_and_fail(sandbox: Sandbox) -> None:
    assert said(visible(sandbox, TREE, BAD)) == ("passed", "6 tests ran in 3 files")
    red = visible(sandbox, BAD)
    assert red.is_red
    lines = red.evidence.splitlines()
    assert [line.split(": ")[:3] for line in lines] == [
        ["tests/part.test.mjs", "test", "one"],
        ["tests/part.test.sh", "test", "the whole file"],
        ["tests/test_part.py", "test", "test_part.Parts.test_one"],
        ["tests/test_part.py", "test", "test_function"],
    ]
    assert lines[2].endswith("AssertionError: 2 != 1")


def of_p(text: str, **more: str) -> GateResult:
    """Of a visible test `test_p.py`, where `p.py` is changed to hold `text`."""
    tree = {"test_p.py": TEST_OF_P, "p.py": RIGHT}
    seconds = 2.0 if text == HOSTILE["hangs"] else 60.0
    gate = VisibleTestsGate(Bubblewrap(), ["test_p.py"], Limits(seconds, 60, 2 * 2**30, 64))
    return ask(gate, {**tree, "p.py": text, **more}, tree)


HOSTILE = {
    "leaves at import": "import os; os._exit(0)",
    "leaves politely": "import sys; sys.exit(0)",
    "prints what a runner prints": "import os; os.write(2, b'Ran 1 test in 0.0s\\n\\nOK\\n'); os._exit(0)",
    "prints into the protocol": 'import os; os.write(1, b\'["test_p.py", 0, null, ""]\\n\'); os._exit(0)',
    "skips": "import unittest\ndef f(): raise unittest.SkipTest('no need')",
    "skips at import": "import unittest\nraise unittest.SkipTest('no need')",
    "ends the runner": "import os, signal\ndef f(): os.kill(os.getppid(), signal.SIGKILL)",
    "hangs": "while True: pass",
    "breaks later": "import atexit, os\natexit.register(os._exit, 3)\ndef f(): return 1",
    "is no Python": "def f(:",
    "interrupts": "def f(): raise KeyboardInterrupt",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_candidate_fails(text: str) -> None:
    result = of_p(text)
    assert result.is_red, result
    assert result.evidence.startswith("test_p.py: test: ")


def test_what_a_candidate_can_still_fake() -> None:
    """The known limit: it shares a process with these tests. Hidden tests are for that."""
    assert of_p("import unittest\nunittest.TestCase.assertEqual = print\nf = print\n").status is GateStatus.PASSED


def test_the_reason_is_said() -> None:
    assert said(of_p(RIGHT)) == ("passed", "1 tests ran in 1 files")
    assert "exit code 0, but no report of a test that ran" in of_p(HOSTILE["leaves at import"]).evidence
    assert "exit code 3" in of_p(HOSTILE["breaks later"]).evidence
    assert "no need" in of_p(HOSTILE["skips"]).evidence


def test_visible_tests_keep_their_words() -> None:
    assert of_p("def f(): return 2", **{"test_p.py": "def test_p(): pass\n"}).is_red


def test_the_standard_library_is_not_hidden_from_the_runner() -> None:
    assert of_p(
        "def f(): return 2", **{"unittest.py": "raise SystemExit(0)", "json.py": "import os; os._exit(0)"}
    ).is_red


@pytest.mark.parametrize("path", ["a/\0.py", "test_p.py/x", "\ud800.py", "p.py/../test_p.py/y"])
def test_a_tree_that_cannot_be_written_fails(path: str) -> None:
    result = of_p(RIGHT, **{path: "x"})
    assert result.is_red and "the tree cannot be written" in result.evidence


@NEEDS_NODE
@pytest.mark.parametrize(
    "text", ["process.exit(0)", "console.log('# tests 1\\nok 1 - x')", "setTimeout(process.exit, 0)"]
)
def test_node_ending_well_without_a_test_is_no_pass(text: str) -> None:
    gate = VisibleTestsGate(Bubblewrap(), ["a.test.js"])
    assert ask(gate, {"a.test.js": text}).is_red


def test_a_missing_test_file_fails_and_an_unknown_kind_is_not_run() -> None:
    assert "there is no such file" in ask(VisibleTestsGate(NeverAsked(), ["test_a.py"]), {"b": ""}).evidence
    result = ask(VisibleTestsGate(NeverAsked(), ["a_test.go"]), {"a_test.go": ""})
    assert said(result) == ("not_run", "not run: a_test.go: no runner for this kind of test")


def test_without_tests_there_is_no_need() -> None:
    assert ask(VisibleTestsGate(NeverAsked(), []), BAD, TREE).status is GateStatus.NOT_NEEDED
    assert ask(TestImpactGate(NeverAsked(), lambda change: []), BAD, TREE).status is GateStatus.NOT_NEEDED
    assert ask(TestImpactGate(NeverAsked(), lambda change: None), {"a.py": ""}).status is GateStatus.NOT_NEEDED
    assert ask(TestImpactGate(NeverAsked(), lambda change: ["test_a.py"]), {}, {"test_a.py": ""}).status is (
        GateStatus.NOT_NEEDED
    )


def test_a_broken_sandbox_is_no_verdict() -> None:
    for gate in (VisibleTestsGate(NeverAsked(), ["test_a.py"]), TestImpactGate(NeverAsked(), lambda change: None)):
        assert ask(gate, {"test_a.py": ""}).status is GateStatus.NOT_RUN


PAIR = {
    "test_a.py": "import unittest, a\nclass A(unittest.TestCase):\n"
    "    def test_good(self): self.assertTrue(a.good)\n    def test_old(self): self.assertTrue(a.old)\n",
    "test_b.py": "def test_b(): import b; assert b.good\n",
    "a.py": "good, old = True, False\n",
    "b.py": "good = True\n",
}


def test_on_any_doubt_all_tests_run_and_old_failures_do_not_count() -> None:
    result = impact({**PAIR, "c.py": ""}, PAIR)
    assert said(result) == ("passed", "2 tests ran in 2 files\nfailed before as well: test_a.py: test_a.A.test_old")
    assert impact({**PAIR, "b.py": "good = False\n"}, PAIR).is_red


def test_only_what_a_change_can_break_runs() -> None:
    seen: list[Change] = []

    def impacted(change: Change) -> list[str]:
        seen.append(change)
        return ["test_b.py"]

    bad = {**PAIR, "a.py": "good = old = False\n"}
    assert ask(TestImpactGate(Bubblewrap(), impacted), bad, PAIR).status is GateStatus.PASSED
    assert [change.after for change in seen] == [bad]
    assert impact(bad, PAIR, ["test_a.py"]).evidence.startswith("test_a.py: test: test_a.A.test_good: AssertionError")


def test_tests_that_say_nothing_are_not_a_pass() -> None:
    old = {"test_a.py": "import nothing_of_the_kind\n", "a.py": ""}
    result = impact({**old, "a.py": "1"}, old)
    assert result.status is GateStatus.NOT_RUN and "failed before as well: test_a.py" in result.evidence
    skipped = {"test_a.py": "def test_a(fixture): pass\n"}
    assert said(impact({**skipped, "a.py": ""}, skipped)) == ("not_run", "every test is skipped")


def test_new_tests_of_a_change_count_and_removed_ones_are_said() -> None:
    assert impact({"test_c.py": "def test_c(): assert False\n"}, NOTHING).is_red
    after = {path: text for path, text in PAIR.items() if path != "test_b.py"}
    assert impact(after, PAIR, ["test_a.py", "test_b.py"]).evidence.splitlines()[1] == (
        "removed by the change, not run: test_b.py"
    )


def test_packages_relative_imports_and_a_folder_called_test() -> None:
    tree = {
        "test/test_x.py": "def test_x(): import p; assert p.f() == 1\n",
        "p/__init__.py": RIGHT,
        "p/tests/__init__.py": "",
        "p/tests/test_y.py": "from .. import f\nfrom . import help\ndef test_y(): assert f() == help.one\n",
        "p/tests/help.py": "one = 1\n",
        "p/tests/data.txt": "",
    }
    assert said(impact(tree, NOTHING)) == ("passed", "2 tests ran in 2 files")
