"""Writes what the learner does to its journal, in groups, and has it applied in the journal's order.

Whatever has come while the disk was busy goes into the journal as one group. Invariants: a change is applied after it
is durable, and whoever waits for it is told after that; a group that could not be written has changed nothing, and its
notes wait for the next one. Left out: what changes mean (`learner`), and files (`segments`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from krins.errors import KrinsError, StorageFault
from serve.learning.records import Record
from serve.learning.seen import Part
from serve.learning.segments import Segments
from serve.web import Refusal

Claims = set[int]
"""Keys of decisions with an outcome in the group that is about to be written."""
Prepare = Callable[[Claims], list[Record]]
_MAX_NOTES = 50_000
"""Records for which nobody waits, kept while the disk is full; further ones are lost, and counted."""


class _Job:
    """Something to be written. `prepare` runs when its turn comes and sees the state before its group, and what is
    claimed by others of it."""

    def __init__(self, prepare: Prepare, stands_alone: bool) -> None:
        self.prepare, self.stands_alone = prepare, stands_alone
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())


class GroupWriter:
    """For one event loop.

    Args:
        apply: changes the state by records that are durable.
        sealed: the state as a checkpoint keeps it; nothing of it changes any more when it is written.
    """

    def __init__(
        self,
        segments: Segments,
        apply: Callable[[Sequence[Record]], None],
        sealed: Callable[[], tuple[Mapping[str, Any], Sequence[Part]]],
    ) -> None:
        self._segments, self._apply, self._sealed = segments, apply, sealed
        self._jobs: deque[_Job] = deque()
        self._notes: deque[Record] = deque()
        self.lost_notes = 0
        self.fault = ""
        """Why the last write failed; empty while the disk takes what it is given."""
        self._worker: asyncio.Task[None] | None = None

    async def do(self, prepare: Prepare, stands_alone: bool = False) -> None:
        """Write what `prepare` returns, and apply it; `stands_alone`: in a group of its own.

        Raises:
            KrinsError: what `prepare` raised, or Refusal 503, the disk is full.
        """
        job = _Job(prepare, stands_alone)
        self._jobs.append(job)
        self._start()
        await asyncio.shield(job.done)

    def note(self, records: Iterable[Record]) -> None:
        """Write some time soon."""
        for record in records:
            if len(self._notes) < _MAX_NOTES:
                self._notes.append(record)
            else:
                self.lost_notes += 1
        self._start()

    def checkpoint(self) -> None:
        """Keep the state as it is before the first segment of this writer's."""
        self._keep(self._segments.checkpoint, *self._sealed())

    async def close(self) -> None:
        """Write what is still to be written, and let go of the journal."""
        while self._worker is not None and not self._worker.done():
            await self._worker
        self._segments.close()

    def _start(self) -> None:
        if (self._jobs or self._notes) and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._jobs or self._notes:
            notes = [self._notes.popleft() for _ in range(len(self._notes))]
            jobs, records = self._group()
            if not notes and not records and not self.fault:
                _finish(jobs)
                continue
            try:
                written = await asyncio.to_thread(self._segments.write, [*notes, *records])
            except StorageFault as failure:
                self.fault = str(failure)
                self._notes.extendleft(reversed(notes))
                _fail(jobs, _disk_full(failure))
                if not self._jobs:
                    return  # notes wait for the next call
                continue
            self.fault = ""
            self._apply(written)
            _finish(jobs)
            if self._segments.is_full:
                await asyncio.to_thread(self._keep, self._segments.rotate, *self._sealed())

    def _group(self) -> tuple[list[_Job], list[Record]]:
        """Jobs that are written together, and their records; those that refuse are done with."""
        jobs: list[_Job] = []
        records: list[Record] = []
        claims: Claims = set()
        while self._jobs and not (jobs and self._jobs[0].stands_alone):
            job = self._jobs.popleft()
            try:
                records += job.prepare(claims)
            except KrinsError as refusal:
                _fail([job], refusal)
                continue
            jobs.append(job)
            if job.stands_alone:
                break
        return jobs, records

    def _keep(
        self,
        keep: Callable[[Mapping[str, Any], Sequence[Part]], None],
        state: Mapping[str, Any],
        parts: Sequence[Part],
    ) -> None:
        try:
            keep(state, parts)
        except StorageFault as failure:
            self.fault = str(failure)


def _finish(jobs: Iterable[_Job]) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_result(None)


def _fail(jobs: Iterable[_Job], failure: KrinsError) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(failure)


def _disk_full(failure: StorageFault) -> Refusal:
    return Refusal(
        503,
        "disk_full",
        f"the outcome could not be kept, and was not learnt from: {failure.message}",
        "send it again; it is taken as soon as there is room",
        retry_after_seconds=2.0,
    )
