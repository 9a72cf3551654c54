"""When a provider is left alone, for how long, and what lets it back in."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable

import pytest

from krins.clock import FakeClock
from krins.errors import (
    AuthRefused,
    BadRequest,
    BrokenReply,
    BudgetExhausted,
    CircuitOpen,
    EmptyAnswer,
    InvalidAnswer,
    ModelFault,
    OutOfTime,
    Overloaded,
    RateLimited,
    Refused,
    TimedOut,
    TooLong,
    Unreachable,
)
from krins.models.breaker import Breaker, BreakerRules, CircuitBreaker
from tests.support.layers import QUESTION, Gate, Script, answered, job, settle

DOWN = Overloaded("down")
CONTACT = [RateLimited, BadRequest, Refused, EmptyAnswer, InvalidAnswer]
FAILURES = [Overloaded, Unreachable, TimedOut, BrokenReply, AuthRefused]
NO_EVIDENCE = [BudgetExhausted, OutOfTime, TooLong, ValueError]


def calls(breaker: CircuitBreaker, outcomes: str) -> None:
    """Make a call for each letter: `x` fails, `.` succeeds."""
    for outcome in outcomes:
        permit = breaker.admit()
        if outcome == "x":
            breaker.failed(permit, DOWN)
        else:
            breaker.succeeded(permit)


def opened(clock: FakeClock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    calls(breaker, "xxxxxxxx")
    assert breaker.health().state == "open"
    return breaker


def ask(breaker: CircuitBreaker, *steps: str | Exception) -> None:
    asyncio.run(Breaker(Script(*steps), breaker).ask(QUESTION, job()))


@pytest.mark.parametrize("before", ["", ".", "." * 100])
def test_a_dead_provider_is_left_alone_after_eight_calls_whatever_went_before(before: str) -> None:
    breaker = CircuitBreaker(FakeClock())
    calls(breaker, before + "xxxxxxx")
    assert breaker.health().state == "closed"
    calls(breaker, "x")
    assert breaker.health().state == "open"


def test_three_failures_in_four_open_it_once_there_are_twenty_calls() -> None:
    breaker = CircuitBreaker(FakeClock())
    calls(breaker, "xxx." * 4 + "xxx")
    assert (breaker.health().state, breaker.health().calls) == ("closed", 19)
    calls(breaker, ".")
    assert breaker.health().state == "closed"
    calls(breaker, "x")
    assert breaker.health().state == "open"
    assert breaker.health().failure_rate == 16 / 21


def test_one_failure_in_two_does_not() -> None:
    breaker = CircuitBreaker(FakeClock())
    calls(breaker, "x." * 200)
    assert breaker.health().state == "closed"
    assert (breaker.health().calls, breaker.health().failure_rate) == (100, 0.5)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    calls(breaker, "xxx" + "." * 5)
    clock.advance(60.0)
    calls(breaker, "xx")
    assert (breaker.health().calls, breaker.health().failure_rate) == (10, 0.5)
    clock.advance(0.5)
    assert (breaker.health().calls, breaker.health().failure_rate) == (2, 1.0)
    clock.advance(60.0)
    assert (breaker.health().calls, breaker.health().failure_rate) == (0, None)


def test_while_open_nothing_passes_and_the_fault_says_when_to_come_back() -> None:
    clock = FakeClock(1000.0)
    breaker, inner = opened(clock), Script("yes")
    clock.advance(2.0)
    with pytest.raises(CircuitOpen, match="last: Overloaded: down") as caught:
        asyncio.run(Breaker(inner, breaker).ask(QUESTION, job()))
    assert inner.asked == 0
    assert caught.value.retry_after_seconds == 3.0
    assert not caught.value.may_be_billed
    assert pickle.loads(pickle.dumps(caught.value)).retry_after_seconds == 3.0


def test_its_health_is_told() -> None:
    clock = FakeClock(1000.0)
    breaker = opened(clock)
    clock.advance(2.0)
    assert breaker.health() == ("open", 1.0, 8, 1000.0, 3.0, "Overloaded: down")
    clock.advance(4.0)
    assert breaker.health().next_probe_in_seconds == 0.0
    calls(breaker, ".")
    assert breaker.health() == ("closed", None, 0, None, None, "Overloaded: down")


def test_after_the_cool_down_one_probe_passes_and_its_success_closes() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(5.0)
    probe = breaker.admit()
    assert breaker.health().state == "half-open"
    with pytest.raises(CircuitOpen):
        breaker.admit()
    breaker.succeeded(probe)
    calls(breaker, "xxxxxxx.")
    assert breaker.health().state == "closed"


def test_each_failed_probe_doubles_the_cool_down_up_to_the_cap_and_success_resets_it() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    for cool_down in (5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 120.0):
        assert breaker.health().next_probe_in_seconds == cool_down
        clock.advance(cool_down)
        calls(breaker, "x")
    assert breaker.health().opened_at_seconds == 0.0
    clock.advance(120.0)
    calls(breaker, "." + "xxxxxxxx")
    assert breaker.health().next_probe_in_seconds == 5.0


def test_a_probe_that_does_not_end_lets_another_go_and_may_still_close() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(5.0)
    slow = breaker.admit()
    clock.advance(59.0)
    with pytest.raises(CircuitOpen):
        breaker.admit()
    clock.advance(1.0)
    breaker.admit()
    breaker.abandoned(slow)
    with pytest.raises(CircuitOpen):
        breaker.admit()
    breaker.succeeded(slow)
    assert breaker.health().state == "closed"


def test_calls_that_began_before_it_opened_change_nothing() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    early = [breaker.admit() for _ in range(3)]
    calls(breaker, "xxxxxxxx")
    clock.advance(5.0)
    probe = breaker.admit()
    breaker.succeeded(early[0])
    breaker.failed(early[1], DOWN)
    breaker.abandoned(early[2])
    assert breaker.health().state == "half-open"
    breaker.succeeded(probe)
    assert breaker.health().calls == 0


def two_probes(clock: FakeClock) -> tuple[CircuitBreaker, int, int]:
    breaker = opened(clock)
    clock.advance(5.0)
    slow = breaker.admit()
    clock.advance(60.0)
    return breaker, slow, breaker.admit()


def test_a_probe_given_up_after_another_one_failed_does_not_shorten_the_cool_down() -> None:
    breaker, slow, last = two_probes(FakeClock())
    breaker.failed(slow, DOWN)
    breaker.abandoned(last)
    assert breaker.health().next_probe_in_seconds == 10.0


def test_a_probe_that_fails_after_another_one_closed_it_does_not_count() -> None:
    breaker, slow, last = two_probes(FakeClock())
    breaker.succeeded(last)
    breaker.failed(slow, DOWN)
    assert (breaker.health().state, breaker.health().calls) == ("closed", 0)


def probe(end: Callable[[CircuitBreaker], None]) -> tuple[CircuitBreaker, FakeClock]:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(5.0)
    end(breaker)
    return breaker, clock


@pytest.mark.parametrize("fault", FAILURES)
def test_a_failure_of_the_provider_opens_it_again(fault: type[ModelFault]) -> None:
    def end(breaker: CircuitBreaker) -> None:
        with pytest.raises(fault):
            ask(breaker, fault("no"))

    assert probe(end)[0].health().state == "open"


@pytest.mark.parametrize("fault", CONTACT)
def test_the_providers_own_word_closes_it_even_if_it_is_no(fault: type[ModelFault]) -> None:
    def end(breaker: CircuitBreaker) -> None:
        with pytest.raises(fault):
            ask(breaker, fault("no"))

    assert probe(end)[0].health().state == "closed"


@pytest.mark.parametrize("fault", NO_EVIDENCE)
def test_what_was_never_sent_is_no_evidence_and_the_next_call_is_the_probe(fault: type[Exception]) -> None:
    def end(breaker: CircuitBreaker) -> None:
        with pytest.raises(fault):
            ask(breaker, fault("no"))

    breaker, _ = probe(end)
    assert breaker.health().state == "half-open"
    ask(breaker, "yes")
    assert breaker.health().state == "closed"


def test_a_cancelled_probe_gives_its_place_to_another() -> None:
    async def go() -> None:
        clock = FakeClock()
        breaker, inner = opened(clock), Gate()
        layer = Breaker(inner, breaker)
        clock.advance(5.0)
        first = asyncio.create_task(layer.ask(QUESTION, job()))
        await settle()
        with pytest.raises(CircuitOpen):
            await layer.ask(QUESTION, job())
        first.cancel()
        await settle()
        second = asyncio.create_task(layer.ask(QUESTION, job()))
        await settle()
        inner.asks[1].set_result("yes")
        assert await second == answered()
        assert breaker.health().state == "closed"

    asyncio.run(go())


def test_answers_pass() -> None:
    breaker = CircuitBreaker(FakeClock(), BreakerRules(failures_in_a_row=2))
    for _ in range(3):
        with pytest.raises(Overloaded):
            ask(breaker, DOWN)
        ask(breaker, "yes")
    assert breaker.health().state == "closed"
