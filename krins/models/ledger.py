"""The ledger: what has been spent, what is reserved for calls in flight, and whether another call still fits.

A call is charged to several accounts at once: those of its run, its suite and its decision. Before it is sent its worst
case is reserved in all of them, and settled at what it was. Invariants: a reservation is granted only where spent +
reserved + worst case stays within every limit, in each unit, so an account is never overdrawn while calls cost at most
their worst case; a call that costs more, since its provider delivered more than it was asked for, is charged as it was.
What does not fit now but would if all calls in flight turned out free is told to wait, and what would not even then is
refused: spending never falls, so waiting could not help. Money is `Decimal` and is added without rounding.
Left out: waiting (`krins.models.waiting_ledger`), and what the worst case of a call is (`krins.models.worst_case`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Literal, NamedTuple, Protocol

from krins.errors import BudgetExhausted
from krins.suite import Limit

RUN, SUITE, TASK, ROUTER = "run", "suite", "task", "router"
"""Scopes: the keys of `krins.suite.Budget`."""

Unit = Literal["usd", "tokens", "calls"]
UNITS: tuple[Unit, ...] = ("usd", "tokens", "calls")

_EXACT = Context(prec=100)
"""The default 28 digits would round sums of prices that take all of them, and leave a trace of what was settled."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What calls cost, in every unit that a budget limits."""

    usd: Decimal
    tokens: int
    """Input and output together."""
    calls: int

    def __add__(self, other: Amount) -> Amount:
        return Amount(_EXACT.add(self.usd, other.usd), self.tokens + other.tokens, self.calls + other.calls)

    def __sub__(self, other: Amount) -> Amount:
        return self + other.times(-1)

    def times(self, n: int) -> Amount:
        return Amount(_EXACT.multiply(self.usd, n), self.tokens * n, self.calls * n)

    def beyond(self, limit: Limit) -> Unit | None:
        """The first unit in which it is more than `limit`; None where it is within."""
        for unit in UNITS:
            most: Decimal | int | None = getattr(limit, unit)
            if most is not None and self.of(unit) > most:
                return unit
        return None

    def of(self, unit: Unit) -> Decimal | int:
        value: Decimal | int = getattr(self, unit)
        return value


NOTHING = Amount(Decimal(0), 0, 0)


class Account(NamedTuple):
    """Whom to charge."""

    scope: str
    """Says which limit holds."""
    name: str = ""
    """Which one of the scope, where it has several: the id of a decision, the label of a router."""

    def __str__(self) -> str:
        return f"budget.{self.scope} ({self.name})" if self.name else f"budget.{self.scope}"


class Balance(NamedTuple):
    """An account, as it is shown."""

    spent: Amount
    reserved: Amount
    limit: Limit


class Reservation(NamedTuple):
    """Room for one call."""

    number: int
    decision_id: str
    accounts: tuple[Account, ...]
    worst: Amount


class Wait(NamedTuple):
    """There is no room now, and there may be when calls in flight are settled."""

    accounts: frozenset[Account]
    """Where room is lacking."""


class Ledger(Protocol):
    """The ledger of one run as the layers around a call see it, in this process or in another."""

    async def reserve(self, decision_id: str, worst: Amount) -> int:
        """Wait for room for a call and take it; the number of the reservation, to be settled however the call ends.

        Waiting is for other calls to be settled, so nobody may hold one reservation until another is granted.

        Raises:
            BudgetExhausted: it would not fit even if all calls in flight cost nothing.
            WorkerFault: the decision is forfeited, or the ledger is out of reach.
        """
        ...

    async def settle(self, reservation: int, actual: Amount) -> None:
        """Charge what the call was, and give the rest of its reservation back.

        Raises:
            ValueError: it is not in flight: already settled or forfeited, or never granted.
        """
        ...

    async def can_afford(self, worst: Amount) -> bool:
        """Whether such a call of a new decision would fit if all calls in flight cost nothing."""
        ...

    async def forfeit(self, decision_id: str) -> Amount:
        """Charge the decision's calls in flight in full, since whoever made them died; returns how much that is.

        The decision gets no room any more: what it still waits for, or asks for later, is refused.
        """
        ...

    async def close(self, decision_id: str) -> None:
        """Forget what the decision spent, which may not ask for anything any more; run and suite keep its charges."""
        ...

    async def balance(self, scope: str) -> Balance:
        """Of the run or of the suite."""
        ...


