"""How much room runs take, and removing old ones.

Invariants: a run that a process is writing is never removed; a run vanishes whole (its folder is moved away before it
is emptied), and from the history too. Left out: what was logged to a tracking server stays there.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from krins.clock import SystemClock
from krins.errors import RunError, StorageFault, boundary
from krins.interfaces import Clock
from krins.runs.history import list_runs, publish_change
from krins.runs.history.run_rows import keep_entries
from krins.runs.store import Store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Sizes:
    """What is used on disk, in bytes."""

    runs: dict[str, int]
    """By run id."""
    total: int
    """All of the folder: runs, history, default tracking store."""


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    run_ids: list[str]
    """Newest first."""
    in_use: list[str]
    """Chosen too, but kept: a process is writing them."""
    freed_bytes: int


def size_bytes(store: Store) -> Sizes:
    """What each run and everything together take up."""
    return Sizes(
        runs={run_id: _folder_bytes(store.folder(run_id)) for run_id in store.run_ids()},
        total=_folder_bytes(store.home),
    )


def prune(
    store: Store,
    keep: int | None,
    older_than_days: float | None,
    *,
    dry_run: bool = False,
    include_unfinished: bool = False,
    clock: Clock = SystemClock(),  # noqa: B008 -- has no state
) -> Pruned:
    """Remove runs that are neither among the newest `keep` nor younger than `older_than_days`.

    Unfinished runs (they can be resumed, and recordings count among them) are looked at only with `include_unfinished`.

    Raises:
        RunError: neither bound is given.
        StorageFault: a run cannot be removed, or the history cannot be written.
    """
    if keep is None and older_than_days is None:
        raise RunError("pruning without a bound would remove every run", "give --keep, --older-than-days or both")
    latest = math.inf if older_than_days is None else clock.now_seconds() - older_than_days * _DAY_SECONDS
    candidates = [row for row in list_runs(store) if include_unfinished or row.state == "finished"]
    chosen = [row.run_id for row in candidates[keep or 0 :] if row.started_at.timestamp() <= latest]
    sizes = {run_id: _folder_bytes(store.folder(run_id)) for run_id in chosen}
    removed = _hold_each(store, chosen, lambda run_id: None) if dry_run else _remove(store, chosen)
    in_use = [run_id for run_id in chosen if run_id not in removed]
    return Pruned(removed, in_use, sum(sizes[run_id] for run_id in removed))


def _remove(store: Store, run_ids: list[str]) -> list[str]:
    """Remove those that nobody is writing, and say which; under the history's lock, so that prunings do not meet."""
    removed: list[str] = []
    trash = store.home / ".pruned"

    def move(run_id: str) -> None:
        store.folder(run_id).rename(trash / run_id)

    def remove(connection: DuckDBPyConnection) -> None:
        with boundary(StorageFault, f"{store.runs}: cannot remove a run", "mend the permissions there", catch=OSError):
            trash.mkdir(exist_ok=True)
            removed.extend(_hold_each(store, run_ids, move))
            shutil.rmtree(trash)
        keep_entries(connection, store.run_ids())

    if run_ids:
        publish_change(store, remove)
    return removed


def _hold_each(store: Store, run_ids: list[str], act: Callable[[str], None]) -> list[str]:
    """Call `act` on each run while holding it. Returns those that could be held; nobody was writing them."""
    held = []
    for run_id in run_ids:
        if not store.journal(run_id).exists():
            continue  # another process has removed it since it was listed
        try:
            with store.lock(run_id):
                act(run_id)
        except RunError:
            continue
        held.append(run_id)
    return held


def _folder_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())
