"""A finished study in MLflow: a run of it with a child for each trial, and its winner as the registry's champion.

Invariants: everything follows from the study's journal, so that a server that is down loses nothing, and `krins-eval
tune --resume STUDY` does it later; what a registry took is not put there twice. The winner that is registered has
learnt the tuning tasks one by one, and nothing else. Left out: how MLflow is spoken to (`krins.runs.tracking`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from krins.errors import RunError, TrackingFault, UserError
from krins.runs.store import published
from krins.runs.tracking import Server, on_server, resolve_uri, without_secret
from krins.runs.tracking.registry import DATA_TAG, STUDY_TAG, register
from krins.runs.tracking.tracked_run import Entry, Point, TrackedRun
from krins.studies.champion_file import Contents, write_files
from krins.studies.study_journal import Published, Study, StudyStore, resumed_study
from krins.studies.tune_result import Trial, TuneResult, UnseenRow
from krins.studies.tune_work import Work

PATIENCE_SECONDS = 600.0
"""A trial takes a server some seconds at worst, and a study has dozens of them."""


def publish_study(
    home: Path, study_id: str, tracking_uri: str | None = None, patience_seconds: float = PATIENCE_SECONDS
) -> Published:
    """Log a finished study and register its winner, unless that was done there before.

    Raises:
        RunError: there is no such study, or it is not finished.
        TrackingFault: the server is out of reach, too slow, or does not answer as MLflow does; nothing is lost.
    """
    store = StudyStore(home)
    with resumed_study(store, store.find(study_id)) as study:
        result = study.result
        if result is None:
            raise RunError(f"study {study.study_id} is not finished", f"krins-eval tune --resume {study.study_id}")
        uri = resolve_uri(store, tracking_uri)
        done = next((each for each in study.published if each.tracking_uri == without_secret(uri)), None)
        return done or _publish(study, result, uri, patience_seconds)


def _publish(study: Study, result: TuneResult, uri: str, patience_seconds: float) -> Published:
    name = study.begun.options.register_as or result.suite
    folder = write_champion(study, result)
    work = partial(_register, tracked=describe_study(study, result), folder=folder, name=name, tags=_tags(result))
    try:
        version = on_server(study.store, uri, work, patience_seconds)
    except TrackingFault as fault:
        fault.remedy = (
            f"nothing is lost: `krins-eval tune --resume {study.study_id}` logs and registers it when the server is "
            "well again"
        )
        raise
    done = Published(tracking_uri=without_secret(uri), name=name, model_version=version)
    study.write(done)
    return done


def _register(server: Server, *, tracked: TrackedRun, folder: Path, name: str, tags: dict[str, str]) -> str:
    return register(server, tracked, folder, name, tags)


def write_champion(study: Study, result: TuneResult) -> Path:
    """The winner's files in the study's folder; returns the folder that they are in."""
    begun = study.begun
    work = Work.of(begun.what.suite, begun.options, study.table())
    winner = next(each.router for each in work.candidates if each.router.label == result.winner)
    contents = Contents(
        router=work.bench.learnt_router(winner, work.last_phase),
        features=work.bench.features,
        reward=work.suite.reward,
        exploration_floor=work.suite.exploration_floor,
        evidence=result,
    )
    folder = study.folder / "champion"
    folder.mkdir(exist_ok=True)
    for file_name, text in write_files(contents).items():
        with published(folder / file_name) as draft:
            draft.write_text(text, encoding="utf-8")
    return folder


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
