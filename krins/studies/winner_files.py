"""The files of a study's winner, in its folder: written when the study ends, and checked whenever they are used.

Invariants: what is registered is the router that was scored, to the last bit: files that are missing or damaged are
made again only where that gives the same SHA-256, which another version of krins need not. Left out: what the files say
(`champion_file`), and where they go from here (`publish_study`).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from krins import __version__
from krins.errors import StateError
from krins.runs.store import published
from krins.studies.champion_file import CHAMPION_FILE, EVIDENCE_FILE, Contents, write_files
from krins.studies.study_journal import Ended, Study
from krins.studies.tune_result import TuneResult
from krins.studies.tune_work import Work


def keep_winner(study: Study, work: Work, result: TuneResult) -> dict[str, str]:
    """Write the winner's files; returns name to SHA-256.

    Raises:
        StateError: the winner's policy is of a kind that cannot be kept.
        StorageFault: they cannot be written.
    """
    return _write(study, _learnt(work, result))


def kept_winner(study: Study, ended: Ended) -> Path:
    """The folder with the winner's files.

    Raises:
        StateError: they are missing or damaged, and learning anew does not give the same ones.
    """
    folder = _folder(study)
    if _digests(folder) == ended.champion:
        return folder
    begun = study.begun
    lost = f"the winner's files of study {study.study_id} are missing or damaged"
    if begun.what.krins_version != __version__:
        raise StateError(
            f"{lost}, and what krins {__version__} learns anew may be another router than the one that was scored",
            f"register it by krins {begun.what.krins_version}, or tune anew",
        )
    texts = _learnt(Work.of(begun.what.suite, begun.options, study.table()), ended.result)
    if {name: _digest(text.encode()) for name, text in texts.items()} != ended.champion:
        raise StateError(f"{lost}, and learning anew gives another router than the one that was scored", "tune anew")
    _write(study, texts)
    return folder


def _learnt(work: Work, result: TuneResult) -> dict[str, str]:
    """File name to text."""
    winner = work.candidates[result.winner_candidate].router
    contents = Contents(
        router=work.bench.learnt_router(winner, work.last_phase),
        features=work.bench.features,
        reward=work.suite.reward,
        exploration_floor=work.suite.exploration_floor,
        evidence=result,
    )
    return write_files(contents)


def _write(study: Study, texts: dict[str, str]) -> dict[str, str]:
    folder = _folder(study)
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        with published(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
    return {name: _digest(text.encode()) for name, text in texts.items()}


def _folder(study: Study) -> Path:
    return study.folder / "champion"


def _digests(folder: Path) -> dict[str, str]:
    """Of those that are there."""
    found = {}
    for name in (CHAMPION_FILE, EVIDENCE_FILE):
        with suppress(OSError):
            found[name] = _digest((folder / name).read_bytes())
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
