"""Spec mode in a real sandbox: which generated tests count, and what they say of what is submitted."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from krins.domain import Call, Change, GateStatus, GeneratedTests, Outcome, Scope, Task
from krins.errors import Refused, SandboxFault, Unreachable
from krins.interfaces import Limits, Sandbox, SandboxedProcess
from krins.pipeline.process import Process
from krins.pipeline.spec import Tester
from krins.pipeline.tasks import CodingTask
from krins.quality.gates.tree_runs import TEST_LIMITS
from tests.pipeline.scripted import (
    Fault,
    Scripted,
    ScriptedJudge,
    WordGate,
    WordVerifier,
    attempted,
    code,
    files,
    reviewed,
    sandbox,
    timeless,
)

TREE = {"app/__init__.py": "", "app/double.py": "def double(x):\n    return x\n"}
CODING = CodingTask(Task("t", "Make double(x) double x.", language="python"), "assert HIDDEN", TREE)
PATH = "tests/test_request.py"
TESTS = """import unittest
from app.double import double

class DoubleTest(unittest.TestCase):
    def test_doubles(self):
        self.assertEqual(double(21), 42)
"""
RIGHT, WRONG = ({"app/double.py": f"def double(x):\n    return {value}  # good\n"} for value in ("2 * x", "x + 1"))
NODE = CodingTask(
    Task("n", "Make double(x) double x.", language="javascript"),
    "",
    {"package.json": '{"type": "module"}\n', "src/double.mjs": "export const double = (x) => x;\n"},
)
NODE_TESTS = """import assert from "node:assert/strict";
import test from "node:test";
import { double } from "../src/double.mjs";

