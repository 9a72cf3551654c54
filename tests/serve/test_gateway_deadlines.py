"""Limits of time on many calls, watched by one task."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.clock import FakeClock
from serve.gateway.deadlines import Deadlines


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=20))
def test_each_limit_acts_once_when_its_time_has_come_unless_it_was_lifted(limits: list[tuple[int, bool]]) -> None:
    async def main() -> None:
        clock, acted = FakeClock(), list[tuple[int, float]]()
        deadlines = Deadlines(clock)
        for number, (seconds, is_lifted) in enumerate(limits):
            limit = deadlines.add(
                lambda seconds=seconds: seconds,  # type: ignore[misc]
                lambda number=number: acted.append((number, clock.now_seconds())),  # type: ignore[misc]
            )
            if is_lifted:
                limit.lift()
            await settle()
        for _ in range(10):
            clock.advance(1.0)
            await settle()
        assert sorted(acted) == [(n, seconds) for n, (seconds, is_lifted) in enumerate(limits) if not is_lifted]
        deadlines.close()

    asyncio.run(main())


def test_a_limit_that_moves_acts_late() -> None:
    async def main() -> None:
        clock, acted, due = FakeClock(), list[float](), [5.0]
        deadlines = Deadlines(clock)
        deadlines.add(lambda: due[0], lambda: acted.append(clock.now_seconds()))
        await settle()
        due[0] = 8.0
        for _ in range(10):
            clock.advance(1.0)
            await settle()
        assert acted == [8.0]

    asyncio.run(main())


def test_work_in_time_is_done_and_other_work_is_cancelled() -> None:
    async def main() -> None:
        clock = FakeClock()
        deadlines = Deadlines(clock)
        assert await deadlines.limited(5.0, asyncio.sleep(0, "done")) == "done"
        slow = asyncio.create_task(deadlines.limited(5.0, clock.sleep(60.0)))
        await settle()
        clock.advance(5.0)
        with pytest.raises(TimeoutError):
            await slow
        deadlines.close()

    asyncio.run(main())


def test_limits_that_were_lifted_take_no_memory() -> None:
    async def main() -> None:
        deadlines = Deadlines(FakeClock())
        for _ in range(10_000):
            deadlines.add(lambda: 600.0, lambda: None).lift()
        assert len(deadlines._heap) <= 600
        deadlines.close()

    asyncio.run(main())
