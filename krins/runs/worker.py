"""The live environment, built from a suite: models, tasks, sandbox and verifier put together.

Invariant: a worker is handed suite and tasks, and reads no file, so one built in an actor on another machine asks and
judges the same.
Left out: actors (`krins.runs.actors`), and which attempts are made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from krins.clock import SystemClock
from krins.domain import Arm, Outcome, Task
from krins.interfaces import Limits
from krins.models.openai_compatible import OpenAICompatible
from krins.pipeline.coordinator import Coordinator
from krins.pipeline.tasks import CodingTask, fingerprint
from krins.quality.hidden_tests import HiddenTests
from krins.quality.sandbox import choose_sandbox
from krins.suite import LiveEnvironment


class LiveWorker:
    """The live environment, with everything that it stands on."""

    def __init__(self, environment: LiveEnvironment, coding_tasks: Sequence[CodingTask], allow_unsafe: bool) -> None:
        clock = SystemClock()
        self._models = {spec.name: OpenAICompatible(spec, clock) for spec in environment.models}
        limits = environment.limits
        verifier = HiddenTests(
            choose_sandbox(allow_unsafe),
            Limits(
                wall_seconds=limits.wall_seconds,
                memory_bytes=limits.memory_mib * 2**20,
                processes=limits.processes,
            ),
        )
        self.tasks_sha256 = fingerprint(coding_tasks)
        self._coordinator = Coordinator(coding_tasks, self._models, verifier)

    @property
    def tasks(self) -> Sequence[Task]:
        return self._coordinator.tasks

    @property
    def arms(self) -> Sequence[Arm]:
        return self._coordinator.arms

    async def check(self) -> None:
        """Find servers that are out of reach and tests that cannot be run, before any answer is paid for.

        Raises:
            ModelFault, TaskError, SandboxFault: what was found.
        """
        await asyncio.gather(*(model.check() for model in self._models.values()))
        await self._coordinator.check()

    async def ready(self) -> None:
        """Answers once this worker stands."""

    async def attempt(self, task: Task, arm: Arm, sample: int) -> Outcome:
        return await self._coordinator.attempt(task, arm, sample)

    async def close(self) -> None:
        for model in self._models.values():
            await model.close()
