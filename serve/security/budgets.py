"""What API keys may spend in all, kept by the keeper: spent, and out on lease to replicas.

A replica works from a lease, so that no call waits for the keeper, and settles what it spent of it. Invariants: spent
and leased together never exceed a key's limit when a lease is granted, however many replicas ask; a settlement that is
told twice counts once; amounts are exact (Decimal, kept as text). The lease of a replica that died stays out: what it
spent is unknown, so it is taken for spent, which costs a key at most one lease for each death. A bill above what was
reserved is written down all the same, and nothing is granted after it.
Left out: transactions (`serve.jobs.keeper` makes each call one that happens whole or not at all), and limits, which
stand in the key file.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import NamedTuple

_TABLES = (
    "CREATE TABLE IF NOT EXISTS key_budgets"
    " (key_id TEXT PRIMARY KEY, spent_usd TEXT NOT NULL, leased_usd TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS key_settlements (number INTEGER PRIMARY KEY, once TEXT NOT NULL UNIQUE)",
)
_KEPT_SETTLEMENTS = 10_000
"""A settlement told again after so many others would count twice; replicas tell it again within seconds."""
_ZERO = Decimal(0)


class Account(NamedTuple):
    spent_usd: Decimal
    leased_usd: Decimal


class Budgets:
    """The accounts of all keys, in tables of its own. For one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for table in _TABLES:
            connection.execute(table)

    def grant(self, key_id: str, limit_usd: Decimal, usd: Decimal) -> Decimal:
        """Lease up to `usd` of what is left below the limit; what was leased, perhaps nothing."""
        spent, leased = self.account(key_id)
        granted = max(_ZERO, min(usd, limit_usd - spent - leased))
        if granted:
            self._write(key_id, Account(spent, leased + granted))
        return granted

    def settle(self, key_id: str, leased_usd: Decimal, spent_usd: Decimal, once: str) -> None:
        """End `leased_usd` of what is on lease, of which `spent_usd` were spent; zero gives it back.

        Args:
            once: names this settlement, so that it can be told again after an answer was lost.
        """
        if not self._is_new(once):
            return
        spent, leased = self.account(key_id)
        self._write(key_id, Account(spent + spent_usd, max(_ZERO, leased - leased_usd)))

    def spent(self, key_id: str) -> Decimal:
        return self.account(key_id).spent_usd

    def account(self, key_id: str) -> Account:
        row = self._connection.execute(
            "SELECT spent_usd, leased_usd FROM key_budgets WHERE key_id = ?", (key_id,)
        ).fetchone()
        return Account(Decimal(row[0]), Decimal(row[1])) if row else Account(_ZERO, _ZERO)

    def _write(self, key_id: str, account: Account) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO key_budgets (key_id, spent_usd, leased_usd) VALUES (?, ?, ?)",
            (key_id, str(account.spent_usd), str(account.leased_usd)),
        )

    def _is_new(self, once: str) -> bool:
        added = self._connection.execute("INSERT OR IGNORE INTO key_settlements (once) VALUES (?)", (once,))
        self._connection.execute(
            "DELETE FROM key_settlements WHERE number <= (SELECT MAX(number) FROM key_settlements) - ?",
            (_KEPT_SETTLEMENTS,),
        )
        return added.rowcount == 1
