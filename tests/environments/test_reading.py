"""Outcome tables read from files: what is right comes in, what is wrong is named with its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable, mean_over_samples
from krins.errors import TableError
from krins.suite import RecordedEnvironment, Reward

ROWS: list[dict[str, Any]] = [
    {"task_id": "t1", "model": "a", "quality": 1.0, "cost_usd": 0.5, "repo": "r1", "category": "fix"},
    {"task_id": "t1", "model": "b", "quality": 0.0, "cost_usd": 0.1, "repo": "r1", "category": "fix"},
    {"task_id": "t2", "model": "a", "quality": 0.5, "cost_usd": None, "repo": "r2", "category": "test"},
    {"task_id": "t2", "model": "b", "quality": 1.0, "cost_usd": 0.3, "repo": "r2", "category": "test"},
    {"task_id": "t3", "model": "a", "quality": 1.0, "cost_usd": 1.5, "repo": "r2", "category": "test"},
]

CONTEXT = ("context_tokens", "whole_context_tokens")


def write(folder: Path, rows: list[dict[str, Any]], kind: str = "parquet") -> Path:
    path = folder / f"table.{kind}"
    frame = pd.DataFrame(rows)
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def read(path: Path, **options: Any) -> OutcomeTable:
    return read_table(RecordedEnvironment.model_validate({"kind": "recorded", "table": path, **options}))


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_missing_outcomes_fail_at_the_mean_known_cost(tmp_path: Path, kind: str) -> None:
    table = read(write(tmp_path, ROWS, kind), missing="fail")
    assert [task.task_id for task in table.tasks] == ["t1", "t2", "t3"]
    assert [arm.name for arm in table.arms] == ["a", "b"]
    assert table.quality[..., 0].tolist() == [[1.0, 0.0], [0.5, 1.0], [1.0, 0.0]]
    # a's mean known cost is (0.5 + 1.5) / 2, b's (0.1 + 0.3) / 2.
    assert table.cost_usd[..., 0] == pytest.approx(np.array([[0.5, 0.1], [1.0, 0.3], [1.5, 0.2]]))
    assert (table.imputation.missing_outcomes, table.imputation.missing_costs) == (1, 1)
    assert table.tasks[2].repository == "r2"


def test_drop_task_leaves_out_what_is_incomplete(tmp_path: Path) -> None:
    table = read(write(tmp_path, ROWS), missing="drop_task")
    assert [task.task_id for task in table.tasks] == ["t1", "t2"]
    # Means are taken before tasks are dropped.
    assert table.cost_usd[1, 0, 0] == pytest.approx(1.0)
    assert table.imputation.dropped_tasks == 1


def test_by_default_missing_outcomes_are_refused_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"1 of 6 .* in 1 of 3 tasks; 1 known outcomes have no cost"):
        read(write(tmp_path, ROWS))


def test_what_goes_with_a_dropped_task_is_not_counted_as_filled_in(tmp_path: Path) -> None:
    rows = [*ROWS[:4], {**ROWS[4], "cost_usd": None}]
    assert read(write(tmp_path, rows), missing="drop_task").imputation.missing_costs == 1
    assert read(write(tmp_path, rows), missing="fail").imputation.missing_costs == 2


def test_a_path_with_the_characters_of_a_pattern(tmp_path: Path) -> None:
    write(tmp_path, ROWS, "csv").rename(tmp_path / "x[1]*.csv")
    (tmp_path / "x1.csv").write_text("task_id,model,quality,cost_usd\nother,m,1,1\n")
    assert len(read(tmp_path / "x[1]*.csv", missing="fail").tasks) == 3


def test_filters_and_renamed_columns(tmp_path: Path) -> None:
    rows = [{("score" if key == "quality" else key): value for key, value in row.items()} for row in ROWS]
    path = write(tmp_path, rows)
    table = read(path, columns={"quality": "score"}, include={"category": "test"}, missing="fail")
    assert [task.task_id for task in table.tasks] == ["t2", "t3"]
    table = read(path, columns={"quality": "score"}, exclude={"model": ["a"]}, missing="drop_task")
    assert [arm.name for arm in table.arms] == ["b"]


def test_samples_are_numbered_anew_with_unknown_ones_last(tmp_path: Path) -> None:
    rows = [
        {"task_id": "t", "model": "a", "quality": quality, "cost_usd": 1.0, "sample": sample}
        for sample, quality in [(7, 1.0), (3, None), (5, 0.0)]
    ]
    with pytest.raises(TableError, match="1 samples have no quality"):
        read(write(tmp_path, rows))
    table = read(write(tmp_path, rows), missing="fail")
    assert table.imputation.unknown_samples == 1
    assert table.counts.tolist() == [[2]]
    assert table.quality[0, 0, :2].tolist() == [0.0, 1.0]
    assert mean_over_samples(table.quality).tolist() == [[0.5]]


def test_a_table_without_any_cost_can_be_read(tmp_path: Path) -> None:
    table = read(write(tmp_path, [{**row, "cost_usd": None} for row in ROWS]), missing="fail")
    assert np.isnan(table.cost_usd).all()
    with pytest.raises(TableError, match="depends on cost_usd"):
        table.rewards(Reward(per_usd=1.0))


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    first = read(write(tmp_path, ROWS), missing="fail")
    again = read(write(tmp_path, ROWS[::-1]), missing="fail")
    np.testing.assert_array_equal(first.quality, again.quality)
    np.testing.assert_array_equal(first.cost_usd, again.cost_usd)


def broken(row: int, **values: Any) -> list[dict[str, Any]]:
    return [{**content, **values} if number == row else content for number, content in enumerate(ROWS)]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (broken(1, quality=1.2), r"row 2 \(task t1, model b\): quality lies outside \[0, 1\] \(1.2\)"),
        (broken(0, cost_usd=-0.1), r"row 1 .*: cost_usd is negative"),
        (broken(0, cost_usd=float("inf")), r"row 1 .*: cost_usd is negative or infinite"),
        (broken(2, model="b", quality=0.0), r"\(task_id, model\) stands in an earlier row already"),
        ([{**row, "input_tokens": 1.5} for row in ROWS], r"row 1 .*: input_tokens is no whole number \(1.5"),
        (broken(4, model=None), r"row 5 .*: model is null or empty"),
        ([{"task_id": "t", "model": "a", "quality": 1.0}], "there is no column cost_usd; the table has task_id"),
    ],
    ids=["quality", "cost", "infinite", "duplicate", "tokens", "null model", "column"],
)
def test_what_is_wrong_is_named_with_its_row(
    tmp_path: Path, kind: str, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(TableError, match=message):
        read(write(tmp_path, rows, kind), missing="fail")


def test_a_word_where_a_number_belongs(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("task_id,model,quality,cost_usd\nt,a,1,1\nt,b,good,1\n")
    with pytest.raises(TableError, match="row 2: quality is 'good', which is no number"):
        read(path)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_nan_is_neither_a_number_nor_unknown(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        path.write_text("task_id,model,quality,cost_usd\nt,a,NaN,1\n")
    else:
        import duckdb

        duckdb.sql(
            f"copy (select 't' task_id, 'a' model, 'nan'::double quality, 1.0 cost_usd) to '{path}' (format parquet)"
        )
    with pytest.raises(TableError, match=r"row 1: quality is '(nan|NaN)', which is no number"):
        read(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": {"model": "c"}}, "names 'c', which does not occur"),
        ({"include": {"colour": "red"}}, "the column colour, which the table does not have"),
        ({"exclude": {"model": ["a", "b"]}}, "no rows are left"),
        ({"columns": {"grade": "quality"}}, "maps grade, which krins does not know"),
        ({"table": None}, "names no outcome table"),
        ({"table": Path("nowhere.parquet")}, "no such outcome table"),
        ({"table": Path(__file__)}, "ends in .parquet or .csv"),
    ],
)
def test_what_the_suite_asks_must_be_there(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        read(write(tmp_path, ROWS), **options)
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"not a parquet file")
    with pytest.raises(TableError, match="cannot be read as a table"):
        read(path)


def test_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("task_id,model,quality,cost_usd\n")
    with pytest.raises(TableError, match="no rows are left"):
        read(path)


def test_costs_known_for_some_models_alone(tmp_path: Path) -> None:
    rows = [{**row, "cost_usd": None if row["model"] == "b" else 1.0} for row in ROWS]
    with pytest.raises(TableError, match="no cost is known for b"):
        read(write(tmp_path, rows), missing="fail")


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_context_is_read_where_a_table_has_both_its_columns(tmp_path: Path, kind: str) -> None:
    known = {"t1": (10, 100), "t2": (0, 50), "t3": (None, None)}
    rows = [row | dict(zip(CONTEXT, known[row["task_id"]], strict=True)) for row in ROWS]
    table = read(write(tmp_path, rows, kind), missing="drop_task")
    assert table.context is not None
    assert table.context.shown[..., 0].tolist() == [[10, 10], [0, 0]]
    assert table.context.whole[..., 0].tolist() == [[100, 100], [50, 50]]
    filled = read(write(tmp_path, rows, kind), missing="fail").context
    assert filled is not None
    assert np.isnan(filled.shown[2]).all()
    assert np.isnan(filled.whole[2]).all()
    for gone in CONTEXT:
        without = [{key: value for key, value in row.items() if key != gone} for row in rows]
        assert read(write(tmp_path, without, kind), missing="fail").context is None
    with pytest.raises(TableError, match="whole_context_tokens is negative"):
        read(write(tmp_path, [row | {"whole_context_tokens": -1} for row in rows], kind))
    with pytest.raises(TableError, match="context_tokens is no whole number"):
        read(write(tmp_path, [row | {"context_tokens": 1.5} for row in rows], kind))
