"""What the records of the learner's journal say, as types.

Each segment begins with an `Opened`; then `Began` for each epoch, `Decided` and `Answered` as replicas tell them, one
`Outcome` for each feedback that counts, and `Control` for what administrators did. Invariants: applied in order they
give the learner's state again, to the last bit, by themselves: what stands in an `Outcome` needs no other record.
Left out: checksums and durability (`krins.runs.journal`), and what the records do (`learnt`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from krins.errors import RunError
from serve import interfaces
from serve.learning.loading import Loaded


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Opened(_Record):
    """A new segment."""

    kind: Literal["opened"] = "opened"
    version: int = 1
    segment: int
    after_records: int | None
    """How many records of the segment before count: what stands after them was never acknowledged, for the disk was
    full. None: all."""


class Began(_Record):
    """A router begins to serve, and an epoch with it."""

    kind: Literal["began"] = "began"
    epoch: int
    uri: str
    loaded: Loaded
    exploration_floor: float
    """The service's."""
    who: str
    at_seconds: float
    state: str | None = None
    """Text of a router: what goes on as it stands, with another floor. None: it begins as it was loaded."""


class Decided(_Record):
    kind: Literal["decided"] = "decided"
    at_seconds: float
    decision_id: str
    request_id: str
    key_id: str
    arm: str
    probability: float | None
    reason: str
    epoch: int
    version: int
    conversation: str | None
    route: str

    @classmethod
    def of(cls, made: interfaces.DecisionMade) -> Decided:
        return cls.model_construct(kind="decided", **made._asdict())


class Answered(_Record):
    kind: Literal["answered"] = "answered"
    at_seconds: float
    decision_id: str
    key_id: str
    arm: str
    cost_usd: Decimal | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    latency_seconds: float
    error: str | None

    @classmethod
    def of(cls, answered: interfaces.Answered) -> Answered:
        return cls.model_construct(kind="answered", **answered._asdict())


class Outcome(_Record):
    """A feedback that counts: the first of its decision."""

    kind: Literal["outcome"] = "outcome"
    at_seconds: float
    decision_id: str
    key_id: str
    quality: float
    cost_usd: Decimal | None
    """As it was told, else as the service saw it."""
    latency_seconds: float | None


class Control(_Record):
    kind: Literal["control"] = "control"
    what: Literal["freeze", "unfreeze", "rollback"]
    who: str
    at_seconds: float
    token: str
    """Of the request: the same twice is done once."""


Record = Opened | Began | Decided | Answered | Outcome | Control

_ADAPTER: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def parse(record: dict[str, Any], where: str) -> Record:
    """
    Raises:
        RunError: the record is of a kind or shape that this version of krins does not know.
    """
    try:
        return _ADAPTER.validate_python(record)
    except ValidationError as failure:
        first = failure.errors(include_url=False)[0]
        raise RunError(
            f"{where}: a record does not read as one of this krins: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            "serve with the version of krins that wrote it, or keep the folder elsewhere and begin anew",
        ) from failure
