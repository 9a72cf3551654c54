"""The live environment: a task is given to an arm, and hidden tests judge the change that is submitted.

Where a task has none, the verdict is that of its own gates and judge, who must accept the change.

Invariants: whatever goes wrong with one attempt is in its outcome, told apart by whose fault it was; every call that it
caused is in there too and charged: retries, fallbacks, judges, and calls without a usable answer. The cost of an answer
whose usage the server did not tell is None, never zero. Left out: parallelism and durability (`krins.runs`), and how a
change comes about (`krins.pipeline.process`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from krins.domain import Arm, Call, Change, Failure, FailureKind, Outcome, Scope, Task, Usage
from krins.errors import AnswerFault, BudgetExhausted, KrinsError, ModelFault, SandboxFault, TaskError
from krins.interfaces import Verifier
from krins.models.tracing import decision_span
from krins.pipeline.process import OnStep, Process, Submission, nobody_is_told
from krins.pipeline.reviewing import verdict_of
from krins.pipeline.tasks import CodingTask


class Coordinator:
    """Walks a task from prompt to outcome."""

    def __init__(
        self,
        tasks: Sequence[CodingTask],
        processes: Mapping[str, Process],
        verifier_of: Callable[[CodingTask], Verifier | None],
        on_step: OnStep = nobody_is_told,
    ) -> None:
        """`processes`: by arm. `verifier_of` says None of a task that only its gates and its judge can speak of."""
        self.tasks: Sequence[Task] = [coding.task for coding in tasks]
        self.arms: Sequence[Arm] = [Arm(name) for name in processes]
        self._coding_tasks = {coding.task.task_id: coding for coding in tasks}
        self._processes = processes
        self._verifier_of = verifier_of
        self._on_step = on_step
        # As many checks at once as there are processors: more would only run each other into their time limits.
        self._checks = ThreadPoolExecutor(os.cpu_count() or 1, "check")

    async def check(self) -> None:
        """Run every task's tests against the unchanged tree.

        Raises:
            TaskError: tests that cannot be run. (Tests that run wild are found when they judge an answer.)
        """

        def check_one(coding: CodingTask) -> None:
            verifier = self._verifier_of(coding)
            with suppress(SandboxFault):
                if verifier is not None:
                    verifier.verify(Change(coding.tree, coding.tree, ""), coding.tests)

        loop = asyncio.get_running_loop()
        every = self._coding_tasks.values()
        await asyncio.gather(*(loop.run_in_executor(self._checks, check_one, coding) for coding in every))

    async def attempt(self, task: Task, arm: Arm, sample: int, correlation_id: str = "") -> Outcome:
        scope = Scope(correlation_id, task.task_id)
        with decision_span(scope, arm.name, sample) as span:
            outcome = await self._outcome(task, arm, sample, scope)
            span.end(outcome)
            return outcome

    async def _outcome(self, task: Task, arm: Arm, sample: int, scope: Scope) -> Outcome:
        coding = self._coding_tasks[task.task_id]
        asked = Outcome(
            task.task_id, arm.name, sample, 0.0, None, correlation_id=scope.decision_id, context=coding.context
        )
        done = Submission(on_step=self._on_step)
        try:
            await self._processes[arm.name].run(coding, sample, scope, self._checks, done)
        except (ModelFault, BudgetExhausted) as fault:
            done.calls += fault.calls
            return replace(_told(asked, done), failure=_failure(fault), cost_usd=_cost_of_no_answer(done.calls))
        return await self._judged(_told(asked, done), done, coding)

    async def _judged(self, outcome: Outcome, done: Submission, coding: CodingTask) -> Outcome:
        """What the hidden tests say of the change that is submitted, or else those who reviewed it."""
        if done.chosen is None or done.change is None:
            failure = Failure(FailureKind.MODEL, done.rounds[-1].problem)
            return replace(outcome, failure=failure, cost_usd=outcome.cost_usd if done.calls else None)
        verifier, loop = self._verifier_of(coding), asyncio.get_running_loop()
        if verifier is None:
            verdict = verdict_of(done.rounds[done.chosen])
            return replace(outcome, verdict=verdict, quality=verdict.quality if verdict else 0.0, submitted=done.chosen)
        done.on_step("hidden_tests", done.chosen)
        try:
            verdict = await loop.run_in_executor(self._checks, verifier.verify, done.change, coding.tests)
        except (SandboxFault, TaskError) as fault:
            return replace(outcome, failure=_failure(fault))
        return replace(outcome, verdict=verdict, quality=verdict.quality, submitted=done.chosen)


def _told(asked: Outcome, done: Submission) -> Outcome:
    """The outcome as far as it is known without a verdict."""
    told = [attempt.usage is not None for attempt in done.attempts]
    is_known = all(told) and not any(call.is_usage_unknown and call.error is None for call in done.calls)
    others = sum(call.latency_seconds for call in done.calls if call.agent != "proposer")
    return replace(
        asked,
        cost_usd=_total_usd(done.calls) if is_known else None,
        usage=_total_usage(done.calls) if is_known else None,
        latency_seconds=sum(attempt.latency_seconds for attempt in done.attempts) + others if done.attempts else None,
        attempts=tuple(replace(attempt, calls=()) for attempt in done.attempts),
        calls=tuple(done.calls),
        rounds=tuple(done.rounds),
        generated_tests=done.tests,
    )


def _cost_of_no_answer(calls: Sequence[Call]) -> Decimal | None:
    """That nothing was had for nothing is no price to learn from."""
    return _total_usd(calls) or None


def _failure(fault: KrinsError) -> Failure:
    if isinstance(fault, AnswerFault):
        return Failure(FailureKind.MODEL, fault.message)
    kind = FailureKind.BUDGET if isinstance(fault, BudgetExhausted) else FailureKind.INFRASTRUCTURE
    return Failure(kind, fault.message)


def _total_usd(calls: Sequence[Call]) -> Decimal | None:
    """None where the price of one is unknown."""
    costs = [call.cost_usd for call in calls]
    return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))


def _total_usage(calls: Sequence[Call]) -> Usage | None:
    """What providers told, of all calls together; None where they told nothing."""
    known = [call.usage for call in calls if call.usage is not None]
    if not known:
        return None
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in known),
        output_tokens=sum(usage.output_tokens for usage in known),
        calls=len(calls),
        cached_tokens=sum(usage.cached_tokens for usage in known),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in known),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in known),
    )
