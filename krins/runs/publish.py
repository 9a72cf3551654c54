"""A finished run as immutable Parquet: what was decided, and the outcomes that it drew from.

Invariants: files appear whole, by atomic rename; their columns and types are the two schemas below, whatever the run;
where tasks have source trees, outcomes have the columns of context too, and where they have dates, those, which views
over many runs leave out.
An outcome table has the columns that `krins.environments.reading` reads, so one run's outcomes can be another's
recorded environment. Left out: the catalogue over all runs (`krins.runs.history`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from krins.domain import Outcome, Task
from krins.environments.table import FAILURES, UNANSWERED, OutcomeTable, is_unanswered
from krins.errors import TableError, boundary
from krins.runs.plan import BLOCK_SIZE, Plan
from krins.runs.store import published
from krins.runs.streams import Trajectory

if TYPE_CHECKING:
    import pyarrow as pa

_TEXTS = ("task_id", "repo", "language", "category", "difficulty", "model", "failure")
_COUNTS = ("sample", "input_tokens", "output_tokens")
_REALS = ("quality", "cost_usd", "latency_s")
_CONTEXT = ("context_tokens", "whole_context_tokens")
OUTCOME = "outcome"
"""A recording's column of JSON: the whole outcome as a journal keeps it, answers, rounds and calls included."""
_OUTCOMES: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def outcome_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [(name, pa.string()) for name in _TEXTS]
        + [(name, pa.int64()) for name in _COUNTS]
        + [(name, pa.float64()) for name in _REALS]
    )


def _with_context(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    for name in _CONTEXT:
        schema = schema.append(pa.field(name, pa.int64()))
    return schema


def _recording_schema() -> pa.Schema:
    """An outcome table with prompts, so that routers which look at them can be run on it, the diff that was submitted,
    and the whole outcome."""
    import pyarrow as pa

    schema = outcome_schema()
    for name in ("prompt", "diff", OUTCOME):
        schema = schema.append(pa.field(name, pa.string()))
    return schema


def decision_schema() -> pa.Schema:
    import pyarrow as pa

    names = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("router", names),
            ("replication", pa.int32()),
            ("step", pa.int32()),
            ("task_id", names),
            ("model", names),
            ("sample", pa.int32()),
            ("probability", pa.float64()),
        ]
    )


def publish_recording(path: Path, tasks: Sequence[Task], outcomes: Iterable[Outcome]) -> int:
    """Write live outcomes as an outcome table; an answer that could not be had or judged has no quality there.

    Returns the number of rows. Raises StorageFault when it cannot be written.
    """
    described = {task.task_id: task for task in tasks}
    rows = sorted((_recorded(described[outcome.task_id], outcome) for outcome in outcomes), key=_row_order)
    has_context = any(row["context_tokens"] is not None for row in rows)
    _write(path, rows, _with_context(_recording_schema()) if has_context else _recording_schema())
    return len(rows)


