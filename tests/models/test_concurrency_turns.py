"""In which order turns come, how long anybody waits for one, and that no slot is lost."""

from __future__ import annotations

import asyncio

import pytest

from krins.errors import OutOfTime, RateLimited
from tests.support.concurrency import Bench, after, faults, run
from tests.support.layers import settle


def test_no_more_than_the_limit_are_in_flight_and_turns_come_in_order() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(5)
        assert (bench.inner.in_flight, bench.limiter.in_flight) == (2, 2)
        await bench.end(1)
        assert [task.done() for task in asked] == [False, True, False, False, False]
        assert len(bench.inner.asks) == 3
        for index, third in ((2, asked[2]), (3, asked[3]), (0, asked[0]), (4, asked[4])):
            await bench.end(index)
            assert third.done()
        assert await faults(asked) == []

    run(2, test)


def test_a_newcomer_does_not_pass_those_who_wait() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(2)
        bench.inner.asks[0].set_result("yes")
        asked += await bench.ask()
        await bench.end(1)
        assert [task.done() for task in asked] == [True, True, False]

    run(1, test)


def test_waiting_for_a_turn_ends_at_the_deadline_unsent_and_unbilled() -> None:
    async def test(bench: Bench) -> None:
        await bench.ask()
        late = await bench.ask(deadline_seconds=5.0)
        bench.clock.advance(4.5)
        await settle()
        assert not late[0].done()
        bench.clock.advance(0.5)
        await settle()
        with pytest.raises(OutOfTime, match="before there was a turn") as caught:
            await late[0]
        assert not caught.value.may_be_billed
        assert (len(bench.inner.asks), bench.limiter.in_flight) == (1, 1)

    run(1, test)


def test_a_question_whose_time_is_over_is_not_sent() -> None:
    async def test(bench: Bench) -> None:
        bench.clock.advance(5.0)
        assert await faults(await bench.ask(deadline_seconds=5.0)) == [OutOfTime]
        assert bench.inner.asks == []

    run(1, test)


def test_who_is_cancelled_in_the_queue_leaves_his_place_to_the_next() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(3)
        asked[1].cancel()
        await settle()
        await bench.end(0)
        assert len(bench.inner.asks) == 2
        await bench.end(1)
        assert await faults(asked) == [asyncio.CancelledError]

    run(1, test)


@pytest.mark.parametrize("is_turn_first", [True, False])
def test_a_turn_that_comes_together_with_a_cancellation_is_not_lost(is_turn_first: bool) -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(3)
        if is_turn_first:
            bench.inner.asks[0].set_result("yes")
            while not asked[0].done():
                await asyncio.sleep(0)
            asked[1].cancel()
        else:
            asked[1].cancel()
            bench.inner.asks[0].set_result("yes")
        await settle()
        assert (len(bench.inner.asks), bench.limiter.in_flight) == (2, 1)
        await bench.end(1)
        assert await faults(asked) == [asyncio.CancelledError]

    run(1, test)


def test_where_the_provider_says_when_to_come_back_nobody_comes_earlier() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(3)
        await bench.end(0, after(10.0))
        asked += await bench.ask(2)
        await bench.end(1)
        bench.clock.advance(9.5)
        await settle()
        assert len(bench.inner.asks) == 2
        bench.clock.advance(0.5)
        await settle()
        assert len(bench.inner.asks) == 3
        for index in (2, 3, 4):
            await bench.end(index)
        assert await faults(asked) == [RateLimited]

    run(2, test)


def test_the_longest_pause_that_was_asked_for_counts_also_for_who_waits_for_a_shorter_one() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(3)
        await bench.end(0, after(2.0))
        asked[1:1] = await bench.ask()
        for index, seconds in ((1, 10.0), (2, 1.0)):
            await bench.end(index, after(seconds))
        for seconds, begun in ((2.0, 3), (7.5, 3), (0.5, 4)):
            bench.clock.advance(seconds)
            await settle()
            assert len(bench.inner.asks) == begun
        await bench.end(3)
        assert await faults(asked) == [RateLimited] * 3

    run(8, test)


def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask()
        await bench.end(0, after(10.0))
        hasty = await bench.ask(deadline_seconds=10.0)
        with pytest.raises(OutOfTime, match="for another 10 s") as caught:
            await hasty[0]
        assert caught.value.retry_after_seconds == 10.0
        assert await faults(asked) == [RateLimited]

    run(2, test)


def test_who_is_cancelled_in_a_pause_gives_his_slot_back() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask()
        await bench.end(0, after(10.0))
        waiting = await bench.ask()
        assert bench.limiter.in_flight == 1
        waiting[0].cancel()
        await settle()
        assert bench.limiter.in_flight == 0
        assert await faults(asked + waiting) == [RateLimited, asyncio.CancelledError]

    run(1, test)
