"""The learner: the one place where outcomes are learnt from. A plain class of one event loop.

Invariants: what is acknowledged is in the journal and was applied exactly once; what is refused has left no trace, and
a disk that was full is tried again at the next call; nothing of the state changes but by a record.
Left out: Ray (`actor`), how records are written (`writing`), where routers come from (`takeover`), and reading the log
(`analysis`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from krins.interfaces import Clock
from krins.routing.state_file import to_json
from serve import interfaces
from serve.interfaces import DecisionMade, Feedback, Receipt
from serve.learning import learnt_file
from serve.learning.events import Changes, Cursor, Event, Standing
from serve.learning.ids import DecisionIds, Read
from serve.learning.intake import outcome_of, receipt_of
from serve.learning.learnt import Epoch
from serve.learning.loading import Loaded, feature_map
from serve.learning.records import Answered, Began, Control, Decided, Record
from serve.learning.seen import Part
from serve.learning.segments import Segments, restore
from serve.learning.writing import Claims, GroupWriter
from serve.web import Refusal

_MAX_EVENTS = 20_000
_LARGEST_REPLAY = 1000
"""Records that were replayed at the start, beyond which a checkpoint is made at once."""


class Submitted(NamedTuple):
    """What became of several calls."""

    results: Sequence[Sequence[Receipt] | Refusal]
    changes: Changes


class Learner:
    """Learns, durably.

    Args:
        segments: its journal, which is read now.
        key: of decision ids.
    """

    def __init__(self, segments: Segments, key: bytes, clock: Clock) -> None:
        self._segments, self._key, self._clock = segments, key, clock
        self.ids = DecisionIds(key)
        restored = restore(segments.folder, self.ids)
        self.learnt, self.damaged = restored.learnt, restored.damaged
        self._is_untouched = False
        self._incarnation = secrets.token_hex(8)
        self._sequence = 0
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self._news = asyncio.Event()
        self._writer = GroupWriter(segments, self._apply, self._sealed)
        if restored.records > _LARGEST_REPLAY:
            self._writer.checkpoint()

    @property
    def segment(self) -> int:
        return self._segments.number

    @property
    def fault(self) -> str:
        """Why the last write failed; empty while the disk takes what it is given."""
        return self._writer.fault

    @property
    def lost_notes(self) -> int:
        return self._writer.lost_notes

    async def begin(self, loaded: Loaded, uri: str, who: str, exploration_floor: float = 0.0) -> None:
        """A router begins to serve, and a new epoch with it; `exploration_floor` is the service's.

        Raises:
            KrinsError: its state cannot be read. Refusal: 503, the disk is full.
        """

        def prepare(_: Claims) -> list[Record]:
            self._is_untouched = self.learnt.current is None
            began = self._began(loaded, uri, who, exploration_floor)
            Epoch.of(began)  # whatever is wrong with it shows before it is in the journal
            return [began]

        await self._writer.do(prepare, stands_alone=True)

    async def set_floor(self, exploration_floor: float, who: str) -> None:
        """The service has this floor: a new epoch in which the router that serves goes on as it stands, if it changes
        anything. Raises as `begin`."""

        def prepare(_: Claims) -> list[Record]:
            current = self.learnt.current
            if current is None or current.began.exploration_floor == exploration_floor:
                return []
            loaded, snapshot = current.began.loaded, current.router.snapshot()
            policy = loaded.snapshot(exploration_floor).policy
            if policy == snapshot.policy:
                return []  # it states a floor of its own
            state = to_json(snapshot._replace(policy=policy))
            return [self._began(loaded, current.began.uri, who, exploration_floor, state)]

        await self._writer.do(prepare, stands_alone=True)

    async def control(self, what: Literal["freeze", "unfreeze", "rollback"], who: str, token: str) -> None:
        """
        Raises:
            Refusal: 409, there is no former router; 503, the disk is full.
        """

        def prepare(_: Claims) -> list[Record]:
            if token and token == self.learnt.last_token:
                return []
            if what == "rollback" and not self.learnt.former:
                raise Refusal(409, "no_former_router", "no router has served before this one", "nothing to go back to")
            return [Control(what=what, who=who, at_seconds=self._clock.now_seconds(), token=token)]

        await self._writer.do(prepare, stands_alone=True)

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
        records = (Decided.of(note) if isinstance(note, DecisionMade) else Answered.of(note) for note in notes)
        self._writer.note([record for record in records if self.learnt.told.hear(record)])

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
            await self._writer.do(lambda _: [])

    async def close(self) -> None:
        """Write what is still to be written, and let go of the journal."""
        await self._writer.close()

    async def _feedback(self, items: Sequence[Feedback]) -> list[Receipt] | Refusal:
        reads: list[Read] = []
        new: list[bool] = []

        def prepare(claims: Claims) -> list[Record]:
            if self.learnt.current is None:
                raise _not_ready()
            reads.extend(self.ids.read(item.decision_id) for item in items)
            now = self._clock.now_seconds()
            outcomes: list[Record] = []
            own: Claims = set()
            for item, (_, key) in zip(items, reads, strict=True):
                is_new = key not in claims and key not in own and self.learnt.seen.find(key) is None
                new.append(is_new)
                if is_new:
                    own.add(key)
                    outcomes.append(outcome_of(self.learnt, self.learnt.current, item, key, now))
            claims |= own
            return outcomes

        try:
            await self._writer.do(prepare)
        except Refusal as refusal:
            return refusal
        return [receipt_of(self.learnt, *each) for each in zip(items, reads, new, strict=True)]

    def _began(self, loaded: Loaded, uri: str, who: str, floor: float, state: str | None = None) -> Began:
        return Began(
            epoch=self.learnt.epoch + 1,
            uri=uri,
            loaded=loaded,
            exploration_floor=floor,
            who=who,
            at_seconds=self._clock.now_seconds(),
            state=state,
        )

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
        return learnt_file.to_json(self.learnt), tuple(self.learnt.seen.parts)

    def _since(self, cursor: Cursor | None) -> Changes:
        now = Cursor(self._incarnation, self._sequence)
        is_known = cursor is not None and cursor.incarnation == self._incarnation
        missed = self._sequence - cursor.sequence if cursor is not None and is_known else 0
        if is_known and missed <= len(self._events):
            return Changes(now, None, list(self._events)[len(self._events) - missed :] if missed else ())
        current = self.learnt.current
        return Changes(now, None if current is None else self._standing(current), ())

    def _standing(self, current: Epoch) -> Standing:
        is_first, self._is_untouched = self._is_untouched, False
        return Standing(
            epoch=self.learnt.epoch,
            version=self.learnt.version,
            router=current.name,
            snapshot=current.router.snapshot(),
            is_first=is_first,
            features=feature_map(current.began.loaded.features),
            key=self._key,
            pins=list(self.learnt.pins),
            output_tokens=self.learnt.output_tokens,
        )


def _not_ready() -> Refusal:
    return Refusal(503, "not_ready", "the router is still being loaded", "try again shortly", retry_after_seconds=1.0)
