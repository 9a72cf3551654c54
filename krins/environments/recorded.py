"""The recorded environment: outcomes looked up in a table, behind the same seam as live ones.

Invariant: a draw picks the same recorded sample whoever asks, so routers compared on one schedule meet the same luck.
Left out: the vectorised way through the table, which needs no outcome objects (`krins.runs.streams`); a test holds
the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from krins.domain import Arm, Failure, Outcome, Task, Usage
from krins.environments.table import FAILURES, OutcomeTable


class Recorded:
    """Serves `OutcomeTable` cells as outcomes."""

    def __init__(self, table: OutcomeTable) -> None:
        self.table = table
        self.tasks: Sequence[Task] = table.tasks
        self.arms: Sequence[Arm] = table.arms
        self._task_index = {task.task_id: i for i, task in enumerate(table.tasks)}
        self._arm_index = {arm.name: i for i, arm in enumerate(table.arms)}

    async def attempt(self, task: Task, arm: Arm, sample: int, correlation_id: str = "") -> Outcome:
        """`sample` is a draw: any whole number, taken modulo the samples that the cell has."""
        table = self.table
        row, column = self._task_index[task.task_id], self._arm_index[arm.name]
        cell = row, column, sample % int(table.counts[row, column])
        cost, latency = table.cost_usd[cell], table.latency_seconds[cell]
        kind = FAILURES[table.failure[cell]]
        return Outcome(
            task_id=task.task_id,
            arm=arm.name,
            sample=cell[2],
            quality=float(table.quality[cell]),
            cost_usd=None if np.isnan(cost) else Decimal(repr(float(cost))),
            usage=None
            if np.isnan(table.tokens[cell])
            else Usage(int(table.input_tokens[cell]), int(table.output_tokens[cell])),
            latency_seconds=None if np.isnan(latency) else float(latency),
            failure=Failure(kind, "recorded") if kind else None,
            correlation_id=correlation_id,
        )
