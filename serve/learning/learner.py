"""The learner: the one place where outcomes are learnt from. A plain class of one event loop.

Feedback and notes wait in a queue; whatever has come while the disk was busy goes into the journal as one group, is
applied in the journal's order, and only then acknowledged and told to replicas.
Invariants: what is acknowledged is in the journal and was applied exactly once; what is refused has left no trace, and
a disk that was full is tried again at the next call; nothing of the state changes but by a record.
Left out: Ray (`actor`), where routers come from (`loading`), and reading the log (`analysis`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from krins.errors import KrinsError, StorageFault
from krins.interfaces import Clock
from serve import interfaces
from serve.interfaces import DecisionMade, Feedback, Receipt
from serve.learning.events import Changes, Cursor, Event, Standing
from serve.learning.ids import DecisionIds, Read
from serve.learning.learnt import Epoch
from serve.learning.loading import Loaded, feature_map
from serve.learning.records import Answered, Began, Control, Decided, Outcome, Record
from serve.learning.seen import Part
from serve.learning.segments import Segments
from serve.web import Refusal

_MAX_EVENTS = 20_000
_MAX_NOTES = 50_000
"""Records for which nobody waits, kept while the disk is full; further ones are lost, and counted."""
_LARGEST_REPLAY = 1000
"""Records that were replayed at the start, beyond which a checkpoint is made at once."""


class _Job:
    """Something to be written. `prepare` runs when its turn comes and sees the state before its group, and what is
    claimed by others of it; `finish` runs after the group was applied."""

    def __init__(self, prepare: Callable[[_Claims], list[Record]], stands_alone: bool = False) -> None:
        self.prepare, self.stands_alone = prepare, stands_alone
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())


_Claims = set[int]
"""Keys of decisions with an outcome in the group that is about to be written."""


class Submitted(NamedTuple):
    """What became of several calls."""

    results: Sequence[Sequence[Receipt] | Refusal]
    changes: Changes


class Learner:
    """Learns, durably.

    Args:
        segments: its journal, which is read now.
        key: of decision ids.
        exploration_floor: the service's.
    """

    def __init__(self, segments: Segments, key: bytes, clock: Clock, exploration_floor: float = 0.0) -> None:
        self._segments, self._key, self._clock, self._floor = segments, key, clock, exploration_floor
        self.ids = DecisionIds(key)
        restored = segments.restore(self.ids)
        self.learnt, self.damaged = restored.learnt, restored.damaged
        self._is_untouched = False
        self._incarnation = secrets.token_hex(8)
        self._sequence = 0
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self._news = asyncio.Event()
        self._jobs: deque[_Job] = deque()
        self._notes: deque[Record] = deque()
        self.lost_notes = 0
        self.fault = ""
        """Why the last write failed; empty while the disk takes what it is given."""
        self._worker: asyncio.Task[None] | None = None
        if restored.records > _LARGEST_REPLAY:
            self._keep(segments.checkpoint, *self._sealed())

    @property
    def segment(self) -> int:
        return self._segments.number

    async def begin(self, loaded: Loaded, uri: str, who: str) -> None:
        """A router begins to serve, and a new epoch with it.

        Raises:
            KrinsError: its state cannot be read. Refusal: 503, the disk is full.
        """

        def prepare(_: _Claims) -> list[Record]:
            self._is_untouched = self.learnt.current is None
            began = Began(
                epoch=self.learnt.epoch + 1,
                uri=uri,
                loaded=loaded,
                exploration_floor=self._floor,
                who=who,
                at_seconds=self._clock.now_seconds(),
            )
            Epoch.of(began)  # whatever is wrong with it shows before it is in the journal
            return [began]

        await self._do(_Job(prepare, stands_alone=True))

    async def control(self, what: Literal["freeze", "unfreeze", "rollback"], who: str, token: str) -> None:
        """
        Raises:
            Refusal: 409, there is no former router; 503, the disk is full.
        """

        def prepare(_: _Claims) -> list[Record]:
            if token and token == self.learnt.last_token:
                return []
            if what == "rollback" and not self.learnt.former:
                raise Refusal(409, "no_former_router", "no router has served before this one", "nothing to go back to")
            return [Control(what=what, who=who, at_seconds=self._clock.now_seconds(), token=token)]

        await self._do(_Job(prepare, stands_alone=True))

    async def submit(
        self,
        calls: Sequence[Sequence[Feedback]],
        notes: Iterable[DecisionMade | interfaces.Answered] = (),
        cursor: Cursor | None = None,
    ) -> Submitted:
        """Several callers' feedback, each with a result of its own: receipts, or why nothing of it was done.

        Args:
            notes: what the replica has to tell beside.
            cursor: the replica's.
        """
        self.note(notes)
        results = await asyncio.gather(*(self._feedback(items) for items in calls))
        return Submitted(results, self._since(cursor))

    def note(self, notes: Iterable[DecisionMade | interfaces.Answered]) -> None:
        """Take records for which nobody waits."""
        for note in notes:
            record = Decided.of(note) if isinstance(note, DecisionMade) else Answered.of(note)
            if not self.learnt.hear(record):
                continue
            if len(self._notes) < _MAX_NOTES:
                self._notes.append(record)
            else:
                self.lost_notes += 1
        self._start()

    async def changes(self, cursor: Cursor | None, wait_seconds: float) -> Changes:
        """What is new after `cursor`; waits for it so long."""
        if cursor == Cursor(self._incarnation, self._sequence) and wait_seconds:
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._news.wait()
            except TimeoutError:
                pass
        return self._since(cursor)

    async def probe(self) -> None:
        """Try the disk, if it failed; `fault` is empty again once it works.

        Raises:
            Refusal: 503, it does not.
        """
        if self.fault:
            await self._do(_Job(lambda _: []))

    async def close(self) -> None:
        """Write what is still to be written, and let go of the journal."""
        while self._worker is not None and not self._worker.done():
            await self._worker
        self._segments.close()

    async def _feedback(self, items: Sequence[Feedback]) -> list[Receipt] | Refusal:
        reads: list[Read] = []
        new: list[bool] = []

        def prepare(claims: _Claims) -> list[Record]:
            if self.learnt.current is None:
                raise _not_ready()
            reads.extend(self.ids.read(item.decision_id) for item in items)
            outcomes: list[Record] = []
            own: _Claims = set()
            for item, (_, key) in zip(items, reads, strict=True):
                is_new = key not in claims and key not in own and self.learnt.seen.find(key) is None
                new.append(is_new)
                if is_new:
                    own.add(key)
                    outcomes.append(self._outcome(self.learnt.current, item, key))
            claims |= own
            return outcomes

        try:
            await self._do(_Job(prepare))
        except Refusal as refusal:
            return refusal
        return [self._receipt(*each) for each in zip(items, reads, new, strict=True)]

    def _outcome(self, current: Epoch, item: Feedback, key: int) -> Outcome:
        seen = self.learnt.spent.get(key)
        cost = item.cost_usd if item.cost_usd is not None or seen is None else seen.cost_usd
        latency = item.latency_seconds if item.latency_seconds is not None or seen is None else seen.latency_seconds
        reward = current.began.loaded.reward
        for is_needed, value, what in (
            (current.needs_cost, cost, "cost"),
            (bool(reward.per_second), latency, "latency"),
        ):
            if is_needed and value is None:
                unit = "cost_usd" if what == "cost" else "latency_seconds"
                raise Refusal(
                    422,
                    f"{what}_unknown",
                    f"this router's reward charges for {what}, and what this decision had is not known here",
                    f"send `{unit}` with the feedback",
                    param=unit,
                )
        return Outcome(
            at_seconds=self._clock.now_seconds(),
            decision_id=item.decision_id,
            key_id=item.key_id,
            quality=item.quality,
            cost_usd=cost,
            latency_seconds=latency,
        )

    def _receipt(self, item: Feedback, read: Read, is_new: bool) -> Receipt:
        first = self.learnt.seen.find(read.key)
        assert first is not None
        if is_new:
            status = "recorded" if first.reward is None else "applied"
        else:
            status = "duplicate" if first.quality == item.quality else "conflict"
        return Receipt(item.decision_id, status, first.reward, first.version)

    async def _do(self, job: _Job) -> None:
        self._jobs.append(job)
        self._start()
        await asyncio.shield(job.done)

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
        claims: _Claims = set()
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

    def _apply(self, records: Iterable[Record]) -> None:
        epoch = self.learnt.epoch
        for record in records:
            events = self.learnt.apply(record)
            self._sequence += len(events)
            self._events.extend(events)
        if self.learnt.epoch != epoch:
            self._sequence += 1
            self._events.clear()  # replicas need the new router, which no event holds
        self._news.set()
        self._news = asyncio.Event()

    def _sealed(self) -> tuple[Mapping[str, Any], Sequence[Part]]:
        """The state, as a checkpoint keeps it; nothing of it changes any more when it is written."""
        self.learnt.seen.seal(self._segments.number + 1)
        return self.learnt.to_json(), tuple(self.learnt.seen.parts)

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

    def _since(self, cursor: Cursor | None) -> Changes:
        now = Cursor(self._incarnation, self._sequence)
        is_known = cursor is not None and cursor.incarnation == self._incarnation
        missed = self._sequence - cursor.sequence if cursor is not None and is_known else 0
        if is_known and missed <= len(self._events):
            return Changes(now, None, list(self._events)[len(self._events) - missed :] if missed else ())
        current = self.learnt.current
        return Changes(now, None if current is None else self._standing(current, joins=not is_known), ())

    def _standing(self, current: Epoch, joins: bool) -> Standing:
        is_first, self._is_untouched = self._is_untouched, False
        return Standing(
            epoch=self.learnt.epoch,
            version=self.learnt.version,
            router=current.name,
            snapshot=current.router.snapshot(),
            is_first=is_first,
            features=feature_map(current.began.loaded.features),
            key=self._key,
            pins=list(self.learnt.pins) if joins else (),
            output_tokens=self.learnt.output_tokens,
        )


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


def _not_ready() -> Refusal:
    return Refusal(503, "not_ready", "the router is still being loaded", "try again shortly", retry_after_seconds=1.0)
