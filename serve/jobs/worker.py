"""Takes jobs from the keeper, one at a time, and does each in a thread of its own.

The loop that talks to the keeper does nothing else, so that heavy imports and long checks never keep a heartbeat back.
Invariants: a job whose lease is lost is dropped, and nothing more is said of it; one that somebody cancels is stopped
within a heartbeat, or as soon as a check in the sandbox ends; whatever else goes wrong is said of the attempt, and the
queue decides whether it is tried again. What an answer cost is noted, and an outcome that hidden tests judged fed back,
before the job is done: a worker that dies in between says it twice, and the learner counts both once; what the learner
said to the feedback, or why it said nothing, stands in the result.
Left out: what is done (`serve.jobs.coordinator`), and the actor (`serve.jobs.worker_actor`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from krins.errors import KrinsError, UserError
from krins.interfaces import Clock
from serve.interfaces import Answered, Feedback
from serve.jobs.job import KEEPS_NOTHING, Job
from serve.jobs.models import Order, TaskResult
from serve.web import Refusal

HEARTBEAT_SECONDS = 1.0
_POLL_SECONDS = 20.0
_SAY_AGAIN_SECONDS = 1.0
_FEEDBACK_TRIES = 10
"""While the learner is out of reach; it is restarted within seconds."""

Tell = Callable[[str, int], None]
Do = Callable[[str, Order, Tell], Coroutine[Any, Any, TaskResult]]
"""From a job's id, what was ordered, and whom to tell what begins, to the result."""
TellLearner = Callable[[Answered, Feedback | None], Awaitable[str]]
"""What an answer cost, and how good it was if anybody knows; returns the status of the receipt."""


class Jobs(Protocol):
    """The keeper, in this process or as `serve.jobs.client.KeeperClient`."""

    async def call(self, part: str, method: str, *arguments: Any) -> Any: ...

    async def until(self, seconds: float, part: str, method: str, *arguments: Any) -> Any: ...


class Worker:
    """Works for as long as it is let."""

    def __init__(self, jobs: Jobs, do: Do, tell_learner: TellLearner, clock: Clock) -> None:
        self._jobs, self._do, self._tell_learner, self._clock = jobs, do, tell_learner, clock

    async def run(self, is_wanted: Callable[[], bool]) -> None:
        """Raises Refusal 503 when the keeper is out of reach for longer than a restart of it takes."""
        while is_wanted():
            try:
                await self.work_once(_POLL_SECONDS)
            except Refusal as refusal:
                if refusal.code != KEEPS_NOTHING:
                    raise
                await self._clock.sleep(_SAY_AGAIN_SECONDS)  # a full disk: there may be room again

    async def work_once(self, wait_seconds: float) -> bool:
        """Do the next job, if one comes in time; whether one did."""
        job: Job | None = await self._jobs.until(wait_seconds, "jobs", "take")
        if job is None:
            return False
        with suppress(_LeaseLost):
            await self._attempt(job)
        return True

    async def _attempt(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[tuple[str, int] | None] = asyncio.Queue()

        def tell(step: str, round_: int) -> None:
            loop.call_soon_threadsafe(steps.put_nowait, (step, round_))

        try:
            order = Order.model_validate_json(job.payload)
        except ValueError as failure:
            await self._say(job, "fail", f"its payload cannot be read: {failure}", False)
            return
        work = _Abroad(self._do(job.job_id, order, tell))
        beating = asyncio.create_task(self._beat(job, work))
        telling = asyncio.create_task(self._tell(job, steps))
        try:
            result = await asyncio.to_thread(work.run)
        except Exception as failure:
            said: tuple[Any, ...] = ("fail", _in_words(failure), not isinstance(failure, UserError))
        else:
            said = ("stopped",) if result is None else ("finish", await self._told(job, order, result))
        finally:
            loop.call_soon(steps.put_nowait, None)
            await telling
            beating.cancel()
        await self._say(job, *said)

    async def _told(self, job: Job, order: Order, result: TaskResult) -> str:
        """The result, as it is recorded once the learner knows what it has to."""
        answered = Answered(
            # Not now: an attempt that says it again says the same, which then counts once.
            at_seconds=job.created_at_seconds,
            decision_id=order.decision_id,
            key_id=job.key_id,
            arm=order.arm,
            cost_usd=result.cost_usd,
            input_tokens=result.input_tokens,
            cached_tokens=result.cached_tokens,
            output_tokens=result.output_tokens,
            latency_seconds=result.latency_seconds or 0.0,
            error=result.failure,
        )
        feedback = None
        if result.quality is not None and order.decision_id:
            feedback = Feedback(order.decision_id, result.quality, result.cost_usd, result.latency_seconds)
        said = await self._said_of(answered, feedback)
        return result.model_copy(update={"feedback": said} if feedback else {}).model_dump_json()

    async def _said_of(self, answered: Answered, feedback: Feedback | None) -> str:
        for tries in range(1, _FEEDBACK_TRIES + 1):
            try:
                return await self._tell_learner(answered, feedback)
            except Exception as failure:  # the caller has the decision's id, and may say it himself
                if tries == _FEEDBACK_TRIES or not (isinstance(failure, Refusal) and failure.status == 503):
                    return f"not taken: {_in_words(failure)}"
            await self._clock.sleep(_SAY_AGAIN_SECONDS)
        raise AssertionError("the last try returns")

    async def _beat(self, job: Job, work: _Abroad) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            try:
                is_stopping = await self._jobs.call("jobs", "heartbeat", job.job_id, job.attempt)
            except Refusal as refusal:
                is_stopping = refusal.code == "lease_lost"
            except KrinsError:
                continue  # the keeper cannot keep anything now; the lease may outlast that
            if is_stopping:
                work.cancel()

    async def _tell(self, job: Job, steps: asyncio.Queue[tuple[str, int] | None]) -> None:
        while (step := await steps.get()) is not None:
            with suppress(KrinsError):
                await self._jobs.call("jobs", "progress", job.job_id, job.attempt, step[0], {"round": step[1]})

    async def _say(self, job: Job, method: str, *arguments: Any) -> None:
        """Say how the attempt ended for as long as somebody may want to know."""
        while True:
            try:
                await self._jobs.call("jobs", method, job.job_id, job.attempt, *arguments)
            except Refusal as refusal:
                if refusal.status != 503:
                    raise _LeaseLost from refusal
            except KrinsError:
                pass  # a full disk
            else:
                return
            await self._clock.sleep(_SAY_AGAIN_SECONDS)


class _LeaseLost(Exception):
    """Another attempt has taken this one's place."""


class _Abroad:
    """A coroutine on an event loop of its own, in whatever thread runs it."""

    def __init__(self, work: Coroutine[Any, Any, TaskResult]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._cancel: Callable[[], object] | None = None
        self._is_cancelled = False

    def run(self) -> TaskResult | None:
        """Its result; None where it was cancelled."""
        try:
            return asyncio.run(self._main())
        except asyncio.CancelledError:
            return None

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            if self._cancel is not None:
                self._cancel()

    async def _main(self) -> TaskResult:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(self._work)
        with self._lock:
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
            if self._is_cancelled:
                task.cancel()
        try:
            return await task
        finally:
            with self._lock:
                self._cancel = None


def _in_words(failure: Exception) -> str:
    text = str(failure) if isinstance(failure, KrinsError) else f"{type(failure).__name__}: {failure}"
    return text[:2_000]
