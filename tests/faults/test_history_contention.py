"""Several processes at one history: no reader blocks, nothing is lost, and a kill leaves the last whole file."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import duckdb
import pytest

from krins.runs.history import add_to_history, list_runs, open_history
from krins.runs.history.pruning import prune
from krins.runs.store import Store
from tests.support.past_runs import PastRun, write_run, write_runs

ROOT = Path(__file__).parents[2]
N_WRITERS, N_ADDS = 6, 3
"""With the two readers, eight processes."""

ADD_FOR_EVER = """
import sys
from pathlib import Path
from krins.runs.history import add_to_history
from krins.runs.store import Store
store = Store(Path(sys.argv[1]))
while True:
    for run_id in store.run_ids():
        add_to_history(store, run_id)
        print(run_id, flush=True)
"""
HOLD_OPEN = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE scratch AS SELECT 1 AS x")
print("open", flush=True)
time.sleep(600)
"""
ADD_WITH_LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from krins.errors import StorageFault
from krins.runs.history import add_to_history
from krins.runs.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    add_to_history(Store(Path(sys.argv[1])), sys.argv[2])
except StorageFault as fault:
    print(fault)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def add_runs(home: Path) -> list[str]:
    store = Store(home)
    run_ids = []
    for number in range(N_ADDS):
        run_ids.append(write_run(store, PastRun(started_at_seconds=1e9 + number)))
        add_to_history(store, run_ids[-1])
    return run_ids


def read_until_all_are_there(home: Path, n_runs: int) -> list[int]:
    """The numbers of runs seen, reading in turn as krins does and as any DuckDB program does."""
    store, seen = Store(home), [0]
    query = "SELECT count(*), (SELECT count(*) FROM results) FROM runs WHERE state = 'finished'"
    deadline = time.monotonic() + 300
    while seen[-1] < n_runs and time.monotonic() < deadline:
        with open_history(store) as history:
            [(n_seen, n_results)] = history.execute(query).fetchall()
        with duckdb.connect(store.history, read_only=True) as plain:
            [(n_seen_later,)] = plain.execute("SELECT count(*) FROM runs WHERE state = 'finished'").fetchall()
        assert n_results == 2 * n_seen, "a run was seen without its results"
        assert seen[-1] <= n_seen <= n_seen_later, "a run was there and is no more"
        seen.append(n_seen_later)
    return seen


def test_writers_and_readers_at_once(store: Store) -> None:
    add_to_history(store, write_run(store))
    n_runs = 1 + N_WRITERS * N_ADDS
    with ProcessPoolExecutor(N_WRITERS + 2, multiprocessing.get_context("spawn")) as pool:
        readers = [pool.submit(read_until_all_are_there, store.home, n_runs) for _ in range(2)]
        writers = [pool.submit(add_runs, store.home) for _ in range(N_WRITERS)]
        added = [run_id for writer in writers for run_id in writer.result()]
        seen = [reader.result() for reader in readers]
    assert len(set(added)) == N_WRITERS * N_ADDS
    assert [numbers[-1] for numbers in seen] == [n_runs, n_runs]
    assert len(list_runs(store)) == n_runs
    with open_history(store) as history:
        assert {run_id for (run_id,) in history.execute("SELECT run_id FROM runs").fetchall()} >= set(added)


def test_killed_at_any_moment_of_an_add(store: Store) -> None:
    run_ids = set(write_runs(store, 3))
    for number in range(6):
        command = [sys.executable, "-c", ADD_FOR_EVER, str(store.home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            assert process.stdout.readline().strip() in run_ids
            time.sleep(0.013 * number)  # so that each is killed in another part of its work
            process.send_signal(signal.SIGKILL)
        with duckdb.connect(store.history, read_only=True) as history:  # as it lies there, before anything mends it
            found = history.execute(
                "SELECT run_id, count(*) FROM runs JOIN results USING (run_id) GROUP BY 1"
            ).fetchall()
        assert dict(found) == dict.fromkeys(run_ids, 2)
    add_to_history(store, next(iter(run_ids)))
    assert sorted(path.name for path in store.home.iterdir()) == [
        ".gitignore",
        "history.duckdb",
        "history.lock",
        "runs",
    ]


def test_a_program_that_holds_the_file_for_writing_blocks_nobody(store: Store) -> None:
    add_to_history(store, write_run(store))
    command = [sys.executable, "-c", HOLD_OPEN, str(store.history)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with open_history(store) as history:
            assert history.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
        add_to_history(store, write_run(store))
        holder.kill()
    with open_history(store) as history:
        assert history.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]


def test_a_log_left_by_a_killed_writer_is_cleared_away(store: Store) -> None:
    add_to_history(store, write_run(store))
    command = [sys.executable, "-c", HOLD_OPEN, str(store.history)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        holder.kill()
    assert Path(f"{store.history}.wal").exists()
    add_to_history(store, write_run(store))
    with duckdb.connect(store.history, read_only=True) as history:
        assert history.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_full_disk_leaves_the_history_as_it_was(store: Store, is_damaged: bool) -> None:
    """There is room for the empty Parquet files, but not for a copy of the catalogue, nor for one made anew."""
    *_, last = write_runs(store, 100)
    add_to_history(store, last)
    if is_damaged:
        store.history.write_bytes(b"garbage")
    before = store.history.read_bytes()
    command = [sys.executable, "-c", ADD_WITH_LITTLE_ROOM, str(store.home), last, "40000"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "history.duckdb: cannot be written" in ended.stdout
    assert "free some disk space" in ended.stdout
    assert store.history.read_bytes() == before
    assert not list(store.home.glob(".history*"))


def test_a_run_that_is_being_written_is_not_pruned(store: Store) -> None:
    run_ids = write_runs(store, 2)
    for run_id in run_ids:
        add_to_history(store, run_id)
    with store.lock(run_ids[0]), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pruned = pool.submit(prune, store, 0, None).result()
    assert (pruned.run_ids, pruned.in_use) == (run_ids[1:], run_ids[:1])
    assert [row.run_id for row in list_runs(store)] == run_ids[:1]
