"""Race live models: the answers that the race wants are asked for, and no others.

Invariants: a race is a journalled run; killed at any moment it goes on where it stopped, and pays for nothing twice but
what was in flight; one that is over is told again without a call. An attempt that finds no room in a budget stops the
race. One that had no answer, through no fault of its model, counts as a failure, which the verdict says; it is tried
again when the race is gone on with. Left out: what is wanted (`krins.studies.racer`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from krins import __version__
from krins.domain import FailureKind, Outcome
from krins.environments.table import UNANSWERED
from krins.errors import BudgetExhausted, RunError, SuiteError
from krins.models.waiting_ledger import SharedLedger
from krins.routing.reward import reward_values
from krins.runs.environments import live_inputs
from krins.runs.execution import Execution
from krins.runs.live import GroupCommit, OutcomeSource
from krins.runs.preflight import confirm, forecast_recording
from krins.runs.records import Cell, Started
from krins.runs.session import Session, new_session, resumable, resumed_session
from krins.runs.spending import Purse, open_purse
from krins.runs.store import Store
from krins.runs.worker import LiveInputs, LiveWorker
from krins.studies.race import race_result, scale_of, start, units
from krins.studies.race_result import RaceOptions, RaceResult
from krins.studies.racer import Question
from krins.suite import LiveEnvironment, Suite


def race_live(path: Path, suite: Suite, options: RaceOptions, home: Path, execution: Execution) -> RaceResult:
    """Race the models of a live suite, which was read from `path`; always in this process.

    Raises:
        UserError: something in the suite is wrong; nothing was begun.
        KrinsError: the world failed; answers so far are kept, and the message says how to go on.
    """
    assert isinstance(suite.environment, LiveEnvironment)
    inputs, warnings = live_inputs(suite.environment, execution.allow_unsafe)
    start(suite, options, len(inputs.tasks), [arm.name for arm in inputs.arms])
    confirm(forecast_recording(inputs), inputs, execution, warnings)
    store = Store(home)
    started = Started(
        purpose="race",
        run_id=store.create_run(f"{suite.name}-race", time.time()),
        krins_version=__version__,
        started_at_seconds=time.time(),
        suite=suite,
        suite_text=path.read_text(encoding="utf-8"),
        suite_path=path.absolute(),
        tasks=inputs.tasks,
        tasks_sha256=inputs.tasks_sha256,
        options=options.model_dump(),
    )
    with resumable(started.run_id, "race"), new_session(store, started) as session:
        return _carry_out(session, inputs, execution)


def resume_race(run_id: str, home: Path, execution: Execution) -> RaceResult:
    """Go on with a race; it is what it was, whatever its suite says by now.

    Raises:
        RunError: there is no such race, it is being written, or its tasks have changed. KrinsError: as above.
    """
    store = Store(home)
    run_id = store.find(run_id)
    with resumable(run_id, "race"), resumed_session(store, run_id, "race") as session:
        started = session.log.started
        assert isinstance(started.suite.environment, LiveEnvironment)
        inputs, _ = live_inputs(started.suite.environment, execution.allow_unsafe)
        if inputs.tasks_sha256 != started.tasks_sha256:
            raise RunError(
                f"race {run_id}: its tasks have changed since it was started",
                "put them back as they were, or start a new race",
            )
        return _carry_out(session, inputs, execution)


def _carry_out(session: Session, inputs: LiveInputs, execution: Execution) -> RaceResult:
    race = _LiveRace(session, inputs)
    with open_purse(session, inputs, execution.budget_usd) as purse:
        asyncio.run(race.run(purse, execution))
    return race.result()


class _LiveRace:
    """A race and the answers that it has had."""

    def __init__(self, session: Session, inputs: LiveInputs) -> None:
        self._session, self._inputs, self._suite = session, inputs, session.log.started.suite
        self._options = RaceOptions.model_validate(session.log.started.options)
        self._tasks, self._samples = units(self._suite.seed, len(inputs.tasks), inputs.environment.samples)
        self._names = [arm.name for arm in inputs.arms]
        self._racer = start(self._suite, self._options, len(self._tasks), self._names)
        self._scale = scale_of(self._suite, self._options.objective)
        self._costs = np.full((len(self._tasks), len(self._names)), np.nan)
        self._n_unanswered = 0

    async def run(self, purse: Purse, execution: Execution) -> None:
        """Ask until it is settled."""
        session, environment, progress = self._session, self._inputs.environment, execution.progress
        progress.begin("answers of the full grid", self._costs.size)
        cache_folder = session.store.cache if execution.use_cache else None
        worker = LiveWorker(self._inputs, SharedLedger(purse.budget, purse.spent), cache_folder)
        commit, concurrency = GroupCommit(session.journal), environment.max_concurrency
        source = OutcomeSource(worker, commit, session.log.before, concurrency, progress, worker.can_go_on)
        is_checked = False

        async def one(cell: Cell) -> Outcome:
            (outcome,) = await source.outcomes([cell])
            progress.advance(1)
            return outcome

        try:
            while questions := self._racer.next_round():
                cells = [self._cell(question) for question in questions]
                if not is_checked and not source.observed.keys() >= set(cells):
                    await worker.check(environment.samples)
                    is_checked = True
                self._tell(questions, await asyncio.gather(*(one(cell) for cell in cells)))
        except BudgetExhausted:
            await source.drain()
            raise
        finally:
            source.cancel()
            await worker.close()

    def result(self) -> RaceResult:
        # What nobody asked has no cost yet; of what was asked, all are to be known.
        asked = np.arange(len(self._costs))[:, None] < self._racer.n_asked
        costs = None if np.isnan(self._costs[asked]).any() else self._costs
        found = race_result(
            self._suite, self._options, self._racer, self._names, costs, [], run_id=self._session.run_id
        )
        return found.model_copy(update={"n_unanswered": self._n_unanswered})

    def _cell(self, question: Question) -> Cell:
        task = self._inputs.tasks[self._tasks[question.unit]]
        return Cell(task.task_id, self._names[question.arm], int(self._samples[question.unit]))

    def _tell(self, questions: Sequence[Question], outcomes: Sequence[Outcome]) -> None:
        for question, outcome in zip(questions, outcomes, strict=True):
            if outcome.failure is not None and outcome.failure.kind is FailureKind.BUDGET:
                raise BudgetExhausted(
                    f"the budget has no room for an answer of {outcome.arm}: {outcome.failure.message}",
                    "give the race more with --budget-usd when going on with it",
                )
            self._costs[question] = np.nan if outcome.cost_usd is None else float(outcome.cost_usd)
            self._n_unanswered += outcome.failure is not None and outcome.failure.kind in UNANSWERED
        costs = np.array([self._costs[question] for question in questions])
        quality = np.array([outcome.quality for outcome in outcomes])
        latency = np.full(len(quality), np.nan)  # live suites do not charge for it
        is_quality = self._options.objective == "quality"
        values = quality if is_quality else reward_values(self._suite.reward, quality, costs, latency)
        if np.isnan(values).any():
            raise SuiteError(
                "the reward charges for cost, and what some answers cost is not known",
                "state the prices of all models in the suite, or race --by quality",
            )
        self._racer.tell(questions, self._scale.of(values).tolist(), np.nan_to_num(costs).tolist())
