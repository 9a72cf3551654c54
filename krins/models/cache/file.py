"""The file that answers are kept in: one SQLite database, shared by all processes of one machine.

SQLite in WAL mode: readers never wait, writers wait for each other for as long as one row takes, and what a killed
process had begun is rolled back. Invariants: every row has a checksum over all that is read of it; a file is never
renamed or deleted while others may have it open, which SQLite does not survive: what is damaged, or not ours, is left
behind, and the file with the next number is taken. All methods raise `sqlite3.Error`, `Damaged` among them.
WAL takes shared memory, so the file must be on a disk of this machine.
Left out: what rows mean, and what to do about errors (`krins.models.cache.store`).
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

FORMAT = 1
"""Of the table; files of another format are not opened."""
APPLICATION_ID = 0x6B72696E  # "krin"
PAGE_BYTES = 4096
READ_PATIENCE_SECONDS = 0.02
"""Reads are made on the event loop. They wait only while another process recovers the file; then it is a miss."""
WRITE_PATIENCE_SECONDS = 5.0
EVICTED_AT_ONCE = 8

_CREATE = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, meaning BLOB, body BLOB NOT NULL,
    created_at_seconds REAL NOT NULL, used_at_seconds REAL NOT NULL, checksum BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS answers_by_key ON answers (key);
CREATE INDEX IF NOT EXISTS answers_by_meaning ON answers (meaning) WHERE meaning IS NOT NULL;
CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used_at_seconds);
COMMIT;
"""
_VALUES = "key, meaning, body, created_at_seconds, used_at_seconds, checksum"


class Damaged(sqlite3.DatabaseError):
    """The file is no database of answers, or not a whole one."""


class Row(NamedTuple):
    """One kept answer."""

    row_id: int
    key: bytes
    meaning: bytes | None
    body: bytes
    created_at_seconds: float
    used_at_seconds: float
    checksum: bytes

    @property
    def is_whole(self) -> bool:
        return self.checksum == checksum(self.key, self.meaning, self.body, self.created_at_seconds)


class Content(NamedTuple):
    """What a file holds."""

    entries: int
    stored_bytes: int
    """Pages in use."""
    oldest_at_seconds: float | None


def checksum(key: bytes, meaning: bytes | None, body: bytes, created_at_seconds: float) -> bytes:
    """16 bytes. A flipped bit can change the type of a value too, which `repr` shows."""
    return hashlib.sha256(repr((key, meaning, body, created_at_seconds)).encode()).digest()[:16]


class AnswerFile:
    """An open file. One thread reads, one writes; `close` when neither does."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it."""
        self.path = path
        self._writer = _connect(path, WRITE_PATIENCE_SECONDS)
        try:
            with damage_named():
                _prepare(self._writer)
            self._reader = _connect(path, READ_PATIENCE_SECONDS)
        except BaseException:
            self._writer.close()
            raise

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def by_key(self, key: bytes) -> Row | None:
        rows = self._read(f"SELECT id, {_VALUES} FROM answers WHERE key = ?", key)
        return rows[0] if rows else None

    def by_meaning(self, meaning: bytes) -> list[Row]:
        """Latest first."""
        return self._read(f"SELECT id, {_VALUES} FROM answers WHERE meaning = ? ORDER BY id DESC", meaning)

    def _read(self, query: str, value: bytes) -> list[Row]:
        with damage_named():  # all rows are fetched, since an open cursor would hold the write-ahead log
            return [Row(*values) for values in self._reader.execute(query, (value,)).fetchall()]

    def put(self, key: bytes, meaning: bytes | None, body: bytes, now_seconds: float, max_bytes: int) -> None:
        """Keep an answer, in place of one under the same key, and let the least recently used go beyond `max_bytes`."""
        row = (key, meaning, body, now_seconds, now_seconds, checksum(key, meaning, body, now_seconds))
        with self._transaction() as writer:
            writer.execute(f"INSERT OR REPLACE INTO answers ({_VALUES}) VALUES (?, ?, ?, ?, ?, ?)", row)
            _evict(writer, max_bytes)

    def touch(self, row: Row, now_seconds: float) -> None:
        with self._transaction() as writer:
            writer.execute("UPDATE answers SET used_at_seconds = ? WHERE id = ?", (now_seconds, row.row_id))

    def remove(self, row: Row) -> None:
        """Unless it has been replaced meanwhile."""
        with self._transaction() as writer:
            writer.execute("DELETE FROM answers WHERE id = ? AND checksum IS ?", (row.row_id, row.checksum))

    def clear(self) -> None:
        """Remove all rows, and give their room back where nobody reads just now."""
        with self._transaction() as writer:
            writer.execute("DELETE FROM answers")
        self._writer.execute("PRAGMA incremental_vacuum").fetchall()
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def content(self) -> Content:
        with damage_named():
            query = "SELECT count(*), min(created_at_seconds) FROM answers"
            [(entries, oldest)] = self._reader.execute(query).fetchall()
            return Content(entries, _used_bytes(self._reader), oldest)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with damage_named():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # a full disk has ended it already
                    self._writer.execute("ROLLBACK")
                raise


