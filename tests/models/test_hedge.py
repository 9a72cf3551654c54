"""When a second call is made, which one counts, and that both are paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from krins.clock import FakeClock
from krins.errors import BudgetExhausted, Overloaded, RateLimited
from krins.models.hedge import Hedge
from krins.models.job import Answered, Job
from tests.support.layers import QUESTION, Gate, JumpingClock, Script, answered, hang, job, pieces, settle

Race = Callable[[Gate, FakeClock, "asyncio.Task[Answered]", Job], Awaitable[None]]


def run(race: Race) -> None:
    """Race an ask that hedges after 2 seconds against what the test makes of it."""

    async def go() -> None:
        clock, inner, of = FakeClock(), Gate(), job()
        asked = asyncio.create_task(Hedge(inner, 2.0, clock).ask(QUESTION, of))
        await settle()
        await race(inner, clock, asked, of)
        await settle()
        assert inner.in_flight == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(go())


async def hedge(clock: FakeClock) -> None:
    clock.advance(2.0)
    await settle()


def test_a_quick_answer_is_not_hedged() -> None:
    async def race(inner: Gate, clock: FakeClock, asked: asyncio.Task[Answered], of: Job) -> None:
        clock.advance(1.5)
        inner.asks[0].set_result("first")
        assert await asked == answered("first")
        await hedge(clock)
        assert (len(inner.asks), of.calls) == (1, [])

    run(race)


def test_the_second_call_wins_and_the_first_is_charged_before_the_answer_is_returned() -> None:
    async def race(inner: Gate, clock: FakeClock, asked: asyncio.Task[Answered], of: Job) -> None:
        await hedge(clock)
        inner.asks[1].set_result("second")
        assert await asked == answered("second")
        assert [call.is_usage_unknown for call in of.calls] == [True]

    run(race)


def test_the_first_call_may_still_win() -> None:
    async def race(inner: Gate, clock: FakeClock, asked: asyncio.Task[Answered], of: Job) -> None:
        await hedge(clock)
        inner.asks[0].set_result("first")
        assert await asked == answered("first")
        assert (len(inner.asks), len(of.calls)) == (2, 1)

    run(race)


@pytest.mark.parametrize("loser", [0, 1])
def test_when_one_fails_the_other_is_waited_for(loser: int) -> None:
    async def race(inner: Gate, clock: FakeClock, asked: asyncio.Task[Answered], of: Job) -> None:
        await hedge(clock)
        inner.asks[loser].set_exception(BudgetExhausted("no room") if loser else Overloaded("down"))
        await settle()
        assert not asked.done()
        inner.asks[1 - loser].set_result("yes")
        assert await asked == answered("yes")

    run(race)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_when_both_fail_the_first_call_says_why(order: tuple[int, int]) -> None:
    async def race(inner: Gate, clock: FakeClock, asked: asyncio.Task[Answered], of: Job) -> None:
        await hedge(clock)
        faults = (Overloaded("down"), RateLimited("slow down"))
        for index in order:
            inner.asks[index].set_exception(faults[index])
            await settle()
        with pytest.raises(Overloaded):
            await asked

    run(race)


def test_a_failure_before_the_hedge_is_raised_at_once() -> None:
    async def race(inner: Gate, clock: FakeClock, asked: asyncio.Task[Answered], of: Job) -> None:
        inner.asks[0].set_exception(Overloaded("down"))
        with pytest.raises(Overloaded):
            await asked
        assert len(inner.asks) == 1

    run(race)


@pytest.mark.parametrize("n_calls", [1, 2])
def test_cancelling_the_question_cancels_every_call(n_calls: int) -> None:
    async def race(inner: Gate, clock: FakeClock, asked: asyncio.Task[Answered], of: Job) -> None:
        if n_calls == 2:
            await hedge(clock)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert inner.cancelled == len(of.calls) == n_calls

    run(race)


def test_a_streamed_question_is_not_hedged() -> None:
    heard: list[str] = []
    inner = Script(pieces("one ", "voice"))
    asyncio.run(Hedge(inner, 0.0, FakeClock()).ask(QUESTION, job(on_text=heard.append)))
    assert (inner.asked, heard) == (1, ["one ", "voice"])


def test_time_spent_waiting_for_the_budget_is_given_once() -> None:
    async def wait_for_budget(of: Job) -> str:
        of.deadline_seconds += 5.0
        return "yes"

    async def wait_and_hang(of: Job) -> str:
        await wait_for_budget(of)
        return await hang(of)

    for inner in (Script(wait_for_budget), Script(wait_and_hang, wait_for_budget)):
        of = job(deadline_seconds=10.0)
        asyncio.run(Hedge(inner, 2.0, JumpingClock()).ask(QUESTION, of))
        assert of.deadline_seconds == 15.0
