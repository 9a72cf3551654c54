"""The way of one task from the first question to the change that is submitted.

`direct`: one answer. With a reviewer: what it finds goes back to the proposer, a stated number of times. With a
tester: tests are written first, shown to the proposer, and run as one more gate.

Invariants: every answer is a round, whether or not a change came of it, or a judge could be asked about it; every call
stands in `Submission.calls`, or in the fault that cuts the way short. Left out: hidden tests, which judge what is
submitted (`krins.pipeline.coordinator`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Literal

from krins.domain import Attempt, Call, Change, GeneratedTests, Round, Scope
from krins.errors import AnswerFault
from krins.interfaces import Gate, Model
from krins.pipeline.patches import change_of
from krins.pipeline.patches.guard import check_paths
from krins.pipeline.proposing import Turn, findings_of, request_for
from krins.pipeline.reviewing import Reviewer, all_pass, best
from krins.pipeline.spec import Tester, judged
from krins.pipeline.tasks import CodingTask

Step = Literal["writing_tests", "proposing", "gates", "judging", "hidden_tests"]
OnStep = Callable[[Step, int], None]
"""Told what begins, and of which round, counted from 0."""


def nobody_is_told(step: Step, round_: int) -> None: ...


@dataclass
class Submission:
    """What has come of a task so far."""

    rounds: list[Round] = field(default_factory=list)
    changes: list[Change | None] = field(default_factory=list)
    """One for each round; None where the answer was no change."""
    attempts: list[Attempt] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    tests: GeneratedTests | None = None
    on_step: OnStep = nobody_is_told

    def add(self, found: Round, change: Change | None) -> None:
        self.rounds.append(found)
        self.changes.append(change)

    @property
    def chosen(self) -> int | None:
        """The round that is submitted."""
        return best(self.rounds)

    @property
    def change(self) -> Change | None:
        return None if self.chosen is None else self.changes[self.chosen]


@dataclass(frozen=True)
class Process:
    """How the answers of one model become a change."""

    proposer: Model
    reviewer: Reviewer | None = None
    tester: Tester | None = None
    rounds: int = 0
    """Answers more that findings may lead to."""

    async def run(self, coding: CodingTask, sample: int, scope: Scope, checks: Executor, done: Submission) -> None:
        """Fill `done`.

        Raises:
            ModelFault, BudgetExhausted: a model cannot be asked; holds the calls that are not in `done` yet.
        """
        if self.tester is not None:
            done.on_step("writing_tests", 0)
            done.tests = await self.tester.write(coding, sample, scope, checks, done.calls)
        turns: list[Turn] = []
        for _ in range(1 + self.rounds):
            answered = await self._ask(coding, sample, scope, turns, done)
            if answered is None:
                break
            found = await self._round(answered, coding, scope, checks, done)
            if self.reviewer is None or found.is_accepted or not _can_be_mended(found):
                break
            turns.append(Turn(answered.text, findings_of(found)))
        if done.tests is not None and done.chosen is not None:
            done.tests = judged(done.tests, done.rounds[done.chosen].gates)

    async def _ask(
        self, coding: CodingTask, sample: int, scope: Scope, turns: Sequence[Turn], done: Submission
    ) -> Attempt | None:
        """None where the model answered, and the answer is none."""
        done.on_step("proposing", len(done.rounds))
        try:
            attempt = await self.proposer.answer(request_for(coding, sample, turns, done.tests), scope)
        except AnswerFault as fault:
            done.calls += fault.calls
            done.add(Round(problem=fault.message), None)
            return None
        done.calls += attempt.calls
        done.attempts.append(attempt)
        return attempt

    async def _round(
        self, attempt: Attempt, coding: CodingTask, scope: Scope, checks: Executor, done: Submission
    ) -> Round:
        read = await asyncio.get_running_loop().run_in_executor(checks, _read, attempt, coding, done.tests)
        if isinstance(read, Round):
            done.add(read, None)
        elif self.reviewer is None:
            done.add(Round(read.diff), read)
        else:
            done.on_step("gates", len(done.rounds))
            seen = await self.reviewer.check(read, coding, self._more_gates(done.tests), checks)
            done.add(seen, read)  # before the judge is asked, who may not be within reach
            if all_pass(seen.gates):
                done.on_step("judging", len(done.rounds) - 1)
            done.rounds[-1] = await self.reviewer.ask_judge(seen, read, coding, scope, done.calls)
        return done.rounds[-1]

    def _more_gates(self, tests: GeneratedTests | None) -> Sequence[Gate]:
        return [self.tester.gate(tests)] if self.tester is not None and tests is not None and tests.text else []


def _read(attempt: Attempt, coding: CodingTask, tests: GeneratedTests | None) -> Change | Round:
    """The change that an answer makes, or a round that says why it makes none."""
    # An answer may repeat the tests that it was shown, but neither change them nor make them part of its change.
    shown = {tests.path: tests.text} if tests is not None and tests.text else {}
    try:
        change = change_of(attempt.text, {**coding.tree, **shown}, coding.answer_file)
        check_paths(change, [*coding.protected, *coding.visible_tests])
    except AnswerFault as fault:
        cut = ", in an answer cut off at the token limit" if attempt.finish_reason == "length" else ""
        return Round(problem=f"{fault.message}{cut}")
    after = {path: text for path, text in change.after.items() if path not in shown}
    return Change(coding.tree, after, change.diff)


def _can_be_mended(found: Round) -> bool:
    """Not where a gate could not be run, or the judge could not be shown all of a change: it would happen again."""
    is_doubted = found.judgement is not None and not found.judgement.n_lines_cut
    return bool(found.problem or is_doubted or any(result.is_red for result in found.gates))


__all__ = ["OnStep", "Process", "Step", "Submission", "nobody_is_told"]
