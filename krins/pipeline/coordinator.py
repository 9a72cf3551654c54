"""The live environment: a model answers, its code is extracted, hidden tests judge it.

Invariants: whatever goes wrong with one attempt is in its outcome, told apart by whose fault it was; every call that it
caused is in there too and charged, retries and fallbacks and calls without a usable answer among them. The cost of an
answer whose usage the server did not tell is None, never zero. Left out: parallelism and durability (`krins.runs`), and
how answers and verdicts come about.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from krins.domain import Arm, Attempt, Call, Failure, FailureKind, Outcome, Request, Scope, Task, Usage, Verdict
from krins.errors import AnswerFault, BudgetExhausted, KrinsError, ModelFault, SandboxFault, TaskError
from krins.interfaces import Model, Verifier
from krins.models.tracing import decision_span
from krins.pipeline.extract import extract_code
from krins.pipeline.tasks import CodingTask

ANSWER_FORMAT = "Answer with one Python code block that holds the complete solution and nothing else."
_OF_NO_TASK: Mapping[str, Verifier] = MappingProxyType({})


def request_for(coding: CodingTask, sample: int) -> Request:
    """What a model is asked. Context comes first: providers cache the prompts of one task's samples by their prefix."""
    context = f"{coding.context_text.rstrip()}\n\n=== Task\n\n" if coding.context_text else ""
    return Request.of(f"{context}{coding.task.prompt.rstrip()}\n\n{ANSWER_FORMAT}\n", sample)


class Coordinator:
    """Walks a task from prompt to outcome."""

    def __init__(
        self,
        tasks: Sequence[CodingTask],
        models: Mapping[str, Model],
        verifier: Verifier,
        verifiers: Mapping[str, Verifier] = _OF_NO_TASK,
    ) -> None:
        """`verifiers`: of tasks with a source tree, by id, those that have the tree at hand."""
        self.tasks: Sequence[Task] = [coding.task for coding in tasks]
        self.arms: Sequence[Arm] = [Arm(name) for name in models]
        self._coding_tasks = {coding.task.task_id: coding for coding in tasks}
        self._models = models
        self._verifier, self._verifiers = verifier, verifiers
        # As many checks at once as there are processors: more would only run each other into their time limits.
        self._checks = ThreadPoolExecutor(os.cpu_count() or 1, "check")

    async def check(self) -> None:
        """Run every task's tests against an empty solution.

        Raises:
            TaskError: tests that cannot be run. (Tests that run wild are found when they judge an answer.)
        """

        async def check_one(coding: CodingTask) -> None:
            with suppress(SandboxFault):
                await self._verify("", coding)

        await asyncio.gather(*map(check_one, self._coding_tasks.values()))

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
        try:
            attempt = await self._models[arm.name].answer(request_for(coding, sample), scope)
        except (ModelFault, BudgetExhausted) as fault:
            cost_usd, usage = _total_usd(fault.calls), _total_usage(fault.calls)
            if not cost_usd and not isinstance(fault, AnswerFault):
                cost_usd = None  # that nothing was had for nothing is no price to learn from
            return replace(asked, failure=_failure(fault), cost_usd=cost_usd, usage=usage, calls=fault.calls)
        verdict, failure = await self._judge(attempt, coding)
        return replace(
            asked,
            quality=verdict.quality if verdict else 0.0,
            cost_usd=_total_usd(attempt.calls) if attempt.usage else None,
            usage=_total_usage(attempt.calls) if attempt.usage else None,
            latency_seconds=attempt.latency_seconds,
            failure=failure,
            attempts=(replace(attempt, calls=()),),
            verdict=verdict,
            calls=attempt.calls,
        )

    async def _judge(self, attempt: Attempt, coding: CodingTask) -> tuple[Verdict | None, Failure | None]:
        code = extract_code(attempt.text)
        if code is None:
            cut = ", cut off at the token limit" if attempt.finish_reason == "length" else ""
            return None, Failure(FailureKind.MODEL, f"no Python code in the answer{cut}")
        try:
            return await self._verify(code, coding), None
        except (SandboxFault, TaskError) as fault:
            return None, _failure(fault)

    async def _verify(self, code: str, coding: CodingTask) -> Verdict:
        verifier = self._verifiers.get(coding.task.task_id, self._verifier)
        return await asyncio.get_running_loop().run_in_executor(self._checks, verifier.verify, code, coding.tests)


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
