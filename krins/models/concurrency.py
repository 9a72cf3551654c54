"""How many calls may be in flight at one endpoint, learnt from its answers.

Additive increase, multiplicative decrease (D. Chiu and R. Jain 1989, "Analysis of the Increase and Decrease Algorithms
for Congestion Avoidance"; the AIMDLimit of Netflix's concurrency-limits): after as many successes as the limit is high
it grows by one, and a `RateLimited`, `Overloaded` or `TimedOut` halves it. Only calls that began after the last halving
count, so one burst of refusals halves once. It begins at its maximum, which the user chose, and is never below 1. It
grows only while at least half of it is in use: a limit that is not felt says nothing.
Invariants: no more than the limit begin a call (after a halving, what is in flight may end); turns go first come, first
served; a slot is given back whatever becomes of who waits for it or holds it; nobody waits beyond his deadline; where
the provider named a time to wait, nobody at the endpoint begins a call before that.
No library: aiolimiter and aiometer hold a rate that they are given and learn nothing, and `asyncio.Semaphore` cannot
shrink. Left out: money (`krins.models.ledger`), and which models share a limit (`krins.models.spec`).
"""

from __future__ import annotations

import asyncio
from collections import deque

from krins.domain import Request
from krins.errors import ModelFault, OutOfTime, Overloaded, RateLimited, TimedOut
from krins.interfaces import Clock
from krins.models.job import Answered, Job, Layer
from krins.models.timeouts import time_limit

_CONGESTED = (RateLimited, Overloaded, TimedOut)


class AdaptiveConcurrency:
    """The limit of one endpoint. For one event loop."""

    def __init__(self, clock: Clock, maximum: int) -> None:
        self._clock, self._maximum = clock, maximum
        self.limit = maximum
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        """Some may have given up. Whenever a slot is free, nobody waits: `leave` has given it to him."""
        self._paused_until_seconds = 0.0
        self._begun = 0
        self._begun_at_decrease = 0
        self._successes = 0

    async def enter(self, deadline_seconds: float) -> int:
        """Wait for a turn and return the ordinal of the call that it is for; whoever entered must `leave`.

        Raises:
            OutOfTime: there is no turn before `deadline_seconds` of the clock's monotonic time.
        """
        self._require_time(deadline_seconds)
        if self.in_flight < self.limit:
            self.in_flight += 1
        else:
            await self._queue(deadline_seconds)
        if self._pause_seconds() > 0:
            await self._sit_out(deadline_seconds)
        self._begun += 1
        return self._begun

    def leave(self) -> None:
        """Give the slot back."""
        self.in_flight -= 1
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def succeeded(self, ordinal: int) -> None:
        if ordinal <= self._begun_at_decrease or self.in_flight * 2 < self.limit:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            self.limit = min(self._maximum, self.limit + 1)

    def failed(self, ordinal: int, fault: ModelFault) -> None:
        """Take notice of the fault that the call of that `ordinal` ended in."""
        if fault.retry_after_seconds is not None:
            resumes = self._clock.monotonic_seconds() + fault.retry_after_seconds
            self._paused_until_seconds = max(self._paused_until_seconds, resumes)
        if isinstance(fault, _CONGESTED) and ordinal > self._begun_at_decrease:
            self.limit = max(1, self.limit // 2)
            self._begun_at_decrease = self._begun
            self._successes = 0

    def _pause_seconds(self) -> float:
        return self._paused_until_seconds - self._clock.monotonic_seconds()

    def _require_time(self, deadline_seconds: float) -> None:
        if self._clock.monotonic_seconds() >= deadline_seconds:
            raise _out_of_time()
        if self._paused_until_seconds >= deadline_seconds:
            raise self._paused_too_long()

    async def _queue(self, deadline_seconds: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with time_limit(self._clock, lambda: deadline_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()
            if isinstance(error, TimeoutError):
                raise _out_of_time() from None
            raise

    async def _sit_out(self, deadline_seconds: float) -> None:
        """Wait for the end of the pause in the slot, which nobody else can use meanwhile, so turns keep their order."""
        try:
            while (pause_seconds := self._pause_seconds()) > 0:
                self._require_time(deadline_seconds)
                await self._clock.sleep(pause_seconds)
        except BaseException:
            self.leave()
            raise

    def _paused_too_long(self) -> OutOfTime:
        pause_seconds = self._pause_seconds()
        fault = OutOfTime(
            f"the provider asked to be left alone for another {pause_seconds:.3g} s, more than the question has",
            "wait, or raise timeout_seconds of the model",
        )
        fault.retry_after_seconds = pause_seconds
        return fault


def _out_of_time() -> OutOfTime:
    return OutOfTime(
        "the time for the question was over before there was a turn to ask",
        "raise timeout_seconds of the model, or lower max_concurrency",
    )


class Concurrency:
    """Asks `inner` when the endpoint's limit has room."""

    def __init__(self, inner: Layer, limiter: AdaptiveConcurrency) -> None:
        self._inner, self._limiter = inner, limiter

    async def ask(self, request: Request, job: Job) -> Answered:
        """Raises OutOfTime besides what `inner` raises."""
        ordinal = await self._limiter.enter(job.deadline_seconds)
        try:
            answered = await self._inner.ask(request, job)
        except ModelFault as fault:
            self._limiter.failed(ordinal, fault)
            raise
        else:
            self._limiter.succeeded(ordinal)
            return answered
        finally:
            self._limiter.leave()
