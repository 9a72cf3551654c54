"""Which model is asked next, with how much time, and what is said when none answers."""

from __future__ import annotations

import asyncio
import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.clock import FakeClock
from krins.errors import (
    AuthRefused,
    BadRequest,
    BrokenReply,
    BudgetExhausted,
    CircuitOpen,
    EmptyAnswer,
    InvalidAnswer,
    KrinsError,
    ModelFault,
    Overloaded,
    RateLimited,
    Refused,
    TimedOut,
    TooLong,
    Unreachable,
)
from krins.models.breaker import Breaker, CircuitBreaker
from krins.models.fallback import Fallback, Link
from krins.models.job import Job
from krins.models.retries import Retries
from krins.models.timeouts import Timeouts
from tests.support.layers import QUESTION, JumpingClock, Script, answered, hang, job, pieces

MOVES_ON = [
    *(RateLimited, Overloaded, Unreachable, TimedOut, BrokenReply, AuthRefused, BadRequest, CircuitOpen),
    *(Refused, EmptyAnswer, InvalidAnswer, TooLong, BudgetExhausted),
]


def fallback(*scripts: Script, clock: FakeClock | None = None) -> Fallback:
    return Fallback([Link(f"model-{n}", script) for n, script in enumerate(scripts)], clock or FakeClock())


def ask(layer: Fallback, of: Job | None = None) -> str:
    return asyncio.run(layer.ask(QUESTION, of or job())).reply.text


def test_the_model_that_was_asked_for_comes_first() -> None:
    first, second = Script("first"), Script("second")
    assert ask(fallback(first, second)) == "first"
    assert second.asked == 0


@pytest.mark.parametrize("fault", MOVES_ON)
def test_every_fault_moves_on(fault: type[KrinsError]) -> None:
    assert ask(fallback(Script(fault("no")), Script(fault("nor here")), Script("third"))) == "third"


def test_what_is_no_fault_of_a_model_does_not() -> None:
    second = Script("second")
    with pytest.raises(ValueError, match="a bug"):
        ask(fallback(Script(ValueError("a bug")), second))
    assert second.asked == 0


def test_after_text_was_handed_out_a_failure_is_final() -> None:
    heard: list[str] = []
    second = Script("second")
    with pytest.raises(BrokenReply):
        ask(fallback(Script(pieces("so far", then=BrokenReply("cut off"))), second), job(on_text=heard.append))
    assert (heard, second.asked) == (["so far"], 0)


def test_a_stream_that_failed_before_its_first_piece_moves_on() -> None:
    heard: list[str] = []
    of = job(on_text=heard.append)
    assert ask(fallback(Script(Overloaded("down")), Script(pieces("from ", "another"))), of) == "from another"
    assert heard == ["from ", "another"]
    assert of.has_streamed


def test_when_all_fail_the_fault_of_the_model_asked_for_is_raised_with_the_others_as_notes() -> None:
    with pytest.raises(Overloaded, match="down") as caught:
        ask(fallback(Script(Overloaded("down")), Script(Refused("I will not")), Script(Unreachable("no such host"))))
    notes = ["model-1: Refused: I will not", "model-2: Unreachable: no such host"]
    assert caught.value.__notes__ == notes
    assert pickle.loads(pickle.dumps(caught.value)).__notes__ == notes


def test_when_all_fail_and_the_budget_kept_one_from_being_asked_that_is_what_is_raised() -> None:
    with pytest.raises(BudgetExhausted, match="no room") as caught:
        ask(fallback(Script(Overloaded("down")), Script(BudgetExhausted("no room")), Script(Refused("I will not"))))
    assert caught.value.__notes__ == ["model-0: Overloaded: down", "model-2: Refused: I will not"]


@pytest.mark.parametrize("fault", [Overloaded, RateLimited, TimedOut, AuthRefused])
def test_a_link_whose_provider_failed_comes_last_until_it_has_cooled_down(fault: type[ModelFault]) -> None:
    clock = FakeClock()
    first, second = Script(fault("no"), "first"), Script("second")
    layer = fallback(first, second, clock=clock)
    assert [ask(layer), ask(layer)] == ["second", "second"]
    clock.advance(9.5)
    assert ask(layer) == "second"
    clock.advance(0.5)
    assert ask(layer) == "first"
    assert first.asked == 2


