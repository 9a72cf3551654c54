"""Run a suite from beginning to end, or go on with a run: the one way in, for the command line and for Python.

Invariants: whatever the number of workers, the same suite and seed give the same result; a run that ends by an error
or an interrupt is gone on with by its id alone. Left out: showing the result (`krins.reports`) and logging it to a
tracking server (`krins.runs.tracking`), which come after it is safe.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Collection, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from krins import __version__
from krins.domain import Outcome
from krins.environments.table import OutcomeTable
from krins.errors import RunError, SuiteError
from krins.models.ledger import Ledger
from krins.models.waiting_ledger import SharedLedger
from krins.runs.actors import (
    START_SECONDS,
    LiveActors,
    available_workers,
    play_on_actors,
    play_where_it_pays,
    ray_session,
)
from krins.runs.environments import LiveSetting, RecordedSetting, prepare, recorded_setting
from krins.runs.execution import Execution
from krins.runs.history import add_to_history
from krins.runs.ledger_actor import ActorLedger
from krins.runs.live import GroupCommit, OutcomeSource
from krins.runs.live_run import play_live
from krins.runs.outcome import conclude, live_table, publish, recorded_table, republish
from krins.runs.plan import Plan, Stream
from krins.runs.preflight import confirm, forecast_run
from krins.runs.progress import Progress
from krins.runs.publish import encode_outcomes
from krins.runs.recorded_run import StreamPlayer, play_here, play_recorded
from krins.runs.records import Decided, Finished, Started
from krins.runs.result import RunResult
from krins.runs.session import Session, new_session, resumable, resumed_session
from krins.runs.spending import decision_at_worst, open_purse
from krins.runs.store import Store, default_home
from krins.runs.streams import Trajectory
from krins.runs.worker import LiveWorker
from krins.suite import RecordedEnvironment, Suite
from krins.suite_file import load_suite


def run(
    suite: Path | str,
    *,
    table: Path | None = None,
    seed: int | None = None,
    replications: int | None = None,
    home: Path | None = None,
    execution: Execution = Execution(),
) -> RunResult:
    """Run the suite in a file.

    Args:
        suite: path of the suite file.
        table: outcome table for a recorded suite, instead of the one that the suite names.
        seed, replications: instead of the suite's.
        home: where state lives, by default KRINS_HOME or .krins in the current folder.

    Raises:
        UserError: something in suite, table or tasks is wrong; nothing was begun.
        KrinsError: the world failed; the message says how to go on.
    """
    path = Path(suite)
    read = customise(load_suite(path), table, seed, replications)
    setting = prepare(read, execution.allow_unsafe)
    if isinstance(setting, LiveSetting):
        confirm(forecast_run(setting.plan, setting.inputs), setting.inputs, execution, setting.warnings)
    store = Store(home or default_home())
    run_id = store.create_run(read.name, time.time())
    started = _started(run_id, read, path, setting)
    with resumable(run_id, "run"), new_session(store, started) as session:
        return _carry_out(session, setting, execution)


def resume(run_id: str, *, home: Path | None = None, execution: Execution = Execution()) -> RunResult:
    """Go on with a run, or return the result of a finished one.

    Raises:
        RunError: there is no such run, it is being written, or its tasks have changed.
        KrinsError: as `run`.
    """
    store = Store(home or default_home())
    run_id = store.find(run_id)
    with resumable(run_id, "run"), resumed_session(store, run_id, "run") as session:
        if session.log.result is not None and _is_whole(session):
            return _finish(session, session.log.result)
        return _carry_out(session, _setting_again(session, execution), execution)


def customise(suite: Suite, table: Path | None, seed: int | None, replications: int | None) -> Suite:
    """The suite with what the command line says instead of the file."""
    given = {"seed": seed, "replications": replications}
    suite = suite.model_copy(update={key: value for key, value in given.items() if value is not None})
    if table is None:
        return suite
    if not isinstance(suite.environment, RecordedEnvironment):
        raise SuiteError("--table goes with a recorded suite, this one is live", "leave --table out")
    return suite.model_copy(update={"environment": suite.environment.model_copy(update={"table": table.absolute()})})


def _started(run_id: str, suite: Suite, path: Path, setting: RecordedSetting | LiveSetting) -> Started:
    started = Started(
        run_id=run_id,
        krins_version=__version__,
        started_at_seconds=time.time(),
        suite=suite,
        suite_text=path.read_text(encoding="utf-8"),
        suite_path=path.absolute(),
    )
    if isinstance(setting, LiveSetting):
        inputs = setting.inputs
        return started.model_copy(update={"tasks": inputs.tasks, "tasks_sha256": inputs.tasks_sha256})
    table = setting.table
    content = base64.b64encode(encode_outcomes(table, is_live=False)).decode()
    return started.model_copy(
        update={
            "table_sha256": table.sha256,
            "table_parquet": content,
            "imputation": table.imputation,
            "tasks": list(table.tasks) if suite.features else [],
        }
    )


def _setting_again(session: Session, execution: Execution) -> RecordedSetting | LiveSetting:
    started = session.log.started
    if isinstance(started.suite.environment, RecordedEnvironment):
        return recorded_setting(started.suite, recorded_table(session.log))
    setting = prepare(started.suite, execution.allow_unsafe)
    assert isinstance(setting, LiveSetting)
    if setting.inputs.tasks_sha256 != started.tasks_sha256:
        raise RunError(
            f"run {started.run_id}: the tasks in {started.suite.environment.tasks}, or their contexts, "
            "have changed since it was started",
            "put them back as they were, or start a new run",
        )
    return setting


def _carry_out(session: Session, setting: RecordedSetting | LiveSetting, execution: Execution) -> RunResult:
    began = time.monotonic()
    table, trajectories, billed_usd, n_lost, outcomes = (
        _play_live(session, setting, execution)
        if isinstance(setting, LiveSetting)
        else _play_recorded(session, setting, execution)
    )
    result = conclude(
        session.log,
        table,
        trajectories,
        time.monotonic() - began,
        billed_usd,
        session.log.n_unaccounted + n_lost,
        outcomes,
    )
    publish(session.store.folder(session.run_id), setting.plan, table, trajectories)
    session.write(Finished(result=result))
    return _finish(session, result)


def _is_whole(session: Session) -> bool:
    """Whether a finished run's decisions are there; those that damage took are made again, as they were."""
    files = session.store.folder(session.run_id) / "decisions.parquet"
    suite = session.log.started.suite
    n_streams = len(Plan(suite, n_tasks=1, n_arms=1).streams)
    return files.exists() or len(session.log.trajectories) == n_streams


