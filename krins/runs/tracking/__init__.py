"""Tracking: finished runs in MLflow, one parent run a run and one child a router; and traces of live runs.

Invariants: a run is logged from its journal and its folder, so a server that is down loses nothing and `sync` logs it
later; logging again finds what is there and adds nothing; a server cannot hold krins up for longer than the patience
given. The default store is a database under HOME. Left out: what is logged (`krins.runs.tracking.tracked_run`) and how
(`krins.runs.tracking.mlflow_store`), and the registry of routers (`krins.runs.tracking.registry`).
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from filelock import FileLock, Timeout

from krins.domain import Outcome
from krins.errors import KrinsError, RunError, TrackingFault
from krins.runs.history.brief import RunBrief, read_brief
from krins.runs.records import Started
from krins.runs.session import read_run
from krins.runs.store import Store, published
from krins.runs.tracking.mlflow_store import MlflowStore, create_database, quiet_mlflow, sqlite_uri
from krins.runs.tracking.tracked_run import TrackedRun, describe_run
from krins.suite import LiveEnvironment

URI_VARIABLE = "MLFLOW_TRACKING_URI"
PATIENCE_SECONDS = 120.0
_FAULTS_IN_A_ROW = 3
_REMEDY = "nothing is lost: `krins-eval history sync` logs the run when the server is well again"

T = TypeVar("T")


class Synced(NamedTuple):
    """What came of one run: MLflow's id of it, or an error."""

    run_id: str
    mlflow_run_id: str | None
    error: str | None


def track(
    store: Store, run_id: str, tracking_uri: str | None = None, *, patience_seconds: float = PATIENCE_SECONDS
) -> str:
    """Log a finished run, unless it was logged there before; returns MLflow's id of the parent run.

    Args:
        tracking_uri: an MLflow server or database; by default MLFLOW_TRACKING_URI, else a database under HOME.
        patience_seconds: how long it may take in all.

    Raises:
        RunError: the run is not finished, or its journal cannot be read.
        TrackingFault: the server is out of reach, too slow, or does not answer as MLflow does.
    """
    return _track(store, run_id, read_brief(store, run_id), resolve_uri(store, tracking_uri), patience_seconds)


def sync(store: Store, tracking_uri: str | None = None, *, patience_seconds: float = PATIENCE_SECONDS) -> list[Synced]:
    """Log every finished run that is not marked as logged there, oldest first; `patience_seconds` is for each.

    A server that fails three runs in a row is not asked for the rest.
    """
    uri = resolve_uri(store, tracking_uri)
    synced: list[Synced] = []
    for run_id in store.run_ids():
        if without_secret(uri) in _marks(store, run_id):
            continue
        try:
            brief = read_brief(store, run_id)
        except KrinsError:
            continue  # the history names such journals
        if brief.result is None:
            continue
        if len(synced) >= _FAULTS_IN_A_ROW and all(one.error for one in synced[-_FAULTS_IN_A_ROW:]):
            synced.append(Synced(run_id, None, "not tried: the server did not take the runs before"))
            continue
        try:
            synced.append(Synced(run_id, _track(store, run_id, brief, uri, patience_seconds), None))
        except KrinsError as error:
            synced.append(Synced(run_id, None, error.message))
    return synced


def _track(store: Store, run_id: str, brief: RunBrief, uri: str, patience_seconds: float) -> str:
    if brief.result is None:
        raise RunError(f"run {run_id} is not finished", f"krins-eval run --resume {run_id}")
    outcomes = _live_outcomes(store, run_id, brief.started)
    tracked = describe_run(brief.started, brief.result, store.folder(run_id), outcomes)
    mlflow_run_id = on_server(store, uri, partial(_log, tracked), patience_seconds)
    _mark(store, run_id, uri, mlflow_run_id)
    return mlflow_run_id


class Server(NamedTuple):
    """An MLflow server or database to work on."""

    uri: str
    artifacts: Path | None
    """Where new experiments keep files; None leaves it to the server."""
    check: Callable[[], None]
    """To be called before each call; it may raise to end the work."""


def _log(tracked: TrackedRun, server: Server) -> str:
    return MlflowStore(*server).log(tracked)


