"""What keys may still spend, as one replica knows it: leases from the keeper, worst cases set aside, costs settled.

A call's worst case is taken from the lease before it is made and what it cost is settled after, both here; the keeper
is asked in the background, once a lease runs low and once in each `SETTLE_SECONDS` for what was spent. Invariants: a
replica never promises more than it holds on lease, so nobody is overdrawn, whatever other replicas do; a call whose
cost is unknown is charged with all that was set aside for it; an idle key's lease goes back, so that it does not starve
the others. Left out: the accounts (`serve.security.budgets`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

from krins.interfaces import Clock
from serve.interfaces import Reservation
from serve.web import Client, Refusal

SETTLE_SECONDS = 1.0
_IDLE_SECONDS = 5.0
_LEASED_SHARE = Decimal("0.02")
"""Of a key's budget, how much is leased at a time: little, since a replica that dies takes it along."""
_LEASED_CALLS = 4
"""A lease is enough for so many calls of the dearest kind seen,"""
_MOST_SHARE = Decimal("0.1")
"""as far as that leaves other replicas room."""
_BUSY = "budget_busy"
_ZERO = Decimal(0)
_LOG = logging.getLogger(__name__)


class Bank(Protocol):
    """The keeper's `Budgets`, from afar."""

    async def grant(self, key_id: str, limit_usd: Decimal, usd: Decimal) -> Decimal: ...

    async def settle(self, key_id: str, leased_usd: Decimal, spent_usd: Decimal, once: str) -> None: ...


class _Settlement(NamedTuple):
    leased_usd: Decimal
    spent_usd: Decimal
    once: str


@dataclass
class _Lease:
    """One key's."""

    free_usd: Decimal = _ZERO
    reserved_usd: Decimal = _ZERO
    ended_usd: Decimal = _ZERO
    """Of the lease, what is neither free nor reserved any more, and not yet settled."""
    spent_usd: Decimal = _ZERO
    """Not yet settled."""
    dearest_usd: Decimal = _ZERO
    used_at_seconds: float = 0.0
    is_exhausted: bool = False
    """The keeper granted less than was asked for."""
    untold: _Settlement | None = None
    """Under way to the keeper; told again, under its name, until it is known to have arrived."""


