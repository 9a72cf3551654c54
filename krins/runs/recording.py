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
from krins.domain import Outcome
from krins.errors import Interrupted, KrinsError, RunError, SuiteError
from krins.pipeline.tasks import load_tasks
from krins.runs.live import GroupCommit, OutcomeSource
from krins.runs.progress import Progress
from krins.runs.publish import publish_recording
from krins.runs.records import Cell, Started
from krins.runs.session import Session, new_session, resumed_session
from krins.runs.store import Store
from krins.runs.worker import LiveWorker
from krins.suite import LiveEnvironment
from krins.suite_file import load_suite


class Recording(NamedTuple):
    """What came of a recording."""

    n_rows: int
    billed_usd: Decimal
    n_unaccounted: int
    """Attempts that were cut off and made again, so that they may have been paid for twice."""


def record_suite(
    suite: Path, output: Path, resume_id: str | None, home: Path, allow_unsafe: bool, progress: Progress
) -> Recording:
    """Record the live suite in a file as the outcome table `output`.

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
    worker = LiveWorker(environment, load_tasks(environment), allow_unsafe)
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
        tasks=list(worker.tasks),
        tasks_sha256=worker.tasks_sha256,
    )
    command = f"krins-eval record {suite} --output {output} --resume {run_id}"
    try:
        with resumed_session(store, run_id, "record") if resume_id else new_session(store, started) as session:
            _check_same(session.log.started, started)
            outcomes = asyncio.run(_record_all(session, worker, environment, progress))
            n_unaccounted = session.log.n_unaccounted
    except KeyboardInterrupt:
        raise Interrupted(f"recording {run_id} was interrupted; what it has is kept", command) from None
    except KrinsError as error:
        error.remedy = f"{error.remedy}\n  go on with: {command}".lstrip()
        raise
    n_rows = publish_recording(output.absolute(), worker.tasks, outcomes)
    billed_usd = sum((outcome.cost_usd or Decimal(0) for outcome in outcomes), Decimal(0))
    return Recording(n_rows, billed_usd, n_unaccounted)


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
    return environment.model_copy(update={"samples": 1, "max_concurrency": 1, "tasks": Path()})


async def _record_all(
    session: Session, worker: LiveWorker, environment: LiveEnvironment, progress: Progress
) -> list[Outcome]:
    cells = [
        Cell(task.task_id, arm.name, sample)
        for sample in range(environment.samples)
        for task in worker.tasks
        for arm in worker.arms
    ]
    known = session.log.outcomes.values()
    progress.begin("answers", len(cells))
    await worker.check()
    source = OutcomeSource(worker, GroupCommit(session.journal), known, environment.max_concurrency, progress)

    async def one(cell: Cell) -> Outcome:
        [outcome] = await source.outcomes([cell])
        progress.advance(1)
        return outcome

    try:
        return await asyncio.gather(*(one(cell) for cell in cells))
    finally:
        source.cancel()
        await worker.close()
