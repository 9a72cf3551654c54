"""How the history's tables came to be: an ordered list of small steps, each applied once to every catalogue.

Invariants: a step that was ever released is never changed, reordered or removed; a change of the tables is a new step
at the end. The catalogue keeps the names of its steps: an older one is brought up to date, a newer one is recognised.
Left out: the file itself (`krins.runs.history.catalogue`), and the views, which are made anew whenever it is published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FIGURES = (
    "quality",
    "quality_answered",
    "cost_usd",
    "tokens",
    "quality_difference_vs_best_single",
    "saving_vs_best_single",
    "hull_quality_gain",
    "hull_cost_saving",
    "regret_vs_best_fixed",
    "regret_vs_oracle",
)
_PARTS = ("mean", "low", "high", "replication_low", "replication_high")


def _create_runs(connection: DuckDBPyConnection) -> None:
    connection.execute(
        """
        CREATE TABLE history.runs (
            run_id VARCHAR NOT NULL,
            state VARCHAR NOT NULL,
            started_at TIMESTAMP NOT NULL,
            damaged_lines INTEGER NOT NULL,
            purpose VARCHAR,
            suite VARCHAR,
            environment VARCHAR,
            seed UHUGEINT,
            n_tasks BIGINT,
            n_replications BIGINT,
            passes BIGINT,
            elapsed_seconds DOUBLE,
            billed_usd DECIMAL(38, 12),
            fingerprint VARCHAR,
            table_sha256 VARCHAR,
            krins_version VARCHAR
        )
        """
    )


def _create_results(connection: DuckDBPyConnection) -> None:
    figures = ", ".join(f"{figure}_{part} DOUBLE" for figure in _FIGURES for part in _PARTS)
    connection.execute(
        f"""
        CREATE TABLE history.results (
            run_id VARCHAR NOT NULL,
            position INTEGER NOT NULL,
            router VARCHAR NOT NULL,
            params JSON NOT NULL,
            n_decisions BIGINT NOT NULL,
            {figures},
            is_saving BOOLEAN,
            errors_model BIGINT NOT NULL,
            errors_infrastructure BIGINT NOT NULL
        )
        """
    )


def _add_budget_errors(connection: DuckDBPyConnection) -> None:
    connection.execute("ALTER TABLE history.results ADD COLUMN errors_budget BIGINT DEFAULT 0")


def _add_context_tokens(connection: DuckDBPyConnection) -> None:
    for figure in ("context_tokens", "whole_context_tokens", "context_token_saving"):
        for part in _PARTS:
            connection.execute(f"ALTER TABLE history.results ADD COLUMN {figure}_{part} DOUBLE")


def _narrow_seeds(connection: DuckDBPyConnection) -> None:
    """Seeds fit 64 bits, and a data frame cannot hold what is wider."""
    connection.execute("ALTER TABLE history.runs ALTER COLUMN seed SET DATA TYPE UBIGINT")


MIGRATIONS: dict[str, Callable[[DuckDBPyConnection], None]] = {
    "0001_runs": _create_runs,
    "0002_results": _create_results,
    "0003_budget_errors": _add_budget_errors,
    "0004_context_tokens": _add_context_tokens,
    "0005_narrow_seeds": _narrow_seeds,
}
"""Names to steps, in the order in which they are applied to the attached database `history`."""


def migrate(connection: DuckDBPyConnection) -> bool:
    """Apply the steps that the catalogue has not seen yet; returns whether there were any."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS history.migrations (name VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL)"
    )
    applied = applied_migrations(connection, "history")
    missing = [name for name in MIGRATIONS if name not in applied]
    for name in missing:
        MIGRATIONS[name](connection)
        connection.execute("INSERT INTO history.migrations VALUES (?, epoch_ms(epoch_ms(now())))", [name])
    return bool(missing)


def applied_migrations(connection: DuckDBPyConnection, database: str) -> set[str]:
    """Names of the steps that an attached catalogue has seen."""
    return {name for (name,) in connection.execute(f"SELECT name FROM {database}.migrations").fetchall()}
