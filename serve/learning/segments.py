"""The learner's journal: segments, and checkpoints from which replaying them is short.

    HOME/serving/learning/
    ├── lock                      held by the one learner
    ├── journal-00000001.jsonl    segments (`krins.runs.journal`); none is ever written to again once there is a next
    ├── checkpoint-00000002.json  the state where segment 2 begins, with its SHA-256; the last two are kept
    └── seen-00000002.npz         which decisions segment 1 had outcomes of

Invariants: what `write` returned is durable; a group that could not be written does not count, even if the disk has a
part of it, for that is cut off, and the segment after it says how many records before it do; a checkpoint that is
missing or damaged costs time and nothing else. Left out: what records mean (`learnt`), and deleting segments: before
the last checkpoint they are history, which what-if questions read, and may be moved away.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from krins.errors import KrinsError, StorageFault, boundary
from krins.runs.journal import JournalWriter, read_journal
from krins.runs.store import published, sync_folder
from serve.learning.ids import DecisionIds
from serve.learning.learnt import Learnt, replayed
from serve.learning.learnt_file import from_json
from serve.learning.records import Opened, Record, parse
from serve.learning.seen import Part, Seen

MAX_SEGMENT_BYTES = 16 * 2**20
"""After which a segment is closed: about 20,000 requests, replayed in a second or two."""
_KEPT_CHECKPOINTS = 2
_REMEDY = "free some disk space; the service notices by itself"


class Restored(NamedTuple):
    learnt: Learnt
    records: int
    """How many were replayed."""
    damaged: int
    """Lines that could not be trusted and were left out."""


class Segments:
    """Writes the journal of one learner.

    Raises:
        StorageFault: the folder cannot be written, or another learner holds it for `lock_seconds`.
    """

    def __init__(self, folder: Path, lock_seconds: float = 30.0, max_bytes: int = MAX_SEGMENT_BYTES) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        with boundary(StorageFault, f"{folder}: cannot keep what is learnt there", _REMEDY, catch=OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / "lock")
            try:
                self._lock.acquire(timeout=lock_seconds)
            except Timeout:
                raise StorageFault(
                    f"{folder}: another learner is writing there", "stop the other service, or give this one a home"
                ) from None
        self._writer: JournalWriter | None = None
        self._count = 0
        self._after_records: int | None = None
        self.number = max(_numbers(folder, "journal"), default=0)

    def write(self, records: Sequence[Record]) -> list[Record]:
        """Append records and wait until the disk holds them; returns all that was appended, a new segment's too.

        Raises:
            StorageFault: it is full or failing. None of these records counts; the next call begins a new segment.
        """
        opened = [] if self._writer is not None else [self._open()]
        assert self._writer is not None
        path = self._path(self.number)
        with boundary(StorageFault, f"{path}: the journal is gone", "start the service again", catch=OSError):
            durable_bytes = path.stat().st_size
        for record in records:
            self._writer.append(record.model_dump(mode="json"))
        try:
            self._writer.commit()
        except StorageFault:
            self._leave(self._count)
            with suppress(OSError):  # lest it counts after a restart that comes before the next segment
                os.truncate(path, durable_bytes)
            raise
        self._count += len(records)
        return [*opened, *records]

    @property
    def is_full(self) -> bool:
        return self._writer is not None and self._path(self.number).stat().st_size >= self._max_bytes

    def rotate(self, state: Mapping[str, Any], parts: Sequence[Part]) -> None:
        """Close the segment, and keep the state where the next begins.

        Raises:
            StorageFault: the state could not be kept; the next segment begins all the same.
        """
        self._leave(None)
        self.checkpoint(state, parts)

    def checkpoint(self, state: Mapping[str, Any], parts: Sequence[Part]) -> None:
        """Keep the state as that where the next segment begins, which is not open yet.

        Args:
            parts: of `seen`, all of it sealed.
        """
        for part in parts:
            path = self.folder / f"seen-{part.number:08}.npz"
            if not path.exists():
                with published(path) as draft, draft.open("wb") as file:
                    np.savez(file, **part.arrays())
        content = json.dumps({"parts": [part.number for part in parts], "learnt": state})
        with published(self.folder / f"checkpoint-{self.number + 1:08}.json") as draft:
            draft.write_text(f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}", encoding="utf-8")
        self._tidy(parts[0].number if parts else 0)

    def close(self) -> None:
        self._leave(None)
        self._lock.release()

    def _open(self) -> Record:
        number = self.number + 1
        path, record = self._path(number), Opened(segment=number, after_records=self._after_records)
        writer = None
        try:
            writer = JournalWriter(path)
            writer.append(record.model_dump(mode="json"))
            writer.commit()
            sync_folder(self.folder)
        except (StorageFault, OSError) as failure:
            if writer is not None:
                writer.close()
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise StorageFault(f"{path}: cannot begin a journal: {failure}", _REMEDY) from failure
        self._writer, self.number, self._count, self._after_records = writer, number, 1, None
        return record

    def _leave(self, after_records: int | None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer, self._after_records = None, after_records

    def _path(self, number: int) -> Path:
        return _segment(self.folder, number)

    def _tidy(self, oldest_part: int) -> None:
        """Remove what no checkpoint that is kept needs."""
        kept = sorted(_numbers(self.folder, "checkpoint"))[-_KEPT_CHECKPOINTS:]
        for number in _numbers(self.folder, "checkpoint"):
            if number not in kept:
                (self.folder / f"checkpoint-{number:08}.json").unlink(missing_ok=True)
        for number in _numbers(self.folder, "seen"):
            if number < oldest_part:
                (self.folder / f"seen-{number:08}.npz").unlink(missing_ok=True)


def restore(folder: Path, ids: DecisionIds) -> Restored:
    """The state that the journal in `folder` tells of, from the last checkpoint that can be trusted.

    Raises:
        StorageFault: the journal cannot be read.
        RunError: another version of krins wrote it.
    """
    learnt, first = Learnt(ids), 1
    for number in sorted(_numbers(folder, "checkpoint"), reverse=True):
        found = _checkpoint(folder, number, ids)
        if found is not None:
            learnt, first = found, number
            break
    journal = Journal(folder, first)
    replayed(learnt, journal)
    return Restored(learnt, journal.n_records, journal.n_damaged)


class Journal:
    """All records that count, from segment `first` on, in order; to be gone through once."""

    def __init__(self, folder: Path, first: int = 1) -> None:
        self._folder, self._first = folder, first
        self.n_records = self.n_damaged = 0

    def __iter__(self) -> Iterator[Record]:
        numbers = sorted(number for number in _numbers(self._folder, "journal") if number >= self._first)
        upcoming = self._read(numbers[0]) if numbers else []
        for place, _ in enumerate(numbers):
            records = upcoming
            upcoming = self._read(numbers[place + 1]) if place + 1 < len(numbers) else []
            limit = upcoming[0].get("after_records") if upcoming else None
            where = str(_segment(self._folder, numbers[place]))
            for record in records:
                if limit is None or record["seq"] < limit:
                    self.n_records += 1
                    yield parse(record, where)

    def _read(self, number: int) -> list[dict[str, Any]]:
        content = read_journal(_segment(self._folder, number))
        self.n_damaged += len(content.damage)
        return content.records


def _checkpoint(folder: Path, number: int, ids: DecisionIds) -> Learnt | None:
    """None: it was damaged."""
    try:
        digest, _, content = (folder / f"checkpoint-{number:08}.json").read_text(encoding="utf-8").partition("\n")
        if hashlib.sha256(content.encode()).hexdigest() != digest:
            return None
        found = json.loads(content)
        seen = Seen()
        seen.horizon_seconds = found["learnt"]["horizon_seconds"]
        for part in found["parts"]:
            with np.load(folder / f"seen-{part:08}.npz") as arrays:
                seen.restore(Part.of(arrays))
        return from_json(ids, found["learnt"], seen)
    except (OSError, ValueError, KeyError, TypeError, KrinsError):
        return None


def _segment(folder: Path, number: int) -> Path:
    return folder / f"journal-{number:08}.jsonl"


def _numbers(folder: Path, kind: str) -> list[int]:
    return [int(path.stem.partition("-")[2]) for path in folder.glob(f"{kind}-????????.*") if not path.is_dir()]
