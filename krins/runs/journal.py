"""The journal: an append-only file, one JSON line a record, each with a CRC32. It is the truth about a run.

A line is `{"crc32":"0123abcd","record":{...}}`; the checksum covers the bytes of the inner object. Records are
durable once `commit` returns: many are written and synced as a group. Invariants: a line that is torn or damaged is
named and left out, never silently read, and missing lines are noticed; after a torn end the next record starts on a
line of its own.
Left out: what the records mean (`krins.runs.records`).
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from krins.errors import StorageFault, boundary

_HEAD = b'{"crc32":"'
_MIDDLE = b'","record":'
_CRC = slice(len(_HEAD), len(_HEAD) + 8)
_BODY = slice(len(_HEAD) + 8 + len(_MIDDLE), -1)
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter
_REMEDY = "free some disk space or choose another folder with KRINS_HOME, then go on with --resume"


@dataclass(frozen=True)
class Damage:
    """A line that could not be trusted and was left out."""

    line: int
    reason: str


@dataclass(frozen=True)
class JournalContent:
    records: list[dict[str, Any]]
    damage: list[Damage]


class JournalWriter:
    """Appends records to one file. Threads may share it; that processes do not is up to the run's lock.

    A writer that could not write once refuses ever after: what was appended meanwhile would otherwise seem durable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        """Held while records are taken; `_writing` while a group goes to the file, so that groups stay in order."""
        self._writing = threading.Lock()
        self._failure: StorageFault | None = None
        with boundary(StorageFault, f"{path}: cannot open the journal", _REMEDY, catch=OSError):
            self._file = path.open("ab", buffering=0)
            self._buffer = [b"\n"] if _ends_torn(path) else []
            self._sequence = sum(1 for _ in _lines(path))

    def append(self, record: dict[str, Any]) -> None:
        """Take a record; it is durable only after the next `commit`."""
        with self._lock:
            body = json.dumps({"seq": self._sequence, **record}, separators=(",", ":"), ensure_ascii=True).encode()
            self._sequence += 1
            self._buffer.append(_HEAD + f"{zlib.crc32(body):08x}".encode() + _MIDDLE + body + b"}\n")

    def commit(self) -> None:
        """Write everything appended so far and wait until the disk holds it.

        Raises:
            StorageFault: the disk is full or failing; nothing that was committed before is lost.
        """
        with self._writing:
            if self._failure is not None:
                raise self._failure
            with self._lock:
                group, self._buffer = self._buffer, []
            try:
                with boundary(StorageFault, f"{self._path}: cannot write the journal", _REMEDY, catch=OSError):
                    rest = memoryview(b"".join(group))
                    while rest:
                        rest = rest[self._file.write(rest) :]
                    _sync(self._file.fileno())
            except StorageFault as failure:
                self._failure = failure
                raise

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read_journal(path: Path) -> JournalContent:
    """All records that can be trusted, in order, and what had to be left out.

    Raises:
        StorageFault: the file cannot be read at all.
    """
    records: list[dict[str, Any]] = []
    damage: list[Damage] = []
    expected = 0
    with boundary(StorageFault, f"{path}: cannot read the journal", "check the file", catch=OSError):
        for number, line in _lines(path):
            record = _parse(line)
            if isinstance(record, str):
                damage.append(Damage(number, record))
                expected += 1
                continue
            if record["seq"] != expected:
                damage.append(Damage(number, f"{record['seq'] - expected} records are missing before this line"))
            records.append(record)
            expected = record["seq"] + 1
    return JournalContent(records, damage)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line != b"\n":
                yield number, line


def _parse(line: bytes) -> dict[str, Any] | str:
    """The record, or why the line is not to be trusted."""
    if not line.endswith(b"}\n"):
        return "torn: the line does not end"
    content = line[:-1]
    body = content[_BODY]
    if not content.startswith(_HEAD) or content[_CRC.stop : _CRC.stop + len(_MIDDLE)] != _MIDDLE:
        return "damaged: not a journal line"
    if content[_CRC] != f"{zlib.crc32(body):08x}".encode():
        return "damaged: the checksum does not match"
    record: dict[str, Any] = json.loads(body)
    return record


def _ends_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
