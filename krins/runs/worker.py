"""The live environment, built from a suite: models, tasks, sandbox and verifier put together.

Invariant: what a worker needs is in the suite, so it can be built in this process or in an actor on another machine.
Left out: actors (`krins.runs.actors`), and which attempts are made.
"""

from __future__ import annotations

import asyncio

from krins.clock import SystemClock
from krins.domain import Arm, Outcome, Task
from krins.interfaces import Limits
from krins.models.openai_compatible import OpenAICompatible
from krins.pipeline.coordinator import Coordinator
from krins.pipeline.tasks import fingerprint, load_tasks
from krins.quality.hidden_tests import HiddenTests
from krins.quality.sandbox import choose_sandbox
from krins.runs.records import Cell
from krins.suite import LiveEnvironment


class LiveWorker:
    """Attempts cells of one live environment."""

    def __init__(self, environment: LiveEnvironment, allow_unsafe: bool) -> None:
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
        coding_tasks = load_tasks(environment)
        self.tasks_sha256 = fingerprint(coding_tasks)
        self._coordinator = Coordinator(coding_tasks, self._models, verifier)
        self._tasks = {task.task_id: task for task in self._coordinator.tasks}

    @property
    def tasks(self) -> list[Task]:
        return list(self._tasks.values())

    @property
    def arms(self) -> list[Arm]:
        return list(self._coordinator.arms)

    async def check(self) -> None:
        """Find servers that are out of reach before any work is done; raises ModelFault."""
        await asyncio.gather(*(model.check() for model in self._models.values()))

    async def attempt(self, cell: Cell) -> Outcome:
        return await self._coordinator.attempt(self._tasks[cell.task_id], Arm(cell.arm), cell.sample)

    async def close(self) -> None:
        for model in self._models.values():
            await model.close()
