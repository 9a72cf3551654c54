"""Stand-ins for what lies below a layer, and a way to let tasks run on while a fake clock stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from krins.clock import FakeClock
from krins.domain import Call, Request, Scope
from krins.interfaces import OnText, Reply
from krins.models.job import Answered, Job

QUESTION = Request.of("What?")
Deed = Callable[[Job], Awaitable[str]]


def answered(text: str = "yes", model: str = "m") -> Answered:
    return Answered(Reply(text, None, "stop", None), model, "openai")


def job(deadline_seconds: float = 600.0, on_text: OnText | None = None) -> Job:
    return Job(Scope(), deadline_seconds, on_text)


async def settle() -> None:
    """Let every task run until it waits for something that only the test can bring about."""
    for _ in range(30):
        await asyncio.sleep(0)


class JumpingClock(FakeClock):
    """Whoever sleeps moves it; `slept` says for how long."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


class Script:
    """A layer that does one thing after another, and the last one for ever: answers a text, raises, or does a deed."""

    def __init__(self, *steps: str | Exception | Deed) -> None:
        self._steps = steps
        self.jobs: list[Job] = []
        """Of every ask, in order."""

    @property
    def asked(self) -> int:
        return len(self.jobs)

    async def ask(self, request: Request, job: Job) -> Answered:
        step = self._steps[min(self.asked, len(self._steps) - 1)]
        self.jobs.append(job)
        if isinstance(step, Exception):
            raise step
        return answered(step if isinstance(step, str) else await step(job))


class Gate:
    """A layer whose asks end when, and as, the test says; a cancelled one takes a moment to be charged."""

    def __init__(self) -> None:
        self.asks: list[asyncio.Future[str]] = []
        self.cancelled = 0

    @property
    def in_flight(self) -> int:
        return sum(not ask.done() for ask in self.asks)

    async def ask(self, request: Request, job: Job) -> Answered:
        end = asyncio.get_running_loop().create_future()
        self.asks.append(end)
        try:
            return answered(await end)
        except asyncio.CancelledError:
            self.cancelled += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            job.calls.append(Call("m", "openai", 0.0, 0.0, None, Decimal(1), Decimal(1), is_usage_unknown=True))
            raise


async def hang(job: Job) -> str:
    """A deed that never ends by itself."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("woken")


def pieces(*texts: str, then: Exception | None = None) -> Deed:
    """A deed that streams, and then fails or has answered."""

    async def stream(job: Job) -> str:
        for text in texts:
            assert job.on_text is not None
            job.has_streamed = True
            job.on_text(text)
        if then is not None:
            raise then
        return "".join(texts)

    return stream
