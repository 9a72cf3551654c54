"""Outcomes as arrays: what every arm did on every task, each as often as it was tried.

Invariants: the samples of a cell stand first (`counts` says how many); beyond them, and where a value is unknown,
stands NaN. Quality lies in [0, 1], costs are US dollars. Arrays are never written to after the table is made.
Left out: reading files (`krins.environments.reading`) and any statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from krins.domain import Arm, FailureKind, Outcome, Task
from krins.errors import TableError
from krins.interfaces import BoolArray, FloatArray, IntArray
from krins.routing.reward import reward_values
from krins.suite import Reward

FAILURES: tuple[FailureKind | None, ...] = (None, *FailureKind)
"""What the codes in `OutcomeTable.failure` stand for."""
UNANSWERED = frozenset({FailureKind.INFRASTRUCTURE, FailureKind.BUDGET})
"""Failures that say nothing about the model: nobody learns from them."""


def is_unanswered(failure: NDArray[np.int8]) -> BoolArray:
    """Where codes of `FAILURES` stand for one that says nothing about the model."""
    return np.isin(failure, [FAILURES.index(kind) for kind in UNANSWERED])


@dataclass(frozen=True)
class Imputation:
    """What was filled in or dropped when a table was read."""

    missing_outcomes: int = 0
    """(task, model) cells without an outcome."""
    missing_costs: int = 0
    """Known outcomes without a cost, given the model's mean known cost."""
    dropped_tasks: int = 0
    unknown_samples: int = 0
    """Rows without a quality beside others of the same cell that have one; they are left out."""


class ContextTokens(NamedTuple):
    """What prompts showed of source trees, in o200k tokens; both are NaN where a task has none, or it is not known."""

    shown: FloatArray
    whole: FloatArray
    """What the whole tree takes: the baseline."""

    @classmethod
    def of(cls, shown: FloatArray, whole: FloatArray) -> ContextTokens | None:
        """None where nothing is known."""
        is_known = ~np.isnan(shown) & (whole > 0)
        return cls(*(np.where(is_known, tokens, np.nan) for tokens in (shown, whole))) if is_known.any() else None

    def at(self, index: Any) -> ContextTokens:
        """Both arrays at `index`."""
        return ContextTokens(self.shown[index], self.whole[index])


@dataclass(frozen=True)
class OutcomeTable:
    """All arrays have shape (n_tasks, n_arms, n_samples)."""

    tasks: Sequence[Task]
    arms: Sequence[Arm]
    quality: FloatArray
    cost_usd: FloatArray
    """NaN throughout where the source knows no costs at all."""
    input_tokens: FloatArray
    output_tokens: FloatArray
    latency_seconds: FloatArray
    failure: NDArray[np.int8]
    """Index into `FAILURES`."""
    counts: IntArray
    """Shape (n_tasks, n_arms): samples of each cell."""
    context: ContextTokens | None = None
    """None where nothing is known of it."""
    imputation: Imputation = field(default_factory=Imputation)
    sha256: str | None = None
    """Of the file that the table was read from."""

    @property
    def tokens(self) -> FloatArray:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def rewards(self, reward: Reward) -> FloatArray:
        """Reward of every sample, shape (n_tasks, n_arms, n_samples).

        Raises:
            TableError: the reward charges for something that the table does not know.
        """
        for weight, values, what in (
            (reward.per_usd, self.cost_usd, "cost_usd"),
            (reward.per_second, self.latency_seconds, "latency_s"),
        ):
            if weight and np.isnan(values[~np.isnan(self.quality)]).any():
                raise TableError(
                    f"the suite's reward depends on {what}, which this table does not know for every outcome",
                    "take that term out of the suite's `reward`, or use a table that knows it",
                )
        return reward_values(reward, self.quality, self.cost_usd, self.latency_seconds)


def mean_over_samples(values: FloatArray) -> FloatArray:
    """Mean of each cell over its samples, shape (n_tasks, n_arms); NaN where a cell has none or one is unknown."""
    known = ~np.isnan(values)
    counts = known.sum(axis=2)
    with np.errstate(invalid="ignore"):
        means: FloatArray = np.where(known, values, 0.0).sum(axis=2) / np.where(counts > 0, counts, np.nan)
    return means


def table_from_outcomes(tasks: Sequence[Task], arms: Sequence[Arm], outcomes: Iterable[Outcome]) -> OutcomeTable:
    """A table of live outcomes, indexed by their sample numbers; cells that were never tried are NaN."""
    rows = list(outcomes)
    task_index = {task.task_id: i for i, task in enumerate(tasks)}
    arm_index = {arm.name: i for i, arm in enumerate(arms)}
    shape = (len(tasks), len(arms), 1 + max((row.sample for row in rows), default=0))
    quality, cost, inputs, outputs, latency, shown, whole = (np.full(shape, np.nan) for _ in range(7))
    failure = np.zeros(shape, np.int8)
    for row in rows:
        cell = task_index[row.task_id], arm_index[row.arm], row.sample
        quality[cell] = row.quality
        cost[cell] = np.nan if row.cost_usd is None else float(row.cost_usd)
        latency[cell] = np.nan if row.latency_seconds is None else row.latency_seconds
        if row.usage is not None:
            inputs[cell], outputs[cell] = row.usage.input_tokens, row.usage.output_tokens
        if row.context is not None:
            shown[cell], whole[cell] = row.context.tokens, row.context.whole_tokens
        failure[cell] = FAILURES.index(row.failure.kind if row.failure else None)
    return OutcomeTable(
        tuple(tasks),
        tuple(arms),
        quality,
        cost,
        inputs,
        outputs,
        latency,
        failure,
        counts=(~np.isnan(quality)).sum(axis=2),
        context=ContextTokens.of(shown, whole),
    )


def unanswered_at_mean_cost(table: OutcomeTable) -> OutcomeTable:
    """`table` with attempts that had no answer, whose bill nobody knows, at their arm's mean known cost and tokens.

    So they count as recorded suites count a missing outcome under `missing: fail`.
    """
    unanswered = is_unanswered(table.failure) & np.isnan(table.cost_usd)

    def filled(values: FloatArray) -> FloatArray:
        known = ~np.isnan(values)
        n_known = known.sum(axis=(0, 2))
        means = np.where(known, values, 0.0).sum(axis=(0, 2)) / np.where(n_known > 0, n_known, np.nan)
        return np.where(unanswered & np.isnan(values), means[None, :, None], values)

    return replace(
        table,
        cost_usd=filled(table.cost_usd),
        input_tokens=filled(table.input_tokens),
        output_tokens=filled(table.output_tokens),
        imputation=replace(
            table.imputation, missing_outcomes=table.imputation.missing_outcomes + int(unanswered.sum())
        ),
    )
