"""From the rows of a file to an `OutcomeTable`.

The file: `task_id`, `model`, `quality` in [0, 1] and `cost_usd` are required (the last may be null throughout);
`sample` tells repeated answers apart; `repo`, `language`, `category`, `difficulty`, `prompt`, `input_tokens`,
`output_tokens`, `context_tokens`, `whole_context_tokens`, `latency_s`, `date` and `failure` are used where present; any
column may serve in filters. Null is unknown. A task has the date of its rows; where they differ they are dates of
something else, such as of the answers, and the task has none.

Invariants: (task_id, model, sample) is unique; tasks and models come sorted, so the order of rows does not matter.
Left out: tables larger than memory.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from krins.domain import Arm, Task
from krins.environments.missing import apply_missing
from krins.environments.rows import Rows, read_rows
from krins.environments.table import FAILURES, ContextTokens, Imputation, OutcomeTable
from krins.interfaces import FloatArray, IntArray
from krins.suite import RecordedEnvironment


def read_table(spec: RecordedEnvironment, costs_of: Collection[str] | None = None) -> OutcomeTable:
    """Read the table that a recorded suite names, with its filters and its policy for missing cells applied.

    Args:
        costs_of: ids of the tasks whose known costs stand in for missing ones; None: of all.

    Raises:
        TableError: no table is named, it cannot be read, a value is wrong, the filters name something unknown or
            leave nothing, or outcomes are missing and the suite refuses that.
    """
    rows = read_rows(spec)
    table = apply_missing(_to_table(rows), spec.missing, str(rows.path), costs_of)
    return replace(table, sha256=file_sha256(rows.path))


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_table(rows: Rows) -> OutcomeTable:
    columns = rows.columns
    task_ids, first_row, task = np.unique(columns["task_id"].astype(str), return_index=True, return_inverse=True)
    models, arm = np.unique(columns["model"].astype(str), return_inverse=True)
    place = _places(rows, task * len(models) + arm)
    shape = (len(task_ids), len(models), int(place.max()) + 1)

    def spread(name: str) -> FloatArray:
        values = np.full(shape, np.nan)
        if name in columns:
            values[task, arm, place] = columns[name]
        return values

    failure = np.zeros(shape, np.int8)
    if "failure" in columns:
        codes = {kind and kind.value: code for code, kind in enumerate(FAILURES)}
        failure[task, arm, place] = [codes[name] for name in columns["failure"]]
    quality = spread("quality")
    return OutcomeTable(
        tasks=_tasks(rows, task_ids, first_row, task),
        arms=tuple(Arm(str(name)) for name in models),
        quality=quality,
        cost_usd=spread("cost_usd"),
        input_tokens=spread("input_tokens"),
        output_tokens=spread("output_tokens"),
        latency_seconds=spread("latency_s"),
        failure=failure,
        counts=(~np.isnan(quality)).sum(axis=2),
        context=ContextTokens.of(spread("context_tokens"), spread("whole_context_tokens")),
        imputation=Imputation(unknown_samples=_unknown_samples(task * len(models) + arm, columns["quality"])),
    )


def _unknown_samples(cell: IntArray, quality: FloatArray) -> int:
    """Rows without a quality in cells that have one."""
    return int((np.isnan(quality) & np.isin(cell, cell[~np.isnan(quality)])).sum())


def _places(rows: Rows, cell: IntArray) -> IntArray:
    """Where in its cell each row goes: samples are numbered anew without gaps, known outcomes first."""
    sample = rows.columns.get("sample", np.zeros(len(rows))).astype(np.int64)
    order = np.lexsort((sample, cell))
    same = (np.diff(cell[order]) == 0) & (np.diff(sample[order]) == 0)
    repeated = np.zeros(len(rows), bool)
    repeated[order[1:][same]] = True
    key = "(task_id, model, sample)" if "sample" in rows.columns else "(task_id, model)"
    rows.refuse(repeated, f"{key} stands in an earlier row already; tell repeated answers apart by a column `sample`")
    order = np.lexsort((sample, np.isnan(rows.columns["quality"]), cell))
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows)) - np.searchsorted(cell[order], cell[order])
    return place


def _tasks(rows: Rows, task_ids: NDArray[np.str_], first_row: IntArray, task: IntArray) -> tuple[Task, ...]:
    """A task is described by its first row in the file, but for its date."""

    def described(name: str) -> list[Any]:
        column = rows.columns.get(name)
        return [None] * len(task_ids) if column is None else list(column[first_row])

    described_by = [described(name) for name in ("category", "difficulty", "language", "repo")]
    prompts = [prompt or "" for prompt in described("prompt")]
    dates = _dates(rows.columns.get("date"), task, len(task_ids))
    return tuple(Task(*fields) for fields in zip(map(str, task_ids), prompts, *described_by, dates, strict=True))


def _dates(column: NDArray[np.datetime64] | None, task: IntArray, n_tasks: int) -> list[dt.date | None]:
    """Of each task: the one date that its rows have, those of them that have any."""
    if column is None:
        return [None] * n_tasks
    is_known = ~np.isnat(column)
    days = column[is_known].astype("datetime64[D]").astype(np.int64)
    first, last = np.full(n_tasks, np.iinfo(np.int64).max), np.full(n_tasks, np.iinfo(np.int64).min)
    np.minimum.at(first, task[is_known], days)
    np.maximum.at(last, task[is_known], days)
    dates = first.astype("datetime64[D]").tolist()
    return [date if same else None for date, same in zip(dates, first == last, strict=True)]
