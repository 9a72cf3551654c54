"""A finished study in MLflow: a run of it with a child for each trial, and its winner as the registry's champion.

Invariants: everything follows from the study's journal, so that a server that is down loses nothing, and `krins-eval
tune --resume STUDY` does it later; what a registry took is not put there twice, and what it lost is put there again.
The winner that is registered is the one that was scored (`winner_files`). Left out: how MLflow is spoken to
(`krins.runs.tracking`).
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from krins.errors import RunError, TrackingFault, UserError
from krins.runs.tracking import URI_VARIABLE, on_server, resolve_uri, without_secret
from krins.runs.tracking.registry import DATA_TAG, STUDY_TAG, Registration, find_registered, register
from krins.runs.tracking.tracked_run import Entry, Point, TrackedRun
from krins.studies.study_journal import Ended, Published, Study, StudyStore, resumed_study
from krins.studies.tune_result import Trial, TuneResult, UnseenRow
from krins.studies.winner_files import kept_winner

PATIENCE_SECONDS = 600.0
"""A trial takes a server some seconds at worst, and a study has dozens of them."""


def publish_study(
    home: Path,
    study_id: str,
    tracking_uri: str | None = None,
    *,
    register_as: str | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Registration:
    """Log a finished study and register its winner, unless that was done there before and is there still.

    Args:
        register_as: name in the registry, instead of the one that the study was begun with.

    Raises:
        RunError: there is no such study, or it is not finished.
        StateError: the winner's files were lost, and cannot be had again.
        TrackingFault: the server is out of reach, too slow, or does not answer as MLflow does; nothing is lost.
    """
    store = StudyStore(home)
    with resumed_study(store, store.find(study_id)) as study:
        if study.ended is None:
            raise RunError(f"study {study.study_id} is not finished", store.command(study.study_id))
        try:
            name = register_as or study.begun.options.register_as or study.ended.result.suite
            return _publish(study, study.ended, _Place(resolve_uri(store, tracking_uri), name, patience_seconds))
        except TrackingFault as fault:
            command = store.command(study.study_id) + _given(tracking_uri, register_as)
            fault.remedy = f"nothing is lost: `{command}` logs and registers it when the server is well again"
            raise


class _Place(NamedTuple):
    """Where a study is to be registered."""

    uri: str
    name: str
    patience_seconds: float


def _given(tracking_uri: str | None, register_as: str | None) -> str:
    """What a command must say again; of an address no password."""
    options = {
        "--tracking-uri": None if tracking_uri == os.environ.get(URI_VARIABLE) else tracking_uri,
        "--register": register_as,
    }
    return "".join(f" {name} {shlex.quote(without_secret(value))}" for name, value in options.items() if value)


def _publish(study: Study, ended: Ended, place: _Place) -> Registration:
    key = without_secret(place.uri), place.name
    noted = [one.model_version for one in study.published if (one.tracking_uri, one.name) == key]
    if noted:
        find = partial(find_registered, name=place.name, version=noted[-1], study_id=study.study_id)
        found = on_server(study.store, place.uri, find, place.patience_seconds)
        if found is not None:
            return found
    work = partial(
        register,
        tracked=describe_study(study, ended.result),
        folder=kept_winner(study, ended),
        name=place.name,
        tags=_tags(ended.result),
    )
    done = on_server(study.store, place.uri, work, place.patience_seconds)
    study.write(Published(tracking_uri=key[0], name=place.name, model_version=done.version))
    return done


def check_model_name(name: str) -> str:
    """
    Raises:
        UserError: MLflow does not take the name.
    """
    if not name.strip() or set(name) & set("/:@\"'"):
        raise UserError(f"{name!r} cannot be the name of a registered model", "use letters, numbers, - and _")
    return name


def _tags(result: TuneResult) -> dict[str, str]:
    tags = {
        STUDY_TAG: result.study_id,
        DATA_TAG: result.data_sha256,
        "krins.suite_fingerprint": result.suite_fingerprint,
        "krins.seed": result.seed,
        "krins.version": result.krins_version,
        "krins.router": result.winner,
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def describe_study(study: Study, result: TuneResult) -> TrackedRun:
    """All that is to be logged of a study."""
    started, options = study.begun.what, study.begun.options
    params = {
        "suite": result.suite,
        "seed": result.seed,
        "replications": result.n_replications,
        "unseen_share": options.unseen_share,
        "n_points": options.n_points,
        "n_tuning_tasks": result.split.tuning.n_tasks,
        "n_unseen_tasks": result.split.unseen.n_tasks,
        "fingerprint": result.suite_fingerprint,
        "table_sha256": result.data_sha256,
        "krins_version": result.krins_version,
        "winner": result.winner,
    }
    return TrackedRun(
        experiment=f"krins/{result.suite}",
        run_id=result.study_id,
        notes="\n\n".join(["A tuning study.", *result.notes]),
        started_at_seconds=started.started_at_seconds,
        elapsed_seconds=0.0,
        parent=Entry(result.study_id, {name: str(value) for name, value in params.items()}, _points(result.unseen[0])),
        children=[_trial_entry(trial) for trial in result.trials],
        texts={"suite.yaml": started.suite_text, "result.json": result.model_dump_json(indent=2) + "\n"},
        figures=[],
        traces=[],
        n_traces_left_out=0,
    )


def _trial_entry(trial: Trial) -> Entry:
    params = {"router": trial.router, "policy": trial.policy, **trial.params, "is_suites": trial.is_suites}
    figures = trial.model_dump(include={"rung", "n_replications", "reward", "reward_error", "quality", "cost_usd"})
    points = [Point(f"tuning/{name}", float(value)) for name, value in figures.items() if value is not None]
    return Entry(trial.router, {name: str(value) for name, value in params.items()}, points)


def _points(row: UnseenRow) -> list[Point]:
    """The winner's figures on unseen tasks."""
    return [Point(f"unseen/{name}", value) for name, value in _numbers(row.model_dump()) if math.isfinite(value)]


def _numbers(content: dict[str, object]) -> Iterator[tuple[str, float]]:
    for name, value in content.items():
        if isinstance(value, dict) and name != "params":
            yield from ((f"{name}_{inner}", number) for inner, number in _numbers(value))
        elif isinstance(value, int | float):
            yield name, float(value)
