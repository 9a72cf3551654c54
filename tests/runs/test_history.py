"""The history: every run is in it, whatever happened to the file, and the journals have the last word."""

from __future__ import annotations

import json
import os
import tempfile
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from krins.errors import RunError, StorageFault
from krins.runs.history import add_to_history, export_history, list_runs, open_history, rebuild_history
from krins.runs.migrations import MIGRATIONS
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


def test_an_open_reader_keeps_what_it_sees_and_a_new_one_sees_what_was_added(store: Store) -> None:
    add_to_history(store, write_run(store))
    second = write_run(store)
    count = "SELECT count(*) FROM runs"
    with open_history(store) as before:
        assert before.execute(count).fetchall() == [(1,)]
        add_to_history(store, second)
        with open_history(store) as after:
            assert after.execute(count).fetchall() == [(2,)]
        assert before.execute(count).fetchall() == [(1,)]


def test_the_connection_cannot_change_the_history(store: Store) -> None:
    add_to_history(store, write_run(store))
    with open_history(store) as history, pytest.raises(duckdb.Error, match="read-only"):
        history.execute("DELETE FROM runs")


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "cut off", "a block", "another database"])
def test_a_damaged_history_is_made_from_the_journals_at_the_next_add(store: Store, damage: str) -> None:
    *earlier, last = write_runs(store, 4)
    for run_id in earlier:
        add_to_history(store, run_id)
    whole = store.history.read_bytes()
    if damage == "another database":
        store.history.unlink()
        with duckdb.connect(store.history) as other:
            other.execute("CREATE TABLE runs (x INTEGER)")
    elif damage == "missing":
        store.history.unlink()
    else:
        middle = len(whole) // 2
        contents = {
            "empty": b"",
            "garbage": b"not a database " * 1000,
            "cut off": whole[:middle],
            "a block": whole[:20_000] + os.urandom(40_000) + whole[60_000:],
        }
        store.history.write_bytes(contents[damage])
    add_to_history(store, last)
    assert ask(store, "SELECT count(*) FROM runs") == [(4,)]
    assert ask(store, "SELECT count(*) FROM results") == [(8,)]


def test_a_damaged_history_neither_hides_runs_nor_stays_damaged(store: Store) -> None:
    run_ids = write_runs(store, 2)
    for run_id in run_ids:
        add_to_history(store, run_id)
    store.history.write_bytes(b"garbage")
    assert {row.run_id for row in list_runs(store)} == set(run_ids)
    assert ask(store, "SELECT count(*) FROM runs") == [(2,)]


def test_a_history_of_a_newer_krins_is_refused_and_can_be_made_anew(store: Store) -> None:
    run_id = write_run(store)
    add_to_history(store, run_id)
    with duckdb.connect(store.history) as newer:
        newer.execute("INSERT INTO migrations VALUES ('9999_from_the_future', now()::TIMESTAMP)")
    for refused in (lambda: add_to_history(store, run_id), lambda: open_history(store), lambda: list_runs(store)):
        with pytest.raises(StorageFault, match="9999_from_the_future") as caught:
            refused()
        assert "krins-eval history rebuild" in caught.value.remedy
    assert rebuild_history(store, cannot_republish).n_runs == 1
    assert [row.run_id for row in list_runs(store)] == [run_id]


def test_an_older_history_is_brought_up_to_date(store: Store) -> None:
    first, second = write_runs(store, 2)
    names = list(MIGRATIONS)
    with duckdb.connect() as older:
        older.execute(f"ATTACH '{store.history}' AS history")
        older.execute("CREATE TABLE history.migrations (name VARCHAR, applied_at TIMESTAMP)")
        MIGRATIONS[names[0]](older)
        older.execute("INSERT INTO history.migrations VALUES (?, TIMESTAMP '2020-01-01')", [names[0]])
        older.execute(
            "INSERT INTO history.runs BY NAME SELECT ? AS run_id, 'finished' AS state, "
            "TIMESTAMP '2020-01-01' AS started_at, 0 AS damaged_lines",
            [first],
        )
    assert {row.suite for row in list_runs(store)} == {"past"}
    add_to_history(store, second)
    assert ask(store, "SELECT name FROM migrations ORDER BY name") == [(name,) for name in names]
    assert ask(store, "SELECT count(*) FROM runs JOIN results USING (run_id)") == [(4,)]


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


def test_a_folder_that_was_moved_asks_its_own_files(store: Store, tmp_path: Path) -> None:
    add_to_history(store, write_run(store))
    moved = Store(tmp_path / "it's [new] *")
    store.home.rename(moved.home)
    elsewhere = write_run(store)  # what now lies at the old place is another history's
    assert ask(moved, "SELECT count(*) FROM decisions WHERE run_id = 'x' OR run_id <> 'x'") == [(2,)]
    assert ask(moved, f"SELECT count(*) FROM decisions WHERE run_id = '{elsewhere}'") == [(0,)]
    add_to_history(moved, write_run(moved))
    with duckdb.connect(moved.history, read_only=True) as plain:
        assert plain.execute("SELECT count(*) FROM decisions").fetchall() == [(4,)]


def test_adding_to_300_runs_reads_no_other_run_and_copies_little(store: Store) -> None:
    run_ids = write_runs(store, 300)
    rebuild_history(store, cannot_republish)
    for run_id in run_ids:
        store.journal(run_id).write_bytes(b"whoever reads this finds no run")
    before = store.history.stat().st_size
    add_to_history(store, write_run(store))
    assert ask(store, "SELECT count(*) FROM runs WHERE state = 'finished'") == [(301,)]
    assert store.history.stat().st_size - before < 64 * 1024
    assert before < 300 * 2048  # an add copies the catalogue: 2 KiB a run, whatever the run decided


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may write everywhere; what is tested is what happens to those who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_home_is_named(store: Store) -> None:
    with tempfile.TemporaryDirectory() as folder:  # unlike tmp_path, within reach of every user
        Path(folder).chmod(0o755)
        home = Store(Path(folder) / "home")
        run_id = write_run(home)
        add_to_history(home, run_id)
        for path in (home.home, home.runs, home.folder(run_id)):
            path.chmod(0o555)
        try:
            with ordinary_user():
                with pytest.raises(StorageFault, match="cannot lock the history") as caught:
                    add_to_history(home, run_id)
                assert "permissions" in caught.value.remedy
                assert [row.run_id for row in list_runs(home)] == [run_id]
                assert ask(home, "SELECT count(*) FROM decisions") == [(2,)]
        finally:
            for path in (home.home, home.runs, home.folder(run_id)):
                path.chmod(0o755)
