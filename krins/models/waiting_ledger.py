"""The ledger as concurrent calls meet it: whoever finds no room waits until a call in flight is settled.

Invariants: whoever waits is served in the order of asking, and nobody overtakes one who waits for the same account to
have room, so a large reservation is not starved by small ones; who waits for room in the account of a decision alone is
overtaken by other decisions. A waiter whom spending leaves no room at all is refused at once, wherever it stands. A
cancelled waiter leaves the queue, and gives back what it was granted in the same moment. Room is looked for whenever
some may have come about: after every settlement, forfeit and departure. Accounts of decisions are kept only where
`budget.task` limits them. Nothing here awaits but the waiters, so each step is whole; one event loop uses a ledger.
Left out: the sums (`krins.models.ledger`), and the same ledger in a Ray actor (`krins.runs.ledger_actor`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from krins.errors import BudgetExhausted, KrinsError, WorkerFault
from krins.models.ledger import NOTHING, RUN, SUITE, TASK, Account, Accounts, Amount, Balance, Reservation, Wait
from krins.suite import Budget

_SHARED = (Account(RUN), Account(SUITE))


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    decision_id: str
    worst: Amount
    answer: asyncio.Future[Reservation | KrinsError]
    """An error is handed over as a value, so that one whom nobody collects any more is not reported as lost."""


class SharedLedger:
    """A `krins.models.ledger.Ledger` in this process."""

    def __init__(self, budget: Budget, spent: Mapping[str, Amount]) -> None:
        """`spent`: before this process, by scope, of the run and the suite."""
        self._accounts = Accounts({RUN: budget.run, SUITE: budget.suite, TASK: budget.task})
        self._keeps_tasks = budget.task.is_set
        self._queue: list[_Waiter] = []
        self._forfeited: set[str] = set()
        for scope, amount in spent.items():
            self._accounts.spend([Account(scope)], amount)

    async def reserve(self, decision_id: str, worst: Amount) -> int:
        if decision_id in self._forfeited:
            raise _forfeit_error(decision_id)
        waiter = _Waiter(decision_id, worst, asyncio.get_running_loop().create_future())
        self._queue.append(waiter)
        self._serve()
        try:
            answer = await waiter.answer
        except asyncio.CancelledError:
            self._leave(waiter)
            raise
        if isinstance(answer, KrinsError):
            raise answer
        return answer.number

    async def settle(self, reservation: int, actual: Amount) -> None:
        self._accounts.settle(reservation, actual)
        self._serve()

    async def can_afford(self, worst: Amount) -> bool:
        return self._accounts.can_afford((*_SHARED, Account(TASK)), worst)

    async def forfeit(self, decision_id: str) -> Amount:
        self._forfeited.add(decision_id)
        for waiter in self._queue:
            if waiter.decision_id == decision_id and not waiter.answer.done():
                waiter.answer.set_result(_forfeit_error(decision_id))
        forfeited = self._accounts.forfeit(decision_id)
        self._serve()
        return forfeited

    async def close(self, decision_id: str) -> None:
        self._accounts.close(Account(TASK, decision_id))

    async def balance(self, scope: str) -> Balance:
        return self._accounts.balance(Account(scope))

    def _serve(self) -> None:
        """Answer all who can be answered, in their order."""
        lacking: set[Account] = set()
        for waiter in self._queue:
            # A cancelled waiter is still in the queue until its task has run.
            if not waiter.answer.done():
                self._serve_one(waiter, lacking)
        self._queue = [waiter for waiter in self._queue if not waiter.answer.done()]

    def _serve_one(self, waiter: _Waiter, lacking: set[Account]) -> None:
        """`lacking`: accounts for whose room somebody further ahead waits."""
        accounts = self._accounts_of(waiter.decision_id)
        if not lacking.isdisjoint(accounts) and self._accounts.can_afford(accounts, waiter.worst):
            return
        try:
            granted = self._accounts.reserve(accounts, waiter.worst, waiter.decision_id)
        except BudgetExhausted as exhausted:
            waiter.answer.set_result(exhausted)
            return
        if isinstance(granted, Wait):
            lacking.update(granted.accounts)
        else:
            waiter.answer.set_result(granted)

    def _accounts_of(self, decision_id: str) -> tuple[Account, ...]:
        keeps_own = self._keeps_tasks and decision_id
        return (*_SHARED, Account(TASK, decision_id)) if keeps_own else _SHARED

    def _leave(self, waiter: _Waiter) -> None:
        answer = None if waiter.answer.cancelled() else waiter.answer.result()
        if isinstance(answer, Reservation) and waiter.decision_id not in self._forfeited:
            self._accounts.settle(answer.number, NOTHING)
        self._serve()


def _forfeit_error(decision_id: str) -> WorkerFault:
    return WorkerFault(f"decision {decision_id}: its worker was given up, and its calls in flight were charged in full")
