"""Record a live environment: every model's answers to every task, several times over, as an outcome table.

Invariants: each answer is journalled before it counts, so an interrupted recording goes on where it stopped and pays
for nothing twice but what was in flight. Left out: routers; a recording decides nothing.
"""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from krins import __version__
from krins.errors import BudgetExhausted, Interrupted, KrinsError, RunError, SuiteError
from krins.models.waiting_ledger import SharedLedger
from krins.runs.environments import live_inputs
from krins.runs.execution import Execution
from krins.runs.live import GroupCommit, OutcomeSource
from krins.runs.preflight import confirm, forecast_recording
from krins.runs.publish import publish_recording
from krins.runs.records import Cell, Started
from krins.runs.session import Session, new_session, resumed_session
from krins.runs.spending import Purse, open_purse
from krins.runs.store import Store
from krins.runs.worker import LiveInputs, LiveWorker
from krins.suite import Budget, LiveEnvironment
from krins.suite_file import load_suite


class Recording(NamedTuple):
    """What came of a recording."""

    n_rows: int
    billed_usd: Decimal
    n_unaccounted: int
    """Attempts that were cut off and made again, so that they may have been paid for twice."""


def record_suite(
    suite: Path, output: Path, resume_id: str | None = None, *, home: Path, execution: Execution = Execution()
) -> Recording:
    """Record the live suite in a file as the outcome table `output`; always in this process.

    Raises:
        SuiteError: the suite is not live. RunError: what is to be resumed is another recording.
        KrinsError: the world failed; outcomes so far are in the journal and the message says how to go on.
    """
    if output.suffix != ".parquet":
        raise SuiteError(f"{output}: a recording is written as Parquet", "give a path that ends in .parquet")
    read = load_suite(suite)
    environment = read.environment
    if not isinstance(environment, LiveEnvironment):
        raise SuiteError(f"{suite}: only a live suite can be recorded", "give `environment` the kind live")
    inputs, warnings = live_inputs(environment, execution.allow_unsafe)
    confirm(forecast_recording(inputs), inputs, execution, warnings)
    store = Store(home)
    run_id = store.find(resume_id) if resume_id else store.create_run(f"{read.name}-recording", time.time())
    started = Started(
        purpose="record",
        run_id=run_id,
        krins_version=__version__,
        started_at_seconds=time.time(),
        suite=read,
        suite_text=suite.read_text(encoding="utf-8"),
        suite_path=suite.absolute(),
        tasks=inputs.tasks,
        tasks_sha256=inputs.tasks_sha256,
    )
    command = f"krins-eval record {suite} --output {output} --resume {run_id}"
    try:
        with resumed_session(store, run_id, "record") if resume_id else new_session(store, started) as session:
            _check_same(session.log.started, started)
            with open_purse(session, inputs, execution.budget_usd) as purse:
                source = asyncio.run(_record_all(session, inputs, execution, purse))
            n_unaccounted = session.log.n_unaccounted
    except KeyboardInterrupt:
        raise Interrupted(f"recording {run_id} was interrupted; what it has is kept", command) from None
    except KrinsError as error:
        error.remedy = f"{error.remedy}\n  go on with: {command}".lstrip()
        raise
    n_rows = publish_recording(output.absolute(), inputs.tasks, source.observed.values())
    return Recording(n_rows, source.billed_usd, n_unaccounted)


def _check_same(before: Started, now: Started) -> None:
    if (_asked(before), before.tasks_sha256) != (_asked(now), now.tasks_sha256):
        raise RunError(
            f"recording {before.run_id} was started with other models or tasks than the suite has now",
            "put the suite and its tasks back as they were, or record anew",
        )


def _asked(started: Started) -> LiveEnvironment:
    """What decides the answers; more samples can be added to a recording, at another pace."""
    environment = started.suite.environment
    assert isinstance(environment, LiveEnvironment)
    return environment.model_copy(
        update={"samples": 1, "max_concurrency": 1, "tasks": Path(), "budget": Budget(), "cache": False}
    )


async def _record_all(session: Session, inputs: LiveInputs, execution: Execution, purse: Purse) -> OutcomeSource:
    environment, progress = inputs.environment, execution.progress
    cells = [
        Cell(task.task_id, arm.name, sample)
        for sample in range(environment.samples)
        for task in inputs.tasks
        for arm in inputs.arms
    ]
    progress.begin("answers", len(cells))
    cache_folder = session.store.cache if execution.use_cache else None
    worker = LiveWorker(inputs, SharedLedger(purse.budget, purse.spent), cache_folder)
    source = OutcomeSource(
        worker,
        GroupCommit(session.journal),
        session.log.before,
        environment.max_concurrency,
        progress,
        worker.can_go_on,
    )

    async def one(cell: Cell) -> None:
        await source.outcomes([cell])
        progress.advance(1)

    try:
        await worker.check(environment.samples)
        await asyncio.gather(*(one(cell) for cell in cells))
    except BudgetExhausted:
        await source.drain()
        raise
    finally:
        source.cancel()
        await worker.close()
    return source
