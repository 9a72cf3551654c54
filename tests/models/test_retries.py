"""What is tried again, after how long, and when it is not worth it."""

from __future__ import annotations

import asyncio
import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.errors import (
    AuthRefused,
    BadRequest,
    BrokenReply,
    BudgetExhausted,
    CircuitOpen,
    EmptyAnswer,
    ModelFault,
    Overloaded,
    RateLimited,
    TimedOut,
    Unreachable,
)
from krins.models.retries import Retries
from tests.support.layers import QUESTION, JumpingClock, Script, answered, job, pieces


class Always(random.Random):
    """Draws `share` of the way from the low end to the high end."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self._share = share

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self._share


def after(seconds: float) -> RateLimited:
    fault = RateLimited("slow down")
    fault.retry_after_seconds = seconds
    return fault


def retries(inner: Script, clock: JumpingClock, max_tries: int = 3, share: float = 1.0) -> Retries:
    return Retries(inner, max_tries, clock, Always(share))


@pytest.mark.parametrize("fault", [RateLimited, Overloaded, Unreachable, TimedOut, BrokenReply])
def test_what_may_go_better_is_tried_again(fault: type[ModelFault]) -> None:
    inner = Script(fault("now"), fault("again"), "yes")
    assert asyncio.run(retries(inner, JumpingClock()).ask(QUESTION, job())) == answered()
    assert inner.asked == 3


@pytest.mark.parametrize("fault", [AuthRefused, BadRequest, CircuitOpen, EmptyAnswer, BudgetExhausted, ValueError])
def test_what_will_not_go_better_is_raised_at_once(fault: type[Exception]) -> None:
    inner, clock = Script(fault("no")), JumpingClock()
    with pytest.raises(fault):
        asyncio.run(retries(inner, clock).ask(QUESTION, job()))
    assert (inner.asked, clock.slept) == (1, [])


def test_the_last_fault_is_raised_as_it_is_once_tries_are_used_up() -> None:
    inner = Script(Unreachable("first"), Overloaded("second"), RateLimited("third"))
    with pytest.raises(RateLimited, match="third") as caught:
        asyncio.run(retries(inner, JumpingClock()).ask(QUESTION, job()))
    assert inner.asked == 3
    assert pickle.loads(pickle.dumps(caught.value)).message == "third"


def test_waits_double_up_to_the_cap() -> None:
    # 0.5 * 2^(n - 1) for n = 1 to 5, then 8.
    clock = JumpingClock()
    with pytest.raises(Overloaded):
        asyncio.run(retries(Script(Overloaded("down")), clock, max_tries=8).ask(QUESTION, job()))
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_jitter_is_full_so_a_wait_may_be_none() -> None:
    clock = JumpingClock()
    asyncio.run(retries(Script(Overloaded("down"), "yes"), clock, share=0.0).ask(QUESTION, job()))
    assert clock.slept == [0.0]


def test_what_the_provider_asks_to_wait_is_waited_before_the_jitter() -> None:
    clock = JumpingClock()
    asyncio.run(retries(Script(after(20.0), after(20.0), "yes"), clock).ask(QUESTION, job()))
    assert clock.slept == [20.5, 21.0]


def test_a_wait_that_would_reach_the_deadline_is_not_begun() -> None:
    inner, clock = Script(after(20.0)), JumpingClock()
    with pytest.raises(RateLimited):
        asyncio.run(retries(inner, clock, share=0.0).ask(QUESTION, job(deadline_seconds=20.0)))
    assert (inner.asked, clock.slept) == (1, [])


def test_after_text_was_handed_out_nothing_is_tried_again() -> None:
    heard: list[str] = []
    inner = Script(pieces("so", " far", then=BrokenReply("cut off")))
    with pytest.raises(BrokenReply):
        asyncio.run(retries(inner, JumpingClock()).ask(QUESTION, job(on_text=heard.append)))
    assert (inner.asked, heard) == (1, ["so", " far"])


def test_a_stream_that_failed_before_its_first_piece_is_tried_again() -> None:
    heard: list[str] = []
    inner = Script(TimedOut("no first token"), pieces("yes"))
    asyncio.run(retries(inner, JumpingClock()).ask(QUESTION, job(on_text=heard.append)))
    assert heard == ["yes"]


def test_questions_at_the_same_time_count_their_own_tries() -> None:
    inner = Script(*[Overloaded("down")] * 4, "yes")

    async def both() -> list[object]:
        layer = retries(inner, JumpingClock())
        return list(await asyncio.gather(layer.ask(QUESTION, job()), layer.ask(QUESTION, job())))

    assert asyncio.run(both()) == [answered(), answered()]


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    waits=st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=6),
    deadline=st.floats(0, 200),
    max_tries=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_it_ends_in_time_and_never_comes_back_early(
    waits: list[float | None], deadline: float, max_tries: int, seed: int
) -> None:
    clock = JumpingClock()
    inner = Script(*[Overloaded("down") if wait is None else after(wait) for wait in waits])
    with pytest.raises(ModelFault):
        asyncio.run(Retries(inner, max_tries, clock, random.Random(seed)).ask(QUESTION, job(deadline)))
    assert 1 <= inner.asked <= max_tries
    assert len(clock.slept) == inner.asked - 1
    assert clock.monotonic_seconds() <= deadline
    asked = [waits[min(n, len(waits) - 1)] or 0.0 for n in range(len(clock.slept))]
    assert all(least <= slept <= least + 8.0 for least, slept in zip(asked, clock.slept, strict=True))
