"""How often a key may call: a token bucket a key.

A bucket holds a minute's worth of requests and fills evenly (J. Turner 1986, "New Directions in Communications", leaky
bucket as a meter). Each replica counts for itself, with its share of the rate, so nobody waits for anybody; a key whose
calls all meet one replica has that share only, and where an autoscaler runs more replicas than the arguments name, a
key may call more often by as much. Invariants: in one replica, over any time, no more than the share and one bucket;
who is refused is told when the next request fits. Left out: money (`serve.security.budgets`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from krins.interfaces import Clock
from serve.web import Headers, Refusal


class Taken(NamedTuple):
    is_granted: bool
    left: int
    """Whole tokens."""
    next_seconds: float
    """Until there is one; 0 where there is."""
    full_seconds: float
    """Until the bucket is full."""


class TokenBucket:
    def __init__(self, clock: Clock, per_second: float, capacity: float) -> None:
        """`capacity` of at least 1; the bucket begins full."""
        self._clock, self._per_second, self._capacity = clock, per_second, capacity
        self._tokens = capacity
        self._at_seconds = clock.monotonic_seconds()

    def take(self) -> Taken:
        now = self._clock.monotonic_seconds()
        self._tokens = min(self._capacity, self._tokens + (now - self._at_seconds) * self._per_second)
        self._at_seconds = now
        # What is full to a rounding error is full.
        if is_granted := self._tokens >= 1.0 - 1e-9:
            self._tokens -= 1.0
        missing = max(0.0, 1.0 - self._tokens)
        return Taken(
            is_granted,
            max(0, int(self._tokens + 1e-9)),
            missing / self._per_second,
            (self._capacity - self._tokens) / self._per_second,
        )


class Rates:
    """The buckets of one replica."""

    def __init__(self, clock: Clock, replicas: int) -> None:
        """`replicas`: among how many a key's rate is shared."""
        self._clock, self._replicas = clock, replicas
        self._buckets: dict[str, tuple[int, TokenBucket]] = {}

    def take(self, key_id: str, per_minute: int) -> Headers:
        """The headers that tell a caller what is left, in the form that OpenAI's API has.

        Raises:
            Refusal: 429.
        """
        taken = self._bucket(key_id, per_minute).take()
        headers: Headers = [
            (b"x-ratelimit-limit-requests", b"%d" % per_minute),
            (b"x-ratelimit-remaining-requests", b"%d" % taken.left),
            (b"x-ratelimit-reset-requests", b"%ds" % math.ceil(taken.full_seconds)),
        ]
        if not taken.is_granted:
            raise Refusal(
                429,
                "rate_limited",
                f"the key may call {per_minute} times a minute",
                "wait as long as Retry-After says",
                retry_after_seconds=taken.next_seconds,
                headers=headers,
            )
        return headers

    def _bucket(self, key_id: str, per_minute: int) -> TokenBucket:
        rate, bucket = self._buckets.get(key_id, (0, None))
        if bucket is None or rate != per_minute:
            share = per_minute / self._replicas
            bucket = TokenBucket(self._clock, share / 60.0, max(1.0, share))
            self._buckets[key_id] = (per_minute, bucket)
        return bucket
