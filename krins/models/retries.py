"""The one layer that tries again.

Before try n + 1 it waits `retry_after + U(0, min(8, 0.5 * 2^(n - 1)))` seconds, U uniform: the "full jitter" of
M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015, with base 0.5 s and cap 8 s, on top of what
the provider asked to wait, so that clients who were told the same do not come back together.
Invariants: only faults that are `is_retryable` are tried again; never after text was handed out; never after a wait
that would reach the question's deadline: the fault is then raised at once. The fault raised is that of the last try.
No library: tenacity can do all this, but takes 33 microseconds of every call that succeeds at once, and more lines than
the loop, for only the job knows deadline and streaming. stamina, built on tenacity, keeps its limit of time by
decorator, not by question, and sleeps by itself.
Left out: which faults may be retried (`krins.errors`), and other models (`krins.models.fallback`).
"""

from __future__ import annotations

import random

from krins.domain import Request
from krins.errors import ModelFault
from krins.interfaces import Clock
from krins.models.job import Answered, Job, Layer

BASE_SECONDS = 0.5
CAP_SECONDS = 8.0


class Retries:
    """Asks `inner` up to `max_tries` times."""

    def __init__(self, inner: Layer, max_tries: int, clock: Clock, rng: random.Random) -> None:
        self._inner, self._max_tries, self._clock, self._rng = inner, max_tries, clock, rng

    async def ask(self, request: Request, job: Job) -> Answered:
        tries = 0
        while True:
            tries += 1
            try:
                return await self._inner.ask(request, job)
            except ModelFault as fault:
                wait_seconds = self._wait_seconds(fault, tries)
                if not self._may_go_better(fault, job, tries, wait_seconds):
                    raise
            await self._clock.sleep(wait_seconds)

    def _wait_seconds(self, fault: ModelFault, tries: int) -> float:
        jitter_seconds = self._rng.uniform(0.0, min(CAP_SECONDS, BASE_SECONDS * 2.0 ** (tries - 1)))
        return (fault.retry_after_seconds or 0.0) + jitter_seconds

    def _may_go_better(self, fault: ModelFault, job: Job, tries: int, wait_seconds: float) -> bool:
        if not fault.is_retryable or job.has_streamed or tries >= self._max_tries:
            return False
        return self._clock.monotonic_seconds() + wait_seconds < job.deadline_seconds