def open_file(folder: Path, after: Path | None = None) -> tuple[AnswerFile, dict[Path, Damaged]]:
    """The latest file of the folder that is whole, or a new one; and what is wrong with those that are not.

    `after`: found to be damaged, so that only later ones will do.
    """
    damaged: dict[Path, Damaged] = {}
    folder.mkdir(parents=True, exist_ok=True)
    # Switching a new file to WAL does not wait for others who do the same.
    with FileLock(folder / "lock", timeout=WRITE_PATIENCE_SECONDS):
        path = _latest(folder, after)
        while True:
            try:
                return AnswerFile(path), damaged
            except Damaged as damage:
                damaged[path] = damage
                path = _numbered(folder, _number(path) + 1)


def all_files(folder: Path) -> list[Path]:
    """Oldest first."""
    numbered = {_number(path): path for path in folder.glob(f"answers-v{FORMAT}.*.sqlite") if _number(path)}
    return [numbered[number] for number in sorted(numbered)]


@contextmanager
def damage_named() -> Iterator[None]:
    """Tell damage apart from what can happen to a sound file."""
    try:
        yield
    except sqlite3.DatabaseError as failure:
        if primary_code(failure) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Damaged(str(failure)) from failure
        raise


def primary_code(failure: sqlite3.Error) -> int | None:
    """SQLite's own word for what happened, without the details; None where Python raised it."""
    code: int | None = getattr(failure, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _latest(folder: Path, after: Path | None) -> Path:
    files = all_files(folder)
    first = 1 if after is None else _number(after) + 1
    return files[-1] if files and _number(files[-1]) >= first else _numbered(folder, first)


def _numbered(folder: Path, number: int) -> Path:
    return folder / f"answers-v{FORMAT}.{number}.sqlite"


def _number(path: Path) -> int:
    found = re.fullmatch(r"answers-v\d+\.(\d{1,9})\.sqlite", path.name)
    return int(found[1]) if found else 0


def _connect(path: Path, patience_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=patience_seconds, isolation_level=None, check_same_thread=False)
    connection.text_factory = bytes  # text where none should be is damage to a row, not an error of decoding
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    [(application_id,)] = connection.execute("PRAGMA application_id").fetchall()
    [(n_tables,)] = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    if n_tables and application_id != APPLICATION_ID:
        raise Damaged("a database of something else")
    for setting in (f"page_size = {PAGE_BYTES}", "auto_vacuum = INCREMENTAL", "journal_mode = WAL"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last answers, and nothing else
    if not n_tables:
        connection.executescript(_CREATE)


def _used_bytes(connection: sqlite3.Connection) -> int:
    return (_pragma(connection, "page_count") - _pragma(connection, "freelist_count")) * PAGE_BYTES


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    [(value,)] = connection.execute(f"PRAGMA {name}").fetchall()
    return int(value)


def _evict(connection: sqlite3.Connection, max_bytes: int) -> None:
    oldest = "SELECT id FROM answers ORDER BY used_at_seconds, id LIMIT ?"
    while _used_bytes(connection) > max_bytes:
        if not connection.execute(f"DELETE FROM answers WHERE id IN ({oldest})", (EVICTED_AT_ONCE,)).rowcount:
            break
    excess = _pragma(connection, "page_count") - max_bytes // PAGE_BYTES
    if excess > 0:  # the bound was lowered, or has just been passed
        connection.execute(f"PRAGMA incremental_vacuum({excess})").fetchall()
