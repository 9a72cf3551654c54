"""What the decisions of one router may cost in a live suite: `budget.router`.

Several routers share an answer that is paid for once, so this is no ledger of payments: a decision is charged what its
outcome cost, whoever paid. Invariants: a round's decisions are reserved at their worst, in task order, before any is
asked, and charged after, so a limit is never overdrawn and where it is reached depends on outcomes alone, not on
parallelism. A router without room stops the run: its row would otherwise leave decisions out.
Left out: what is paid for (`krins.models.ledger.Ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from krins.domain import Outcome
from krins.models.ledger import NOTHING, ROUTER, Account, Accounts, Amount, Reservation
from krins.runs.records import Cell
from krins.suite import Limit

AtWorst = Callable[[str, str], Amount]
"""(task_id, arm) to the most that one decision can cost."""


class RouterBudget:
    """Of one router: an account for each replication."""

    def __init__(self, limit: Limit, label: str, at_worst: AtWorst) -> None:
        self._accounts = Accounts({ROUTER: limit})
        self._is_limited, self._label, self._at_worst = limit.is_set, label, at_worst

    def reserve(self, replication: int, cells: Sequence[Cell]) -> Reservation:
        """Room for a round's decisions together.

        Raises:
            BudgetExhausted: there is not enough for all of them.
        """
        at_worst = [self._at_worst(cell.task_id, cell.arm) for cell in cells] if self._is_limited else []
        account = Account(ROUTER, f"{self._label}, replication {replication}")
        granted = self._accounts.reserve([account], sum(at_worst, NOTHING))
        assert isinstance(granted, Reservation)  # rounds of a replication follow each other: nothing else is in flight
        return granted

    def settle(self, reservation: Reservation, outcomes: Sequence[Outcome]) -> None:
        self._accounts.settle(reservation.number, sum(map(_cost_of, outcomes), NOTHING))


def _cost_of(outcome: Outcome) -> Amount:
    tokens = outcome.usage.tokens if outcome.usage else 0
    return Amount(outcome.cost_usd or Decimal(0), tokens, len(outcome.calls))
