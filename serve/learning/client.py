"""A replica's way to the learner: feedback goes there in batches, and what was learnt comes back in order.

Invariants: a replica has applied its own feedback before its caller is told so; each change is applied once, in order,
whichever way it came; a call whose fate nobody knows is sent again, which the learner takes as the same. Notes wait at
most 0.2 s, in a buffer that is bounded. Left out: Ray (`actor.RayLink`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Protocol

from krins.interfaces import Clock
from serve.interfaces import Answered, DecisionMade, Feedback, Receipt
from serve.learning.decider import Decider
from serve.learning.events import Changes, Cursor
from serve.learning.learner import Submitted
from serve.web import Refusal

PATIENCE_SECONDS = 20.0
"""How long a restart of the learner is waited for."""
_FLUSH_SECONDS = 0.2
_PAUSE_SECONDS = 0.2
"""Between two looks for changes: each call of an actor takes about a millisecond of processor time on either side."""
_STILL_UNKNOWN = ("cost_unknown", "latency_unknown")
_COST_TRIES = 5
_FOLLOW_SECONDS = 20.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 1.0
_MAX_NOTES = 10_000


class Link(Protocol):
    """The way to the learner; raises ConnectionError where nobody knows what became of a call."""

    async def call(self, method: str, *arguments: Any) -> Any: ...

    async def introduce(self) -> None:
        """Tell the learner what this replica was started with."""
        ...


class _Waiting(NamedTuple):
    items: Sequence[Feedback]
    answer: asyncio.Future[Sequence[Receipt]]


class LearningClient:
    """Implements `serve.interfaces.Learning`."""

    def __init__(self, link: Link, decider: Decider, clock: Clock) -> None:
        self._link, self._decider, self._clock = link, decider, clock
        self._cursor: Cursor | None = None
        self._gone: set[str] = set()
        """Incarnations of the learner that others came after."""
        self._waiting: list[_Waiting] = []
        self._notes: deque[DecisionMade | Answered] = deque()
        self.lost_notes = 0
        self._sender: asyncio.Task[None] | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._follower: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow the learner; the decider is ready once it was heard of."""
        self._follower = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Send what is still to be noted, as far as the learner can be reached."""
        if self._sender is not None:
            await self._sender
        for task in (self._follower, self._flusher):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._notes:
            with suppress(ConnectionError, Refusal):
                await self._link.call("note", self._taken())

    async def feedback(self, items: Sequence[Feedback]) -> Sequence[Receipt]:
        for item in items:
            self._decider.ids.read(item.decision_id)  # refused here, without a hop
        for _ in range(_COST_TRIES):
            try:
                return await self._sent(items)
            except Refusal as refusal:
                if refusal.code not in _STILL_UNKNOWN:
                    raise
            # What the answer cost may still be on its way from the replica that gave it.
            await self._clock.sleep(_FLUSH_SECONDS)
        return await self._sent(items)

    async def _sent(self, items: Sequence[Feedback]) -> Sequence[Receipt]:
        answer: asyncio.Future[Sequence[Receipt]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(items, answer))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await answer

    def note(self, record: DecisionMade | Answered) -> None:
        if isinstance(record, Answered) and record.output_tokens is not None and record.error is None:
            self._decider.answered(record.arm, record.output_tokens)
        if len(self._notes) >= _MAX_NOTES:
            self._notes.popleft()
            self.lost_notes += 1
        self._notes.append(record)
        self._flush_soon()

    async def ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await self._persist(partial(self._link.call, "ask", what, arguments))
        return answer

    async def _send(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            notes = self._taken()
            calls = [waiting.items for waiting in group]
            try:
                submitted = await self._persist(partial(self._submit, calls, notes))
            except Exception as failure:  # whatever it is, it is the callers' to know
                self._put_back(notes)
                self._flush_soon()
                for waiting in group:
                    _fail(waiting.answer, failure)
                continue
            self._apply(submitted.changes)
            for waiting, result in zip(group, submitted.results, strict=True):
                if isinstance(result, Refusal):
                    _fail(waiting.answer, result)
                elif not waiting.answer.done():
                    waiting.answer.set_result(result)

    async def _submit(self, calls: Sequence[Sequence[Feedback]], notes: Sequence[DecisionMade | Answered]) -> Submitted:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                submitted: Submitted = await self._link.call("submit", calls, notes, self._cursor)
        except TimeoutError:
            raise ConnectionError("the learner does not answer") from None
        return submitted

    async def _flush(self) -> None:
        while self._notes:
            await self._clock.sleep(_FLUSH_SECONDS)
            notes = self._taken()
            if not notes:
                return
            try:
                await self._link.call("note", notes)
            except ConnectionError:
                self._put_back(notes)
                await self._clock.sleep(_LONGEST_WAIT_SECONDS)
            except asyncio.CancelledError:
                self._put_back(notes)
                raise

    def _flush_soon(self) -> None:
        if self._notes and (self._flusher is None or self._flusher.done()):
            self._flusher = asyncio.create_task(self._flush())

    def _put_back(self, notes: Sequence[DecisionMade | Answered]) -> None:
        """Nobody knows whether they arrived, and said twice they count once."""
        self._notes.extendleft(reversed(notes))

    def _taken(self) -> list[DecisionMade | Answered]:
        notes = list(self._notes)
        self._notes.clear()
        return notes

    async def _follow(self) -> None:
        wait_seconds, is_known = _FIRST_WAIT_SECONDS, False
        while True:
            try:
                if not is_known:
                    await self._link.introduce()
                    is_known = True
                self._apply(await self._link.call("changes", self._cursor, _FOLLOW_SECONDS))
                wait_seconds = _FIRST_WAIT_SECONDS
                await self._clock.sleep(_PAUSE_SECONDS)
            except (ConnectionError, Refusal):
                await self._clock.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)

    def _apply(self, changes: Changes) -> None:
        own, new = self._cursor, changes.cursor
        if new.incarnation in self._gone:
            return
        is_same = own is not None and own.incarnation == new.incarnation
        if own is not None and is_same and new.sequence <= own.sequence:
            return
        if changes.standing is not None:
            if own is not None and not is_same:
                self._gone.add(own.incarnation)
            self._decider.load(changes.standing)
        elif own is not None and is_same:
            self._decider.apply(changes.events[len(changes.events) - (new.sequence - own.sequence) :])
        self._cursor = new

    async def _persist(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Call until the learner answers.

        Raises:
            Refusal: 503, it did not within `PATIENCE_SECONDS`.
        """
        gives_up_at = self._clock.monotonic_seconds() + PATIENCE_SECONDS
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            try:
                return await call()
            except ConnectionError:
                if self._clock.monotonic_seconds() + wait_seconds > gives_up_at:
                    raise Refusal(
                        503,
                        "learner_out_of_reach",
                        f"the learner has not answered for {PATIENCE_SECONDS:.0f} s",
                        "send it again: what was taken before counts once",
                        retry_after_seconds=5.0,
                    ) from None
            await self._clock.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)


def _fail(answer: asyncio.Future[Sequence[Receipt]], failure: Exception) -> None:
    if not answer.done():
        answer.set_exception(failure)
