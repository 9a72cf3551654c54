"""A limit of concurrency with questions in front of it, and calls behind it that end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from krins.clock import FakeClock
from krins.errors import RateLimited
from krins.models.concurrency import AdaptiveConcurrency, Concurrency
from krins.models.job import Answered
from tests.support.layers import QUESTION, Gate, job, settle

FAR = 600.0


class Bench:
    """A limiter over a gate, and the asks that go through both."""

    def __init__(self, maximum: int) -> None:
        self.clock, self.inner = FakeClock(), Gate()
        self.limiter = AdaptiveConcurrency(self.clock, maximum)
        self._layer = Concurrency(self.inner, self.limiter)

    async def ask(self, n: int = 1, deadline_seconds: float = FAR) -> list[asyncio.Task[Answered]]:
        asked = [asyncio.create_task(self._layer.ask(QUESTION, job(deadline_seconds))) for _ in range(n)]
        await settle()
        return asked

    async def end(self, index: int, end: str | Exception = "yes") -> None:
        ask = self.inner.asks[index]
        if isinstance(end, Exception):
            ask.set_exception(end)
        else:
            ask.set_result(end)
        await settle()


def run(maximum: int, test: Callable[[Bench], Awaitable[None]]) -> None:
    """Run a test, after which no slot may be in use once everybody is cancelled."""

    async def go() -> None:
        bench = Bench(maximum)
        await test(bench)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await settle()
        assert bench.limiter.in_flight == 0

    asyncio.run(go())


async def faults(asked: list[asyncio.Task[Answered]]) -> list[type]:
    """What those that failed raised, once all have ended."""
    results = await asyncio.gather(*asked, return_exceptions=True)
    return [type(result) for result in results if isinstance(result, BaseException)]


def after(seconds: float) -> RateLimited:
    """A refusal that says when to come back."""
    fault = RateLimited("slow down")
    fault.retry_after_seconds = seconds
    return fault