test("doubles", () => assert.equal(double(21), 42));
"""
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node, which runs these tests, is not here")


class NoSandbox(Sandbox):
    name = "none"

    def start(self, command: object, files: object, limits: Limits) -> SandboxedProcess:
        raise SandboxFault("no room")


def written(
    answer: str | Fault, coding: CodingTask = CODING, where: Sandbox | None = None
) -> tuple[GeneratedTests, list[Call], Scripted]:
    model, calls = Scripted(answer, cost_usd="0.01"), list[Call]()
    tester = Tester(model, where or sandbox(), TEST_LIMITS)
    with ThreadPoolExecutor(1) as checks:
        tests = asyncio.run(tester.write(coding, 4, Scope("c", "t"), checks, calls))
    return tests, calls, model


def outcome_of(
    tests: str | Fault, *answers: str | Fault, coding: CodingTask = CODING, scores: tuple[float, ...] = (0.9,)
) -> tuple[Outcome, Scripted, WordVerifier]:
    proposer, verifier = Scripted(*answers), WordVerifier()
    process = reviewed(proposer, ScriptedJudge(*scores), [WordGate("never")])
    tester = Tester(Scripted(tests, cost_usd="0.01"), sandbox(), TEST_LIMITS)
    made = Process(process.proposer, process.reviewer, tester, process.rounds)
    return attempted(coding, made, lambda _: verifier), proposer, verifier


def test_tests_that_fail_on_the_unchanged_tree_count_whatever_the_answer_calls_the_file() -> None:
    for answer in (code(TESTS), files({PATH: TESTS}), files({"test_double.py": TESTS})):
        tests, calls, model = written(answer)
        assert tests == GeneratedTests(PATH, TESTS)
        assert [(made.agent, made.cost_usd) for made in calls] == [("tester", Decimal("0.01"))]
        [request] = model.requests
        assert "Make double(x) double x." in request.messages[0].text
        assert PATH in request.messages[0].text and "unittest" in request.messages[0].text
        assert ("HIDDEN" in request.messages[0].text, request.sample) == (False, 4)


def test_functions_and_coroutines_are_tests_too() -> None:
    function = "from app.double import double\n\n\ndef test_doubles():\n    assert double(21) == 42\n"
    coroutine = TESTS.replace("unittest.TestCase", "unittest.IsolatedAsyncioTestCase").replace(
        "    def", "    async def"
    )
    for text in (function, coroutine):
        assert written(code(text))[0] == GeneratedTests(PATH, text)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (code(TESTS.replace("42", "21")), "none of them fails on the unchanged tree"),
        (code("def helper():\n    return 1"), "there is no test in them"),
        (code("import pytest\ndef test_it():\n    assert False"), "they import pytest, which is not there"),
        (code("def test_it():\n    from numpy.linalg import norm"), "they import numpy, which is not there"),
        (code("def test_it(:\n    pass"), "they are no Python"),
        ("I cannot.", "no change"),
        ("```diff\n--- /dev/null\n+++ b/tests/other.py\n@@ -0,0 +1 @@\n+A = 1\n```\n", "there is no test in them"),
        (f"```python\n{TESTS}", "cut off"),
        (Refused("I will not"), "I will not"),
    ],
)
def test_tests_that_do_not_count_say_why_and_are_charged(answer: str | Fault, problem: str) -> None:
    tests, calls, _ = written(answer)
    assert (tests.path, tests.text, tests.passes) == (PATH, "", None)
    assert problem in tests.problem
    assert [made.agent for made in calls] == ["tester"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (NODE_TESTS + "}", "they are no JavaScript: line "),
        ('import { test } from "vitest";\n' + NODE_TESTS, "they import vitest, which is not there"),
        (
            'const { expect } = require("@jest/globals");\n' + NODE_TESTS,
            "they import @jest/globals, which is not there",
        ),
        ('test("it", () => expect(1).toBe(2));\n', "they do not use node:test"),
        ('import fs from "fs";\n' + NODE_TESTS, ""),
    ],
)
def test_tests_for_node_must_be_such_that_node_can_run_them(text: str, problem: str) -> None:
    tests = written(code(text), NODE)[0]
    assert tests.problem.startswith(problem)
    assert bool(tests.text) == (not problem)


def test_no_model_is_asked_for_tests_that_would_take_the_place_of_others() -> None:
    coding = CodingTask(CODING.task, "", {**TREE, PATH: "pass\n"})
    tests, calls, model = written(code(TESTS), coding)
    assert (tests.text, tests.problem, calls, model.requests) == ("", "the task has a file of that name", [], [])


def test_a_broken_sandbox_leaves_no_tests_and_says_so() -> None:
    tests, calls, _ = written(code(TESTS), where=NoSandbox())
    assert (tests.text, tests.problem, len(calls)) == ("", "no room", 1)


def test_a_tester_out_of_reach_hands_over_its_calls_as_the_testers() -> None:
    with pytest.raises(Unreachable) as raised:
        written(Unreachable("no server"))
    assert [made.agent for made in raised.value.calls] == ["tester"]
    outcome, _, _ = outcome_of(Unreachable("no server"), files(RIGHT))
    assert [made.agent for made in outcome.calls] == ["tester"]
    assert (outcome.failure is not None, outcome.cost_usd) == (True, Decimal("0.01"))


@needs_node
def test_javascript_gets_tests_for_node() -> None:
    tests, _, model = written(code(NODE_TESTS), NODE)
    assert tests == GeneratedTests("tests/request.test.mjs", NODE_TESTS)
    assert "node:test" in model.requests[0].messages[0].text
    tests, _, _ = written(code(NODE_TESTS.replace("42", "21")), NODE)
    assert tests.problem == "none of them fails on the unchanged tree"
    right = files({"src/double.mjs": "export const double = (x) => 2 * x; // good"})
    outcome, proposer, _ = outcome_of(code(NODE_TESTS), right, coding=NODE)
    assert f"tests/request.test.mjs\n```javascript\n{NODE_TESTS}```" in proposer.requests[0].messages[0].text
    assert outcome.generated_tests is not None
    assert (outcome.generated_tests.passes, outcome.quality) == (True, 1.0)


def test_a_change_is_proposed_until_the_tests_pass() -> None:
    outcome, proposer, verifier = outcome_of(code(TESTS), files(WRONG), files(RIGHT))
    first, second = (request.messages for request in proposer.requests)
    assert f"These tests must pass:\n\n{PATH}\n```python\n{TESTS}```\n" in first[0].text
    assert second[:1] == first
    assert "- generated tests: tests/test_request.py: test: " in second[2].text and "22 != 42" in second[2].text
    assert [[(result.gate, result.status) for result in found.gates] for found in outcome.rounds] == [
        [("tests", GateStatus.PASSED), ("generated tests", GateStatus.FAILED)],
        [("tests", GateStatus.PASSED), ("generated tests", GateStatus.PASSED)],
    ]
    assert [made.agent for made in outcome.calls] == ["tester", "proposer", "proposer", "judge", "judge"]
    assert (outcome.cost_usd, outcome.submitted) == (Decimal("2.21"), 1)
    assert outcome.generated_tests == GeneratedTests(PATH, TESTS, passes=True)
    assert [change.after for change in verifier.seen] == [{**TREE, **RIGHT}]


def test_an_answer_that_repeats_the_tests_does_not_make_them_part_of_its_change() -> None:
    outcome, _, verifier = outcome_of(code(TESTS), files({**RIGHT, PATH: TESTS}))
    [change] = verifier.seen
    assert (change.before, change.after) == (TREE, {**TREE, **RIGHT})
    assert all(PATH not in found.diff for found in outcome.rounds)
    assert change.diff == outcome.rounds[0].diff != ""
    assert outcome.generated_tests is not None
    assert outcome.generated_tests.passes


@pytest.mark.parametrize("answer", [files({**RIGHT, PATH: "def test_it(): pass"}), files({PATH: TESTS})])
def test_an_answer_that_changes_the_tests_or_only_repeats_them_is_sent_back(answer: str) -> None:
    outcome, proposer, verifier = outcome_of(code(TESTS), answer, files(RIGHT))
    assert [bool(found.problem) for found in outcome.rounds] == [True, False]
    assert "Your answer cannot be used" in proposer.requests[1].messages[2].text
    assert [change.after for change in verifier.seen] == [{**TREE, **RIGHT}]


def test_what_is_submitted_though_it_fails_them_is_said_to_fail_them() -> None:
    outcome, _, _ = outcome_of(code(TESTS), *[files(WRONG)] * 3)
    assert outcome.generated_tests == GeneratedTests(PATH, TESTS, passes=False)
    assert (outcome.submitted, outcome.quality) == (2, 1.0), "the hidden tests, which disagree, have the last word"


def test_that_is_said_as_well_where_the_proposer_gives_up() -> None:
    outcome, _, _ = outcome_of(code(TESTS), files(WRONG), Refused("I will not"))
    assert (outcome.submitted, outcome.failure) == (0, None)
    assert outcome.generated_tests == GeneratedTests(PATH, TESTS, passes=False)


def test_without_tests_that_count_the_task_goes_on_and_it_is_said_why() -> None:
    outcome, proposer, _ = outcome_of(code(TESTS.replace("42", "21")), files(RIGHT))
    assert outcome.generated_tests == GeneratedTests(PATH, "", "none of them fails on the unchanged tree")
    assert [result.gate for result in outcome.rounds[0].gates] == ["tests"]
    assert "These tests must pass" not in proposer.requests[0].messages[0].text
    assert (outcome.quality, outcome.cost_usd) == (1.0, Decimal("1.21"))


def test_what_could_not_be_tried_is_not_told() -> None:
    gate = Tester(Scripted(), NoSandbox(), TEST_LIMITS).gate(GeneratedTests(PATH, TESTS))
    result = gate.check(Change(TREE, {**TREE, **RIGHT}, ""))
    assert (result.gate, result.status, result.evidence) == ("generated tests", GateStatus.NOT_RUN, "no room")


def test_the_same_answers_give_the_same_outcome() -> None:
    one, two = (outcome_of(code(TESTS), files(WRONG), files(RIGHT))[0] for _ in range(2))
    assert timeless(one) == timeless(two)
