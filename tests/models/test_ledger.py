"""The ledger: hand-computed books, and concurrent workers who can never overdraw them."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.errors import BudgetExhausted, WorkerFault
from krins.models.ledger import NOTHING, RUN, SUITE, TASK, Account, Accounts, Amount, Reservation, Wait
from krins.models.waiting_ledger import SharedLedger
from krins.suite import Budget, Limit


def usd(cents: int, tokens: int = 0, calls: int = 1) -> Amount:
    return Amount(Decimal(cents) / 100, tokens, calls)


def a_dollar() -> Accounts:
    return Accounts({RUN: Limit(usd=Decimal(1)), TASK: Limit(calls=2)})


def test_room_is_taken_given_back_and_charged() -> None:
    books, run = a_dollar(), Account(RUN)
    first = books.reserve([run], usd(60))
    assert isinstance(first, Reservation)
    assert isinstance(books.reserve([run], usd(50)), Wait)  # 0.60 may turn out to be nothing
    books.settle(first.number, usd(30))
    assert books.balance(run)[:2] == (usd(30), usd(0, calls=0))
    second = books.reserve([run], usd(70))
    assert isinstance(second, Reservation)
    books.settle(second.number, usd(70))
    with pytest.raises(BudgetExhausted, match=r"budget\.run: 1 of 1 usd are spent"):
        books.reserve([run], usd(1))
    assert not books.can_afford([run], usd(1))
    assert books.can_afford([run], usd(0))


def test_all_accounts_have_room_or_none_is_touched() -> None:
    books, task = a_dollar(), Account(TASK, "d")
    books.spend([task], usd(0, calls=2))
    with pytest.raises(BudgetExhausted, match=r"budget\.task \(d\): 2 of 2 calls"):
        books.reserve([Account(RUN), task], usd(10))
    assert books.balance(Account(RUN)).reserved == NOTHING


def test_a_call_that_costs_more_than_its_worst_case_is_charged_as_it_was() -> None:
    books, run = a_dollar(), Account(RUN)
    granted = books.reserve([run], usd(90))
    assert isinstance(granted, Reservation)
    books.settle(granted.number, usd(120))
    assert books.balance(run).spent.usd == Decimal("1.20")


def test_a_reservation_is_settled_once() -> None:
    books = a_dollar()
    granted = books.reserve([Account(RUN)], usd(10))
    assert isinstance(granted, Reservation)
    books.settle(granted.number, usd(10))
    with pytest.raises(ValueError, match="not in flight"):
        books.settle(granted.number, usd(10))


def test_money_is_added_without_rounding() -> None:
    books, run = Accounts({}), Account(RUN)
    books.spend([run], Amount(Decimal("1234567890123456789.1"), 0, 0))
    books.spend([run], Amount(Decimal("0.00000000000000000001"), 0, 0))
    assert books.balance(run).spent.usd == Decimal("1234567890123456789.10000000000000000001")


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 100), st.booleans()), max_size=60))
def test_spent_and_reserved_never_pass_the_limit(steps: list[tuple[int, int, bool]]) -> None:
    books, run, in_flight = Accounts({RUN: Limit(usd=Decimal(1))}), Account(RUN), list[Reservation]()
    for cents, percent, is_settling in steps:
        if is_settling and in_flight:
            done = in_flight.pop(percent % len(in_flight))
            books.settle(done.number, Amount(done.worst.usd * percent / 100, 0, 1))
        else:
            try:
                granted = books.reserve([run], usd(cents))
            except BudgetExhausted:
                continue
            if isinstance(granted, Reservation):
                in_flight.append(granted)
        spent, reserved, _ = books.balance(run)
        assert spent.usd + reserved.usd <= 1
        assert reserved.usd == sum(one.worst.usd for one in in_flight)


def test_whoever_waits_is_served_in_order_and_refused_when_nothing_can_help() -> None:
    async def scene() -> None:
        ledger = SharedLedger(Budget(run=Limit(usd=Decimal(1))), {RUN: usd(10)})
        first = await ledger.reserve("a", usd(80))
        large = asyncio.create_task(ledger.reserve("b", usd(60)))
        small = asyncio.create_task(ledger.reserve("c", usd(5)))
        await asyncio.sleep(0)
        assert not large.done()
        assert not small.done()  # it would fit, and would starve the large one
        await ledger.settle(first, usd(20))
        await asyncio.sleep(0)
        assert large.done()
        assert small.done()
        with pytest.raises(BudgetExhausted):
            await ledger.reserve("d", usd(71))
        assert await ledger.can_afford(usd(70))

    asyncio.run(scene())


def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    async def scene() -> None:
        ledger = SharedLedger(Budget(run=Limit(usd=Decimal(1))), {})
        first = await ledger.reserve("a", usd(90))
        waiting = asyncio.create_task(ledger.reserve("b", usd(50)))
        await asyncio.sleep(0)
        await ledger.settle(first, usd(1))
        waiting.cancel()  # in the same moment in which it is granted
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await ledger.balance(RUN)).reserved.usd == 0

    asyncio.run(scene())


def test_a_dead_workers_calls_are_charged_in_full() -> None:
    async def scene() -> None:
        ledger = SharedLedger(Budget(), {})
        await ledger.reserve("a", usd(30))
        await ledger.reserve("b", usd(40))
        assert await ledger.forfeit("a") == usd(30)
        assert (await ledger.balance(RUN))[:2] == (usd(30), usd(40))
        with pytest.raises(WorkerFault):
            await ledger.reserve("a", usd(1))

    asyncio.run(scene())


def test_run_and_suite_are_charged_alike() -> None:
    async def scene() -> None:
        ledger = SharedLedger(Budget(suite=Limit(calls=3)), {SUITE: usd(0, calls=2)})
        await ledger.settle(await ledger.reserve("a", usd(30)), usd(10))
        assert (await ledger.balance(RUN)).spent == usd(10)
        with pytest.raises(BudgetExhausted, match=r"budget\.suite: 3 of 3 calls"):
            await ledger.reserve("b", usd(30))

    asyncio.run(scene())


WORKERS, RUNS = 64, 200


async def spend_half(seed: int) -> None:
    """64 workers, each with three calls, and money for about half of them."""
    rng = random.Random(seed)
    worsts = [[usd(rng.randint(1, 20)) for _ in range(3)] for _ in range(WORKERS)]
    half = sum((worst.usd for mine in worsts for worst in mine), Decimal(0)) / 4
    ledger = SharedLedger(Budget(run=Limit(usd=half)), {})
    refused = list[Amount]()

    async def work(number: int) -> None:
        mine = random.Random(f"{seed} {number}")
        for worst in worsts[number]:
            try:
                reservation = await ledger.reserve(f"d{number}", worst)
            except BudgetExhausted:
                refused.append(worst)
                continue
            balance = await ledger.balance(RUN)
            assert balance.spent.usd + balance.reserved.usd <= half
            for _ in range(mine.randint(0, 5)):
                await asyncio.sleep(0)
            await ledger.settle(reservation, Amount(worst.usd * mine.randint(0, 100) / 100, 0, 1))

    await asyncio.gather(*map(work, range(WORKERS)))
    spent, reserved, _ = await ledger.balance(RUN)
    assert spent.usd <= half
    assert reserved.usd == 0
    for worst in refused:  # nothing was refused that could still have been afforded at the end
        assert spent.usd + worst.usd > half


@pytest.mark.parametrize("block", range(10))
def test_no_interleaving_of_64_workers_overdraws_a_budget_for_half_of_their_work(block: int) -> None:
    for seed in range(block * RUNS // 10, (block + 1) * RUNS // 10):
        asyncio.run(spend_half(seed))
