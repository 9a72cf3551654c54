"""The audit log: every action of an administrator, and every request that was turned away for its key.

Files of JSON lines in the journal's format (`krins.runs.journal`), one a process in HOME/serving/audit/, only ever
appended to. Invariants: an action is on the disk before it begins, and again with its outcome before the caller hears
of it; where that cannot be written, the action is refused; no key or body is in any record. Requests without a valid
key may come in floods, so one a second is written, with a burst of 60, and what was left out is counted in the next.
Left out: ordinary requests, which are only counted (`serve.operations.meters`).
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

from krins.errors import StorageFault, boundary
from krins.interfaces import Clock
from krins.runs.journal import JournalWriter
from krins.runs.store import sync_folder
from serve.security.rates import TokenBucket
from serve.web import Refusal

_REFUSALS_PER_SECOND = 1.0
_REFUSALS_BURST = 60.0
_MAX_TEXT = 200


class AuditLog:
    """The log of one process."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._writer: JournalWriter | None = None
        self._lock = threading.Lock()
        self._flood = TokenBucket(clock, _REFUSALS_PER_SECOND, _REFUSALS_BURST)
        self._left_out = 0
        self._files = 0
        self._pending: set[asyncio.Future[None]] = set()

    async def action(self, outcome: str, **what: str) -> None:
        """Write down that an administrator's action begins (`begun`), or how it ended; durable when it returns.

        Raises:
            Refusal: 503, it cannot be written.
        """
        try:
            await asyncio.to_thread(self._write, {"event": "admin", "outcome": outcome, **what})
        except StorageFault:
            raise Refusal(
                503,
                "audit_unwritable",
                "the audit log cannot be written",
                "free some disk space",
                retry_after_seconds=5,
            ) from None

    def turned_away(self, status: int, **what: str) -> None:
        """Write down a 401 or 403, in the background; lost where the disk is full."""
        if not self._flood.take().is_granted:
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        record = {"event": "turned_away", "outcome": str(status), "left_out_before": left_out, **what}
        written = asyncio.get_running_loop().run_in_executor(None, self._write_if_possible, record)
        self._pending.add(written)
        written.add_done_callback(self._pending.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._pending)
        if self._writer is not None:
            self._writer.close()

    def _write_if_possible(self, record: dict[str, Any]) -> None:
        try:
            self._write(record)
        except StorageFault:
            self._left_out += 1

    def _write(self, record: dict[str, Any]) -> None:
        with self._lock:
            writer = self._writer or self._open()
            cut = {name: value[:_MAX_TEXT] if isinstance(value, str) else value for name, value in record.items()}
            writer.append({"at_seconds": self._clock.now_seconds(), **cut})
            try:
                writer.commit()
            except StorageFault:
                writer.close()
                self._writer = None  # it would refuse ever after; the next record begins a file of its own
                raise

    def _open(self) -> JournalWriter:
        remedy = "choose a folder that can be written"
        with boundary(StorageFault, f"{self._folder}: cannot keep the audit log", remedy, catch=OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            name = f"{int(self._clock.now_seconds() * 1000)}-{os.getpid()}-{self._files}.jsonl"
            self._files += 1
            self._writer = JournalWriter(self._folder / name)
            sync_folder(self._folder)
        return self._writer
