"""Puts a judge to changes of which it is known whether they are right.

Invariants: a judge sees of a known change what it sees of any: the gates' results, and never which one it is; every
call is in the measurement. Left out: what the scores are worth (`krins.statistics.judging`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

from krins.domain import Call, Change, Scope
from krins.interfaces import Model
from krins.pipeline.judging.judge import IS_RIGHT, NO, YES, Judge, probability_of_yes
from krins.pipeline.reviewing import GatesOf, all_pass
from krins.pipeline.tasks import CodingTask
from krins.quality.gates.running import run_gates


class Known(NamedTuple):
    """A change of which the truth is known."""

    coding: CodingTask
    name: str
    change: Change
    is_right: bool
    """By the hidden tests."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What gates and judge said of a known change."""

    task_id: str
    name: str
    is_right: bool
    n_diff_chars: int
    is_stopped: bool
    """In a pipeline it would not be accepted whatever the judge's score: a gate turned it down or could not be run, or
    it is too long to be shown whole."""
    score: float
    is_probability: bool
    score_other_order: float | None
    """Where the two words are offered the other way round; None without probabilities."""
    calls: tuple[Call, ...]
    """Of the judgement."""
    calls_other_order: tuple[Call, ...]


async def measure(
    known: Sequence[Known],
    model: Model,
    name: str,
    gates_of: GatesOf,
    checks: Executor,
    advance: Callable[[int], None],
) -> list[Measured]:
    """In the order of `known`. `advance` is called with 1 after each.

    Raises:
        ModelFault, BudgetExhausted: the judge cannot be asked.
    """
    judge = Judge(model, name)

    async def one(case: Known) -> Measured:
        gates = gates_of(case.coding)
        results = await asyncio.get_running_loop().run_in_executor(checks, run_gates, gates, case.change)
        scope = Scope("", case.coding.task.task_id)
        judged = await judge.judge(case.coding.task, case.change, results, scope)
        more_calls: list[Call] = []
        turned = None
        if judged.judgement.is_probability:
            turned = await probability_of_yes(model, judged.shown, IS_RIGHT, scope, more_calls, (NO, YES))
        advance(1)
        return Measured(
            case.coding.task.task_id,
            case.name,
            case.is_right,
            len(case.change.diff),
            not all_pass(results) or bool(judged.shown.n_lines_cut),
            judged.judgement.score,
            judged.judgement.is_probability,
            turned,
            judged.calls,
            tuple(more_calls),
        )

    return await asyncio.gather(*map(one, known))
