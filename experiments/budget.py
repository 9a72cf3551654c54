"""Can concurrent workers overdraw a budget, and do they stop too soon?

    python experiments/budget.py [--runs 200] [--workers 64] [--seed 0]

The work is synthetic, no model is asked: 400 items a run, each for one of three arms, whose calls cost between 5% and
100% of their worst case and end in random order; the budget is half of what all items cost. A worker whose call finds
no room takes the next cheaper arm, and ends when the cheapest finds none. Every run is made twice: with the ledger, and
with one that is asked but told of no worst case, which is what checking a sum before each call amounts to. Exit 1 if
the ledger lets a run overdraw, refuses a call that might have found room, or leaves more than a cheapest call unspent.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import click

from krins.errors import BudgetExhausted
from krins.models.ledger import NOTHING, RUN, Amount, Ledger
from krins.models.waiting_ledger import SharedLedger
from krins.suite import Budget, Limit

N_ITEMS = 400
N_WORKERS = 64
ARMS = (Decimal("0.10"), Decimal("0.02"), Decimal("0.004"))
"""Worst case of one call in USD, the dearest first."""
CHEAPEST = ARMS[-1]
_STEPS = 10_000


@dataclass
class Work:
    """The items of one run, and what happened to them."""

    seed: int
    reserves: bool = True
    """False: the ledger is told of no worst case."""
    most_held: Decimal = Decimal(0)
    """The most that was spent and reserved at one time, in USD."""
    spent: Decimal = Decimal(0)
    n_waited: int = 0
    """Calls that found the budget taken up by calls in flight."""
    n_refused_too_soon: int = 0
    """Calls that were refused although calls in flight might have left room for them."""
    wanted: list[int] = field(default_factory=list)
    """Arms of the items that nobody has taken yet."""
    limit: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.wanted = [self.rng.randrange(len(ARMS)) for _ in range(N_ITEMS)]
        typical = sum((ARMS[arm] for arm in self.wanted), Decimal(0)) * Decimal("0.525")
        self.limit = (typical / 2).quantize(Decimal("0.000001"))

    @property
    def budget(self) -> Budget:
        return Budget(run=Limit(usd=self.limit))

    @property
    def overdrawn(self) -> Decimal:
        return max(self.most_held - self.limit, Decimal(0))

    @property
    def unspent(self) -> Decimal:
        return self.limit - self.spent

    @property
    def is_fine(self) -> bool:
        ended = bool(self.wanted) and self.unspent < CHEAPEST
        return ended and not self.overdrawn and not self.n_refused_too_soon

    async def do(self, ledger: Ledger, n_workers: int) -> None:
        """All that the budget pays for, by so many workers at once."""
        await asyncio.gather(*(self._worker(ledger, f"{self.seed}-{number}") for number in range(n_workers)))
        self.spent = (await ledger.balance(RUN)).spent.usd

    async def _worker(self, ledger: Ledger, name: str) -> None:
        while self.wanted:
            if not await self._item(ledger, name, self.wanted.pop()):
                return

    async def _item(self, ledger: Ledger, name: str, wanted: int) -> bool:
        """Whether some arm found room."""
        for worst_usd in ARMS[wanted:]:
            try:
                await self._call(ledger, name, Amount(worst_usd, 1000, 1))
            except BudgetExhausted:
                spent = (await ledger.balance(RUN)).spent
                self.n_refused_too_soon += self.reserves and spent.usd + worst_usd <= self.limit
            else:
                return True
        return False

    async def _call(self, ledger: Ledger, name: str, worst: Amount) -> None:
        before = await ledger.balance(RUN)
        self.n_waited += before.spent.usd + before.reserved.usd + worst.usd > self.limit
        reservation = await ledger.reserve(name, worst if self.reserves else NOTHING)
        await self._look(ledger)
        for _ in range(self.rng.randrange(1, 30)):
            await asyncio.sleep(0)
        part = Decimal(self.rng.randint(_STEPS // 20, _STEPS)) / _STEPS
        await ledger.settle(reservation, Amount(worst.usd * part, worst.tokens, 1))
        await self._look(ledger)

    async def _look(self, ledger: Ledger) -> None:
        balance = await ledger.balance(RUN)
        self.most_held = max(self.most_held, balance.spent.usd + balance.reserved.usd)


async def done(seed: int, reserves: bool, n_workers: int = N_WORKERS) -> Work:
    work = Work(seed, reserves)
    await work.do(SharedLedger(work.budget, {}), n_workers)
    return work


class Row(NamedTuple):
    name: str
    runs: list[Work]

    def show(self) -> None:
        overdrawn, unspent = [work.overdrawn for work in self.runs], [work.unspent for work in self.runs]
        waited = [work.n_waited for work in self.runs]
        click.echo(
            f"{self.name:<18}{len(self.runs):>5}{sum(map(bool, overdrawn)):>10}{max(overdrawn):>13.4f}"
            f"{min(unspent):>14.4f}{max(unspent):>13.4f}"
            f"{sum(work.n_refused_too_soon for work in self.runs):>17}{f'{min(waited)}-{max(waited)}':>12}"
        )


@click.command(help=__doc__)
@click.option("--runs", default=200, show_default=True, type=click.IntRange(min=1))
@click.option("--workers", default=N_WORKERS, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(runs: int, workers: int, seed: int) -> None:
    async def all_runs(reserves: bool) -> list[Work]:
        return [await done(seed + number, reserves, workers) for number in range(runs)]

    ledger, unreserved = (
        Row(name, asyncio.run(all_runs(name == "ledger"))) for name in ("ledger", "without reserving")
    )
    click.echo(f"synthetic work, {workers} workers; USD; worst case of the cheapest call {CHEAPEST}")
    click.echo(
        f"{'':<18}{'runs':>5}{'overdrawn':>10}{'by at most':>13}{'least unspent':>14}{'most unspent':>13}"
        f"{'refused too soon':>17}{'waited':>12}"
    )
    ledger.show()
    unreserved.show()
    if not all(work.is_fine for work in ledger.runs):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
