"""What is said of a change before it is submitted: gates, and where none is red, a judge.

Invariants: a change is accepted only if no gate is red, no blocking gate could not be run, and the score of a judge who
saw all of the change reaches the threshold; nobody is asked about a change that a gate turned down. Left out: what
becomes of a change that was not accepted (`krins.pipeline.process`), and hidden tests, of which nothing here knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from krins.domain import Call, Change, GateResult, GateStatus, Round, Scope, Verdict
from krins.errors import BudgetExhausted, ModelFault
from krins.interfaces import Gate
from krins.pipeline.judging.judge import Judge
from krins.pipeline.tasks import CodingTask
from krins.quality.gates.running import run_gates
from krins.quality.gates.syntax import SYNTAX

GatesOf = Callable[[CodingTask], Sequence[Gate]]


@dataclass(frozen=True)
class Reviewer:
    """Reviews the changes of one proposer."""

    gates_of: GatesOf
    judge: Judge
    accept_score: float

    async def check(self, change: Change, coding: CodingTask, more_gates: Sequence[Gate], checks: Executor) -> Round:
        """What the gates say: the task's own, then `more_gates`."""
        gates = [*self.gates_of(coding), *more_gates]
        results = await asyncio.get_running_loop().run_in_executor(checks, run_gates, gates, change)
        return Round(change.diff, gates=tuple(results))

    async def ask_judge(
        self, seen: Round, change: Change, coding: CodingTask, scope: Scope, calls: list[Call]
    ) -> Round:
        """A checked round, with what the judge says, whose calls are added to `calls`; as it is if a gate stops it.

        Raises:
            ModelFault, BudgetExhausted: the judge cannot be asked; holds the calls that were made.
        """
        if not all_pass(seen.gates):
            return seen
        try:
            judged = await self.judge.judge(coding.task, change, seen.gates, scope)
        except (ModelFault, BudgetExhausted) as fault:
            fault.calls = _as_judge(fault.calls)
            raise
        calls += _as_judge(judged.calls)
        shown, judgement = judged.shown, judged.judgement
        judgement = replace(judgement, n_speaking=shown.n_speaking, n_lines_cut=shown.n_lines_cut)
        is_accepted = judgement.score >= self.accept_score and not shown.n_lines_cut
        return replace(seen, judgement=judgement, is_accepted=is_accepted)


def all_pass(results: Sequence[GateResult]) -> bool:
    """Whether no gate that blocks is red or could not be run."""
    stops = (GateStatus.FAILED, GateStatus.NOT_RUN)
    return not any(result.blocks and result.status in stops for result in results)


def verdict_of(found: Round) -> Verdict | None:
    """What gates and judge together say of a round; None where nobody looked at it."""
    results = [result for result in found.gates if result.status is not GateStatus.NOT_NEEDED]
    if not results and found.judgement is None:
        return None
    passed = sum(result.status is GateStatus.PASSED for result in results) + found.is_accepted
    evidence = "\n".join(f"{result.gate}: {result.evidence}" for result in results if result.is_red)
    return Verdict(float(found.is_accepted), passed, len(results) + 1, evidence)


def _as_judge(calls: Sequence[Call]) -> tuple[Call, ...]:
    return tuple(replace(call, agent="judge") for call in calls)


def best(rounds: Sequence[Round]) -> int | None:
    """Which round to submit: an accepted one, else that with the fewest red gates, then the surest judge, then the
    latest; None where no answer was a change. What does not parse comes last, for no other gate looked at it."""
    candidates = [number for number, found in enumerate(rounds) if found.diff]

    def rank(number: int) -> tuple[bool, bool, int, float, int]:
        found = rounds[number]
        red = [result.gate for result in found.gates if result.is_red]
        score = found.judgement.score if found.judgement else 0.0
        return found.is_accepted, SYNTAX not in red, -len(red), score, number

    return max(candidates, key=rank, default=None)
