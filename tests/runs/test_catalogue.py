"""The catalogue file: replaced whole, never in a reader's way, and made anew when it is not to be trusted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from krins.errors import RunError, StorageFault
from krins.runs.history import add_to_history, list_runs, open_history, rebuild_history
from krins.runs.history.migrations import MIGRATIONS
from krins.runs.store import Store
from tests.support.past_runs import write_run, write_runs


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def ask(store: Store, query: str) -> list[tuple[object, ...]]:
    with open_history(store) as history:
        return history.execute(query).fetchall()


def cannot_republish(store: Store, run_id: str) -> None:
    raise RunError("its table is gone")


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
