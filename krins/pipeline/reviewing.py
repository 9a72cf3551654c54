"""What is said of a change before it is submitted: gates, and where none is red, a judge.

Invariants: a change is accepted only if no gate is red, no blocking gate could not be run, and the judge's score
reaches the threshold; nobody is asked about a change that a gate turned down. Left out: what becomes of a change that
was not accepted (`krins.pipeline.coordinator`), and hidden tests, of which nothing here knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from krins.domain import Call, Change, GateResult, GateStatus, Round, Scope
from krins.interfaces import Gate
from krins.pipeline.judging.judge import Judge
from krins.pipeline.tasks import CodingTask
from krins.quality.gates.running import run_gates

GatesOf = Callable[[CodingTask], Sequence[Gate]]


@dataclass(frozen=True)
class Reviewer:
    """Reviews the changes of one proposer."""

    gates_of: GatesOf
    judge: Judge
    accept_score: float

    async def review(
        self,
        change: Change,
        coding: CodingTask,
        more_gates: Sequence[Gate],
        scope: Scope,
        checks: Executor,
        calls: list[Call],
    ) -> Round:
        """`more_gates` come after the task's own. Adds the judge's calls to `calls`.

        Raises:
            ModelFault, BudgetExhausted: the judge cannot be asked; holds the calls that were made.
        """
        gates = [*self.gates_of(coding), *more_gates]
        results = tuple(await asyncio.get_running_loop().run_in_executor(checks, run_gates, gates, change))
        seen = Round(change.diff, gates=results)
        if not _all_pass(results):
            return seen
        judged = await self.judge.judge(coding.task, change, results, scope)
        calls += [replace(call, agent="judge") for call in judged.calls]
        is_accepted = judged.judgement.score >= self.accept_score
        return replace(seen, judgement=judged.judgement, is_accepted=is_accepted)


def _all_pass(results: Sequence[GateResult]) -> bool:
    stops = (GateStatus.FAILED, GateStatus.NOT_RUN)
    return not any(result.blocks and result.status in stops for result in results)


def best(rounds: Sequence[Round]) -> int | None:
    """Which round to submit: an accepted one, else that with the fewest red gates, then the surest judge, then the
    latest; None where no answer was a change."""
    candidates = [number for number, found in enumerate(rounds) if found.diff]

    def rank(number: int) -> tuple[bool, int, float, int]:
        found = rounds[number]
        n_red = sum(result.is_red for result in found.gates)
        return found.is_accepted, -n_red, found.judgement.score if found.judgement else 0.0, number

    return max(candidates, key=rank, default=None)
