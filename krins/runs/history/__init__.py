"""The history: what is known of every run, as rows that SQL can ask.

Tables `runs` (a row a run) and `results` (a row a run and router: every figure with its bounds), views `decisions` and
`outcomes` over all runs' Parquet files, each row with its `run_id`. Invariants: the journals are the truth, and all of
this is made from them; a run counts as finished only when its journal says so. Left out: how the file is kept
(`catalogue`), the rows (`run_rows`) and removing runs (`pruning`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from krins.errors import KrinsError, RunError, StorageFault, boundary
from krins.runs.history.catalogue import attached_catalogue, is_current, publish_catalogue, quoted
from krins.runs.history.run_rows import (
    RunEntry,
    RunRow,
    delete_entry,
    entry_from_journal,
    insert_entries,
    keep_entries,
    select_finished,
)
from krins.runs.store import Store, published

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Republish = Callable[[Store, str], None]
"""Writes a finished run's Parquet files again from its journal, or raises KrinsError."""

_FORMATS = {".csv": "FORMAT csv, HEADER true", ".parquet": "FORMAT parquet", ".json": "FORMAT json, ARRAY true"}


@dataclass(frozen=True)
class Problem:
    """Something that could not be brought into the history, or only in part."""

    run_id: str
    what: str


@dataclass
class Rebuilt:
    """What a rebuild found."""

    n_runs: int = 0
    n_finished: int = 0
    n_republished: int = 0
    """Finished runs whose Parquet files were missing or unreadable, and were written again."""
    problems: list[Problem] = field(default_factory=list)


def add_to_history(store: Store, run_id: str) -> None:
    """Put a run into the history, or renew what it says about the run.

    A missing or damaged history is made from all journals. Costs a copy of the catalogue, whatever the runs' sizes.

    Raises:
        RunError: there is no such run.
        StorageFault: the history cannot be written, or was written by a newer krins.
    """
    if not store.journal(run_id).exists():
        raise RunError(f"there is no run {run_id!r} in {store.home}", "`krins-eval history list` shows the runs")
    entry = entry_from_journal(store, run_id)

    def add(connection: DuckDBPyConnection) -> None:
        delete_entry(connection, run_id)
        insert_entries(connection, [entry])

    publish_change(store, add)


def rebuild_history(store: Store, republish: Republish) -> Rebuilt:
    """Make the history anew from the journals, and Parquet files that are missing or unreadable with `republish`.

    Damage is named in what is returned, and everything else is kept.

    Raises:
        StorageFault: the history cannot be written.
    """
    rebuilt = Rebuilt()
    publish_catalogue(
        store,
        change=lambda connection: None,
        refill=lambda connection: _refill(connection, _examined_runs(store, republish, rebuilt)),
        afresh=True,
    )
    folders = sorted(path for path in store.runs.iterdir() if path.is_dir() and not path.name.startswith("."))
    without = [folder for folder in folders if not store.journal(folder.name).exists()]
    rebuilt.problems += [Problem(folder.name, f"{folder}: there is no journal") for folder in without]
    return rebuilt


def list_runs(store: Store) -> list[RunRow]:
    """All runs, newest first.

    What the history does not know as finished is read from its journal, so a run that is under way, or one that was
    never added, is here too.

    Raises:
        StorageFault: the history was written by a newer krins.
    """
    known = _finished_rows(store)
    rows = [known.get(run_id) or entry_from_journal(store, run_id).row for run_id in store.run_ids()]
    return sorted(rows, key=lambda row: (row.started_at, row.run_id), reverse=True)


def open_history(store: Store) -> DuckDBPyConnection:
    """The history, read-only, as it stands now; runs that end later are in the next one opened.

    Raises:
        RunError: there are no runs.
        StorageFault: there is no readable history and none can be made, or it was written by a newer krins.
    """
    import duckdb

    if not store.runs.is_dir():
        raise RunError(f"there are no runs in {store.home}", "set --home or KRINS_HOME if they are kept elsewhere")
    try:
        connection = attached_catalogue(store)
        if is_current(connection):
            return connection
        connection.close()
    except duckdb.Error:
        pass  # missing, damaged, or held by a program that writes to it: in each case a new file takes its place
    publish_change(store, lambda connection: None)
    with boundary(StorageFault, f"{store.history}: cannot be read", "krins-eval history rebuild", catch=duckdb.Error):
        return attached_catalogue(store)


def export_history(store: Store, output: Path) -> int:
    """Write all results, each with its run, as CSV, Parquet or JSON, whichever the file's suffix says.

    Returns the number of rows.

    Raises:
        RunError: the suffix is another, or there are no runs. StorageFault: the file cannot be written.
    """
    import duckdb

    options = _FORMATS.get(output.suffix.lower())
    if options is None:
        raise RunError(f"{output}: a history is exported as CSV, Parquet or JSON", "give .csv, .parquet or .json")
    query = (
        "SELECT runs.*, results.* EXCLUDE (run_id) FROM history.results JOIN history.runs USING (run_id) "
        "ORDER BY started_at DESC, run_id, position"
    )
    failure = boundary(StorageFault, f"{output}: cannot be written", "choose another place", catch=duckdb.Error)
    with open_history(store) as connection, published(output.absolute()) as draft, failure:
        [(n_rows,)] = connection.execute(f"COPY ({query}) TO {quoted(draft)} ({options})").fetchall()
    return int(n_rows)


def publish_change(store: Store, change: Callable[[DuckDBPyConnection], None]) -> None:
    """Change the history through a connection on whose `history` it is; made from the journals first if it must be.

    Raises:
        StorageFault: it cannot be written, or was written by a newer krins.
    """
    journals = (entry_from_journal(store, run_id) for run_id in store.run_ids())
    publish_catalogue(store, change, refill=lambda connection: _refill(connection, journals))


def _refill(connection: DuckDBPyConnection, entries: Iterator[RunEntry]) -> None:
    keep_entries(connection, [])
    insert_entries(connection, entries)


def _finished_rows(store: Store) -> dict[str, RunRow]:
    """What the history says of finished runs; nothing where it is missing, damaged or of an older krins."""
    import duckdb

    try:
        with attached_catalogue(store) as connection:
            return select_finished(connection)
    except duckdb.Error:
        return {}


def _examined_runs(store: Store, republish: Republish, rebuilt: Rebuilt) -> Iterator[RunEntry]:
    for run_id in store.run_ids():
        entry = entry_from_journal(store, run_id)
        rebuilt.n_runs += 1
        if entry.problem is not None:
            rebuilt.problems.append(Problem(run_id, entry.problem))
        if entry.row.state == "finished":
            rebuilt.n_finished += 1
            _mend_files(store, run_id, republish, rebuilt)
        yield entry


def _mend_files(store: Store, run_id: str, republish: Republish, rebuilt: Rebuilt) -> None:
    files = [store.folder(run_id) / name for name in ("decisions.parquet", "outcomes.parquet")]
    broken = [path for path in files if not _is_readable(path)]
    if not broken:
        return
    try:
        for path in broken:
            path.unlink(missing_ok=True)  # one unreadable file would fail every query over all runs
        republish(store, run_id)
        rebuilt.n_republished += 1
    except (KrinsError, OSError) as failure:
        names = " and ".join(path.name for path in broken)
        rebuilt.problems.append(Problem(run_id, f"{names} cannot be made again: {failure}"))


def _is_readable(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True
