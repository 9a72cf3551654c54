"""How the limit moves: what halves it, what lets it grow, and what leaves it as it is."""

from __future__ import annotations

import pytest

from krins.errors import AuthRefused, Overloaded, RateLimited, Refused, TimedOut, Unreachable
from tests.support.concurrency import Bench, faults, run


@pytest.mark.parametrize("fault", [RateLimited, Overloaded, TimedOut])
def test_a_burst_of_refusals_halves_the_limit_once(fault: type[Exception]) -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(8)
        for index in range(8):
            await bench.end(index, fault("no"))
        assert bench.limiter.limit == 4
        assert await faults(asked) == [fault] * 8

    run(8, test)


def test_refusals_of_calls_that_began_later_halve_it_again_down_to_one() -> None:
    async def test(bench: Bench) -> None:
        limits = []
        for index in range(5):
            asked = await bench.ask()
            await bench.end(index, Overloaded("no"))
            limits.append(bench.limiter.limit)
            assert await faults(asked) == [Overloaded]
        assert limits == [5, 2, 1, 1, 1]

    run(10, test)


@pytest.mark.parametrize("fault", [Unreachable, AuthRefused, Refused])
def test_other_faults_do_not_change_it(fault: type[Exception]) -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(4)
        for index in range(4):
            await bench.end(index, fault("no"))
        assert bench.limiter.limit == 4
        assert await faults(asked) == [fault] * 4

    run(4, test)


def test_it_grows_by_one_after_as_many_successes_as_it_is_high() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask()
        await bench.end(0, Overloaded("no"))
        assert await faults(asked) == [Overloaded]
        limits = []
        await bench.ask(20)
        for index in range(1, 19):
            await bench.end(index)
            limits.append(bench.limiter.limit)
        # 2 successes at 2, 3 at 3, 4 at 4, and no further than 5.
        assert limits == [2, 3, 3, 3, 4, 4, 4, 4, *[5] * 10]

    run(5, test)


def test_it_does_not_grow_while_it_is_hardly_used() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask()
        await bench.end(0, Overloaded("no"))
        assert await faults(asked) == [Overloaded]
        for index in range(1, 40):
            await bench.ask()
            await bench.end(index)
        assert bench.limiter.limit == 4

    run(8, test)


def test_a_halved_limit_lets_calls_in_flight_end_before_others_begin() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask(6)
        await bench.end(0, Overloaded("no"))
        assert (bench.limiter.limit, bench.limiter.in_flight, len(bench.inner.asks)) == (2, 3, 4)
        await bench.end(1)
        assert len(bench.inner.asks) == 4
        await bench.end(2)
        assert len(bench.inner.asks) == 5
        for index in (3, 4):
            await bench.end(index)
        await bench.end(5)
        assert await faults(asked) == [Overloaded]

    run(4, test)


def test_successes_before_a_halving_do_not_count_after_it() -> None:
    async def test(bench: Bench) -> None:
        asked = await bench.ask()
        await bench.end(0, Overloaded("no"))
        asked += await bench.ask(4)
        for index in (1, 2, 3):
            await bench.end(index)
        await bench.end(4, Overloaded("no"))
        await bench.ask(2)
        await bench.end(5)
        assert bench.limiter.limit == 2
        await bench.end(6)
        assert bench.limiter.limit == 3
        assert await faults(asked) == [Overloaded] * 2

    run(8, test)
