"""Tasks as one replica submits and follows them: decided here, set aside from the caller's budget, queued, accounted.

Invariants: a decision is made, and money set aside, only for what is new: a submission that is repeated finds its job;
what was set aside is settled when the job ends, at what it cost, and if this replica dies before, its whole lease is
charged; a dead job that is tried again is charged again, to the key that submitted it.
Left out: HTTP (`serve.jobs.routes`), and what an answer cost, which the worker tells the learner.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal

import orjson

from krins.interfaces import Clock
from krins.models.spec import ModelSpec
from serve.interfaces import Allowances, Decided, Deciding, DecisionMade, Learning, Meters, Reservation
from serve.jobs.ground import at_worst_usd, inputs_of, task_of
from serve.jobs.job import Job, QueueStats, Submitted
from serve.jobs.models import Order, TaskRequest, TaskResult
from serve.jobs.worker import Jobs
from serve.web import Client, Refusal

_FOLLOW_SECONDS = 30.0
_WATCH_SECONDS = 5.0
_MOST_AT_ONCE = 1_000


class Tasks:
    """The jobs of a replica's callers."""

    def __init__(
        self,
        jobs: Jobs,
        deciding: Deciding,
        learning: Learning,
        allowances: Allowances,
        meters: Meters,
        specs: Mapping[str, ModelSpec],
        ensure_workers: Callable[[], object],
        clock: Clock,
    ) -> None:
        """`specs`: of the arms, by name. `ensure_workers` starts the workers that are not there; it may block."""
        self._jobs, self._deciding, self._learning = jobs, deciding, learning
        self._allowances, self._meters, self._clock = allowances, meters, clock
        self._specs, self._ensure_workers = specs, ensure_workers
        self._following: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Watch the queue, and see to it that what an earlier service left in it is worked on."""
        self._in_background(asyncio.create_task(self._watch()))

    async def close(self) -> None:
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    async def submit(self, request: TaskRequest, client: Client, request_id: str, key: str | None) -> Submitted:
        """Queue a task, unless it was queued before. `key`: the caller's, by default a hash of the payload.

        Raises:
            Refusal: 404 no such model, 422 the key came with another payload, 429 no room in queue or budget.
        """
        arm = self._pinned_arm(request)
        digest = hashlib.sha256(_canonical(request)).hexdigest()
        key = f"key {key}" if key else f"payload {digest}"
        known = await self._jobs.call("jobs", "find", client.key_id, key, digest)
        if known is not None:
            return Submitted(known, is_new=False)
        decided = self._deciding.pinned(arm) if arm else self._deciding.decide(task_of(request, request_id))
        order = self._order(request, decided)
        reserved = await self._allowances.reserve(client, order.most_usd)
        try:
            payload = order.model_dump_json()
            job_id = f"task_{secrets.token_hex(12)}"
            submitted: Submitted = await self._jobs.call("jobs", "submit", job_id, payload, digest, key, client.key_id)
        except BaseException:
            self._allowances.settle(reserved, Decimal(0))
            raise
        if not submitted.is_new:  # another was quicker
            self._allowances.settle(reserved, Decimal(0))
            return submitted
        self._note(decided, client, request_id)
        self._in_background(asyncio.create_task(self._follow(submitted.job_id, decided.arm, reserved)))
        await self.ensure_workers()
        return submitted

    async def retry(self, job_id: str, owner: str | None) -> Job:
        """Queue a dead job again, at the expense of the key that submitted it.

        Raises:
            Refusal: 404 there is none, or it is somebody else's; 409 it is not dead; 429 no room in queue or budget.
        """
        dead: Job = await self._jobs.call("jobs", "job", job_id, owner)
        order = Order.model_validate_json(dead.payload)
        reserved = await self._allowances.reserve(Client(dead.key_id, frozenset()), order.most_usd)
        try:
            job: Job = await self._jobs.call("jobs", "retry", job_id, owner)
        except BaseException:
            self._allowances.settle(reserved, Decimal(0))
            raise
        self._in_background(asyncio.create_task(self._follow(job_id, order.arm, reserved)))
        await self.ensure_workers()
        return job

    async def retry_all(self) -> list[str]:
        """Retry dead jobs, those that died first first, as far as there is room; their ids.

        Raises:
            Refusal: 429 there is no room for any.
        """
        dead: list[Job] = await self._jobs.call("jobs", "dead_letters", None, _MOST_AT_ONCE)
        ids: list[str] = []
        refused: Refusal | None = None
        for job in reversed(dead):
            try:
                ids.append((await self.retry(job.job_id, None)).job_id)
            except Refusal as refusal:
                refused = refused or refusal
        if refused is not None and not ids:
            raise refused
        return ids

    async def ensure_workers(self) -> None:
        """See to it that somebody works."""
        await asyncio.to_thread(self._ensure_workers)

    async def ended(self, job_id: str, wait_seconds: float) -> Job | None:
        """The job, once it has ended; None if it has not in time."""
        job: Job | None = await self._jobs.until(wait_seconds, "jobs", "ended", job_id)
        return job

    def _pinned_arm(self, request: TaskRequest) -> str | None:
        """None: the router chooses."""
        judge, (head, _, arm) = request.pipeline.judge, request.model.partition("/")
        known = ", ".join(self._specs)
        if judge is not None and judge not in self._specs:
            raise Refusal(422, "unknown_judge", f"there is no model {judge!r}", f"there is {known}", param="judge")
        if request.model == "krins":
            return None
        if head != "krins" or arm not in self._specs:
            remedy = f"`krins` chooses one; `krins/NAME` is one of {known}"
            raise Refusal(404, "model_not_found", f"there is no model {request.model!r}", remedy, param="model")
        return arm

    def _order(self, request: TaskRequest, decided: Decided) -> Order:
        settings = [spec.settings for spec in self._specs.values()]
        inputs = inputs_of(request, "task", list(self._specs), settings)
        most = at_worst_usd(inputs, decided.arm, self._clock.now_seconds())
        return Order(
            request=request,
            arm=decided.arm,
            arms=list(self._specs),
            decision_id=decided.decision_id,
            reason=decided.reason,
            most_usd=most,
        )

    def _note(self, decided: Decided, client: Client, request_id: str) -> None:
        now = self._clock.now_seconds()
        of_router = (decided.arm, decided.probability, decided.reason, decided.epoch, decided.version)
        made = DecisionMade(now, decided.decision_id, request_id, client.key_id, *of_router, None, "task")
        self._learning.note(made)
        self._meters.decision(decided.arm, decided.reason)

    async def _follow(self, job_id: str, arm: str, reserved: Reservation) -> None:
        """Settle a job's account when it has ended."""
        job = None
        while job is None:
            try:
                job = await self.ended(job_id, _FOLLOW_SECONDS)
            except Refusal:  # at once where the disk is full
                await self._clock.sleep(_WATCH_SECONDS)
        if job.result is None:  # dead or cancelled: what its calls cost is known to nobody, unless there were none
            self._allowances.settle(reserved, None if job.attempt else Decimal(0))
            return
        result = TaskResult.model_validate_json(job.result)
        self._allowances.settle(reserved, result.cost_usd)
        self._account(arm, result)

    def _account(self, arm: str, result: TaskResult) -> None:
        tokens = (result.input_tokens, result.cached_tokens, result.output_tokens)
        if result.cost_usd is not None:
            self._meters.spend(arm, result.cost_usd)
        for kind, count in zip(("input", "cached", "output"), tokens, strict=True):
            self._meters.tokens(arm, kind, count or 0)
        self._meters.tokens(arm, "saved", result.context_tokens_saved)

    async def _watch(self) -> None:
        is_first = True
        while True:
            with suppress(Refusal):
                stats: QueueStats = await self._jobs.call("jobs", "stats")
                for status in ("queued", "running", "dead"):
                    self._meters.queue(status, getattr(stats, status))
                if is_first and stats.queued + stats.running:
                    await self.ensure_workers()
                is_first = False
            await self._clock.sleep(_WATCH_SECONDS)

    def _in_background(self, task: asyncio.Task[None]) -> None:
        self._following.add(task)
        task.add_done_callback(self._following.discard)


def _canonical(request: TaskRequest) -> bytes:
    """The same for the same task, however its JSON was written."""
    return orjson.dumps(request.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
