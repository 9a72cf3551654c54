"""What a check of tasks found: a line a task, and whatever came otherwise than it should.

Left out: the checking (`krins.pipeline.task_check`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table


class CheckedChange(BaseModel):
    """One judgement of one change."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    name: str
    is_right: bool
    """Whether it came as it should."""
    evidence: str


class TaskReport(BaseModel):
    model_config = ConfigDict(frozen=True)

    changes: tuple[CheckedChange, ...]
    left_out: Mapping[str, tuple[str, ...]]
    """By program that is missing here: tasks that were not checked."""

    @property
    def wrong(self) -> list[CheckedChange]:
        return [change for change in self.changes if not change.is_right]


def render_tasks(report: TaskReport, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("task", overflow="fold")
    for name in ("reference passes", "unchanged fails", "wrong ones fail"):
        table.add_column(name, justify="right")
    for task_id in dict.fromkeys(change.task_id for change in report.changes):
        own = [change for change in report.changes if change.task_id == task_id]
        parts = [
            [change for change in own if change.name == "reference"],
            [change for change in own if change.name == "unchanged"],
            [change for change in own if change.name not in ("reference", "unchanged")],
        ]
        table.add_row(escape(task_id), *map(_count, parts))
    console.print(table, highlight=False)
    for change in report.wrong:
        console.print(f"[bold]{escape(change.task_id)}, {escape(change.name)}[/]: {escape(change.evidence)}")
    for program, tasks in report.left_out.items():
        console.print(f"{len(tasks)} tasks left out, for {program} is not installed: {', '.join(tasks)}")
    n_tasks = len({change.task_id for change in report.changes})
    verdict = f"{len(report.wrong)} came otherwise than they should" if report.wrong else "all came as they should"
    console.print(f"{n_tasks} tasks, {len(report.changes)} changes judged: {verdict}", highlight=False)


def _count(changes: Sequence[CheckedChange]) -> str:
    return f"{sum(change.is_right for change in changes)} of {len(changes)}"


def task_report(changes: Iterable[tuple[str, str, bool, str]], left_out: Mapping[str, Sequence[str]]) -> TaskReport:
    """`changes`: task, name, whether it is right, evidence."""
    rows = [CheckedChange(task_id=a, name=b, is_right=c, evidence=d) for a, b, c, d in changes]
    return TaskReport(changes=tuple(rows), left_out={key: tuple(value) for key, value in left_out.items()})
