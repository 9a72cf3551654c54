"""The live environment, built from a suite: models, tasks, sandbox and verifier put together.

Invariant: a worker is handed all that it needs and reads no file but the answer cache, so one built in an actor on
another machine asks and judges the same.
Left out: actors (`krins.runs.actors`), and which attempts are made.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from krins.clock import SystemClock
from krins.domain import Arm, Outcome, Request, Task
from krins.interfaces import Limits, Sandbox
from krins.models.cache import AnswerStore
from krins.models.cache.fingerprint import fingerprint as request_fingerprint
from krins.models.ledger import Amount, Ledger
from krins.models.spec import ModelSpec
from krins.models.stack import ModelPool
from krins.models.tracing import configure_tracing
from krins.models.worst_case import worst_case
from krins.pipeline.proposing import request_for
from krins.pipeline.tasks import CodingTask, fingerprint
from krins.suite import LiveEnvironment

if TYPE_CHECKING:
    from krins.pipeline.verifiers import VerifierOf


@dataclass(frozen=True)
class LiveInputs:
    """What a worker is built from, wherever it stands."""

    environment: LiveEnvironment
    specs: Mapping[str, ModelSpec]
    """By name: the arms, and the models that fallbacks name."""
    coding_tasks: Sequence[CodingTask]
    allow_unsafe: bool

    @property
    def tasks(self) -> list[Task]:
        return [coding.task for coding in self.coding_tasks]

    @property
    def arms(self) -> list[Arm]:
        return [Arm(model.name) for model in self.environment.models]

    def request(self, task_id: str, sample: int = 0) -> Request:
        """What a model is asked of a task, its context included."""
        return request_for(self._by_id[task_id], sample)

    def material(self, task_id: str) -> tuple[str, int]:
        """A task's prompt, and the bytes of its tree."""
        coding = self._by_id[task_id]
        return coding.task.prompt, sum(len(text.encode()) for text in coding.tree.values())

    @cached_property
    def _by_id(self) -> dict[str, CodingTask]:
        return {coding.task.task_id: coding for coding in self.coding_tasks}

    @cached_property
    def tasks_sha256(self) -> str:
        return fingerprint(self.coding_tasks)

    def smallest_calls(self, now_seconds: float) -> list[Amount]:
        """The worst case of each arm's least call."""
        requests = [request_for(coding, 0) for coding in self.coding_tasks]
        return [
            min((worst_case(request, self.specs[arm.name], now_seconds) for request in requests), key=_in_usd)
            for arm in self.arms
        ]


def _in_usd(amount: Amount) -> tuple[object, int]:
    return amount.usd, amount.tokens


def _open_store(environment: LiveEnvironment, folder: Path | None) -> AnswerStore | None:
    return None if environment.cache is False or folder is None else AnswerStore(folder, environment.cache)


def verifiers(inputs: LiveInputs, sandbox: Sandbox) -> VerifierOf:
    """Hidden tests under the suite's limits."""
    from krins.pipeline.verifiers import hidden_tests

    limits = inputs.environment.limits
    return hidden_tests(
        sandbox,
        Limits(wall_seconds=limits.wall_seconds, memory_bytes=limits.memory_mib * 2**20, processes=limits.processes),
    )


class LiveWorker:
    """The live environment, with everything that it stands on."""

    def __init__(self, inputs: LiveInputs, ledger: Ledger, cache_folder: Path | None) -> None:
        # Recorded runs, which need nothing of it, do not wait for a pipeline with its grammars.
        from krins.pipeline.coordinator import Coordinator
        from krins.pipeline.processes import processes
        from krins.quality.sandbox import choose_sandbox

        configure_tracing()
        environment, clock = inputs.environment, SystemClock()
        self._inputs, self._ledger, self._clock = inputs, ledger, clock
        self._store = _open_store(environment, cache_folder)
        self._pool = ModelPool(inputs.specs, ledger, self._store, clock, random.Random(), environment.max_concurrency)
        sandbox = choose_sandbox(inputs.allow_unsafe)
        models = {arm.name: self._pool.models[arm.name] for arm in inputs.arms}
        ways = processes(environment, models, sandbox)
        self._coordinator = Coordinator(inputs.coding_tasks, ways, verifiers(inputs, sandbox))

    @property
    def tasks(self) -> Sequence[Task]:
        return self._coordinator.tasks

    @property
    def arms(self) -> Sequence[Arm]:
        return self._coordinator.arms

    async def check(self, n_samples: int) -> None:
        """Find servers that are out of reach and tests that cannot be run, before any answer is paid for.

        A model whose answers are in the cache, of `n_samples` for each task, need not be within reach.

        Raises:
            ModelFault, TaskError, SandboxFault: what was found.
        """
        asked = [arm.name for arm in self.arms if not self._is_cached(arm.name, n_samples)]
        await asyncio.gather(self._pool.check(asked), self._coordinator.check())

    def _is_cached(self, name: str, n_samples: int) -> bool:
        if self._store is None:
            return False
        spec, store = self._inputs.specs[name], self._store
        tasks = self._inputs.coding_tasks
        requests = (request_for(coding, sample) for sample in range(n_samples) for coding in tasks)
        return any(store.has(request_fingerprint(request, spec)) for request in requests)

    async def can_go_on(self) -> bool:
        """Whether the budget has room for the worst case of some arm's least call."""
        for amount in self._inputs.smallest_calls(self._clock.now_seconds()):
            if await self._ledger.can_afford(amount):
                return True
        return False

    async def ready(self) -> None:
        """Answers once this worker stands."""

    async def attempt(self, task: Task, arm: Arm, sample: int, correlation_id: str = "") -> Outcome:
        try:
            return await self._coordinator.attempt(task, arm, sample, correlation_id)
        finally:
            await self._ledger.close(correlation_id)

    async def close(self) -> None:
        await self._pool.close()
        if self._store is not None:
            self._store.close()