class Accounts:
    """The books themselves: no waiting, no clock, nothing but sums."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        """`limits` by scope; a scope that is not in it is not limited."""
        self._limits = limits
        self._spent: dict[Account, Amount] = {}
        self._reserved: dict[Account, Amount] = {}
        self._in_flight: dict[int, Reservation] = {}
        self._n_granted = 0

    def reserve(self, accounts: Sequence[Account], worst: Amount, decision_id: str = "") -> Reservation | Wait:
        """Take room for a call in all of `accounts`, or in none.

        Raises:
            BudgetExhausted: it would not fit even if all calls in flight cost nothing.
        """
        for account in accounts:
            self._require_affordable(account, worst)
        lacking = frozenset(account for account in accounts if not self._has_room(account, worst))
        if lacking:
            return Wait(lacking)
        self._n_granted += 1
        reservation = Reservation(self._n_granted, decision_id, tuple(accounts), worst)
        self._in_flight[reservation.number] = reservation
        for account in accounts:
            self._reserved[account] = self._reserved.get(account, NOTHING) + worst
        return reservation

    def settle(self, number: int, actual: Amount) -> None:
        """Charge `actual` in place of the reservation; an account closed in the meantime stays closed.

        Raises:
            ValueError: the reservation is not in flight.
        """
        reservation = self._in_flight.pop(number, None)
        if reservation is None:
            raise ValueError(f"reservation {number} is not in flight: settle each one that was granted once")
        for account in reservation.accounts:
            if account in self._reserved:
                self._reserved[account] -= reservation.worst
                self._spent[account] = self._spent.get(account, NOTHING) + actual

    def spend(self, accounts: Iterable[Account], amount: Amount) -> None:
        """Charge what was spent without a reservation: by an earlier process, or already known."""
        for account in accounts:
            self._spent[account] = self._spent.get(account, NOTHING) + amount

    def can_afford(self, accounts: Iterable[Account], worst: Amount) -> bool:
        """Whether a call would fit if all calls in flight cost nothing. Once False, it stays so."""
        return all(self._excess(account, worst) is None for account in accounts)

    def in_flight(self, decision_id: str) -> list[Reservation]:
        return [reservation for reservation in self._in_flight.values() if reservation.decision_id == decision_id]

    def forfeit(self, decision_id: str) -> Amount:
        """Charge the decision's calls in flight at their worst; returns how much that is."""
        total = NOTHING
        for reservation in self.in_flight(decision_id):
            self.settle(reservation.number, reservation.worst)
            total += reservation.worst
        return total

    def close(self, account: Account) -> None:
        """Forget an account, so that accounts of decisions do not pile up; it may not be used again."""
        self._spent.pop(account, None)
        self._reserved.pop(account, None)

    def balance(self, account: Account) -> Balance:
        spent, reserved = self._spent.get(account, NOTHING), self._reserved.get(account, NOTHING)
        return Balance(spent, reserved, self._limits.get(account.scope, Limit()))

    def _has_room(self, account: Account, worst: Amount) -> bool:
        spent, reserved, limit = self.balance(account)
        return (spent + reserved + worst).beyond(limit) is None

    def _excess(self, account: Account, worst: Amount) -> Unit | None:
        spent, _, limit = self.balance(account)
        return (spent + worst).beyond(limit)

    def _require_affordable(self, account: Account, worst: Amount) -> None:
        unit = self._excess(account, worst)
        if unit is None:
            return
        spent, _, limit = self.balance(account)
        raise BudgetExhausted(
            f"{account}: {_show(spent, unit)} of {_show(limit, unit)} {unit} are spent, "
            f"and the next call can take {_show(worst, unit)}",
            f"raise environment.budget.{account.scope}.{unit}, or let calls be smaller: a lower max_output_tokens, "
            "a cheaper model",
        )


def _show(amount: Amount | Limit, unit: Unit) -> str:
    value = getattr(amount, unit)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else f"{value:,}"
