"""Answers on disk: bounded in size, by age if asked for, and by least use; shared by all processes of one machine.

Invariants: the store never fails a run and never gives a wrong answer. A row that is not whole is a miss and is
removed; a file that is damaged, or not ours, is left behind with a warning and a new one begun; where the disk is full
or cannot be written, one warning is given and calls go on uncached (what is there is still found). Reads are made on
the event loop, writes in a thread: a hit takes some 40 microseconds, a third of what handing it to a thread would, and
in WAL mode no writer makes it wait. A store belongs to one event loop; `close` it.
Not on the library diskcache, which does the same on SQLite too: it was last released in 2023, unpickles what it reads
(CVE-2025-69872, without a fix), has no checksums, and a damaged file is an exception to its callers.
Left out: what the same question is (`krins.models.cache.fingerprint`), and asking it (`krins.models.cache.cached`).
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from krins.models.cache.file import AnswerFile, Damaged, Row, open_file, primary_code
from krins.models.cache.flight import Flight
from krins.models.cache.kept import Kept
from krins.models.cache.meaning import same_meaning
from krins.suite import AnswerCache

USE_NOTED_AFTER_SECONDS = 60.0
"""A row's last use is written down only so often, so that most hits write nothing."""

Found = TypeVar("Found")

_LEFT_BEHIND = "%s: damaged, or not a file of krins (%s); it is left as it is, and answers go to a new one"
_log = logging.getLogger(__name__)


class CacheStats(NamedTuple):
    hits: int
    """Of this store, since it was opened; an answer shared between questions in flight counts."""
    misses: int
    entries: int
    """Of the file, whoever wrote them."""
    stored_bytes: int
    oldest_at_seconds: float | None
    """Since the epoch; None where there are no entries."""


class AnswerStore:
    """The answers under `folder`, within the limits of `settings`."""

    def __init__(self, folder: Path, settings: AnswerCache) -> None:
        self.settings = settings
        self.hits = self.misses = 0
        self.flights: dict[str, Flight] = {}
        """Questions that are being asked in this process, by fingerprint."""
        self._folder = folder
        self._max_bytes = settings.max_mib * 2**20
        self._thread = ThreadPoolExecutor(1, "answer-cache")
        self._is_writing = True
        self._file = self._open()

    def find(self, key: str, now_seconds: float) -> Kept | None:
        """The answer to the question of this fingerprint."""
        wanted = bytes.fromhex(key)
        row = self._read(lambda file: file.by_key(wanted))
        kept = None if row is None or row.key != wanted else self._understood(row, now_seconds)
        if row is not None and kept is not None:
            self._note_use(row, now_seconds)
        return kept

    def has(self, key: str) -> bool:
        """Whether an answer is there, without looking at it."""
        wanted = bytes.fromhex(key)
        row = self._read(lambda file: file.by_key(wanted))
        return row is not None and row.is_whole

    def find_similar(self, meaning: str, prompt: str, now_seconds: float) -> Kept | None:
        """The latest answer to a prompt that says the same as `prompt`; `meaning` is that of its question."""
        threshold, wanted = self.settings.semantic_similarity, bytes.fromhex(meaning)
        if threshold is None:
            return None
        for row in self._read(lambda file: file.by_meaning(wanted)) or []:
            kept = self._understood(row, now_seconds) if row.meaning == wanted else None
            if kept is not None and kept.prompt is not None and same_meaning(prompt, kept.prompt, threshold):
                self._note_use(row, now_seconds)
                return kept
        return None

    async def keep(self, key: str, meaning: str | None, kept: Kept, now_seconds: float) -> None:
        """Keep an answer: on return it is there for all processes, or could not be kept."""
        file, body = self._file, kept.to_json()
        if file is None or not self._is_writing or len(body) > self._max_bytes // 2:
            return
        keys = bytes.fromhex(key), None if meaning is None else bytes.fromhex(meaning)

        def put() -> sqlite3.Error | None:
            try:
                file.put(*keys, body, now_seconds, self._max_bytes)
            except sqlite3.Error as failure:
                return failure
            return None

        # Shielded, for what has been paid for is kept even if nobody waits for it any more.
        failure = await asyncio.shield(asyncio.wrap_future(self._thread.submit(put)))
        if failure is not None:
            self._failed(file, failure)

    def stats(self) -> CacheStats:
        content = self._read(lambda file: file.content())
        return CacheStats(self.hits, self.misses, *(content or (0, 0, None)))

    def close(self) -> None:
        """Write what is still to be written, and let go of the file."""
        self._thread.shutdown()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, after: Path | None = None) -> AnswerFile | None:
        try:
            file, damaged = open_file(self._folder, after)
        except (OSError, sqlite3.Error) as failure:
            _log.warning("%s: answers are neither kept nor found there, calls go on: %s", self._folder, failure)
            return None
        for path, why in damaged.items():
            _log.warning(_LEFT_BEHIND, path, why)
        return file

    def _read(self, query: Callable[[AnswerFile], Found]) -> Found | None:
        file = self._file
        if file is None:
            return None
        try:
            return query(file)
        except sqlite3.Error as failure:
            self._failed(file, failure)
            return None

    def _understood(self, row: Row, now_seconds: float) -> Kept | None:
        """What a row holds; it is removed if it is not whole, or too old."""
        kept = None
        if row.is_whole and not self._is_stale(row, now_seconds):
            with suppress(ValueError):  # of another version of krins
                kept = Kept.from_json(row.body)
        if kept is None:
            self._later(lambda file: file.remove(row))
        return kept

    def _is_stale(self, row: Row, now_seconds: float) -> bool:
        ttl_days = self.settings.ttl_days
        return ttl_days is not None and now_seconds - row.created_at_seconds > ttl_days * 86400.0

    def _note_use(self, row: Row, now_seconds: float) -> None:
        used = row.used_at_seconds
        if not isinstance(used, float) or abs(now_seconds - used) > USE_NOTED_AFTER_SECONDS:  # no part of the checksum
            self._later(lambda file: file.touch(row, now_seconds))

    def _later(self, change: Callable[[AnswerFile], None]) -> None:
        """In the thread. That it fails does no harm: the row is as it was."""
        file = self._file

        if file is None or not self._is_writing:
            return

        def make() -> None:
            with suppress(sqlite3.Error):
                change(file)

        self._thread.submit(make)

    def _failed(self, file: AnswerFile, failure: sqlite3.Error) -> None:
        if file is not self._file or primary_code(failure) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return
        if isinstance(failure, Damaged):
            _log.warning(_LEFT_BEHIND, file.path, failure)
            self._thread.submit(file.close)
            self._file = self._open(after=file.path)
        elif self._is_writing:
            self._is_writing = False
            _log.warning("%s: answers are no longer kept, calls go on: %s", file.path, failure)
