"""One run as the history's rows: a row of `runs` and, once it has finished, a row of `results` for each router.

Invariants: a row follows from the run's journal alone; what the journal cannot tell is None. Left out: where rows are
kept (`krins.runs.history.catalogue`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from krins.errors import KrinsError
from krins.runs.history.brief import RunBrief, read_brief
from krins.runs.result import RouterResult
from krins.runs.store import Store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class RunRow:
    """One run. All but the first four are None where the journal cannot tell."""

    run_id: str
    state: Literal["finished", "unfinished", "unreadable"]
    """`unreadable`: the journal's beginning is damaged or of a newer krins, so nothing is known of the run."""
    started_at: datetime
    """In UTC; of an unreadable run, when its journal was last written."""
    damaged_lines: int = 0
    """Journal lines that could not be trusted and were left out."""
    purpose: str | None = None
    """`run`, `record` or `race`; only a run finishes: a recording's outcome table lies where the user wanted it,
    and a race is told again from its answers."""
    suite: str | None = None
    environment: str | None = None
    seed: int | None = None
    n_tasks: int | None = None
    n_replications: int | None = None
    passes: int | None = None
    elapsed_seconds: float | None = None
    billed_usd: Decimal | None = None
    fingerprint: str | None = None
    """Of the suite."""
    table_sha256: str | None = None
    krins_version: str | None = None


class RunEntry(NamedTuple):
    """All that the history holds about one run."""

    row: RunRow
    results: list[RouterResult]
    problem: str | None = None
    """What is wrong with the journal."""


def entry_from_journal(store: Store, run_id: str) -> RunEntry:
    """What a journal tells; of one that cannot be read, what its file tells."""
    try:
        brief = read_brief(store, run_id)
    except KrinsError as error:
        written_at = datetime.fromtimestamp(store.journal(run_id).stat().st_mtime, UTC)
        return RunEntry(RunRow(run_id, "unreadable", written_at), [], error.message)
    lost = [f"line {damage.line}: {damage.reason}" for damage in brief.damage]
    problem = f"journal lines were left out: {'; '.join(lost)}" if lost else None
    return RunEntry(_row(run_id, brief), brief.result.routers if brief.result else [], problem)


def _row(run_id: str, brief: RunBrief) -> RunRow:
    started, suite, result = brief.started, brief.started.suite, brief.result
    row = RunRow(
        run_id=run_id,
        state="unfinished",
        started_at=datetime.fromtimestamp(started.started_at_seconds, UTC),
        damaged_lines=len(brief.damage),
        purpose=started.purpose,
        suite=suite.name,
        environment=suite.environment.kind,
        seed=suite.seed,
        n_replications=suite.n_replications,
        passes=suite.passes,
        fingerprint=suite.fingerprint,
        table_sha256=started.table_sha256,
        krins_version=started.krins_version,
    )
    if result is None:
        return row
    return replace(
        row,
        state="finished",
        n_tasks=result.n_tasks,
        elapsed_seconds=result.elapsed_seconds,
        billed_usd=result.billed_usd,
    )


def insert_entries(connection: DuckDBPyConnection, entries: Iterable[RunEntry]) -> None:
    """Add rows to the attached catalogue `history`, for runs that it does not hold."""
    runs: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for entry in entries:
        runs.append(_run_columns(entry.row))
        results += [
            {"run_id": entry.row.run_id, "position": position, **result_columns(router)}
            for position, router in enumerate(entry.results)
        ]
    _insert(connection, "runs", runs)
    _insert(connection, "results", results)


def delete_entry(connection: DuckDBPyConnection, run_id: str) -> None:
    for table in ("runs", "results"):
        connection.execute(f"DELETE FROM history.{table} WHERE run_id = ?", [run_id])


def keep_entries(connection: DuckDBPyConnection, run_ids: list[str]) -> None:
    """Delete all runs but these."""
    for table in ("runs", "results"):
        connection.execute(f"DELETE FROM history.{table} WHERE NOT list_contains(?::VARCHAR[], run_id)", [run_ids])


def select_finished(connection: DuckDBPyConnection) -> dict[str, RunRow]:
    """Rows of all runs that the attached catalogue knows as finished, by their ids."""
    columns = ", ".join(field.name for field in fields(RunRow))
    found = connection.execute(f"SELECT {columns} FROM history.runs WHERE state = 'finished'").fetchall()
    rows = [RunRow(*values) for values in found]
    return {row.run_id: replace(row, started_at=row.started_at.replace(tzinfo=UTC)) for row in rows}


def _run_columns(row: RunRow) -> dict[str, Any]:
    columns = asdict(row)
    columns["started_at"] = row.started_at.replace(tzinfo=None)  # the column is UTC without saying so
    columns["billed_usd"] = None if row.billed_usd is None else f"{row.billed_usd:f}"
    columns["seed"] = None if row.seed is None else str(row.seed)  # may be wider than Arrow's integers
    return columns


def result_columns(router: RouterResult) -> dict[str, Any]:
    """A router's row, figures laid flat: `quality_mean`, `quality_low` and so on."""
    columns: dict[str, Any] = {"params": json.dumps(router.params, sort_keys=True, default=str)}
    for name, value in router.model_dump(exclude={"params", "curve", "break_even"}).items():
        if isinstance(value, dict):
            columns |= {f"{name}_{part}": number for part, number in value.items()}
        elif value is not None:
            columns[name] = value
    return columns


def _insert(connection: DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    connection.register("new_rows", pa.table({name: [row.get(name) for row in rows] for name in names}))
    connection.execute(f"INSERT INTO history.{table} BY NAME SELECT * FROM new_rows")
    connection.unregister("new_rows")
