"""What a check of tasks found: a line a task, and whatever came otherwise than it should.

Left out: the checking (`krins.pipeline.task_check`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from krins.pipeline.task_check import REFERENCE, UNCHANGED, Checked


class TaskReport(BaseModel):
    model_config = ConfigDict(frozen=True)

    changes: tuple[Checked, ...]
    left_out: Mapping[str, list[str]]
    """By program that is missing here: tasks that were not checked."""

    @property
    def wrong(self) -> list[Checked]:
        return [change for change in self.changes if not change.is_right]


def render_tasks(report: TaskReport, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("task", overflow="fold")
    for name in ("reference passes", "unchanged fails", "wrong ones fail"):
        table.add_column(name, justify="right")
    for task_id in dict.fromkeys(change.task_id for change in report.changes):
        own = [change for change in report.changes if change.task_id == task_id]
        parts = [
            [change for change in own if change.name == REFERENCE],
            [change for change in own if change.name == UNCHANGED],
            [change for change in own if change.name not in (REFERENCE, UNCHANGED)],
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


def _count(changes: Sequence[Checked]) -> str:
    return f"{sum(change.is_right for change in changes)} of {len(changes)}"
