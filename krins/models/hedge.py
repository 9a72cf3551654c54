"""A second call for the slow tail: whichever answers first is taken, and both are paid for.

J. Dean and L. Barroso, "The Tail at Scale", CACM 2013, hedged requests. Invariants: at most two calls are under way;
the one that is not needed is cancelled, and has been charged, before the answer is returned; a call that fails before
the other began is not helped (that is for `krins.models.retries`), and one that fails after waits for the other.
A streamed question is not hedged, for the pieces of two answers would mix.
No library: what there is for asyncio (hyx) has no hedging, and it comes down to `asyncio.wait`.
Left out: when a second call is worth its price; the suite says after how long.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from krins.domain import Request
from krins.interfaces import Clock
from krins.models.job import Answered, Job, Layer


class Hedge:
    """Asks `inner` a second time when there is no answer after `after_seconds`."""

    def __init__(self, inner: Layer, after_seconds: float, clock: Clock) -> None:
        self._inner, self._after_seconds, self._clock = inner, after_seconds, clock

    async def ask(self, request: Request, job: Job) -> Answered:
        """When both fail, what the first one raised."""
        if job.on_text is not None:
            return await self._inner.ask(request, job)
        race = _Race()
        try:
            first = race.start(self._inner, request, job)
            if not await self._is_done_in_time(first):
                await _succeeded(first, race.start(self._inner, request, job))
            return race.result()
        finally:
            await race.end(job)

    async def _is_done_in_time(self, task: asyncio.Task[Answered]) -> bool:
        timer = asyncio.create_task(self._clock.sleep(self._after_seconds))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return task.done()


class _Race:
    """The calls under way. Each has a job of its own, for waiting for the budget moves the deadline of who waits."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Answered]] = []
        self._jobs: list[Job] = []

    def start(self, inner: Layer, request: Request, job: Job) -> asyncio.Task[Answered]:
        self._jobs.append(replace(job))
        self._tasks.append(asyncio.create_task(inner.ask(request, self._jobs[-1])))
        return self._tasks[-1]

    def result(self) -> Answered:
        """Of the first that succeeded; otherwise what the first one raised."""
        return next((task for task in self._tasks if _is_success(task)), self._tasks[0]).result()

    async def end(self, job: Job) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        job.deadline_seconds = max(part.deadline_seconds for part in self._jobs)


async def _succeeded(*tasks: asyncio.Task[Answered]) -> None:
    """Wait until one has, or all have failed."""
    pending = set(tasks)
    while pending and not any(map(_is_success, tasks)):
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)


def _is_success(task: asyncio.Task[Answered]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
