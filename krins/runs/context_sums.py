"""How many tokens of their tasks' source trees prompts showed, and what that saves against whole trees.

Sums run over decisions of tasks that have a tree; a decision whose context nobody knows is left out of all of them, for
unknown is not zero. Invariants: blocks are added one at a time, so memory does not grow with replications times tasks;
a figure is a ratio of sums, its interval that of the linearised ratio over tasks. Left out: making contexts
(`krins.pipeline.contexts`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from krins.environments.table import ContextTokens, OutcomeTable
from krins.interfaces import FloatArray, IntArray
from krins.runs.baselines import interval_figure
from krins.runs.drawn import drawn
from krins.runs.plan import Plan
from krins.runs.result import Figure
from krins.runs.streams import Trajectory
from krins.statistics.clustered import spread
from krins.statistics.contrasts import saving_values

_DECISIONS, _SHOWN, _WHOLE = range(3)


class ContextFigures(NamedTuple):
    """As in `krins.runs.result`; None where no task has a tree."""

    context_tokens: Figure | None = None
    whole_context_tokens: Figure | None = None
    context_token_saving: Figure | None = None


class ContextSums:
    """Decisions, tokens shown and tokens of whole trees, added up by task and by replication."""

    def __init__(self, n_tasks: int) -> None:
        self._by_task = np.zeros((3, n_tasks))
        self._by_replication: list[FloatArray] = []
        """Of each block, shape (3, n_replications in the block)."""

    def add(self, tasks: IntArray, context: ContextTokens) -> None:
        """Add a block: all arrays of shape (n_steps, n_replications)."""
        values = np.stack([~np.isnan(context.whole), np.nan_to_num(context.shown), np.nan_to_num(context.whole)])
        for total, of_block in zip(self._by_task, values, strict=True):
            total += np.bincount(tasks.ravel(), weights=of_block.ravel(), minlength=len(total))
        self._by_replication.append(values.sum(axis=1))

    def figures(self, clusters: IntArray) -> ContextFigures:
        """`clusters`: shape (n_tasks,)."""
        has_tree = self._by_task[_DECISIONS] > 0
        if not has_tree.any():
            return ContextFigures()
        codes = np.unique(clusters[has_tree], return_inverse=True)[1]
        by_task, by_replication = self._by_task[:, has_tree], np.concatenate(self._by_replication, axis=1)

        def saving(part: int, of: int) -> tuple[FloatArray, FloatArray]:
            """One minus a ratio of sums, as values a task and as it is in each replication."""
            with np.errstate(invalid="ignore"):  # a replication may know no context at all
                of_replications = 1 - by_replication[part] / by_replication[of]
            return saving_values(by_task[part], by_task[of]), of_replications

        def figure(values: FloatArray, replications: FloatArray) -> Figure:
            low, high = spread(replications)
            found = interval_figure(values, codes)
            return found.model_copy(update={"replication_low": low, "replication_high": high})

        shown, whole = (saving(part, _DECISIONS) for part in (_SHOWN, _WHOLE))
        return ContextFigures(
            context_tokens=figure(1 - shown[0], 1 - shown[1]),
            whole_context_tokens=figure(1 - whole[0], 1 - whole[1]),
            context_token_saving=figure(*saving(_SHOWN, _WHOLE)),
        )


def run_context(
    plan: Plan, table: OutcomeTable, trajectories: Iterable[Trajectory], clusters: IntArray
) -> ContextFigures:
    """Of all routers' decisions together."""
    if table.context is None:
        return ContextFigures()
    sums = ContextSums(plan.n_tasks)
    for trajectory in trajectories:
        context = drawn(plan, table, trajectory).context
        if context is not None:
            sums.add(plan.schedule(trajectory.stream).tasks, context)
    return sums.figures(clusters)