def _finish(session: Session, result: RunResult) -> RunResult:
    """Put a finished run into the history; done again when a killed process may not have come so far."""
    folder = session.store.folder(session.run_id)
    if not (folder / "decisions.parquet").exists():
        republish(session.store, session.run_id)
    add_to_history(session.store, session.run_id)
    return result.model_copy(update={"folder": folder})


class _Played(NamedTuple):
    table: OutcomeTable
    trajectories: list[Trajectory]
    billed_usd: Decimal = Decimal(0)
    n_lost: int = 0
    """Attempts that died with their worker and were made again."""
    outcomes: Collection[Outcome] = ()


def _play_recorded(session: Session, setting: RecordedSetting, execution: Execution) -> _Played:
    players = partial(_players, workers=execution.workers, ray_address=execution.ray_address)
    trajectories = play_recorded(setting.player, session, players, execution.progress)
    return _Played(setting.table, trajectories)


def _players(
    player: StreamPlayer, streams: list[Stream], workers: int | None, ray_address: str | None
) -> Iterator[Trajectory]:
    if workers == 0:
        yield from play_here(player, streams)
    elif workers is None and ray_address is None:
        yield from play_where_it_pays(player, streams)
    else:
        n_workers = available_workers() if workers is None else workers
        with ray_session(ray_address, n_workers):
            yield from play_on_actors(player, streams, n_workers)


def _play_live(session: Session, setting: LiveSetting, execution: Execution) -> _Played:
    workers = execution.workers
    if workers is None:
        # An attempt takes about a second at best, so work is as many seconds as there are decisions.
        pays = execution.ray_address is not None or setting.plan.n_decisions > START_SECONDS
        workers = available_workers() if pays else 0
    cache_folder = session.store.cache if execution.use_cache else None
    with open_purse(session, setting.inputs, execution.budget_usd) as purse:
        if workers == 0:
            ledger = SharedLedger(purse.budget, purse.spent)
            return _run_to_end(_attempt_all(session, setting, ledger, cache_folder, None, execution.progress))
        with ray_session(execution.ray_address, workers):
            remote = ActorLedger(purse.budget, purse.spent)
            actors = LiveActors(setting.inputs, remote, cache_folder, workers)
            return _run_to_end(_attempt_all(session, setting, remote, cache_folder, actors, execution.progress))


def _run_to_end(work: Coroutine[Any, Any, _Played]) -> _Played:
    """`asyncio.run`, in a thread of its own where a loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _attempt_all(
    session: Session,
    setting: LiveSetting,
    ledger: Ledger,
    cache_folder: Path | None,
    actors: LiveActors | None,
    progress: Progress,
) -> _Played:
    inputs, suite = setting.inputs, session.log.started.suite
    worker = LiveWorker(inputs, ledger, cache_folder)
    try:
        await worker.check(suite.n_replications * suite.passes)
        if actors:
            await actors.check()
        source = OutcomeSource(
            actors or worker,
            GroupCommit(session.journal),
            session.log.before,
            inputs.environment.max_concurrency,
            progress,
            worker.can_go_on,
        )
        at_worst = partial(decision_at_worst, inputs, now_seconds=time.time())
        trajectories = await play_live(setting.plan, source, at_worst, progress)
    finally:
        await worker.close()
    session.write(*(Decided.of(trajectory) for trajectory in trajectories))
    table = live_table(session.log, source.observed.values())
    return _Played(table, trajectories, source.billed_usd, source.n_lost, source.observed.values())
