"""The live environment: a model answers, its code is extracted, hidden tests judge it.

Invariants: whatever goes wrong with one attempt is in its outcome, told apart by whose fault it was, and what the
attempt cost is charged even where its answer cannot be used. The cost of a call whose usage the server did not tell
is None, never zero. Left out: parallelism and durability (`krins.runs`), and how answers and verdicts come about.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from krins.domain import Arm, Attempt, Failure, FailureKind, Outcome, Task, Verdict
from krins.errors import KrinsError, ModelFault, SandboxFault, TaskError
from krins.interfaces import Model, Verifier
from krins.pipeline.extract import extract_code
from krins.pipeline.tasks import CodingTask

ANSWER_FORMAT = "Answer with one Python code block that holds the complete solution and nothing else."


class Coordinator:
    """Walks a task from prompt to outcome."""

    def __init__(self, tasks: Sequence[CodingTask], models: Mapping[str, Model], verifier: Verifier) -> None:
        self.tasks: Sequence[Task] = [coding.task for coding in tasks]
        self.arms: Sequence[Arm] = [Arm(name) for name in models]
        self._tests = {coding.task.task_id: coding.tests for coding in tasks}
        self._models = models
        self._verifier = verifier
        # As many checks at once as there are processors: more would only run each other into their time limits.
        self._checks = ThreadPoolExecutor(os.cpu_count() or 1, "check")

    async def check(self) -> None:
        """Run every task's tests against an empty solution.

        Raises:
            TaskError: tests that cannot be run. (Tests that run wild are found when they judge an answer.)
        """

        async def check_one(tests: str) -> None:
            with suppress(SandboxFault):
                await self._verify("", tests)

        await asyncio.gather(*map(check_one, self._tests.values()))

    async def attempt(self, task: Task, arm: Arm, sample: int) -> Outcome:
        try:
            attempt = await self._models[arm.name].answer(f"{task.prompt.rstrip()}\n\n{ANSWER_FORMAT}\n", sample)
        except ModelFault as fault:
            return Outcome(task.task_id, arm.name, sample, 0.0, None, failure=_infrastructure(fault))
        verdict, failure = await self._judge(attempt, self._tests[task.task_id])
        return Outcome(
            task_id=task.task_id,
            arm=arm.name,
            sample=sample,
            quality=verdict.quality if verdict else 0.0,
            cost_usd=attempt.cost_usd,
            usage=attempt.usage,
            latency_seconds=attempt.latency_seconds,
            failure=failure,
            attempts=(attempt,),
            verdict=verdict,
        )

    async def _judge(self, attempt: Attempt, tests: str) -> tuple[Verdict | None, Failure | None]:
        code = extract_code(attempt.text)
        if code is None:
            cut = ", cut off at the token limit" if attempt.finish_reason == "length" else ""
            return None, Failure(FailureKind.MODEL, f"no Python code in the answer{cut}")
        try:
            return await self._verify(code, tests), None
        except (SandboxFault, TaskError) as fault:
            return None, _infrastructure(fault)

    async def _verify(self, code: str, tests: str) -> Verdict:
        return await asyncio.get_running_loop().run_in_executor(self._checks, self._verifier.verify, code, tests)


def _infrastructure(fault: KrinsError) -> Failure:
    return Failure(FailureKind.INFRASTRUCTURE, fault.message)
