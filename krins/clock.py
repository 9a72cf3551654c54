"""The clock seam: the system's, and a fake that moves only when told to."""

from __future__ import annotations

import time


class SystemClock:
    def now_seconds(self) -> float:
        return time.time()

    def monotonic_seconds(self) -> float:
        return time.monotonic()


class FakeClock:
    """Starts at `start_seconds` and moves by `advance` alone."""

    def __init__(self, start_seconds: float = 0.0) -> None:
        self._seconds = start_seconds

    def advance(self, seconds: float) -> None:
        self._seconds += seconds

    def now_seconds(self) -> float:
        return self._seconds

    def monotonic_seconds(self) -> float:
        return self._seconds
