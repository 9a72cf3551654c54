"""The catalogue file: HOME/history.duckdb, small tables about runs and views over the runs' Parquet files.

Invariants: it is never changed in place. A writer holds the lock, copies the catalogue to a draft, changes the draft
and publishes it by atomic rename, so an open reader neither blocks nor is blocked, and a process killed at any moment
leaves the last whole file. Copying reads every row, so damage shows, and then the catalogue is made anew. Nothing in it
is the only copy of anything. Left out: what rows say (`krins.runs.history`) and the tables (`migrations`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from krins.errors import StorageFault, boundary
from krins.runs.history.migrations import MIGRATIONS, applied_migrations, migrate
from krins.runs.publish import decision_schema, outcome_schema
from krins.runs.store import Store, published

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    Change = Callable[["DuckDBPyConnection"], None]

_BLOCK_BYTES = 16384
"""DuckDB's smallest block: an empty catalogue takes 28 KiB instead of 1 MiB."""
_EMPTY_FOLDER = ".schema"
_LOCK_SECONDS = 600.0
_REMEDY = "free some disk space or mend the permissions; the runs are safe, `krins-eval history rebuild` adds them"


def publish_catalogue(store: Store, change: Change, refill: Change, *, afresh: bool = False) -> None:
    """Change the catalogue, for all readers at once or not at all.

    Args:
        change: makes the change, in the database `history` of the connection that it is given.
        refill: makes all rows from the journals; called where there is no catalogue, it is damaged, or it is of an
            older krins, whose rows lack what this one knows.
        afresh: do not look at the catalogue as it stands.

    Raises:
        StorageFault: it cannot be written, or was written by a newer krins.
    """
    import duckdb

    with _lock(store), boundary(StorageFault, f"{store.history}: cannot be written", _REMEDY, catch=duckdb.Error):
        with published(store.history) as draft, _working_copy(store.history, draft, afresh) as connection:
            connection.begin()
            if migrate(connection):
                refill(connection)
            change(connection)
            _create_views(store, connection)
            connection.commit()
            _write(connection, draft)
        # Left by a program that opened the file for writing and died. DuckDB refuses a file with a foreign log.
        Path(f"{store.history}.wal").unlink(missing_ok=True)


def attached_catalogue(store: Store) -> DuckDBPyConnection:
    """A connection on whose `history` the catalogue is, read-only, as it stands now.

    Each is a database of its own: DuckDB would hand an earlier connection's file to a second one of the same process,
    though another file has been published since.

    Raises:
        duckdb.Error: there is none, it is damaged, or a program holds it open for writing.
        StorageFault: it was written by a newer krins.
    """
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH {quoted(store.history)} AS history (READ_ONLY, TYPE duckdb)")
        _refuse_newer(store.history, applied_migrations(connection, "history"))
        connection.execute("USE history")
        _create_views(store, connection, kind="TEMP VIEW")  # as the file's own, but right in a folder that was moved
    except BaseException:
        connection.close()
        raise
    return connection


def is_current(connection: DuckDBPyConnection) -> bool:
    """Whether the attached catalogue has all tables and columns of this krins."""
    return MIGRATIONS.keys() <= applied_migrations(connection, "history")


def quoted(path: Path) -> str:
    """A path as an SQL string."""
    return "'" + str(path).replace("'", "''") + "'"


@contextmanager
def _lock(store: Store) -> Iterator[None]:
    lock = FileLock(store.home / "history.lock")
    with boundary(StorageFault, f"{store.home}: cannot lock the history", _REMEDY, catch=OSError):
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise StorageFault(
                f"{store.history}: another process has been changing it for {_LOCK_SECONDS:.0f} s",
                "wait for it or end it, then run `krins-eval history rebuild`",
            ) from None
    try:
        _remove_drafts(store)
        _publish_empty_files(store)
        yield
    finally:
        _remove_drafts(store)
        lock.release()


def _remove_drafts(store: Store) -> None:
    """Drafts are written under the lock alone, so any that lies around was left by a killed process."""
    for draft in store.home.glob(f".{store.history.name}.*"):
        draft.unlink(missing_ok=True)


def _publish_empty_files(store: Store) -> None:
    """The views' patterns must match a file of the right columns even when there is no run."""
    import pyarrow.parquet as pq

    for name, schema in {"decisions": decision_schema(), "outcomes": outcome_schema()}.items():
        path = store.runs / _EMPTY_FOLDER / f"{name}.parquet"
        if not _has_schema(path, schema):
            with boundary(StorageFault, f"{path}: cannot be written", _REMEDY, catch=OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
            with published(path) as draft:
                pq.write_table(schema.empty_table(), draft)


def _has_schema(path: Path, schema: pa.Schema) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return bool(pq.read_schema(path).equals(schema))
    except (OSError, pa.ArrowException):
        return False


def _working_copy(history: Path, draft: Path, afresh: bool) -> DuckDBPyConnection:
    """A connection with the catalogue in memory as `history`; empty if so wanted, or if there is none to be read.

    Its bytes are copied first: a program that holds it open for writing would keep DuckDB, but not a copy, from it.
    """
    import duckdb

    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS history")
    if afresh or not history.exists():
        return connection
    previous = draft.with_name(f"{draft.name}.previous")
    shutil.copyfile(history, previous)
    try:
        connection.execute(f"ATTACH {quoted(previous)} AS previous (READ_ONLY, TYPE duckdb)")
        _refuse_newer(history, applied_migrations(connection, "previous"))
        connection.execute("COPY FROM DATABASE previous TO history")
        connection.execute("DETACH previous")
    except duckdb.Error:
        connection.close()  # what was read before the damage was met is not to be kept
        return _working_copy(history, draft, afresh=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _write(connection: DuckDBPyConnection, draft: Path) -> None:
    connection.execute(f"ATTACH {quoted(draft)} AS draft (TYPE duckdb, BLOCK_SIZE {_BLOCK_BYTES})")
    connection.execute("COPY FROM DATABASE history TO draft")
    connection.execute("CHECKPOINT draft")  # closing does it too, but without a word when the disk is full
    connection.execute("DETACH draft")


def _refuse_newer(history: Path, applied: set[str]) -> None:
    unknown = sorted(applied - MIGRATIONS.keys())
    if unknown:
        raise StorageFault(
            f"{history}: it was written by a newer krins, whose changes this one does not know: {', '.join(unknown)}",
            "upgrade krins, or make the history anew from the journals with `krins-eval history rebuild`",
        )


def _create_views(store: Store, connection: DuckDBPyConnection, kind: str = "VIEW") -> None:
    """Views over all runs' Parquet files; a filter on `run_id` opens that run's file alone.

    Columns and types are those of the first file, which is the empty one.
    """
    runs = Path("".join(f"[{char}]" if char in "*?[" else char for char in str(store.runs)))
    place = "" if kind == "TEMP VIEW" else "history."
    for name in ("decisions", "outcomes"):
        files = ", ".join(quoted(runs / folder / f"{name}.parquet") for folder in (_EMPTY_FOLDER, "*"))
        connection.execute(
            f"CREATE OR REPLACE {kind} {place}{name} AS "
            f"SELECT parse_path(filename)[-2] AS run_id, * EXCLUDE (filename) "
            f"FROM read_parquet([{files}], filename = true)"
        )
