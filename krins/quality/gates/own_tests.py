"""The two gates that run a tree's own tests: those that the task shows, and those that the change can break.

Visible tests must pass, every one, in the words that they had before the change; a task may ask for what makes a
failing one pass. Of the tests that a change can break, those that fail without it as well are old and do not count;
these run as the change leaves them. A skipped test says nothing: one that was not skipped before has failed.
Invariant: where no test says anything, the gate is NOT_RUN. What such tests can be made to say wrongly stands in
`krins.quality.gates.tree_runs`. Left out: which tests a change can break, which is the code graph's to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from krins.domain import Change, GateStatus
from krins.interfaces import Limits, Sandbox
from krins.quality.gates.base import CheckedGate, Now, Opinion, one_line, shown
from krins.quality.gates.kinds import test_kind
from krins.quality.gates.tree_runs import TEST_LIMITS, FileRun, run_tests

Impacted: TypeAlias = Callable[[Change], Sequence[str] | None]
"""Which test files a change can break; None on any doubt, which means all of the tree. If it raises, nothing is run."""

_RULE = "test"


class VisibleTestsGate(CheckedGate):
    name = "visible tests"

    def __init__(
        self, sandbox: Sandbox, paths: Sequence[str], limits: Limits = TEST_LIMITS, now: Now = time.monotonic
    ) -> None:
        super().__init__(now)
        self._sandbox, self._paths, self._limits = sandbox, paths, limits

    def _look(self, change: Change) -> Opinion:
        if not self._paths:
            return Opinion(GateStatus.NOT_NEEDED, "the task shows no tests")
        shown_tests = {path: change.before[path] for path in self._paths if path in change.before}
        runs = run_tests(self._sandbox, {**change.after, **shown_tests}, self._paths, self._limits)
        newly_skipped = [run for run in runs if run.skipped]
        before = run_tests(self._sandbox, change.before, [run.path for run in newly_skipped], self._limits)
        for run, old in zip(newly_skipped, before, strict=True):
            run.failed |= _new(run.skipped, old.skipped)
        return _opinion(runs, [])


class TestImpactGate(CheckedGate):
    __test__ = False  # its name is one that pytest collects
    name = "test impact"

    def __init__(
        self, sandbox: Sandbox, impacted: Impacted, limits: Limits = TEST_LIMITS, now: Now = time.monotonic
    ) -> None:
        super().__init__(now)
        self._sandbox, self._impacted, self._limits = sandbox, impacted, limits

    def _look(self, change: Change) -> Opinion:
        impacted = self._impacted(change)
        tests = sorted(filter(test_kind, change.after)) if impacted is None else sorted({*impacted})
        gone = [path for path in tests if path in change.deleted]
        paths = [path for path in tests if path not in gone]
        if not paths:
            return Opinion(GateStatus.NOT_NEEDED, "there is no test that the change could break")
        runs = run_tests(self._sandbox, change.after, paths, self._limits)
        suspects = [run for run in runs if run.failed or run.skipped]
        before = run_tests(self._sandbox, change.before, [run.path for run in suspects], self._limits)
        notes = [f"removed by the change, not run: {shown(path)}" for path in gone]
        for run, old in zip(suspects, before, strict=True):
            silent = {**old.failed, **old.skipped} if run.path in change.before else {}
            notes += [
                f"failed before as well: {shown(run.path)}: {shown(name)}" for name in run.failed if name in silent
            ]
            run.ran -= len(run.failed.keys() & silent.keys())
            run.failed = _new({**run.failed, **run.skipped}, silent)
        return _opinion(runs, notes)


def _new(now: dict[str, str], before: Iterable[str]) -> dict[str, str]:
    return {name: reason for name, reason in now.items() if name not in before}


def _opinion(runs: Sequence[FileRun], notes: Sequence[str]) -> Opinion:
    """Failed by one test; not run where a file could not be run, or nothing that ran says anything."""
    failures = [
        f"{shown(run.path)}: {_RULE}: {shown(name)}: {one_line(reason)}"
        for run in runs
        for name, reason in run.failed.items()
    ]
    missing = [f"not run: {shown(run.path)}: {one_line(run.missing)}" for run in runs if run.missing]
    ran = sum(run.ran for run in runs)
    lines = [*failures, *missing, *notes]
    if failures:
        return Opinion(GateStatus.FAILED, "\n".join(lines))
    if missing or ran < 1:
        return Opinion(GateStatus.NOT_RUN, "\n".join(lines or ["every test is skipped"]))
    return Opinion(GateStatus.PASSED, "\n".join([f"{ran} tests ran in {len(runs)} files", *lines]))
