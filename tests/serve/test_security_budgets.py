"""Budgets of keys: exact, never overdrawn by replicas that do not ask each other, whatever gets lost."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from krins.clock import FakeClock
from serve.interfaces import Reservation
from serve.security.allowances import SETTLE_SECONDS, BudgetAllowances
from serve.security.budgets import Account, Budgets
from serve.web import Client, Refusal, Scope

CLIENT = Client("k", frozenset({Scope.INFER}))
LIMIT = Decimal("1.00")
usd = st.decimals("0.001", "0.3", places=3)


def make_budgets() -> Budgets:
    return Budgets(sqlite3.connect(":memory:", isolation_level=None))


class Bank:
    """The keeper from afar: answers may be lost after it has done its work, or it is away."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self.is_away = self.loses_answers = False
        self.calls = 0

    async def grant(self, key_id: str, limit_usd: Decimal, usd: Decimal) -> Decimal:
        self._reach()
        granted = self.budgets.grant(key_id, limit_usd, usd)
        self._answer()
        return granted

    async def settle(self, key_id: str, leased_usd: Decimal, spent_usd: Decimal, once: str) -> None:
        self._reach()
        self.budgets.settle(key_id, leased_usd, spent_usd, once)
        self._answer()

    def _reach(self) -> None:
        self.calls += 1
        if self.is_away:
            raise ConnectionError

    def _answer(self) -> None:
        if self.loses_answers:
            raise ConnectionError


def allowances_of(bank: Bank, limit: Decimal | None = LIMIT, clock: FakeClock | None = None) -> BudgetAllowances:
    return BudgetAllowances(bank, lambda key_id: limit, clock or FakeClock())


def test_leases_by_hand() -> None:
    budgets = make_budgets()
    assert budgets.grant("k", Decimal(1), Decimal("0.6")) == Decimal("0.6")
    assert budgets.grant("k", Decimal(1), Decimal("0.6")) == Decimal("0.4")
    assert budgets.grant("k", Decimal(1), Decimal("0.6")) == 0
    assert budgets.grant("other", Decimal(1), Decimal("0.1")) == Decimal("0.1")
    budgets.settle("k", Decimal("0.6"), Decimal("0.1"), "a")
    budgets.settle("k", Decimal("0.6"), Decimal("0.1"), "a")
    assert budgets.account("k") == Account(Decimal("0.1"), Decimal("0.4"))
    assert budgets.grant("k", Decimal(1), Decimal(1)) == Decimal("0.5")
    # A limit that was lowered below what is spent grants nothing, and takes nothing away.
    assert budgets.grant("k", Decimal("0.05"), Decimal(1)) == 0
    assert budgets.spent("k") == Decimal("0.1")


def test_a_call_is_set_aside_at_its_worst_and_charged_what_it_cost() -> None:
    async def run() -> None:
        bank = Bank(make_budgets())
        allowances = allowances_of(bank)
        assert allowances.runs_low("k")
        await allowances.refill("k")
        reservation = allowances.take(CLIENT, Decimal("0.02"))
        allowances.settle(reservation, Decimal("0.0123"))
        unknown = allowances.take(CLIENT, Decimal("0.005"))
        allowances.settle(unknown, None)
        await allowances.close()
        assert bank.budgets.account("k") == Account(Decimal("0.0173"), Decimal(0))

    asyncio.run(run())


def test_where_there_is_no_room_it_is_said_and_where_there_may_be_too() -> None:
    async def run() -> None:
        bank = Bank(make_budgets())
        allowances = allowances_of(bank)
        await allowances.refill("k")

        def refused(usd: str) -> tuple[int, str]:
            with pytest.raises(Refusal) as refusal:
                allowances.take(CLIENT, Decimal(usd))
            return refusal.value.status, refusal.value.code

        assert refused("1.5") == (429, "budget_exhausted"), "more than there ever was"
        assert refused("1.0") == (429, "budget_busy")
        await allowances.refill("k")
        assert allowances.take(CLIENT, Decimal("1.0")).usd == 1
        assert refused("0.1") == (429, "budget_busy")
        await allowances.refill("k")
        assert refused("0.1") == (429, "budget_exhausted")

    asyncio.run(run())


def test_the_first_call_of_a_key_leases_what_it_needs_and_later_ones_ask_nobody() -> None:
    async def run() -> None:
        bank = Bank(make_budgets())
        allowances = allowances_of(bank)
        first = await allowances.reserve(CLIENT, Decimal("0.5"))
        assert first.usd == Decimal("0.5")
        allowances.settle(first, Decimal(0))
        calls = bank.calls
        assert (await allowances.reserve(CLIENT, Decimal("0.4"))).usd == Decimal("0.4")
        assert bank.calls == calls
        with pytest.raises(Refusal) as refusal:
            await allowances.reserve(CLIENT, Decimal("0.9"))
        assert refusal.value.code == "budget_exhausted"

    asyncio.run(run())


def test_a_key_without_a_budget_costs_the_keeper_nothing() -> None:
    async def run() -> None:
        bank = Bank(make_budgets())
        allowances = allowances_of(bank, limit=None)
        assert not allowances.runs_low("k")
        await allowances.refill("k")
        allowances.settle(allowances.take(CLIENT, Decimal(100)), Decimal(50))
        assert bank.calls == 0

    asyncio.run(run())


