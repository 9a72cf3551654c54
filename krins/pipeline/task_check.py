"""Checks tasks themselves: the right change passes the hidden tests, and each wrong one, and none at all, fails.

Invariants: changes are judged in an order drawn from the seed, several at a time, each in sandboxes of its own, so
that no verdict can lean on another's; a change that answers may not make (`krins.pipeline.patches`) has failed.
Left out: whether a task is worth asking.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, computed_field

from krins.domain import Change
from krins.errors import PatchRefused, TaskError
from krins.interfaces import Verifier
from krins.pipeline.patches.diffs import unified_diff
from krins.pipeline.patches.guard import check_paths
from krins.pipeline.tasks import CodingTask, load_tree, read_task_file
from krins.pipeline.verifiers import VerifierOf

REFERENCE, UNCHANGED = "reference", "unchanged"
LEAST_WRONG = 3


class Checked(BaseModel):
    """One change of a task, and what came of it."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    name: str
    """`reference`, `unchanged`, or that of a wrong change."""
    passes: bool
    evidence: str
    is_judged: bool = True
    """Whether its tests could be run."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_right(self) -> bool:
        """Whether it came as it should."""
        return self.is_judged and self.passes == (self.name == REFERENCE)


class _Case(NamedTuple):
    coding: CodingTask
    name: str
    change: Change


def check_tasks(
    folder: Path,
    tasks: Sequence[CodingTask],
    verifier_of: VerifierOf,
    workers: int,
    seed: int,
    advance: Callable[[int], None],
) -> list[Checked]:
    """Judge every change that is kept beside `tasks`, by task and name. `advance` is called with 1 after each.

    Raises:
        TaskError: a reference is missing, there are fewer than `LEAST_WRONG` wrong changes, or
            one is not explained.
        SandboxFault: a verdict was not to be had.
    """
    cases = [case for coding in tasks for case in _cases(folder / coding.task.task_id, coding)]
    random.Random(seed).shuffle(cases)

    def judge(case: _Case) -> Checked:
        checked = _judged(case, verifier_of(case.coding))
        advance(1)
        return checked

    with ThreadPoolExecutor(workers) as threads:
        return sorted(threads.map(judge, cases), key=lambda one: (one.task_id, one.name))


def n_changes(folder: Path, tasks: Sequence[CodingTask]) -> int:
    return sum(2 + len(_wrong(folder / coding.task.task_id)) for coding in tasks)


def kept_changes(folder: Path, coding: CodingTask) -> Iterator[tuple[str, Change]]:
    """The reference and the wrong changes that are kept beside a task, by name, with their diffs.

    Raises:
        TaskError: one holds no files.
    """
    for name in (REFERENCE, *_wrong(folder)):
        files = load_tree(folder / name)
        if not files:
            raise TaskError(f"{folder / name}: no files", "put the files that the change adds or replaces there")
        after = {**coding.tree, **files}
        yield name, Change(coding.tree, after, unified_diff(coding.tree, after))


def _cases(folder: Path, coding: CodingTask) -> Iterator[_Case]:
    wrong = _wrong(folder)
    explained = {f"wrong_{name}" for name in read_task_file(folder).wrong}
    if odd := sorted(explained.symmetric_difference(wrong)):
        raise TaskError(
            f"{folder}: {odd[0]} is a folder or explained in task.yaml, but not both", "add what is missing"
        )
    if len(wrong) < LEAST_WRONG:
        raise TaskError(f"{folder}: {len(wrong)} wrong changes", f"write at least {LEAST_WRONG}")
    yield _Case(coding, UNCHANGED, Change(coding.tree, coding.tree, ""))
    for name, change in kept_changes(folder, coding):
        yield _Case(coding, name, change)


def _wrong(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("wrong_*") if path.is_dir())


def _judged(case: _Case, verifier: Verifier) -> Checked:
    task_id = case.coding.task.task_id
    try:
        check_paths(case.change, case.coding.protected)
    except PatchRefused as refused:
        return Checked(task_id=task_id, name=case.name, passes=False, evidence=refused.message)
    try:
        verdict = verifier.verify(case.change, case.coding.tests)
    except TaskError as fault:  # of this task alone: the others can still be judged
        return Checked(task_id=task_id, name=case.name, passes=False, evidence=str(fault), is_judged=False)
    counts = f"{verdict.checks_passed} of {verdict.checks_total} hidden tests pass"
    evidence = f"{counts}\n{verdict.evidence}".rstrip()
    return Checked(task_id=task_id, name=case.name, passes=verdict.quality == 1.0, evidence=evidence)