def on_server(
    store: Store, tracking_uri: str | None, work: Callable[[Server], T], patience_seconds: float = PATIENCE_SECONDS
) -> T:
    """Do `work` on a tracking server, one process of this home at a time; the default database is made where it is
    missing.

    Raises:
        TrackingFault: the server is out of reach, too slow, or does not answer as MLflow does.
    """
    uri = resolve_uri(store, tracking_uri)
    artifacts = store.home / "mlflow" if uri == _default_uri(store) else None
    with _attributed(uri), quiet_mlflow():
        deadline = time.monotonic() + patience_seconds
        with _one_at_a_time(store, patience_seconds):
            left_seconds = deadline - time.monotonic()

            def prepared(check: Callable[[], None]) -> T:
                if artifacts is not None and not (store.home / "mlflow.db").exists():
                    create_database(store.home / "mlflow.db")
                return work(Server(uri, artifacts, check))

            return within(left_seconds, prepared)


def _live_outcomes(store: Store, run_id: str, started: Started) -> list[Outcome]:
    """Whatever a live run journalled, outcomes that a later attempt replaced among them."""
    is_live = isinstance(started.suite.environment, LiveEnvironment)
    return read_run(store, run_id).observed if is_live else []


def _default_uri(store: Store) -> str:
    return sqlite_uri(store.home / "mlflow.db")


def resolve_uri(store: Store, tracking_uri: str | None) -> str:
    """The server that is given, else that of the environment, else the database under HOME."""
    return tracking_uri or os.environ.get(URI_VARIABLE) or _default_uri(store)


@contextmanager
def _attributed(uri: str) -> Iterator[None]:
    """Every failure is the tracking's, in one line that holds no password."""
    try:
        yield
    except KrinsError:
        raise
    except Exception as failure:
        detail = without_secret(" ".join(str(failure).split()))[:400] or type(failure).__name__
        raise TrackingFault(f"{without_secret(uri)} did not take the run: {detail}", _REMEDY) from failure


def without_secret(text: str) -> str:
    """The text with whatever stands before the @ of an address left out."""
    return re.sub(r"://[^/@\s]*@", "://", text)


@contextmanager
def _one_at_a_time(store: Store, patience_seconds: float) -> Iterator[None]:
    """Processes take turns: two that logged one run at once would log it twice, and SQLite has one writer."""
    lock = FileLock(store.home / "tracking.lock")
    try:
        lock.acquire(timeout=patience_seconds)
    except Timeout:
        raise TrackingFault(f"another process has been logging for {patience_seconds:.0f} s", _REMEDY) from None
    try:
        yield
    finally:
        lock.release()


def within(seconds: float, work: Callable[[Callable[[], None]], T]) -> T:
    """Do `work` in a thread, and leave it behind when it takes too long: no setting of MLflow's bounds a whole answer.

    `work` is given a check to call between its steps, which ends it once it was left behind.
    """
    future: Future[T] = Future()
    is_left_behind = threading.Event()

    def check() -> None:
        if is_left_behind.is_set():
            raise TrackingFault("it took too long", _REMEDY)

    def run() -> None:
        try:
            future.set_result(work(check))
        except BaseException as failure:  # the thread that waits raises it
            future.set_exception(failure)

    threading.Thread(target=run, name="krins-tracking", daemon=True).start()
    try:
        if not wait([future], timeout=seconds).done:
            raise TimeoutError(f"no end after {seconds:.0f} s")
        return future.result()
    finally:
        is_left_behind.set()


def _mark_path(store: Store, run_id: str) -> Path:
    return store.folder(run_id) / "tracked.json"


def _marks(store: Store, run_id: str) -> dict[str, str]:
    """Where the run was logged: tracking URI to MLflow's run id."""
    try:
        marks = json.loads(_mark_path(store, run_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marks if isinstance(marks, dict) else {}


def _mark(store: Store, run_id: str, uri: str, mlflow_run_id: str) -> None:
    marks = _marks(store, run_id) | {without_secret(uri): mlflow_run_id}
    with published(_mark_path(store, run_id)) as draft:
        draft.write_text(json.dumps(marks, indent=2) + "\n", encoding="utf-8")
