"""What a journal's records say, as types.

A run is one `Started`; then `Dispatched` before attempts that cost money, `Observed` for each outcome, `Decided` for
what routers chose; and one `Finished` at the end. Invariants: decisions and outcomes together give the result again;
arrays are deflated little-endian bytes in base64. Left out: checksums and durability (`krins.runs.journal`).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from krins.domain import Outcome, Task
from krins.environments.table import Imputation
from krins.errors import RunError
from krins.runs.plan import Stream
from krins.runs.result import RunResult
from krins.runs.streams import Trajectory
from krins.suite import Suite

JOURNAL_VERSION = 1

Purpose = Literal["run", "record", "race"]
NOUNS: dict[str, str] = {"run": "run", "record": "recording", "race": "race"}
COMMANDS: dict[str, str] = {"run": "run", "record": "record SUITE --output TABLE", "race": "race"}
"""By purpose: what a journal is called, and the command of `krins-eval` that goes on with it."""


class Cell(NamedTuple):
    """One experiment: a task given to an arm for the `sample`-th time."""

    task_id: str
    arm: str
    sample: int


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Started(_Record):
    """What is to be done; all that a resumed run needs to know."""

    kind: Literal["started"] = "started"
    version: int = JOURNAL_VERSION
    purpose: Purpose = "run"
    run_id: str
    krins_version: str
    started_at_seconds: float
    """Since the epoch."""
    suite: Suite
    suite_text: str
    """The suite file as it was read."""
    suite_path: Path
    table_sha256: str | None = None
    """Of the outcome table's file, for a recorded suite."""
    table_parquet: str | None = None
    """The outcomes that a recorded suite draws from, as a Parquet file in base64: the run needs no other file."""
    imputation: Imputation = Imputation()
    """What was filled in or dropped when that table was read."""
    tasks: list[Task] = []
    """The tasks of a live suite, and of a recorded one that makes features of them."""
    tasks_sha256: str | None = None
    """Of a live suite's tasks with their hidden tests."""
    options: dict[str, str | float] = {}
    """What the command line said of a race beside the suite."""


class Dispatched(_Record):
    """Attempts about to be made; without an `Observed` they may have been paid for without an answer kept."""

    kind: Literal["dispatched"] = "dispatched"
    cells: list[Cell]
    correlation_ids: list[str] = []
    """Of each cell: what its outcome, its spans and its entries in the ledger are found by."""


class Observed(_Record):
    kind: Literal["observed"] = "observed"
    outcome: Outcome


class Decided(_Record):
    """All choices of one stream; `arms` in the environment's order, int16; `probabilities` float64."""

    kind: Literal["decided"] = "decided"
    stream: Stream
    shape: tuple[int, int]
    """(n_steps, n_replications)."""
    arms: str
    probabilities: str | None

    @classmethod
    def of(cls, trajectory: Trajectory) -> Decided:
        probabilities = trajectory.probabilities
        return cls(
            stream=trajectory.stream,
            shape=(trajectory.arms.shape[0], trajectory.arms.shape[1]),
            arms=_pack(trajectory.arms, "<i2"),
            probabilities=None if probabilities is None else _pack(probabilities, "<f8"),
        )

    def trajectory(self) -> Trajectory:
        probabilities = None if self.probabilities is None else _unpack(self.probabilities, "<f8", self.shape)
        return Trajectory(self.stream, _unpack(self.arms, "<i2", self.shape).astype(np.int16), probabilities)


class Finished(_Record):
    kind: Literal["finished"] = "finished"
    result: RunResult


Record = Started | Dispatched | Observed | Decided | Finished

_ADAPTER: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def parse_records(records: Iterable[dict[str, Any]], where: str) -> list[Record]:
    """Journal objects as records.

    Raises:
        RunError: a record is of a kind or shape that this version of krins does not know.
    """
    try:
        return [_ADAPTER.validate_python(record) for record in records]
    except ValidationError as failure:
        first = failure.errors(include_url=False)[0]
        raise RunError(
            f"{where}: a record does not read as one of this krins: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            "read this run with the version of krins that wrote it",
        ) from failure


def _pack(array: NDArray[Any], kind: str) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array, kind).tobytes(), 6)).decode()


def _unpack(text: str, kind: str, shape: tuple[int, int]) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind).reshape(shape)