class BudgetAllowances:
    """`serve.interfaces.Allowances`. For one event loop."""

    def __init__(self, bank: Bank, limit_of: Callable[[str], Decimal | None], clock: Clock) -> None:
        """`limit_of`: a key's budget in USD; None for no limit."""
        self._bank, self._limit_of, self._clock = bank, limit_of, clock
        self._leases: dict[str, _Lease] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._is_bank_away = False
        self._failures = 0
        """How often the bank was out of reach."""

    def runs_low(self, key_id: str) -> bool:
        """Whether more had better be leased: there is a budget, and no lease worth the name."""
        if self._limit_of(key_id) is None:
            return False
        lease = self._leases.get(key_id)
        if lease is None:
            return True
        return not lease.is_exhausted and (not lease.free_usd or lease.free_usd < lease.dearest_usd)

    async def refill(self, key_id: str) -> None:
        """Lease more, and settle what was spent; does nothing while the keeper is out of reach."""
        limit_usd = self._limit_of(key_id)
        if limit_usd is None:
            return
        failures = self._failures
        async with self._locks.setdefault(key_id, asyncio.Lock()):
            if self._failures != failures:
                return  # it was out of reach for whoever went before, and each would wait as long
            lease = self._leases.setdefault(key_id, _Lease(used_at_seconds=self._clock.monotonic_seconds()))
            ample = min(lease.dearest_usd * _LEASED_CALLS, limit_usd * _MOST_SHARE)
            wanted = max(limit_usd * _LEASED_SHARE, lease.dearest_usd, ample)
            try:
                await self._tell(key_id, lease)
                missing = wanted - lease.free_usd
                if missing > 0:
                    granted = await self._bank.grant(key_id, limit_usd, missing)
                    lease.free_usd += granted
                    lease.is_exhausted = granted < missing
            except Exception as failure:
                self._away(failure)
            else:
                self._is_bank_away = False

    async def reserve(self, client: Client, usd: Decimal) -> Reservation:
        """Set the worst case of a call aside; the keeper is asked only where the lease is too small for it.

        Raises:
            Refusal: as `take`.
        """
        try:
            return self.take(client, usd)
        except Refusal as refusal:
            if refusal.code != _BUSY:
                raise
        await self.refill(client.key_id)
        return self.take(client, usd)

    def take(self, client: Client, usd: Decimal) -> Reservation:
        """Set the worst case of a call aside, out of what is leased now.

        Raises:
            Refusal: 429 `budget_exhausted`, or `budget_busy` where more may be leased; 503 where the keeper, who may
                have more, is out of reach.
        """
        limit_usd = self._limit_of(client.key_id)
        if limit_usd is None:
            return Reservation("", _ZERO)
        if usd > limit_usd:
            raise _exhausted(usd)
        lease = self._leases.setdefault(client.key_id, _Lease())
        lease.used_at_seconds = self._clock.monotonic_seconds()
        lease.dearest_usd = max(lease.dearest_usd, usd)
        if usd > lease.free_usd:
            raise self._no_room(lease, usd)
        lease.free_usd -= usd
        lease.reserved_usd += usd
        return Reservation(client.key_id, usd)

    def settle(self, reservation: Reservation, usd: Decimal | None) -> None:
        """Charge what it cost; None: unknown, so all that was reserved."""
        if not reservation.key_id:
            return
        lease = self._leases[reservation.key_id]
        cost_usd = reservation.usd if usd is None else usd
        lease.reserved_usd -= reservation.usd
        lease.free_usd += max(_ZERO, reservation.usd - cost_usd)
        lease.ended_usd += min(cost_usd, reservation.usd)
        lease.spent_usd += cost_usd

    async def run(self) -> None:
        """Settle and lease in the background, until cancelled."""
        while True:
            await self._clock.sleep(SETTLE_SECONDS)
            for key_id, lease in list(self._leases.items()):
                if self._is_idle(lease):
                    await self._give_back(key_id, lease)
                elif self.runs_low(key_id) or lease.spent_usd or lease.untold or lease.is_exhausted:
                    await self.refill(key_id)

    async def close(self) -> None:
        """Settle all, and give every lease back."""
        for key_id, lease in list(self._leases.items()):
            await self._give_back(key_id, lease)

    def _is_idle(self, lease: _Lease) -> bool:
        return not lease.reserved_usd and self._clock.monotonic_seconds() - lease.used_at_seconds >= _IDLE_SECONDS

    async def _give_back(self, key_id: str, lease: _Lease) -> None:
        async with self._locks.setdefault(key_id, asyncio.Lock()):
            lease.ended_usd, lease.free_usd = lease.ended_usd + lease.free_usd, _ZERO
            with suppress(Exception):  # told again when the key is used, or the next turn comes
                await self._tell(key_id, lease)
                await self._tell(key_id, lease)
            if not (lease.free_usd or lease.reserved_usd or lease.ended_usd or lease.spent_usd or lease.untold):
                # What is dear is remembered: else the first dear call after each pause would be refused.
                self._leases[key_id] = _Lease(dearest_usd=lease.dearest_usd)

    async def _tell(self, key_id: str, lease: _Lease) -> None:
        if lease.untold is None:
            if not (lease.ended_usd or lease.spent_usd):
                return
            lease.untold = _Settlement(lease.ended_usd, lease.spent_usd, secrets.token_hex(16))
            lease.ended_usd = lease.spent_usd = _ZERO
        await self._bank.settle(key_id, *lease.untold)
        lease.untold = None

    def _no_room(self, lease: _Lease, usd: Decimal) -> Refusal:
        if self._is_bank_away:
            return Refusal(
                503, "budget_unknown", "the keeper of budgets is out of reach", "try again", retry_after_seconds=1.0
            )
        if lease.is_exhausted:
            return _exhausted(usd)
        # More is being leased; there may be room in a moment.
        return Refusal(429, _BUSY, "the key's budget is being looked up", "try again", retry_after_seconds=1.0)

    def _away(self, failure: Exception) -> None:
        if not self._is_bank_away:
            _LOG.warning("the keeper of budgets is out of reach: %s", failure)
        self._is_bank_away = True
        self._failures += 1


def _exhausted(usd: Decimal) -> Refusal:
    return Refusal(
        429,
        "budget_exhausted",
        f"the budget of the key has no room for a call that may cost ${usd:f}",
        "ask for less output or a cheaper model, or have the budget raised",
        retry_after_seconds=60.0,
        headers=[(b"x-should-retry", b"false")],  # or OpenAI's and Anthropic's clients would wait so long, twice
    )
