"""A provider that keeps failing is left alone for a while, so that questions do not wait for it in vain.

    closed ── 8 calls in a row failed, or 3 in 4 of >= 20 ──> open ── cool-down over ──> half-open: one probe
      ^                                                         ^                            │       │
      │                                                         └── it failed: twice as long ┘       │
      └──────────────────────────── it reached the provider ─────────────────────────────────────────┘

What counts: faults with `trips_breaker` are failures. An answer is a success, and so is any other fault, for it is the
provider's own word (429 is left to `krins.models.concurrency`, which slows down rather than stops). A call that was
cancelled, or that may never have been sent (no budget, no turn, a prompt too long), is no evidence. Failures in a row
open the breaker of a dead provider whatever went before; one that fails 3 calls in 10 at random, which retries cope
with, is cut off by mistake once in about 20,000 calls (simulated; at a rate of 1 in 2 and 20 calls a minute, in 150).
Invariants: while open nothing passes; at most one probe begins in each `probe_seconds`, unless one ends without
evidence; the outcome of a call that began before the last change between closed and open changes nothing; half-open, a
success of any probe closes and a failure of any opens again.
No library: pybreaker, circuitbreaker, aiobreaker, purgatory and hyx all count failures in a row only and read the
system's own clock. Left out: which models share a breaker (`krins.models.spec.ModelSpec.endpoint`).
"""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple

from krins.domain import Request
from krins.errors import CircuitOpen, ModelFault, OutOfTime, TooLong
from krins.interfaces import Clock
from krins.models.job import Answered, Job, Layer

_MAYBE_NOT_SENT = (OutOfTime, TooLong)


class BreakerRules(NamedTuple):
    window_seconds: float = 60.0
    window_calls: int = 100
    """The failure rate is that of the last calls: at most so many, none older than the window."""
    min_calls: int = 20
    """Of fewer calls in the window there is no rate."""
    failure_rate: float = 0.75
    failures_in_a_row: int = 8
    cool_down_seconds: float = 5.0
    """After the first opening; a failed probe doubles it."""
    max_cool_down_seconds: float = 120.0
    probe_seconds: float = 60.0
    """A probe that has not ended by then does not keep another from going."""


_RULES = BreakerRules()


class BreakerHealth(NamedTuple):
    state: Literal["closed", "open", "half-open"]
    failure_rate: float | None
    """Of the calls in the window; None where there are none."""
    calls: int
    """In the window."""
    opened_at_seconds: float | None
    """Since the epoch; None where it is closed."""
    next_probe_in_seconds: float | None
    """0 where the next call is let through as a probe; None where it is closed."""
    last_error: str | None
    """Class and message of the last fault that counted as a failure."""


class CircuitBreaker:
    """The state machine of one endpoint. Whoever is admitted reports how it ended, by the permit that he was given."""

    def __init__(self, clock: Clock, rules: BreakerRules = _RULES) -> None:
        self._clock, self._rules = clock, rules
        self._state: Literal["closed", "open", "half-open"] = "closed"
        self._recent: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._in_a_row = 0
        self._permits = 0
        self._stale = 0
        """Permits up to this one were given before the last change between closed and open."""
        self._probe = 0
        """Permit of the last probe."""
        self._next_probe_seconds = 0.0
        self._cool_down_seconds = rules.cool_down_seconds
        self._opened_at_seconds: float | None = None
        self._last_error: str | None = None

    def admit(self) -> int:
        """Return a permit for one call.

        Raises:
            CircuitOpen: no call is wanted now; its `retry_after_seconds` says when a probe may go.
        """
        if self._state != "closed":
            self._require_probe()
        self._permits += 1
        return self._permits

    def ended(self, permit: int, failure: BaseException | None) -> None:
        """How the call ended: None where it was answered, else what it failed by; only a ModelFault is evidence."""
        if failure is None:
            self.succeeded(permit)
        elif not isinstance(failure, ModelFault) or isinstance(failure, _MAYBE_NOT_SENT):
            self.abandoned(permit)
        elif failure.trips_breaker:
            self.failed(permit, failure)
        else:
            self.succeeded(permit)

    def succeeded(self, permit: int) -> None:
        if permit <= self._stale:
            return
        if self._state == "closed":
            self._record(is_failure=False)
            self._in_a_row = 0
        else:
            self._close()

    def failed(self, permit: int, fault: ModelFault) -> None:
        if permit <= self._stale:
            return
        self._last_error = f"{type(fault).__name__}: {fault.message}"
        if self._state != "closed":
            self._open(min(2.0 * self._cool_down_seconds, self._rules.max_cool_down_seconds))
            return
        self._record(is_failure=True)
        self._in_a_row += 1
        if self._is_failing():
            self._open(self._rules.cool_down_seconds)

    def abandoned(self, permit: int) -> None:
        """The call ended without evidence: if it was the last probe, another may go at once."""
        if permit > self._stale and permit == self._probe:
            self._next_probe_seconds = self._clock.monotonic_seconds()

    def health(self) -> BreakerHealth:
        now = self._clock.monotonic_seconds()
        self._forget(now)
        calls = len(self._recent)
        return BreakerHealth(
            state=self._state,
            failure_rate=self._failures / calls if calls else None,
            calls=calls,
            opened_at_seconds=self._opened_at_seconds,
            next_probe_in_seconds=None if self._state == "closed" else max(0.0, self._next_probe_seconds - now),
            last_error=self._last_error,
        )

    def _require_probe(self) -> None:
        now = self._clock.monotonic_seconds()
        if now < self._next_probe_seconds:
            fault = CircuitOpen(
                f"not asked, for the provider failed too often; last: {self._last_error}",
                "wait for its recovery, or name a fallback",
            )
            fault.retry_after_seconds = self._next_probe_seconds - now
            raise fault
        self._state = "half-open"
        self._probe = self._permits + 1
        self._next_probe_seconds = now + self._rules.probe_seconds

    def _is_failing(self) -> bool:
        calls = len(self._recent)
        is_rate_high = calls >= self._rules.min_calls and self._failures >= self._rules.failure_rate * calls
        return is_rate_high or self._in_a_row >= self._rules.failures_in_a_row

    def _open(self, cool_down_seconds: float) -> None:
        self._state, self._stale = "open", self._permits
        self._cool_down_seconds = cool_down_seconds
        self._next_probe_seconds = self._clock.monotonic_seconds() + cool_down_seconds
        if self._opened_at_seconds is None:
            self._opened_at_seconds = self._clock.now_seconds()

    def _close(self) -> None:
        self._state, self._stale = "closed", self._permits
        self._recent.clear()
        self._failures = self._in_a_row = 0
        self._opened_at_seconds = None

    def _record(self, is_failure: bool) -> None:
        now = self._clock.monotonic_seconds()
        self._recent.append((now, is_failure))
        self._failures += is_failure
        self._forget(now)

    def _forget(self, now: float) -> None:
        oldest = now - self._rules.window_seconds
        while self._recent and (self._recent[0][0] < oldest or len(self._recent) > self._rules.window_calls):
            self._failures -= self._recent.popleft()[1]


class Breaker:
    """Asks `inner` unless its provider's breaker is open."""

    def __init__(self, inner: Layer, breaker: CircuitBreaker) -> None:
        self._inner, self._breaker = inner, breaker

    async def ask(self, request: Request, job: Job) -> Answered:
        """Raises CircuitOpen besides what `inner` raises."""
        permit = self._breaker.admit()
        try:
            answered = await self._inner.ask(request, job)
        except BaseException as failure:
            self._breaker.ended(permit, failure)
            raise
        self._breaker.ended(permit, None)
        return answered
