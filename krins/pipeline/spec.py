"""Spec mode: tests are written from the request first, and count only if they fail on the unchanged tree.

Invariants: generated tests are never part of a change, and never mixed with the hidden ones; where none come that
fail beforehand, the task goes on without any, and it is said why. Left out: whether they are right. A model that
misreads the request writes tests that turn right changes down; how often they agree with the hidden ones is reported
(`krins.domain.GeneratedTests`).
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from krins.domain import Call, Change, GateResult, GateStatus, GeneratedTests, Request, Scope
from krins.errors import AnswerFault, BudgetExhausted, ModelFault, SandboxFault
from krins.interfaces import Gate, Limits, Model, Sandbox
from krins.pipeline.patches import change_of
from krins.pipeline.syntax import syntax_error_lines
from krins.pipeline.tasks import CodingTask
from krins.quality.gates.own_tests import VisibleTestsGate
from krins.quality.gates.tree_runs import run_tests

_PATHS = {"javascript": "tests/request.test.mjs"}
_ABSENT = frozenset(["hypothesis", "mock", "numpy", "pandas", "pytest", "requests"])
"""Packages that models reach for and sandboxes lack: tests that import one fail whatever the change."""
_PACKAGE = re.compile(r"""(?:\bfrom|\bimport|\brequire\s*\()\s*["'](?!node:|[./])([^"'\n]+)["']""")
"""A module that is neither a file nor, by its prefix, Node's own."""
_OF_NODE = frozenset(
    {"assert", "buffer", "child_process", "crypto", "events", "fs", "module", "os"}
    | {"path", "process", "stream", "timers", "url", "util", "vm", "zlib"}
)
_PYTHON = "tests/test_request.py"
_KINDS = {"javascript": "a test file for Node's own test runner (node:test and node:assert), with ES module imports"}
_UNITTEST = "a unittest file (standard library alone) that imports or reads the project's files from its root"
WRITE_TESTS = """Do not do the task yet. First write the tests that tell whether it is done: {kind}, to be saved as
{path}. They must fail on the files as they are, and pass once the task is done; test what the task says and nothing
that it leaves open. Answer with one code block that holds the whole file and nothing else."""


class Tester:
    """Has a model write tests. May be asked for several tasks at once."""

    __test__ = False  # its name is one that pytest collects

    def __init__(self, model: Model, sandbox: Sandbox, limits: Limits) -> None:
        self._model, self._sandbox, self._limits = model, sandbox, limits

    async def write(
        self, coding: CodingTask, sample: int, scope: Scope, checks: Executor, calls: list[Call]
    ) -> GeneratedTests:
        """Adds its calls to `calls`.

        Raises:
            ModelFault, BudgetExhausted: the model cannot be asked; holds the calls that were made.
        """
        path = _PATHS.get(coding.task.language or "", _PYTHON)
        if path in coding.tree:
            return GeneratedTests(path, "", "the task has a file of that name")
        try:
            attempt = await self._model.answer(_request(coding, path, sample), scope)
        except (ModelFault, BudgetExhausted) as fault:
            fault.calls = _as_tester(fault.calls)
            if not isinstance(fault, AnswerFault):
                raise
            calls += fault.calls
            return GeneratedTests(path, "", fault.message)
        calls += _as_tester(attempt.calls)
        return await asyncio.get_running_loop().run_in_executor(checks, self._tests, attempt.text, path, coding)

    def _tests(self, answer: str, path: str, coding: CodingTask) -> GeneratedTests:
        try:
            written = change_of(answer, {}, path).after.get(path, "")
        except AnswerFault as fault:
            return GeneratedTests(path, "", fault.message)
        text = f"{written.rstrip()}\n"  # as the proposer is shown it, who may repeat it
        problem = _why_no_tests(text, path) or self._why_they_do_not_fail({**coding.tree, path: text}, path)
        return GeneratedTests(path, "" if problem else text, problem)

    def _why_they_do_not_fail(self, tree: Mapping[str, str], path: str) -> str:
        try:
            [run] = run_tests(self._sandbox, tree, [path], self._limits)
        except SandboxFault as fault:
            return fault.message
        return run.missing or ("" if run.failed else "none of them fails on the unchanged tree")

    def gate(self, tests: GeneratedTests) -> Gate:
        return _GeneratedTestsGate(tests, VisibleTestsGate(self._sandbox, [tests.path], self._limits))


class _GeneratedTestsGate:
    """Implements `krins.interfaces.Gate`."""

    name = "generated tests"

    def __init__(self, tests: GeneratedTests, gate: Gate) -> None:
        self._tests, self._gate = tests, gate

    def check(self, change: Change) -> GateResult:
        added = {self._tests.path: self._tests.text}
        result = self._gate.check(Change({**change.before, **added}, {**change.after, **added}, change.diff))
        return replace(result, gate=self.name)


def judged(tests: GeneratedTests, results: tuple[GateResult, ...]) -> GeneratedTests:
    """The tests, with what they said of the change that was submitted."""
    own = [result.status for result in results if result.gate == _GeneratedTestsGate.name]
    told = {GateStatus.PASSED: True, GateStatus.FAILED: False}
    return replace(tests, passes=told.get(own[0]) if own else None)


def _request(coding: CodingTask, path: str, sample: int) -> Request:
    context = f"{coding.context_text.rstrip()}\n\n=== Task\n\n" if coding.context_text else ""
    kind = _KINDS.get(coding.task.language or "", _UNITTEST)
    where = f"The solution will be in {coding.answer_file}. " if coding.answer_file else ""
    ask = WRITE_TESTS.format(kind=kind, path=path)
    return Request.of(f"{context}{coding.task.prompt.rstrip()}\n\n{where}{ask}\n", sample)


def _why_no_tests(text: str, path: str) -> str:
    if not path.endswith(".py"):
        return _why_no_node_tests(text, path)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as failure:
        return f"they are no Python: {failure}"
    nodes = list(ast.walk(tree))
    if absent := sorted(_ABSENT & _imported(nodes)):
        return f"they import {absent[0]}, which is not there"
    functions = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return "" if any(name.startswith("test") for name in functions) else "there is no test in them"


def _why_no_node_tests(text: str, path: str) -> str:
    if not text.strip():
        return "they are empty"
    if lines := syntax_error_lines(path, text):
        return f"they are no JavaScript: line {lines[0]}"
    packages = [name for name in _PACKAGE.findall(text) if name.partition("/")[0] not in _OF_NODE]
    if packages:
        return f"they import {packages[0]}, which is not there"
    return "" if "node:test" in text else "they do not use node:test"


def _imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Top-level modules that are imported anywhere."""
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


def _as_tester(calls: Sequence[Call]) -> tuple[Call, ...]:
    return tuple(replace(call, agent="tester") for call in calls)
