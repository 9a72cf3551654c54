"""Limits of time on many calls at once, watched by one task.

`krins.models.timeouts.time_limit` starts a task for each limit, which at a replica's pace is a tenth of what a request
takes; here a limit is an entry in a heap. Invariants: times are the injected clock's; a limit acts once, when its time
has come, and never after it was lifted; entries of limits that were lifted make up half of the heap at most (beyond a
few). Left out: what a limit does.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

from krins.interfaces import Clock

T = TypeVar("T")
_FEW = 256


class Limit:
    __slots__ = ("_owner", "due_seconds", "expire", "is_lifted")

    def __init__(self, owner: Deadlines, due_seconds: Callable[[], float], expire: Callable[[], None]) -> None:
        self._owner, self.due_seconds, self.expire = owner, due_seconds, expire
        self.is_lifted = False

    def lift(self) -> None:
        if not self.is_lifted:
            self.is_lifted = True
            self._owner.forget()


class Deadlines:
    """For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Limit]] = []
        self._order = itertools.count()
        self._n_lifted = 0
        """Of the heap's entries, about."""
        self._watch: asyncio.Task[None] | None = None

    def add(self, due_seconds: Callable[[], float], expire: Callable[[], None]) -> Limit:
        """Call `expire` once the clock's monotonic time has come to `due_seconds()`, which may move, but not back."""
        limit = Limit(self, due_seconds, expire)
        self._push(limit)
        if self._heap[0][2] is limit:
            self.close()
            self._watch = asyncio.create_task(self._run())
        return limit

    async def limited(self, due_seconds: float, work: Awaitable[T]) -> T:
        """Raises TimeoutError where `work` is not done by then; it was cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as scope:
            limit = self.add(lambda: due_seconds, lambda: scope.reschedule(loop.time()))
            try:
                return await work
            finally:
                limit.lift()

    def forget(self) -> None:
        """One of the limits was lifted."""
        self._n_lifted += 1
        if self._n_lifted > _FEW and self._n_lifted * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].is_lifted]
            heapq.heapify(self._heap)
            self._n_lifted = 0

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _push(self, limit: Limit) -> None:
        heapq.heappush(self._heap, (limit.due_seconds(), next(self._order), limit))

    async def _run(self) -> None:
        while self._heap:
            left = self._heap[0][0] - self.clock.monotonic_seconds()
            if left > 0:
                await self.clock.sleep(left)
                continue
            limit = heapq.heappop(self._heap)[2]
            if limit.is_lifted:
                self._n_lifted = max(0, self._n_lifted - 1)
            elif limit.due_seconds() > self.clock.monotonic_seconds():
                self._push(limit)
            else:
                limit.is_lifted = True
                limit.expire()
