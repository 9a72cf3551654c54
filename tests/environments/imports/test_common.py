"""What any import writes: checked, unique, counted, and the same bytes each time."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from krins.environments.imports.common import GROUP, Row, summary, write_table
from krins.environments.reading import file_sha256, read_table
from krins.errors import TableError
from krins.suite import RecordedEnvironment


def row(**changes: Any) -> Row:
    return {"task_id": "t", "model": "m", "quality": 1.0, "source": "log:1"} | changes


def test_a_table_is_what_the_readers_of_tables_take(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [row(), row(model="n", quality=None, failure="infrastructure"), row(task_id="u", cost_usd=0.5, sample=3)]
    done = write_table(rows, path, Counter({"things left out": 2, "never": 0}))
    assert (done.n_rows, done.n_tasks, done.n_models, done.n_cells) == (3, 2, 2, 3)
    assert done.sha256 == file_sha256(path)
    lines = list(summary(done))
    assert lines[:2] == ["3 outcomes of 2 tasks by 2 models", "missing: 1 of 4 (task, model) cells"]
    assert "unknown: quality in 1 rows, cost_usd in 2 rows" in lines
    assert "note: 2 things left out" in lines
    table = read_table(
        RecordedEnvironment.model_validate(
            {"kind": "recorded", "table": path, "missing": "fail", "exclude": {"model": ["n"]}}
        )
    )
    assert table.quality.tolist() == [[[1.0]], [[1.0]]]


def test_more_rows_than_are_held_at_a_time_make_the_same_bytes_each_time(tmp_path: Path) -> None:
    n = 2 * GROUP + 5
    hashes = set()
    for name in ("a", "b"):
        done = write_table((row(task_id=f"t{i}") for i in range(n)), tmp_path / name, Counter())
        hashes.add(done.sha256)
    assert done.n_rows == pq.ParquetFile(tmp_path / "a").metadata.num_rows == n
    assert len(hashes) == 1


def test_an_answer_that_stands_twice_is_named_with_both_places(tmp_path: Path) -> None:
    rows = [row(), row(source="other:7"), row(sample=1), row(task_id="v"), row(task_id="v", source="other:9")]
    with pytest.raises(
        TableError, match="sample 0 of task t by model m stands twice: log:1 and other:7; and so 1 more"
    ):
        write_table(rows, tmp_path / "a", Counter())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"quality": 1.5}, "quality is 1.5"),
        ({"quality": math.nan}, "quality is nan"),
        ({"cost_usd": -0.1}, "cost_usd is -0.1"),
        ({"cost_usd": math.inf}, "cost_usd is inf"),
        ({"cost_usd": "free"}, "cost_usd is 'free'"),
        ({"input_tokens": 1.5}, "input_tokens is 1.5"),
        ({"input_tokens": -1}, "input_tokens is -1"),
        ({"task_id": ""}, "there is no task_id"),
        ({"model": None}, "there is no model"),
        ({"model": 5}, "model is 5, which is no text"),
        ({"category": 3}, "category is 3, which is no text"),
        ({"scaffold": ["a"]}, r"scaffold is \['a'\], which is no text"),
        ({"prompt": "half a pair: \ud83d"}, r"prompt is 'half a pair: \\ud83d', which is no text"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_record(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TableError, match=f"log:1: {complaint}"):
        write_table([row(task_id="s", source="log:0"), row(**changes)], tmp_path / "a", Counter(), ("scaffold",))


def test_nothing_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="it: nothing can be imported: 3 samples without anything"):
        write_table([], tmp_path / "a", Counter({"samples without anything": 3}), what="it")
