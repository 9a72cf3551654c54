"""What the learner tells replicas: where it stands, and what came after, in order.

Invariants: events of one incarnation of the learner are numbered without gaps; a replica that missed some, or follows
another incarnation, is given a `Standing` instead. Left out: the way that they take (`actor`, `client`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from krins.interfaces import FloatArray
from krins.routing.features import FeatureMap
from krins.routing.router import Snapshot


class Settled(NamedTuple):
    """The outcome of one decision is in the journal, and was learnt unless `reward` is None."""

    key: int
    """Of the decision's id."""
    replica: int
    version: int
    """After it."""
    arm: str
    reward: float | None
    probability: float | None
    features: FloatArray | None
    quality: float
    cost_usd: float | None


class Pin(NamedTuple):
    """Where a conversation is."""

    arm: str
    at_seconds: float
    """When its last turn was sent there."""
    prompt_tokens: int
    """Of that turn: what the provider may still have in its prompt cache. 0: unknown, or too long ago."""
    cached_share: float | None = None
    """Of the turn before that one, what the provider said that it had in its cache; None: it did not say yet."""


class Pinned(NamedTuple):
    conversation: str
    pin: Pin


Event = Settled | Pinned


class Standing(NamedTuple):
    """All that a replica needs to decide as the learner would."""

    epoch: int
    version: int
    router: str
    """NAME/VERSION of the champion, or a suite's label."""
    snapshot: Snapshot
    is_first: bool
    """Nobody has decided with this router yet, so that its generator is the replica's to go on with."""
    features: FeatureMap | None
    key: bytes
    """Of decision ids."""
    pins: Sequence[Pinned]
    output_tokens: Mapping[str, float]
    """Arm to the mean length of its answers."""


class Cursor(NamedTuple):
    incarnation: str
    sequence: int
    """Of the last event that was had."""


class Changes(NamedTuple):
    cursor: Cursor
    """After them."""
    standing: Standing | None
    """Instead of what can no longer be told one by one."""
    events: Sequence[Event]