def _row_order(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["task_id"], row["model"], row["sample"]


def _recorded(task: Task, outcome: Outcome) -> dict[str, Any]:
    kind = outcome.failure.kind if outcome.failure else None
    return {
        "task_id": task.task_id,
        "repo": task.repository,
        "language": task.language,
        "category": task.category,
        "difficulty": task.difficulty,
        "prompt": task.prompt,
        "model": outcome.arm,
        "sample": outcome.sample,
        "quality": None if kind in UNANSWERED else outcome.quality,
        "cost_usd": None if outcome.cost_usd is None else float(outcome.cost_usd),
        "input_tokens": outcome.usage.input_tokens if outcome.usage else None,
        "output_tokens": outcome.usage.output_tokens if outcome.usage else None,
        "context_tokens": outcome.context.tokens if outcome.context else None,
        "whole_context_tokens": outcome.context.whole_tokens if outcome.context else None,
        "latency_s": outcome.latency_seconds,
        "failure": kind.value if kind else None,
        "diff": None if outcome.submitted is None else outcome.rounds[outcome.submitted].diff,
        OUTCOME: _OUTCOMES.dump_json(outcome).decode(),
    }


def read_outcomes(path: Path) -> list[Outcome]:
    """What `publish_recording` wrote, with all answers, rounds and calls.

    Raises:
        TableError: the file cannot be read, or was not recorded by a version of krins that keeps outcomes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    remedy = "give a file that krins-eval record wrote"
    with boundary(TableError, f"{path}: cannot be read", remedy, catch=(OSError, pa.ArrowException)):
        names = pq.read_schema(path).names
        texts = pq.read_table(path, columns=[OUTCOME])[OUTCOME].to_pylist() if OUTCOME in names else None
    if texts is None:
        raise TableError(f"{path}: has no column {OUTCOME!r}", remedy)
    with boundary(TableError, f"{path}: an outcome in it is not one of this krins", remedy, catch=ValidationError):
        return [_OUTCOMES.validate_json(text) for text in texts]


def _write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with published(path) as draft:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), draft, compression="zstd")


def encode_outcomes(table: OutcomeTable, is_live: bool) -> bytes:
    """Every sample that the table holds, one row each, as a Parquet file.

    Live outcomes that infrastructure kept from being judged have no quality there, as in a recording, so that nobody
    learns from them. A recorded table is written as it is, for a resumed run reads it again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    task, arm, sample = np.nonzero(~np.isnan(table.quality))
    cell = task, arm, sample

    def of_task(name: str) -> Any:
        return pa.array([getattr(t, name) for t in table.tasks], pa.string()).take(pa.array(task))

    def known(values: Any, kind: pa.DataType) -> Any:
        return pa.array(values[cell], mask=np.isnan(values[cell])).cast(kind)

    unjudged = is_live & is_unanswered(table.failure)
    judged = np.where(unjudged, np.nan, table.quality)

    columns = {
        "task_id": of_task("task_id"),
        "repo": of_task("repository"),
        "language": of_task("language"),
        "category": of_task("category"),
        "difficulty": of_task("difficulty"),
        "model": pa.array([a.name for a in table.arms]).take(pa.array(arm)),
        "failure": pa.array([kind and kind.value for kind in FAILURES], pa.string()).take(
            pa.array(table.failure[cell])
        ),
        "sample": pa.array(sample),
        "input_tokens": known(table.input_tokens, pa.int64()),
        "output_tokens": known(table.output_tokens, pa.int64()),
        "quality": known(judged, pa.float64()),
        "cost_usd": known(table.cost_usd, pa.float64()),
        "latency_s": known(table.latency_seconds, pa.float64()),
    }
    schema = outcome_schema()
    if table.context is not None:
        schema = _with_context(schema)
        columns |= {name: known(tokens, pa.int64()) for name, tokens in zip(_CONTEXT, table.context, strict=True)}
    if any(t.date is not None for t in table.tasks):
        schema = schema.append(pa.field("date", pa.date32()))
        columns["date"] = pa.array([t.date for t in table.tasks], pa.date32()).take(pa.array(task))
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=schema), buffer, compression="zstd")
    return bytes(buffer.getvalue().to_pybytes())


def publish_decisions(path: Path, plan: Plan, table: OutcomeTable, trajectories: Iterable[Trajectory]) -> None:
    """Write every decision, one row each, stream by stream."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = decision_schema()
    names = {
        "router": pa.array([router.label for router in plan.suite.routers]),
        "task_id": pa.array([task.task_id for task in table.tasks]),
        "model": pa.array([arm.name for arm in table.arms]),
    }
    with published(path) as draft, pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        for trajectory in sorted(trajectories, key=lambda t: (t.stream.router, t.stream.block)):
            codes = _decision_columns(plan, table, trajectory)
            columns = {
                name: pa.DictionaryArray.from_arrays(pa.array(values, pa.int32()), names[name])
                if name in names
                else pa.array(values, schema.field(name).type, mask=np.isnan(values) if name == "probability" else None)
                for name, values in codes.items()
            }
            writer.write_table(pa.table(columns, schema=schema))


def _decision_columns(plan: Plan, table: OutcomeTable, trajectory: Trajectory) -> dict[str, Any]:
    """A stream's decisions, replication by replication: names as codes, the rest as values."""
    schedule, stream = plan.schedule(trajectory.stream), trajectory.stream
    n_steps, n = trajectory.arms.shape
    samples = plan.samples(schedule.draws, table.counts[schedule.tasks, trajectory.arms])
    probabilities = trajectory.probabilities
    flat: dict[str, NDArray[Any]] = {
        "task_id": schedule.tasks,
        "model": trajectory.arms,
        "sample": samples,
        "probability": np.full((n_steps, n), np.nan) if probabilities is None else probabilities,
    }
    return {
        "router": np.full(n_steps * n, stream.router, np.int32),
        "replication": np.repeat(np.arange(n) + stream.block * BLOCK_SIZE, n_steps),
        "step": np.tile(np.arange(n_steps), n),
        **{name: values.T.ravel() for name, values in flat.items()},
    }
