"""Where state lives: one folder, with one folder a run in it.

    HOME/                     KRINS_HOME, by default .krins in the current folder
    ├── runs/RUN_ID/          journal.jsonl (the truth), decisions.parquet, outcomes.parquet, figures
    ├── studies/STUDY_ID/     the same for studies that tune: journal.jsonl, and the router that won
    ├── cache/                answers of models, by what was asked
    ├── history.duckdb        catalogue and views, rebuilt from the journals at any time
    └── mlflow.db, mlflow/    the default tracking store

Invariants: everything but the journals can be made again; a run is written by one process at a time, which holds its
lock; files are published by atomic rename. Left out: what the files say.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from krins.errors import RunError, StorageFault, boundary

HOME_VARIABLE = "KRINS_HOME"


def default_home() -> Path:
    return Path(os.environ.get(HOME_VARIABLE, ".krins")).absolute()


class Store:
    """The folder that holds all runs."""

    noun: ClassVar[str] = "run"
    """What a folder of it holds, in messages."""
    listed: ClassVar[str] = "`krins-eval history list` shows the runs"
    """How to see what there is."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        if "?" in str(self.home):
            raise RunError(f"{self.home}: DuckDB cannot keep a file in a folder with ? in its name", "choose another")
        if self.home.exists() and not self.home.is_dir():
            raise StorageFault(f"{self.home}: cannot keep a run there: no folder", f"set --home or {HOME_VARIABLE}")

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    @property
    def history(self) -> Path:
        return self.home / "history.duckdb"

    def folder(self, run_id: str) -> Path:
        return self.runs / run_id

    def journal(self, run_id: str) -> Path:
        return self.folder(run_id) / "journal.jsonl"

    def create_run(self, suite_name: str, now_seconds: float) -> str:
        """Make a run's folder and return the run's id: suite, UTC time, and four random letters.

        Raises:
            StorageFault: the folder cannot be written.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_seconds))
        run_id = f"{suite_name.replace(' ', '-')}-{stamp}-{secrets.token_hex(2)}"
        remedy = f"choose a folder that you can write to with --home or {HOME_VARIABLE}"
        with boundary(StorageFault, f"{self.home}: cannot keep a run there", remedy, catch=OSError):
            self._prepare()
            self.folder(run_id).mkdir()
            sync_folder(self.runs)
        return run_id

    def _prepare(self) -> None:
        self.runs.mkdir(parents=True, exist_ok=True)
        ignore = self.home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")  # as other tools' caches do: state is not source

    def run_ids(self) -> list[str]:
        """Ids of all runs that have a journal, by when it was last written, latest last."""
        written: list[tuple[float, str]] = []
        with boundary(StorageFault, f"{self.runs}: cannot be read", "check the folder's rights", catch=OSError):
            folders = list(self.runs.iterdir()) if self.home.exists() and self.runs.exists() else []
            for name in (folder.name for folder in folders):
                with suppress(FileNotFoundError, NotADirectoryError):  # pruned meanwhile, or not begun yet
                    written.append((self.journal(name).stat().st_ctime, name))
        return [run_id for _, run_id in sorted(written)]

    def find(self, name: str) -> str:
        """The id that `name` is, or uniquely begins; `latest` is the one written last.

        Raises:
            RunError: there is none, or more than one.
        """
        ids = self.run_ids()
        if name == "latest" and ids:
            return ids[-1]
        matches = [run_id for run_id in ids if run_id == name] or [r for r in ids if name and r.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise RunError(f"{name!r} is the beginning of {len(matches)} runs: {', '.join(matches)}", "give more of it")
        raise RunError(
            f"there is no {self.noun} {name!r} in {self.home}",
            f"{self.listed}; set --home or {HOME_VARIABLE} if they are kept elsewhere",
        )

    @contextmanager
    def lock(self, run_id: str) -> Iterator[None]:
        """Hold a run for writing.

        Raises:
            RunError: another process is writing it.
        """
        lock = FileLock(self.folder(run_id) / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(f"{self.noun} {run_id} is being written by another process", "wait for it to end") from None
        except OSError as failure:
            raise StorageFault(
                f"{self.folder(run_id)}: cannot lock the {self.noun}: {failure}", "check the folder"
            ) from failure
        try:
            yield
        finally:
            lock.release()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file that was synced can still lose its name in a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """Write to the path given, and it appears as `path` whole or not at all.

    Raises:
        StorageFault: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with boundary(StorageFault, f"{path}: cannot be written", "free some disk space", catch=OSError):
            yield draft
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
            draft.replace(path)
            sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)