def test_a_keeper_out_of_reach_is_no_empty_budget_and_it_heals() -> None:
    async def run() -> None:
        bank = Bank(make_budgets())
        allowances = allowances_of(bank)
        bank.is_away = True
        await allowances.refill("k")
        with pytest.raises(Refusal) as refusal:
            allowances.take(CLIENT, Decimal("0.01"))
        assert (refusal.value.status, refusal.value.code) == (503, "budget_unknown")
        bank.is_away = False
        await allowances.refill("k")
        allowances.take(CLIENT, Decimal("0.01"))

    asyncio.run(run())


def test_all_who_wait_for_a_keeper_out_of_reach_wait_once_and_not_one_after_the_other() -> None:
    class Slow(Bank):
        async def grant(self, key_id: str, limit_usd: Decimal, usd: Decimal) -> Decimal:
            await asyncio.sleep(0)
            return await super().grant(key_id, limit_usd, usd)

    async def run() -> None:
        bank = Slow(make_budgets())
        allowances = allowances_of(bank)
        bank.is_away = True
        await asyncio.gather(*(allowances.refill("k") for _ in range(100)))
        assert bank.calls == 1
        bank.is_away = False
        await allowances.refill("k")
        assert not allowances.runs_low("k")

    asyncio.run(run())


def test_a_key_that_pauses_has_its_next_dear_call_answered() -> None:
    async def run() -> None:
        allowances = allowances_of(Bank(make_budgets()))
        await allowances.refill("k")
        with pytest.raises(Refusal, check=lambda refusal: refusal.code == "budget_busy"):
            allowances.take(CLIENT, Decimal("0.5"))
        await allowances.close()  # as after a pause
        assert allowances.runs_low("k")
        await allowances.refill("k")
        allowances.settle(allowances.take(CLIENT, Decimal("0.5")), Decimal("0.5"))

    asyncio.run(run())


def test_an_idle_keys_lease_goes_back_in_the_background() -> None:
    async def run() -> None:
        clock, bank = FakeClock(), Bank(make_budgets())
        allowances = allowances_of(bank, clock=clock)
        running = asyncio.create_task(allowances.run())
        await allowances.refill("k")
        allowances.settle(allowances.take(CLIENT, Decimal("0.01")), Decimal("0.01"))
        leased = [bank.budgets.account("k").leased_usd]
        for _ in range(7):
            await asyncio.sleep(0)
            clock.advance(SETTLE_SECONDS)
            for _ in range(10):
                await asyncio.sleep(0)
            leased.append(bank.budgets.account("k").leased_usd)
        assert leased[0] > 0 and leased[-1] == 0
        assert bank.budgets.spent("k") == Decimal("0.01")
        running.cancel()

    asyncio.run(run())


class Replicas(RuleBasedStateMachine):
    """Two replicas, one key, and a keeper whose answers get lost."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = Bank(make_budgets())
        self.replicas = [allowances_of(self.bank) for _ in range(2)]
        self.reserved: list[list[Reservation]] = [[], []]
        self.cost = Decimal(0)
        """What providers charge, with calls in flight when a replica died at their worst."""
        self.is_disturbed = False

    @rule(which=st.integers(0, 1), amount=usd)
    def call(self, which: int, amount: Decimal) -> None:
        if self.replicas[which].runs_low("k"):
            asyncio.run(self.replicas[which].refill("k"))
        try:
            self.reserved[which].append(self.replicas[which].take(CLIENT, amount))
        except Refusal as refusal:
            assert refusal.status in (429, 503)

    @rule(which=st.integers(0, 1), share=st.sampled_from([None, Decimal(0), Decimal("0.5"), Decimal(1)]))
    def end(self, which: int, share: Decimal | None) -> None:
        if self.reserved[which]:
            reservation = self.reserved[which].pop(0)
            cost = None if share is None else reservation.usd * share
            self.replicas[which].settle(reservation, cost)
            self.cost += reservation.usd if cost is None else cost

    @rule(which=st.integers(0, 1))
    def refill(self, which: int) -> None:
        asyncio.run(self.replicas[which].refill("k"))

    @rule(which=st.integers(0, 1))
    def go_idle(self, which: int) -> None:
        asyncio.run(self.replicas[which].close())

    @rule(which=st.integers(0, 1))
    def die(self, which: int) -> None:
        self.cost += sum((reservation.usd for reservation in self.reserved[which]), Decimal(0))
        self.reserved[which] = []
        self.replicas[which] = allowances_of(self.bank)
        self.is_disturbed = True

    @rule(is_away=st.booleans(), loses_answers=st.booleans())
    def disturb(self, is_away: bool, loses_answers: bool) -> None:
        self.bank.is_away, self.bank.loses_answers = is_away, loses_answers
        self.is_disturbed |= loses_answers

    @invariant()
    def nothing_is_overdrawn(self) -> None:
        in_flight = sum((one.usd for replica in self.reserved for one in replica), Decimal(0))
        assert self.cost + in_flight <= LIMIT
        account = self.bank.budgets.account("k")
        assert account.spent_usd <= self.cost
        assert account.spent_usd + account.leased_usd <= LIMIT
        # What was spent, or may be, is still known to the keeper as spent or on lease.
        assert account.spent_usd + account.leased_usd >= self.cost + in_flight

    def teardown(self) -> None:
        self.bank.is_away = self.bank.loses_answers = False
        for which in range(2):
            while self.reserved[which]:
                self.end(which, Decimal(1))
            asyncio.run(self.replicas[which].close())
        account = self.bank.budgets.account("k")
        if not self.is_disturbed:  # else a lease may be out for good
            assert account == Account(self.cost, Decimal(0))


TestReplicas = Replicas.TestCase
TestReplicas.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
