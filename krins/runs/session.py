"""One run's journal, opened for writing: a new run, or one to go on with.

Invariants: what a resumed run does is what its journal says was started, down to the suite; what the journal holds is
not done again. Left out: doing anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from krins.domain import Outcome
from krins.errors import Interrupted, KrinsError, RunError, StorageFault
from krins.runs.journal import Damage, JournalWriter, read_journal
from krins.runs.live import Before, cell_of
from krins.runs.plan import Stream
from krins.runs.records import (
    COMMANDS,
    NOUNS,
    Cell,
    Decided,
    Dispatched,
    Finished,
    Observed,
    Purpose,
    Record,
    Started,
    parse_records,
)
from krins.runs.result import RunResult
from krins.runs.store import Store
from krins.runs.streams import Trajectory


@dataclass(frozen=True)
class RunLog:
    """What a journal tells about a run."""

    started: Started
    outcomes: dict[Cell, Outcome] = field(default_factory=dict)
    trajectories: dict[Stream, Trajectory] = field(default_factory=dict)
    unaccounted: Counter[Cell] = field(default_factory=Counter)
    """Attempts that were dispatched and have no outcome: made again, but perhaps paid for the first time too."""
    observed: list[Outcome] = field(default_factory=list)
    """Every outcome that was journalled, those among them that a later one of the same cell replaced: all were paid."""
    result: RunResult | None = None
    damage: list[Damage] = field(default_factory=list)

    @property
    def before(self) -> Before:
        return Before(self.observed, self.unaccounted, self.started.started_at_seconds)

    @property
    def n_unaccounted(self) -> int:
        return self.unaccounted.total()


def read_run(store: Store, run_id: str) -> RunLog:
    """Read a run's journal.

    Raises:
        RunError: it was written by a newer krins.
        StorageFault: it cannot be read, or its beginning is damaged.
    """
    path = store.journal(run_id)
    content = read_journal(path)
    records = parse_records(content.records, str(path))
    started = next((record for record in records if isinstance(record, Started)), None)
    if started is None:
        raise StorageFault(f"{path}: the record that says what was started is missing or damaged", "start the run anew")
    observed = [record.outcome for record in records if isinstance(record, Observed)]
    outcomes = {cell_of(outcome): outcome for outcome in observed}
    n_dispatched = Counter(cell for record in records if isinstance(record, Dispatched) for cell in record.cells)
    n_observed = Counter(map(cell_of, observed))
    return RunLog(
        started=started,
        outcomes=outcomes,
        trajectories={r.stream: r.trajectory() for r in records if isinstance(r, Decided)},
        unaccounted=n_dispatched - n_observed,
        observed=observed,
        result=next((record.result for record in records if isinstance(record, Finished)), None),
        damage=content.damage,
    )


@dataclass(frozen=True)
class Session:
    """A run held for writing."""

    store: Store
    log: RunLog
    journal: JournalWriter

    @property
    def run_id(self) -> str:
        return self.log.started.run_id

    def write(self, *records: Record) -> None:
        """Make records durable."""
        for record in records:
            self.journal.append(record.model_dump(mode="json"))
        self.journal.commit()


@contextmanager
def new_session(store: Store, started: Started) -> Iterator[Session]:
    """Begin the journal of a run whose folder has been made."""
    with store.lock(started.run_id), JournalWriter(store.journal(started.run_id)) as journal:
        session = Session(store, RunLog(started), journal)
        session.write(started)
        yield session


@contextmanager
def resumed_session(store: Store, run_id: str, purpose: Purpose) -> Iterator[Session]:
    """Go on with a run, a recording or a race.

    Raises:
        RunError: it is not of that purpose, another process is writing it, or its journal cannot be gone on with.
    """
    with store.lock(run_id):
        log = read_run(store, run_id)
        if log.started.purpose != purpose:
            found = log.started.purpose
            raise RunError(
                f"{run_id} is a {NOUNS[found]}", f"go on with it by: krins-eval {COMMANDS[found]} --resume {run_id}"
            )
        with JournalWriter(store.journal(run_id)) as journal:
            yield Session(store, log, journal)


@contextmanager
def resumable(run_id: str, purpose: Literal["run", "race"]) -> Iterator[None]:
    """Say with every error how to go on."""
    command = f"krins-eval {COMMANDS[purpose]} --resume {run_id}"
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"{NOUNS[purpose]} {run_id} was interrupted; what it found is kept", command) from None
    except KrinsError as error:
        if not isinstance(error, RunError):
            error.remedy = f"{error.remedy}\n  go on with: {command}".lstrip()
        raise


def finished_result(store: Store, run_id: str) -> RunResult:
    """The result of a finished run, from its journal.

    Raises:
        RunError: the run is not finished.
    """
    log = read_run(store, run_id)
    purpose, result = log.started.purpose, log.result
    if purpose != "run":
        raise RunError(f"{run_id} is a {NOUNS[purpose]}", f"krins-eval {COMMANDS[purpose]} --resume {run_id}")
    if result is None:
        raise RunError(f"run {run_id} is not finished", f"krins-eval run --resume {run_id}")
    damage = [f"journal line {damage.line} is damaged: {damage.reason}" for damage in log.damage]
    notes = [*result.notes, *(note for note in damage if note not in result.notes)]
    return result.model_copy(update={"folder": store.folder(run_id), "notes": notes})
