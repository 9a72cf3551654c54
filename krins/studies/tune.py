"""Tune: find a suite's best router and hyper-parameters on some of its tasks, and report on the others.

The tasks are split by what knows of each other (`splits`); candidates (`search_space`) compete on the tuning tasks by
successive halving (`halving`), each learning on all folds of them but one and being scored on that one, so that
memorising repositories does not pay; the objective is the suite's mean reward. The winner, the best of each policy and
the suite's own routers then meet the unseen tasks with what they learnt on the tuning tasks, and go on learning.

Invariants: nothing is reported on a task that was chosen on, or on one tied to it (`Split.check`); a study follows from
suite, seed and table, and one that was killed at any moment ends with the same result (`--resume`), by the version of
krins that began it. When it ends, the winner's files are written (`winner_files`). A study runs in one process. Left
out: keeping the winner in a registry (`publish_study`), and live suites, whose every trial would be paid for: record
first.
"""

from __future__ import annotations

import base64
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from krins import __version__
from krins.environments.table import OutcomeTable
from krins.errors import Interrupted, KrinsError, RunError, SuiteError, UserError
from krins.router_specs import Router
from krins.runs.baselines import is_complete
from krins.runs.environments import recorded_setting
from krins.runs.progress import SILENT, Progress
from krins.runs.publish import encode_outcomes
from krins.runs.records import Started
from krins.runs.run import customise
from krins.runs.store import default_home
from krins.studies.halving import Found, halve, n_trials
from krins.studies.search_space import Candidate, identity
from krins.studies.study_journal import (
    Begun,
    Ended,
    Scored,
    Study,
    StudyStore,
    Tried,
    TuneOptions,
    new_study,
    resumed_study,
)
from krins.studies.trials import Score
from krins.studies.tune_result import TuneResult
from krins.studies.tune_work import Work
from krins.studies.tuned import conclude, reported
from krins.studies.winner_files import keep_winner
from krins.suite import RecordedEnvironment
from krins.suite_file import load_suite

_DEFAULTS = TuneOptions()


def tune(
    suite: Path | str,
    *,
    table: Path | None = None,
    seed: int | None = None,
    replications: int | None = None,
    options: TuneOptions = _DEFAULTS,
    home: Path | None = None,
    progress: Progress = SILENT,
) -> TuneResult:
    """Tune the suite in a file.

    Args:
        table, seed, replications: instead of the suite's.
        home: where state lives, by default KRINS_HOME or .krins in the current folder.

    Raises:
        UserError: something in suite or table is wrong, or its tasks cannot be split; nothing was begun.
        KrinsError: the world failed; the message says how to go on.
    """
    path = Path(suite)
    read = customise(load_suite(path), table, seed, replications)
    if not isinstance(read.environment, RecordedEnvironment):
        raise SuiteError(
            f"{path}: a live suite is not tuned: every trial would be paid for",
            "record it first: krins-eval record SUITE --output TABLE, then tune a recorded suite on that table",
        )
    work = Work.read(read, options, read.environment)
    outcomes = work.table
    recorded_setting(read, outcomes)  # says what is wrong with the suite's own routers
    _refuse_gaps(outcomes)
    store = StudyStore(home or default_home())
    study_id = store.create_run(read.name, time.time())
    what = Started(
        run_id=study_id,
        krins_version=__version__,
        started_at_seconds=time.time(),
        suite=read,
        suite_text=path.read_text(encoding="utf-8"),
        suite_path=path.absolute(),
        table_sha256=outcomes.sha256,
        table_parquet=base64.b64encode(encode_outcomes(outcomes, is_live=False)).decode(),
        imputation=outcomes.imputation,
        tasks=list(outcomes.tasks),
    )
    with new_study(store, Begun(what=what, options=options)) as study, _resumable(study):
        return _carry_out(study, replace(work, table=study.table()), progress)


def resume_tuning(study_id: str, *, home: Path | None = None, progress: Progress = SILENT) -> TuneResult:
    """Go on with a study, or return the result of a finished one.

    Raises:
        RunError: there is no such study, it is being written, or another version of krins began it and did not end it.
        KrinsError: as `tune`.
    """
    store = StudyStore(home or default_home())
    with resumed_study(store, store.find(study_id)) as study:
        for damage in study.damage:
            progress.say(f"line {damage.line} of {study.journal_path} was left out: {damage.reason}")
        if study.ended is not None:
            return study.ended.result
        _refuse_other_version(study)
        with _resumable(study):
            begun = study.begun
            return _carry_out(study, Work.of(begun.what.suite, begun.options, study.table()), progress)


def _refuse_other_version(study: Study) -> None:
    """Half a study by one version and half by another would be of neither."""
    what = study.begun.what
    if what.krins_version != __version__:
        raise RunError(
            f"study {study.study_id} was begun by krins {what.krins_version} and is not ended; this is {__version__}",
            f"go on by krins {what.krins_version}, or tune anew: "
            f"krins-eval tune {shlex.quote(str(what.suite_path or 'SUITE'))}",
        )


def _refuse_gaps(table: OutcomeTable) -> None:
    if not is_complete(table):
        raise UserError(
            "not every model was tried on every task, so that candidates cannot be compared",
            "say in the suite what that counts as: `missing: drop_task` or `missing: fail`",
        )


@contextmanager
def _resumable(study: Study) -> Iterator[None]:
    """Say with every error how to go on."""
    study_id, command = study.study_id, study.store.command(study.study_id)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"study {study_id} was interrupted; what it found is kept", command) from None
    except KrinsError as error:
        if not isinstance(error, RunError):
            error.remedy = f"{error.remedy}\n  go on with: {command}".lstrip()
        raise


def _carry_out(study: Study, work: Work, progress: Progress) -> TuneResult:
    result = _Tuning(study, work, progress).result()
    study.write(Ended(result=result, champion=keep_winner(study, work, result)))
    return result


class _Tuning:
    """One study on its way, each step of which is journalled before it counts."""

    def __init__(self, study: Study, work: Work, progress: Progress) -> None:
        self._study, self._work, self._progress = study, work, progress

    def result(self) -> TuneResult:
        work, started = self._work, self._study.begun.what
        self._progress.begin("trials", n_trials(work.candidates, work.n_chunks))
        standings = halve(work.candidates, work.n_chunks, self._attempt)
        self._progress.begin("routers on unseen tasks", len(reported(standings, work.suite)))
        return conclude(started, work, standings, self._score)

    def _attempt(self, candidate: Candidate, rung: int, chunks: range) -> Found:
        known = self._study.tried.get((candidate.number, rung))
        if known is None:
            known = self._work.attempt(candidate.router, chunks)
            self._study.write(Tried(candidate=candidate.number, rung=rung, found=known))
        self._progress.advance(1)
        return known

    def _score(self, router: Router) -> Score:
        known = self._study.scored.get(identity(router))
        if known is None:
            work = self._work
            known = work.bench.score(router, work.last_phase, range(work.n_chunks))
            self._study.write(Scored.of(identity(router), known))
        self._progress.advance(1)
        return known
