"""Which decisions have an outcome: what makes feedback count exactly once.

A decision takes 32 bytes once its part is sealed: sorted arrays instead of objects. Invariants: an outcome within the
horizon is always found again; a decision made before the horizon is never learnt from, so that what is forgotten here
cannot count twice. With the default capacity the horizon is reached after two million outcomes, not by age.
Left out: files (`segments`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from krins.interfaces import FloatArray, IntArray

CAPACITY = 2_000_000


class First(NamedTuple):
    """The outcome of a decision that counts."""

    quality: float
    reward: float | None
    """None: not learnt."""
    version: int
    """Of the learner after it."""


class Part(NamedTuple):
    """Outcomes of one segment by key, ascending; arrays of shape (n,)."""

    number: int
    """Of the segment after it."""
    keys: np.ndarray[tuple[int], np.dtype[np.uint64]]
    quality: FloatArray
    rewards: FloatArray
    """NaN: not learnt."""
    versions: IntArray
    last_decided_seconds: float

    def arrays(self) -> dict[str, Any]:
        """As they are kept in a file."""
        return {key: np.asarray(value) for key, value in self._asdict().items()}

    @classmethod
    def of(cls, arrays: Mapping[str, Any]) -> Part:
        return cls(
            int(arrays["number"]),
            arrays["keys"],
            arrays["quality"],
            arrays["rewards"],
            arrays["versions"],
            float(arrays["last_decided_seconds"]),
        )


class Seen:
    """Outcomes by the keys of their decisions."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._recent: dict[int, First] = {}
        self._last_decided_seconds = -np.inf
        self.parts: list[Part] = []
        self.horizon_seconds = -np.inf
        """Decisions made until then, since the epoch, may have outcomes that are forgotten."""

    def __len__(self) -> int:
        return len(self._recent) + sum(len(part.keys) for part in self.parts)

    def find(self, key: int) -> First | None:
        first = self._recent.get(key)
        if first is not None:
            return first
        wanted = np.uint64(key)
        for part in reversed(self.parts):
            at = int(np.searchsorted(part.keys, wanted))
            if at < len(part.keys) and part.keys[at] == wanted:
                reward = float(part.rewards[at])
                return First(float(part.quality[at]), None if np.isnan(reward) else reward, int(part.versions[at]))
        return None

    def add(self, key: int, decided_seconds: float, first: First) -> None:
        self._recent[key] = first
        self._last_decided_seconds = max(self._last_decided_seconds, decided_seconds)

    def seal(self, number: int) -> None:
        """Make what came since the last time compact, and forget the oldest beyond the capacity."""
        if not self._recent:
            return
        keys = np.fromiter(self._recent, np.uint64, len(self._recent))
        order = np.argsort(keys)
        firsts = list(self._recent.values())
        rewards = np.array([np.nan if first.reward is None else first.reward for first in firsts])
        part = Part(
            number,
            keys[order],
            np.array([first.quality for first in firsts])[order],
            rewards[order],
            np.array([first.version for first in firsts], np.int64)[order],
            self._last_decided_seconds,
        )
        self._recent, self._last_decided_seconds = {}, -np.inf
        self.restore(part)

    def restore(self, part: Part) -> None:
        """Take a sealed part, the latest so far."""
        self.parts.append(part)
        while len(self) > self._capacity and len(self.parts) > 1:
            forgotten = self.parts.pop(0)
            self.horizon_seconds = max(self.horizon_seconds, forgotten.last_decided_seconds)
