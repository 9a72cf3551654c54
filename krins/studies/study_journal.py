"""The journal of a tuning study, HOME/studies/STUDY_ID/journal.jsonl: what was begun, and each result as it came.

A study is one `Begun`; a `Tried` for each candidate and rung; a `Scored` for each router on the unseen tasks; an
`Ended`; and a `Published` for each registry that took the winner. Invariants: with the journal alone a study goes on,
for it holds the outcomes as well; what it holds is not done again. Left out: checksums and durability
(`krins.runs.journal`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from krins.environments.table import OutcomeTable
from krins.errors import RunError, StorageFault
from krins.runs.journal import Damage, JournalWriter, read_journal
from krins.runs.outcome import recorded_table
from krins.runs.records import Started
from krins.runs.session import RunLog
from krins.runs.store import Store, default_home
from krins.studies.halving import Found
from krins.studies.trials import Score
from krins.studies.tune_result import TuneResult


class StudyStore(Store):
    """HOME/studies, with one folder a study."""

    noun = "study"
    listed = "studies are the folders in `studies` there"

    @property
    def runs(self) -> Path:
        return self.home / "studies"

    def find(self, name: str) -> str:
        """As `Store.find`; a study that was broken off before its first record is not the latest."""
        begun = [study_id for study_id in self.run_ids() if _has_begun(self.journal(study_id))]
        return super().find(begun[-1] if name == "latest" and begun else name)

    def command(self, study_id: str) -> str:
        """What goes on with a study of this home."""
        home = "" if self.home == default_home() else f" --home {shlex.quote(str(self.home))}"
        return f"krins-eval tune --resume {study_id}{home}"


def _has_begun(journal: Path) -> bool:
    with journal.open("rb") as file:
        return file.readline().endswith(b"\n")


class TuneOptions(BaseModel):
    """What the command line says of a study."""

    model_config = ConfigDict(frozen=True)
    unseen_share: float = 0.5
    """Of the tasks; kept for the report."""
    n_points: int = 8
    """Of each policy's space."""
    register_as: str | None = None
    """Name of the registered model; None: the suite's."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Begun(_Record):
    kind: Literal["begun"] = "begun"
    version: Literal[2] = 2
    what: Started
    """Suite, table and tasks, as a run keeps them; its id is the study's."""
    options: TuneOptions


class Tried(_Record):
    kind: Literal["tried"] = "tried"
    candidate: int
    rung: int
    found: Found


class Scored(_Record):
    """On the unseen tasks, in their order in the table."""

    kind: Literal["scored"] = "scored"
    router: str
    """Its identity: all but its name (`search_space.identity`)."""
    quality: list[float]
    cost_usd: list[float] | None
    reward: list[float]
    rewards: list[float]

    @classmethod
    def of(cls, router: str, score: Score) -> Scored:
        cost = None if np.isnan(score.cost_usd).any() else score.cost_usd.tolist()
        return cls(
            router=router,
            quality=score.quality.tolist(),
            cost_usd=cost,
            reward=score.reward.tolist(),
            rewards=score.rewards.tolist(),
        )

    def score(self) -> Score:
        cost = np.full(len(self.quality), np.nan) if self.cost_usd is None else np.array(self.cost_usd)
        return Score(np.array(self.quality), cost, np.array(self.reward), np.array(self.rewards))


class Ended(_Record):
    kind: Literal["ended"] = "ended"
    result: TuneResult
    champion: dict[str, str]
    """The winner's files beside the journal: name to SHA-256."""


class Published(_Record):
    kind: Literal["published"] = "published"
    tracking_uri: str
    """Without a password."""
    name: str
    model_version: str


Record = Begun | Tried | Scored | Ended | Published
_ADAPTER: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


@dataclass(frozen=True)
class Study:
    """A study held for writing, and what its journal held when it was opened."""

    store: StudyStore
    begun: Begun
    journal: JournalWriter
    tried: dict[tuple[int, int], Found] = field(default_factory=dict)
    """By candidate and rung."""
    scored: dict[str, Score] = field(default_factory=dict)
    ended: Ended | None = None
    damage: list[Damage] = field(default_factory=list)
    """Lines that could not be trusted; what they held is done again."""
    published: list[Published] = field(default_factory=list)

    @property
    def study_id(self) -> str:
        return self.begun.what.run_id

    @property
    def folder(self) -> Path:
        return self.store.folder(self.study_id)

    @property
    def journal_path(self) -> Path:
        return self.store.journal(self.study_id)

    def table(self) -> OutcomeTable:
        return recorded_table(RunLog(self.begun.what))

    def write(self, record: Record) -> None:
        """Make a record durable."""
        self.journal.append(record.model_dump(mode="json"))
        self.journal.commit()


@contextmanager
def new_study(store: StudyStore, begun: Begun) -> Iterator[Study]:
    """Begin the journal of a study whose folder has been made."""
    study_id = begun.what.run_id
    with store.lock(study_id), JournalWriter(store.journal(study_id)) as journal:
        study = Study(store, begun, journal)
        try:
            study.write(begun)
        except StorageFault as failure:
            failure.remedy = "free some disk space or choose another folder with --home, then begin again"
            raise
        yield study


@contextmanager
def resumed_study(store: StudyStore, study_id: str) -> Iterator[Study]:
    """Go on with a study.

    Raises:
        RunError: another process is writing it, or a newer krins wrote it.
        StorageFault: its journal cannot be read, or its beginning is damaged.
    """
    with store.lock(study_id):
        path = store.journal(study_id)
        content = read_journal(path)
        records = _parse(content.records, path)
        begun = next((record for record in records if isinstance(record, Begun)), None)
        if begun is None:
            raise StorageFault(f"{path}: the record that says what was begun is missing or damaged", "tune anew")
        with JournalWriter(path) as journal:
            yield Study(
                store,
                begun,
                journal,
                tried={(r.candidate, r.rung): r.found for r in records if isinstance(r, Tried)},
                scored={r.router: r.score() for r in records if isinstance(r, Scored)},
                ended=next((r for r in reversed(records) if isinstance(r, Ended)), None),
                damage=content.damage,
                published=[r for r in records if isinstance(r, Published)],
            )


def _parse(records: Iterable[dict[str, Any]], path: Path) -> list[Record]:
    try:
        return [_ADAPTER.validate_python(record) for record in records]
    except ValidationError as failure:
        first = failure.errors(include_url=False)[0]
        raise RunError(
            f"{path}: a record is none of a tuning study of this krins: {first['msg']}",
            "go on with this study by the version of krins, and the command, that began it",
        ) from failure