@pytest.mark.parametrize("fault", [BadRequest, CircuitOpen, Refused, EmptyAnswer, TooLong, BudgetExhausted])
def test_a_link_that_costs_no_time_or_failed_by_the_request_stays_first(fault: type[KrinsError]) -> None:
    layer = fallback(Script(fault("no"), "first"), Script("second"))
    assert [ask(layer), ask(layer)] == ["second", "first"]


def test_a_provider_that_says_when_to_come_back_is_left_until_then() -> None:
    clock, fault = FakeClock(), RateLimited("slow down")
    fault.retry_after_seconds = 60.0
    layer = fallback(Script(fault, "first"), Script("second"), clock=clock)
    assert ask(layer) == "second"
    clock.advance(59.5)
    assert ask(layer) == "second"
    clock.advance(0.5)
    assert ask(layer) == "first"


def test_a_link_that_cools_down_is_still_asked_when_nothing_else_answers() -> None:
    layer = fallback(Script(Overloaded("down"), "first"), Script("second", Unreachable("gone")))
    assert [ask(layer), ask(layer)] == ["second", "first"]


def test_an_answer_ends_the_cool_down() -> None:
    layer = fallback(Script(Overloaded("down"), "first"), Script("second", Refused("I will not"), "second"))
    assert [ask(layer), ask(layer), ask(layer)] == ["second", "first", "first"]


def test_when_all_cool_down_they_are_asked_in_order() -> None:
    first, second = Script(Overloaded("down"), "first"), Script(Overloaded("down too"), "second")
    layer = fallback(first, second)
    with pytest.raises(Overloaded):
        ask(layer)
    assert [ask(layer), ask(layer)] == ["first", "first"]
    assert second.asked == 1


def test_each_link_gets_half_of_what_is_left_and_the_last_one_all() -> None:
    down = [Script(Overloaded("down")) for _ in range(4)]
    with pytest.raises(Overloaded):
        ask(fallback(*down), job(deadline_seconds=80.0))
    assert [script.jobs[0].deadline_seconds for script in down] == [40.0, 40.0, 40.0, 80.0]


def test_a_link_that_hangs_leaves_time_for_the_next() -> None:
    clock = JumpingClock()
    hanging = [Timeouts(Script(hang), None, clock) for _ in range(2)]
    layer = Fallback([Link("a", hanging[0]), Link("b", hanging[1]), Link("c", Script("third"))], clock)
    assert ask(layer, job(deadline_seconds=80.0)) == "third"
    assert clock.slept == [40.0, 20.0]


def test_a_stream_that_has_begun_gets_all_the_time() -> None:
    first = Script(pieces("a ", "b"))
    ask(fallback(first, Script("second")), job(deadline_seconds=80.0, on_text=lambda text: None))
    assert first.jobs[0].deadline_seconds == 80.0


def test_time_spent_waiting_for_the_budget_is_given_to_the_question() -> None:
    async def wait_for_budget(of: Job) -> str:
        of.deadline_seconds += 6.0
        raise Overloaded("down")

    second = Script("second")
    ask(fallback(Script(wait_for_budget), second), job(deadline_seconds=80.0))
    assert second.jobs[0].deadline_seconds == 86.0


def test_every_call_of_every_link_is_in_the_jobs_own_list() -> None:
    first, second, of = Script(Overloaded("down")), Script("second"), job()
    ask(fallback(first, second), of)
    assert first.jobs[0].calls is second.jobs[0].calls is of.calls


@settings(deadline=None, max_examples=30, derandomize=True)
@given(seed=st.integers(0, 10_000), healthy=st.integers(0, 2))
def test_every_question_is_answered_in_time_while_one_provider_is_healthy(seed: int, healthy: int) -> None:
    """Of three providers two fail 3 calls in 10, by fault or by hanging; the layers in between are the real ones."""
    rng, clock = random.Random(seed), JumpingClock()

    async def maybe(of: Job) -> str:
        if rng.random() < 0.7:
            return "yes"
        if rng.random() < 0.5:
            return await hang(of)
        raise rng.choice([Overloaded("down"), Unreachable("gone"), RateLimited("slow down")])

    def link(n: int) -> Link:
        call = Timeouts(Script("yes") if n == healthy else Script(maybe), None, clock)
        return Link(str(n), Retries(Breaker(call, CircuitBreaker(clock)), 3, clock, rng))

    layer = Fallback([link(n) for n in range(3)], clock)

    async def go() -> None:
        for _ in range(30):
            deadline = clock.monotonic_seconds() + 60.0
            assert await layer.ask(QUESTION, job(deadline)) == answered()
            assert clock.monotonic_seconds() <= deadline

    asyncio.run(go())
