"""Dates of tasks: read, kept by a run, and unknown where rows speak of something else."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from krins.domain import Task
from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable
from krins.errors import TableError
from krins.runs.publish import encode_outcomes
from krins.suite import RecordedEnvironment


def read(path: Path) -> OutcomeTable:
    return read_table(RecordedEnvironment.model_validate({"kind": "recorded", "table": path}))


def write(path: Path, dates: dict[str, list[Any]]) -> Path:
    rows = [
        {"task_id": task, "model": f"m{number}", "quality": 1.0, "cost_usd": 0.1, "date": date}
        for task, own in dates.items()
        for number, date in enumerate(own)
    ]
    frame = pd.DataFrame(rows)
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


DATES: dict[str, list[Any]] = {
    "agree": ["2025-01-31", "2025-01-31"],
    "differ": ["2025-01-31", "2025-02-01"],
    "none": [None, None],
    "partly": [None, "2024-02-29"],
}


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_task_has_the_date_that_its_rows_agree_on(tmp_path: Path, name: str) -> None:
    table = read(write(tmp_path / name, DATES))
    assert {task.task_id: task.date for task in table.tasks} == {
        "agree": dt.date(2025, 1, 31),
        "differ": None,
        "none": None,
        "partly": dt.date(2024, 2, 29),
    }
    kept = tmp_path / "kept.parquet"
    kept.write_bytes(encode_outcomes(table, is_live=False))
    assert read(kept).tasks == table.tasks


def test_time_stamps_count_as_their_day(tmp_path: Path) -> None:
    moments = pd.to_datetime(["2025-03-01 01:00", "2025-03-01 23:59"])
    assert read(write(tmp_path / "table.parquet", {"one": list(moments)})).tasks[0].date == dt.date(2025, 3, 1)


def test_without_dates_nothing_changes(tmp_path: Path) -> None:
    table = read(write(tmp_path / "table.parquet", {"none": [None, None]}))
    content = tmp_path / "content.parquet"
    content.write_bytes(encode_outcomes(table, is_live=False))
    assert "date" not in pq.read_schema(content).names
    # Fingerprints of tasks are made of their text form: those of live suites stay what they were.
    assert repr(Task("a", date=dt.date(2025, 1, 1))) == repr(Task("a"))


def test_what_is_no_date_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", {"one": ["2025-01-31", "spring"]})
    with pytest.raises(TableError, match=r"row 2: date is 'spring', which is no date[\s\S]*2025-01-31, or null"):
        read(path)
