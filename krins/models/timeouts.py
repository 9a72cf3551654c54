"""The limits of time on one call, and the call itself, which is the bottom of the stack.

`Timeouts` ends a call at the question's deadline, or when a streamed answer does not begin, or does not go on, in time.
`ProviderCall` hands the request to the provider's SDK. Invariants: a call that is ended is cancelled, and has let go of
its connection, before `TimedOut` is raised; it may be billed all the same; all times are the injected clock's.
`asyncio.timeout` knows only the time of the event loop. `time_limit` keeps its cancellation, which tells its own from
that of others, and lets a task that sleeps on the injected clock trigger it: 11 microseconds a call, and no test waits.
Left out: the time to connect, which the SDKs' HTTP client limits, and trying again (`krins.models.retries`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from krins.domain import Request
from krins.errors import TimedOut
from krins.interfaces import Clock, OnText, Provider
from krins.models.job import Answered, Job, Layer
from krins.models.spec import ModelSpec


@asynccontextmanager
async def time_limit(clock: Clock, due: Callable[[], float]) -> AsyncIterator[asyncio.Timeout]:
    """Cancel the block once the clock's monotonic time has come to `due()`, which may move while it runs.

    Raises:
        TimeoutError: it was cancelled for that; the `asyncio.Timeout` has then `expired()`.
    """
    async with asyncio.timeout(None) as limit:
        watch = asyncio.create_task(_expire(limit, clock, due))
        try:
            yield limit
        finally:
            watch.cancel()


async def _expire(limit: asyncio.Timeout, clock: Clock, due: Callable[[], float]) -> None:
    while (left := due() - clock.monotonic_seconds()) > 0:
        await clock.sleep(left)
    limit.reschedule(asyncio.get_running_loop().time())


class Timeouts:
    """Ends a call of `inner` in time."""

    def __init__(self, inner: Layer, first_token_seconds: float | None, clock: Clock) -> None:
        """`first_token_seconds`: to the first piece of text and between any two; None where answers come in one."""
        self._inner, self._first_token_seconds, self._clock = inner, first_token_seconds, clock

    async def ask(self, request: Request, job: Job) -> Answered:
        """Raises TimedOut, which names the limit that passed, besides what `inner` raises."""
        watched = _Watched(job, self._first_token_seconds, self._clock)
        try:
            async with time_limit(self._clock, watched.due_seconds) as limit:
                return await self._inner.ask(request, watched.job)
        except TimeoutError:
            if not limit.expired():
                raise
            raise watched.fault() from None


class _Watched:
    """One call: when it began, and when text last came of it."""

    def __init__(self, job: Job, stall_seconds: float | None, clock: Clock) -> None:
        self._outer, self._stall_seconds, self._clock = job, stall_seconds, clock
        self._started = self._heard = clock.monotonic_seconds()
        self._pieces = 0
        # A provider streams only to someone who listens, and listening must not make a failure final.
        self.job = job if stall_seconds is None else replace(job, on_text=self._hear)

    def due_seconds(self) -> float:
        if self._stall_seconds is None:
            return self._outer.deadline_seconds
        return min(self._outer.deadline_seconds, self._heard + self._stall_seconds)

    def _hear(self, text: str) -> None:
        self._heard = self._clock.monotonic_seconds()
        self._pieces += 1
        if self._outer.on_text is not None:
            self._outer.has_streamed = True
            self._outer.on_text(text)

    def fault(self) -> TimedOut:
        fault = self._stall() or self._deadline()
        fault.may_be_billed = True
        return fault

    def _stall(self) -> TimedOut | None:
        if self._stall_seconds is None or self.due_seconds() == self._outer.deadline_seconds:
            return None
        what = f"the answer stalled after {self._pieces} pieces" if self._pieces else "no text of the answer came"
        return TimedOut(
            f"{what} for {self._stall_seconds:g} s, the limit for the first token and between pieces",
            "raise first_token_timeout_seconds of the model, or ask again when the provider is quicker",
        )

    def _deadline(self) -> TimedOut:
        elapsed = self._clock.monotonic_seconds() - self._started
        return TimedOut(
            f"the time for the question was over {elapsed:.3g} s into this call",
            "raise timeout_seconds of the model: it covers retries and fallbacks as well",
        )


class ProviderCall:
    """One call of a provider's SDK."""

    def __init__(self, provider: Provider, spec: ModelSpec) -> None:
        self._provider, self._spec = provider, spec

    async def ask(self, request: Request, job: Job) -> Answered:
        """Raises ModelFault, as `krins.interfaces.Provider.reply`."""
        reply = await self._provider.reply(request, _marking(job))
        return Answered(reply, self._spec.name, self._spec.provider)


def _marking(job: Job) -> OnText | None:
    """The job's own `on_text`, which first puts down that text has been handed out."""
    on_text = job.on_text
    if on_text is None:
        return None

    def hand_out(text: str) -> None:
        job.has_streamed = True
        on_text(text)

    return hand_out
