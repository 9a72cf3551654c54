"""Pruning: what is chosen goes, whole, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from krins.clock import FakeClock
from krins.errors import RunError
from krins.runs.history import add_to_history, list_runs, open_history, rebuild_history
from krins.runs.history.pruning import prune, size_bytes
from krins.runs.store import Store
from tests.support.past_runs import PastRun, write_run

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Five finished runs, on days 0 to 4, and an unfinished one on day 5."""
    store = Store(tmp_path / "home")
    for day in range(5):
        write_run(store, PastRun(started_at_seconds=1e9 + day * DAY))
    write_run(store, PastRun(started_at_seconds=1e9 + 5 * DAY, is_finished=False))
    rebuild_history(store, lambda store, run_id: None)
    return store


def days(store: Store) -> list[int]:
    return sorted(round((row.started_at.timestamp() - 1e9) / DAY) for row in list_runs(store))


@pytest.mark.parametrize(
    ("keep", "older_than_days", "left"),
    [
        (2, None, [3, 4, 5]),
        (None, 3.0, [3, 4, 5]),
        (4, 3.0, [1, 2, 3, 4, 5]),
        (0, None, [5]),
        (9, None, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_is_left(store: Store, keep: int | None, older_than_days: float | None, left: list[int]) -> None:
    clock = FakeClock(1e9 + 5.5 * DAY)
    would = prune(store, keep, older_than_days, dry_run=True, clock=clock)
    assert days(store) == [0, 1, 2, 3, 4, 5]
    assert prune(store, keep, older_than_days, clock=clock) == would
    assert len(would.run_ids) == 6 - len(left)
    assert days(store) == left


def test_removed_runs_are_gone_from_the_disk_and_the_history(store: Store) -> None:
    before = size_bytes(store)
    pruned = prune(store, 1, None)
    assert pruned.freed_bytes == sum(before.runs[run_id] for run_id in pruned.run_ids) > 0
    after = size_bytes(store)
    assert after.runs.keys() == before.runs.keys() - set(pruned.run_ids)
    assert before.total - after.total >= pruned.freed_bytes
    with open_history(store) as history:
        for table in ("runs", "results", "decisions", "outcomes"):
            found = {run_id for (run_id,) in history.execute(f"SELECT DISTINCT run_id FROM {table}").fetchall()}
            assert not found & set(pruned.run_ids)


def test_unfinished_runs_go_only_when_asked_for(store: Store) -> None:
    assert len(prune(store, 0, None, include_unfinished=True).run_ids) == 6
    assert list_runs(store) == []
    add_to_history(store, write_run(store))
    assert len(list_runs(store)) == 1


def test_a_bound_is_needed(store: Store) -> None:
    with pytest.raises(RunError, match="without a bound"):
        prune(store, None, None)


def test_what_a_killed_pruning_left_is_removed_by_the_next(store: Store) -> None:
    trash = store.home / ".pruned"
    trash.mkdir()
    oldest = list_runs(store)[-1].run_id
    store.folder(oldest).rename(trash / oldest)  # killed before the history was changed and the folder emptied
    assert days(store) == [1, 2, 3, 4, 5]
    prune(store, 3, None)
    assert not trash.exists()
    with open_history(store) as history:
        assert history.execute("SELECT count(*) FROM runs").fetchall() == [(4,)]
