"""The history: every run is in it with all its numbers, and the journals have the last word."""

from __future__ import annotations

import json
import typing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from krins.errors import RunError, StorageFault
from krins.runs.history import add_to_history, export_history, list_runs, open_history, rebuild_history
from krins.runs.result import Figure, RouterResult
from krins.runs.store import Store
from tests.support.past_runs import PastRun, write_files, write_run, write_runs


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def ask(store: Store, query: str) -> list[tuple[object, ...]]:
    with open_history(store) as history:
        return history.execute(query).fetchall()


def cannot_republish(store: Store, run_id: str) -> None:
    raise RunError("its table is gone")


def test_a_run_is_there_with_all_its_numbers(store: Store) -> None:
    run_id = write_run(store, PastRun(quality=0.75))
    add_to_history(store, run_id)
    [row] = list_runs(store)
    assert (row.run_id, row.state, row.suite, row.seed, row.n_tasks) == (run_id, "finished", "past", 7, 4)
    assert row.started_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert row.billed_usd == Decimal("0.000000125")
    columns = "router, quality_mean, quality_replication_high, tokens_mean, tokens_low, hull_quality_gain_mean"
    assert ask(store, f"SELECT {columns}, is_saving, errors_infrastructure FROM results ORDER BY position") == [
        ("random", 0.75, 0.1875, 100.0, None, None, True, 2),
        ("greedy", 0.75, 0.1875, 100.0, None, None, False, 2),
    ]
    assert ask(store, "SELECT params->>'epsilon' FROM results WHERE router = 'greedy'") == [("0.25",)]


def test_every_figure_of_a_router_has_its_columns(store: Store) -> None:
    add_to_history(store, write_run(store))
    columns = {name for (name,) in ask(store, "SELECT column_name FROM (DESCRIBE results)")}
    figures = [name for name, kind in typing.get_type_hints(RouterResult).items() if kind in (Figure, Figure | None)]
    assert {f"{figure}_{part}" for figure in figures for part in Figure.model_fields} <= columns


def test_decisions_and_outcomes_of_all_runs_carry_their_run_id(store: Store) -> None:
    run_ids = write_runs(store, 2)
    add_to_history(store, run_ids[0])
    for view in ("decisions", "outcomes"):
        assert ask(store, f"SELECT run_id, count(*) FROM {view} GROUP BY run_id ORDER BY run_id") == [
            (run_id, 2) for run_id in sorted(run_ids)
        ]
    plan = ask(store, f"EXPLAIN ANALYZE SELECT * FROM decisions WHERE run_id = '{run_ids[0]}'")
    assert "Total Files Read: 1" in str(plan[0][1])


def test_no_runs_at_all(store: Store) -> None:
    assert list_runs(store) == []
    with pytest.raises(RunError, match="there are no runs"):
        open_history(store)
    store.runs.mkdir(parents=True)
    assert ask(store, "SELECT count(*) FROM decisions") == [(0,)]
    assert ask(store, "SELECT count(*) FROM outcomes") == [(0,)]


def test_adding_a_run_again_replaces_it(store: Store) -> None:
    run_id = write_run(store)
    add_to_history(store, run_id)
    add_to_history(store, run_id)
    assert ask(store, "SELECT count(*) FROM runs") == [(1,)]
    assert ask(store, "SELECT count(*) FROM results") == [(2,)]


def test_an_unknown_run_cannot_be_added(store: Store) -> None:
    write_run(store)
    with pytest.raises(RunError, match="there is no run 'other'"):
        add_to_history(store, "other")


def test_newest_first_with_runs_that_were_never_added(store: Store) -> None:
    old = write_run(store, PastRun(started_at_seconds=1e9))
    new = write_run(store, PastRun(started_at_seconds=3e9))
    under_way = write_run(store, PastRun(started_at_seconds=2e9, is_finished=False))
    add_to_history(store, old)
    assert [(row.run_id, row.state) for row in list_runs(store)] == [
        (new, "finished"),
        (under_way, "unfinished"),
        (old, "finished"),
    ]


def test_rebuild_names_damage_and_keeps_the_rest(store: Store) -> None:
    good, torn, broken = write_runs(store, 3)
    with store.journal(torn).open("ab") as journal:
        journal.write(b'{"crc32":"00')
    store.journal(broken).write_bytes(b"nothing that can be read\n")
    (store.runs / "empty").mkdir()
    rebuilt = rebuild_history(store, cannot_republish)
    assert (rebuilt.n_runs, rebuilt.n_finished, rebuilt.n_republished) == (3, 2, 0)
    assert {problem.run_id: problem.what.partition(": ")[2][:4] for problem in rebuilt.problems} == {
        torn: "line",
        broken: "the ",
        "empty": "ther",
    }
    states = {row.run_id: row.state for row in list_runs(store)}
    assert states == {good: "finished", torn: "finished", broken: "unreadable"}


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_rebuild_writes_missing_and_unreadable_files_again(store: Store, content: bytes | None) -> None:
    _, lacking = write_runs(store, 2)
    broken = store.folder(lacking) / "decisions.parquet"
    if content is None:
        broken.unlink()
    else:
        broken.write_bytes(content)
    asked = []

    def republish(store: Store, run_id: str) -> None:
        asked.append(run_id)
        write_files(store, run_id)

    assert rebuild_history(store, republish).n_republished == 1
    assert asked == [lacking]
    assert ask(store, "SELECT count(*) FROM decisions") == [(4,)]


def test_a_file_that_cannot_be_made_again_is_named_and_out_of_the_way(store: Store) -> None:
    whole, lacking = write_runs(store, 2)
    (store.folder(lacking) / "outcomes.parquet").write_bytes(b"garbage")
    [problem] = rebuild_history(store, cannot_republish).problems
    assert problem.run_id == lacking
    assert "outcomes.parquet cannot be made again: its table is gone" in problem.what
    assert ask(store, "SELECT DISTINCT run_id FROM outcomes") == [(whole,)]


def test_export_in_each_format(store: Store, tmp_path: Path) -> None:
    for run_id in write_runs(store, 2):
        add_to_history(store, run_id)
    for name in ("out.csv", "out.parquet", "out.json"):
        assert export_history(store, tmp_path / name) == 4
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 5
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.num_rows == 4
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [row["router"] for row in rows] == ["random", "greedy"] * 2
    assert rows[0]["run_id"] == table["run_id"][0].as_py() == list_runs(store)[0].run_id


def test_export_to_where_it_cannot_be(store: Store, tmp_path: Path) -> None:
    add_to_history(store, write_run(store))
    with pytest.raises(RunError, match=r"CSV, Parquet or JSON"):
        export_history(store, tmp_path / "out.xlsx")
    with pytest.raises(StorageFault, match=r"nowhere/out\.csv"):
        export_history(store, tmp_path / "nowhere" / "out.csv")
