"""Runs test files of a tree in a sandbox, and says of each what its own runner reported.

A file passes if its runner ended with exit code 0 and reported tests that ran; a shell test has no runner, its exit
code is all there is, and it counts as one test. Exit code 0 without a report of tests is a failure.

What a hostile candidate can still fake: everything, if it means to. Tests and candidate share a process, and all files
of a run share a sandbox and its user, so it may replace the tests' assertions, write the report itself, or write what
this side reads into the pipe of the process above. These runs are evidence; the proof is the hidden tests
(`krins.quality.hidden_tests`). It does not pass by ending the process, by printing what a runner prints, by skipping (a
test that was not skipped before has failed: own_tests.py), or by hanging.

Invariants: every run ends with the sandbox's wall clock; a file without a verdict has failed, with the reason.
Left out: runners of other languages, and third-party packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, TypeAdapter, ValidationError

from krins.interfaces import Limits, Sandbox
from krins.quality.gates.carried_script import run_script
from krins.quality.gates.kinds import TestKind, test_kind
from krins.quality.gates.tap import read_tap

TEST_LIMITS = Limits(wall_seconds=60.0, cpu_seconds=60, memory_bytes=2 * 2**30, processes=64)
"""Node reserves more than a GiB of address space, and starts a dozen threads for each of two processes."""
WHOLE_FILE = "the whole file"
_SCRIPTS = ("tree_tests.py", "report_unittests.py", "tree_files.py")
_ROW = TypeAdapter(tuple[str, int | None, str | None, str])
_TAIL_CHARACTERS = 300


@dataclass(slots=True)
class FileRun:
    """What came of one test file."""

    path: str
    ran: int = 0
    """Tests that came to an end and were not skipped."""
    failed: dict[str, str] = field(default_factory=dict)
    """Test to reason; `WHOLE_FILE` where it is none in particular."""
    skipped: dict[str, str] = field(default_factory=dict)
    missing: str = ""
    """Why it could not be run here, by no fault of the tree's."""

    @property
    def passed(self) -> bool:
        return not (self.failed or self.skipped or self.missing)


class _UnittestReport(BaseModel):
    ran: int
    failed: dict[str, str]
    skipped: dict[str, str]


def run_tests(sandbox: Sandbox, tree: Mapping[str, str], paths: Sequence[str], limits: Limits) -> list[FileRun]:
    """Run test files of `tree`, in the order of `paths`.

    Raises:
        SandboxFault: the sandbox did not start.
    """
    kinds = [(path, kind) for path in paths if path in tree and (kind := test_kind(path))]
    runs: dict[str, FileRun] = {}
    if kinds:
        data = {"tree.json": dict(tree), "tests.json": kinds}
        report = run_script(sandbox, _SCRIPTS, data, _ROW, limits)
        runs = {row[0]: _file_run(*row) for row in report.rows}
        for path, _ in kinds[len(report.rows) :]:
            reason = report.how_it_ended if len(runs) == len(report.rows) else "it did not get its turn"
            runs[path] = FileRun(path, failed={WHOLE_FILE: f"no verdict: {reason}"})
    return [runs.get(path) or _not_run(path, tree) for path in paths]


def _not_run(path: str, tree: Mapping[str, str]) -> FileRun:
    if path not in tree:
        return FileRun(path, failed={WHOLE_FILE: "there is no such file"})
    return FileRun(path, missing="no runner for this kind of test")


def _file_run(path: str, code: int | None, report: str | None, output: str) -> FileRun:
    run = FileRun(path)
    kind = test_kind(path)
    if code is None:
        run.missing = output
    elif kind is TestKind.SHELL:
        run.ran = 1
    elif report is not None:
        (_read_unittests if kind is TestKind.PYTHON else _read_node)(run, report)
    if code is None or run.failed:
        return run
    if code != 0:
        run.failed[WHOLE_FILE] = f"exit code {code}{_tail(output)}"
    elif not run.ran and not run.skipped:
        run.failed[WHOLE_FILE] = f"exit code 0, but no report of a test that ran{_tail(output)}"
    return run


def _read_unittests(run: FileRun, report: str) -> None:
    try:
        read = _UnittestReport.model_validate_json(report)
    except ValidationError:
        return
    run.ran, run.failed, run.skipped = read.ran, read.failed, read.skipped


def _read_node(run: FileRun, report: str) -> None:
    for test in read_tap(report):
        if test.name.endswith(run.path):
            # Node counts the file itself as a test: that it ended with 0 says nothing, that it did not says something.
            if not test.passed:
                run.failed[WHOLE_FILE] = test.reason or "it failed"
        elif test.skipped:
            run.skipped[test.name] = "skipped, or to be done"
        else:
            run.ran += 1
            if not test.passed:
                run.failed[test.name] = test.reason or "it failed"


def _tail(output: str) -> str:
    said = output.strip()[-_TAIL_CHARACTERS:]
    return f": {said}" if said else ""
