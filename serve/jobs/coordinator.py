"""The one coordinator's way, walked for a task that was posted: proposer, gates, judge, repair, hidden tests.

Everything is `krins.pipeline`'s, put together as `krins.runs.worker` does for a suite. Invariants: a task spends at
most what was set aside for it; nothing of it touches the disk but inside of the sandbox; a job that is tried again
finds the answers of its earlier attempts in the cache, so that nobody pays for one twice, while two jobs of one payload
are answered independently. Heavy imports happen on the first task. Left out: leases, events, retries
(`serve.jobs.worker`).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from krins.clock import SystemClock
from krins.domain import Arm, FailureKind, Outcome
from krins.errors import WorkerFault
from krins.models.cache import AnswerStore
from krins.models.spec import ModelSpec
from krins.pipeline.contexts import with_contexts
from krins.runs.worker import LiveInputs, verifiers
from krins.suite import AnswerCache, Budget, Limit, LiveEnvironment, LiveModelEntry
from serve.jobs.ground import inputs_of
from serve.jobs.models import Order, TaskResult
from serve.jobs.telling import result_of

Tell = Callable[[str, int], None]
"""Told what begins, and of which round, counted from 0."""
_CACHE = AnswerCache()


class TaskCoordinator:
    """Does one task at a time. `models`: what the service's arguments say of them now."""

    def __init__(self, models: Callable[[], Sequence[LiveModelEntry]], cache_folder: Path) -> None:
        self._models, self._cache_folder = models, cache_folder

    async def run(self, job_id: str, order: Order, tell: Tell) -> TaskResult:
        """
        Raises:
            WorkerFault: infrastructure failed; the same may go well a little later.
            UserError: it cannot be done here, and would not later: no sandbox, an unknown model.
        """
        inputs = inputs_of(order.request, job_id, order.arms, self._models())
        [coding] = with_contexts(inputs.coding_tasks, inputs.environment.context)
        inputs = LiveInputs(inputs.environment, inputs.specs, [coding], allow_unsafe=False)
        store = AnswerStore(self._cache_folder, _CACHE)
        try:
            outcome = await _attempt(inputs, order, store, tell)
        finally:
            store.close()
        if outcome.failure is not None and outcome.failure.kind is FailureKind.INFRASTRUCTURE:
            raise WorkerFault(outcome.failure.message)
        return result_of(outcome, coding, order)


async def _attempt(inputs: LiveInputs, order: Order, store: AnswerStore, tell: Tell) -> Outcome:
    from krins.models.stack import ModelPool
    from krins.models.waiting_ledger import SharedLedger
    from krins.pipeline.coordinator import Coordinator
    from krins.pipeline.processes import processes
    from krins.quality.sandbox import choose_sandbox

    arm = order.arm
    environment = _between(inputs.environment, arm)
    [coding] = inputs.coding_tasks
    ledger = SharedLedger(Budget(run=_limit(inputs.specs[arm], order)), {})
    sandbox = choose_sandbox(allow_unsafe=False)
    names = [model.name for model in environment.models]
    specs = {name: inputs.specs[name] for name in (*names, *(f for n in names for f in inputs.specs[n].fallback))}
    pool = ModelPool(specs, ledger, store, SystemClock(), random.Random(), environment.max_concurrency)
    try:
        made = processes(environment, {name: pool.models[name] for name in names}, sandbox)
        hidden = verifiers(inputs, sandbox)
        coordinator = Coordinator([coding], made, lambda task: hidden(task) if task.tests else None, tell)
        # The sample tells jobs apart in the cache, and seeds the provider where it takes a seed.
        sample = zlib.crc32(coding.task.task_id.encode()) >> 1
        return await coordinator.attempt(coding.task, Arm(arm), sample)
    finally:
        await pool.close()


def _between(environment: LiveEnvironment, arm: str) -> LiveEnvironment:
    """Of all models only the one that answers and the one that judges."""
    judge = environment.judge_of(arm)
    models = [model for model in environment.models if model.name in (arm, judge)]
    pipeline = environment.pipeline.model_copy(update={"judge": judge})
    return environment.model_copy(update={"models": models, "pipeline": pipeline})


def _limit(spec: ModelSpec, order: Order) -> Limit:
    """None of USD for a model without a price, whose calls count as free."""
    return Limit(usd=None if spec.price is None else order.most_usd)
