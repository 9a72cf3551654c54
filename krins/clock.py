"""The clock seam: the system's, and a fake that moves only when told to."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time


class SystemClock:
    def now_seconds(self) -> float:
        return time.time()

    def monotonic_seconds(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """Starts at `start_seconds` and moves by `advance` alone, which wakes whoever has slept enough."""

    def __init__(self, start_seconds: float = 0.0) -> None:
        self._seconds = start_seconds
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def advance(self, seconds: float) -> None:
        self._seconds += seconds
        while self._sleepers and self._sleepers[0][0] <= self._seconds:
            sleeper = heapq.heappop(self._sleepers)[2]
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._seconds + seconds, next(self._order), woken))
        await woken

    def now_seconds(self) -> float:
        return self._seconds

    def monotonic_seconds(self) -> float:
        return self._seconds
