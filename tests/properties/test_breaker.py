"""What holds for the circuit breaker, whatever calls do and in whatever order they end."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from krins.clock import FakeClock
from krins.errors import CircuitOpen, Overloaded
from krins.models.breaker import BreakerRules, CircuitBreaker

RULES = BreakerRules(
    window_seconds=8.0,
    window_calls=6,
    min_calls=4,
    failure_rate=0.5,
    failures_in_a_row=3,
    cool_down_seconds=2.0,
    max_cool_down_seconds=8.0,
    probe_seconds=4.0,
)
DOWN = Overloaded("down")


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin, end well or badly or not at all, and time passes. Times are whole, so sums are exact."""

    permits = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.breaker = CircuitBreaker(self.clock, RULES)
        self.last_probe: int | None = None
        self.probed_at_seconds = -100.0
        self.is_probe_abandoned = False
        self.opened_until_seconds = 0.0
        self.changed_at = 0
        """The last permit given before the last change between closed and open."""
        self.given = 0

    @rule(target=permits)
    def begin(self) -> int:
        before = self.breaker.health()
        now = self.clock.monotonic_seconds()
        if before.next_probe_in_seconds:
            with pytest.raises(CircuitOpen):
                self.breaker.admit()
            return 0
        self.given = self.breaker.admit()
        if before.state != "closed":
            assert now >= self.probed_at_seconds + RULES.probe_seconds or self.is_probe_abandoned
            assert now >= self.opened_until_seconds
            assert self.breaker.health().state == "half-open"
            self.last_probe, self.probed_at_seconds, self.is_probe_abandoned = self.given, now, False
        return self.given

    @rule(permit=consumes(permits))
    def succeed(self, permit: int) -> None:
        before = self.breaker.health()
        self.breaker.succeeded(permit)
        if permit <= self.changed_at:
            assert self.breaker.health() == before
            return
        assert self.breaker.health().state == "closed"
        if before.state != "closed":
            self.changed_at, self.is_probe_abandoned = self.given, True
            assert self.breaker.health().calls == 0

    @rule(permit=consumes(permits))
    def fail(self, permit: int) -> None:
        before = self.breaker.health()
        self.breaker.failed(permit, DOWN)
        after = self.breaker.health()
        if permit <= self.changed_at:
            assert after == before
        elif before.state != "closed":
            assert after.state == "open"
        if permit > self.changed_at and after.state == "open":
            self.changed_at, self.is_probe_abandoned = self.given, True
            cool_down_seconds = after.next_probe_in_seconds or 0.0
            assert RULES.cool_down_seconds <= cool_down_seconds <= RULES.max_cool_down_seconds
            self.opened_until_seconds = self.clock.monotonic_seconds() + cool_down_seconds

    @rule(permit=consumes(permits))
    def abandon(self, permit: int) -> None:
        state = self.breaker.health().state
        self.breaker.abandoned(permit)
        assert self.breaker.health().state == state
        if permit == self.last_probe and permit > self.changed_at:
            self.is_probe_abandoned = True

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        self.clock.advance(float(seconds))

    @invariant()
    def what_it_tells_is_consistent(self) -> None:
        health = self.breaker.health()
        assert (health.failure_rate is None) == (health.calls == 0)
        assert (
            (health.opened_at_seconds is None) == (health.next_probe_in_seconds is None) == (health.state == "closed")
        )
        assert health.calls <= RULES.window_calls
        assert health.failure_rate is None or 0.0 <= health.failure_rate <= 1.0


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(deadline=None, max_examples=150, stateful_step_count=50, derandomize=True)
