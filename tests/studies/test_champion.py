"""The registry, with a real MLflow database: what is registered comes back to the last bit, or not at all."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import krins
from krins.domain import Task
from krins.errors import RegistryError, RunError, StateError, TrackingFault, UserError
from krins.routing.features import FeatureSpec
from krins.routing.linear import LinUCB
from krins.routing.router import Router
from krins.runs.tracking import without_secret
from krins.runs.tracking.registry import parse_model_uri
from krins.studies.champion_file import CHAMPION_FILE, EVIDENCE_FILE, Contents, read_files, write_files
from krins.studies.publish_study import check_model_name, publish_study
from krins.studies.study_journal import StudyStore, TuneOptions, resumed_study
from krins.studies.tune import tune
from krins.studies.tune_result import TuneResult
from krins.studies.tune_work import Work
from krins.studies.winner_files import kept_winner
from krins.suite import Reward
from tests.studies.tuning import write_tunable

NAME = "coder"


class Registry(NamedTuple):
    home: Path
    first: TuneResult
    second: TuneResult


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Two studies that were registered one after the other, under one name."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("suite")
    features = {"fields": ["category"], "length": True}
    suite = write_tunable(folder, mixed=True, features=features, routers=["thompson"])
    studies = []
    for seed in (1, 2):
        found = tune(suite, seed=seed, options=TuneOptions(n_points=1, register_as=NAME), home=home)
        assert found.winner_params["policy"] in {"linucb", "lints"}
        done = publish_study(home, found.study_id)
        assert (done.name, done.version) == (NAME, str(seed))
        studies.append(found)
    return Registry(home, *studies)


def tasks(n: int) -> list[Task]:
    return [Task(str(i), "x" * (i + 1), ["fix", "test", "else"][i % 3]) for i in range(n)]


def decisions(router: Router, rows: list[Any], n: int = 100) -> list[tuple[str, float | None]]:
    """The next so many, with rewards on the way."""
    found = []
    for step in range(n):
        row = rows[step] if router.n_features is not None else None
        decision = router.decide(row)
        router.learn(decision.arm, float(step % 3 == 0), probability=decision.probability, features=row)
        found.append((decision.arm, decision.probability))
    return found


def test_the_very_router_comes_back(registry: Registry) -> None:
    store = StudyStore(registry.home)
    with resumed_study(store, registry.second.study_id) as study:
        work = Work.of(study.begun.what.suite, study.begun.options, study.table())
    winner = work.candidates[registry.second.winner_candidate].router
    registered = work.bench.learnt_router(winner, work.last_phase)
    champion = krins.load_router(f"models:/{NAME}@champion", home=registry.home)
    assert work.bench.features is not None
    rows = [work.bench.features.transform([task])[0] for task in tasks(100)]
    assert decisions(champion.router, rows) == decisions(registered, rows)
    assert champion.evidence == registry.second
    assert champion.version == "2"


def test_a_former_champion_keeps_its_version(registry: Registry) -> None:
    first = krins.load_router(f"models:/{NAME}/1", home=registry.home)
    assert (first.evidence, first.version) == (registry.first, "1")


def test_registering_again_adds_nothing_and_moves_nothing(registry: Registry) -> None:
    assert publish_study(registry.home, registry.first.study_id).version == "1"
    assert krins.load_router(f"models:/{NAME}@champion", home=registry.home).version == "2"


def test_killed_before_it_was_noted_a_study_is_still_registered_once(registry: Registry) -> None:
    journal = StudyStore(registry.home).journal(registry.second.study_id)
    *before, noted = journal.read_text().splitlines(keepends=True)
    assert '"published"' in noted
    journal.write_text("".join(before))
    assert publish_study(registry.home, registry.second.study_id).version == "2"
    with pytest.raises(RegistryError, match="no version 3"):
        krins.load_router(f"models:/{NAME}/3", home=registry.home)


def test_tags_and_trials_are_in_mlflow(registry: Registry) -> None:
    from krins.runs.tracking.mlflow_store import quiet_mlflow, sqlite_uri

    with quiet_mlflow():
        from mlflow.tracking import MlflowClient

        uri = sqlite_uri(registry.home / "mlflow.db")
        client = MlflowClient(uri, uri)
        version = client.get_model_version(NAME, "2")
        experiment = client.get_experiment_by_name("krins/test")
        assert experiment is not None
        children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{version.run_id}'")
        parent = client.get_run(version.run_id or "")
    assert version.tags["krins.data_sha256"] == registry.second.data_sha256
    assert version.tags["krins.suite_fingerprint"] == registry.second.suite_fingerprint
    assert (version.tags["krins.seed"], version.tags["krins.version"]) == ("2", krins.__version__)
    assert len(children) == len(registry.second.trials)
    assert {"tuning/reward", "tuning/quality"} <= set(children[0].data.metrics)
    assert parent.data.metrics["unseen/quality_mean"] == registry.second.unseen[0].quality.mean


def test_a_champion_decides_and_learns(registry: Registry) -> None:
    champion = krins.load_router(f"models:/{NAME}@champion", home=registry.home)
    for task in tasks(20):
        decision = champion.decide(task)
        reward = champion.reward_of(1.0, 0.5)
        assert reward == pytest.approx(1.0 - 0.2 * 0.5)
        champion.learn(task, decision.arm, reward, probability=decision.probability)
    assert set(champion.router.pending.values()) == {0}
    with pytest.raises(ValueError, match="charges for cost_usd"):
        champion.reward_of(1.0)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("models:/nobody@champion", r"no registered router 'nobody'(?s:.*)there are: coder"),
        (f"models:/{NAME}@prince", r"no alias 'prince'(?s:.*)versions 1, 2, and @champion \(version 2\)"),
        (f"models:/{NAME}/7", "no version 7"),
        (f"models:/{NAME}", "does not name a registered router"),
        ("runs:/1234/x", "does not name a registered router"),
    ],
)
def test_what_is_not_there(registry: Registry, uri: str, expected: str) -> None:
    with pytest.raises(RegistryError, match=expected):
        krins.load_router(uri, home=registry.home)


def test_other_data_is_refused(registry: Registry) -> None:
    sha256 = registry.second.data_sha256
    assert krins.load_router(f"models:/{NAME}/2", home=registry.home, data_sha256=sha256).data_sha256 == sha256
    with pytest.raises(RegistryError, match="was tuned on the data with SHA-256"):
        krins.load_router(f"models:/{NAME}/2", home=registry.home, data_sha256="0" * 64)


def test_a_home_without_a_database_gets_none(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="there is no MLflow database"):
        krins.load_router("models:/x@champion", home=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_registry_out_of_reach(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TrackingFault, match="did not hand out x") as caught:
            krins.load_router("models:/x@champion", uri)
        assert "secret" not in str(caught.value)
        with pytest.raises(TrackingFault, match=r"(?s)nothing is lost.*tune --resume"):
            publish_study(registry.home, registry.first.study_id, uri)
    assert without_secret(uri) not in json.dumps(
        [path.read_text() for path in registry.home.glob("studies/*/journal.jsonl")]
    )


def test_an_unfinished_study_is_not_published(registry: Registry, tmp_path: Path) -> None:
    study_id = registry.first.study_id
    shutil.copytree(registry.home / "studies" / study_id, tmp_path / "studies" / study_id)
    journal = tmp_path / "studies" / study_id / "journal.jsonl"
    journal.write_text("".join(line for line in journal.read_text().splitlines(keepends=True) if '"ended"' not in line))
    with pytest.raises(RunError, match="is not finished") as caught:
        publish_study(tmp_path, study_id)
    assert f"--resume {study_id} --home {tmp_path}" in caught.value.remedy


@pytest.fixture
def copy(registry: Registry, tmp_path: Path) -> Path:
    """A home with the first study alone, and nothing registered."""
    study_id = registry.first.study_id
    shutil.copytree(registry.home / "studies" / study_id, tmp_path / "studies" / study_id)
    journal = tmp_path / "studies" / study_id / "journal.jsonl"
    journal.write_text(
        "".join(line for line in journal.read_text().splitlines(keepends=True) if '"published"' not in line)
    )
    return tmp_path


def test_what_is_registered_is_what_was_scored(registry: Registry, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StudyStore(copy)
    champion = store.folder(registry.first.study_id) / "champion" / CHAMPION_FILE
    whole = champion.read_bytes()
    champion.write_bytes(whole[:-9])
    monkeypatch.setattr("krins.studies.winner_files.__version__", "99.0")
    with resumed_study(store, registry.first.study_id) as study:
        assert study.ended is not None
        with pytest.raises(StateError, match=r"(?s)missing or damaged, and what krins 99.0.*register it by krins"):
            kept_winner(study, study.ended)
        monkeypatch.undo()
        kept_winner(study, study.ended)  # the same krins learns the same
        assert champion.read_bytes() == whole
        other = study.ended.model_copy(update={"champion": {CHAMPION_FILE: "0" * 64}})
        with pytest.raises(StateError, match="another router than the one that was scored"):
            kept_winner(study, other)


def test_a_registry_that_lost_a_version_gets_it_again(registry: Registry) -> None:
    from krins.runs.tracking.mlflow_store import quiet_mlflow, sqlite_uri

    home, study_id = registry.home, registry.first.study_id
    assert publish_study(home, study_id, register_as="lost").version == "1"
    with quiet_mlflow():
        from mlflow.tracking import MlflowClient

        uri = sqlite_uri(home / "mlflow.db")
        MlflowClient(uri, uri).delete_registered_model("lost")
    with pytest.raises(RegistryError, match="no registered router"):
        krins.load_router("models:/lost@champion", home=home)
    assert publish_study(home, study_id, register_as="lost").champion == "1"
    assert krins.load_router("models:/lost@champion", home=home).evidence == registry.first


def test_a_finished_study_is_registered_under_another_name(registry: Registry) -> None:
    from click.testing import CliRunner

    from krins.cli import main

    arguments = ["tune", "--resume", registry.first.study_id, "--register", "other", "--home", str(registry.home)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    assert "registered: models:/other@champion, version 1\n" in done.output
    assert krins.load_router("models:/other@champion", home=registry.home).evidence == registry.first
    assert krins.load_router(f"models:/{NAME}@champion", home=registry.home).version == "2"
    again = CliRunner().invoke(main, ["tune", "--resume", registry.first.study_id, "--home", str(registry.home)])
    assert f"models:/{NAME}/1, as before; the champion is version 2" in again.output


def test_an_alias_that_is_taken_from_another_study_is_said(registry: Registry) -> None:
    """As when a server is told of an older study later."""
    from click.testing import CliRunner

    from krins.cli import main

    found = {}
    for study in (registry.second, registry.first):
        arguments = ["tune", "--resume", study.study_id, "--register", "taken", "--home", str(registry.home)]
        found[study.study_id] = CliRunner().invoke(main, arguments).output
    expected = f"version 2; replaces version 1 of study {registry.second.study_id}"
    assert expected in found[registry.first.study_id]
    assert "replaces" not in found[registry.second.study_id]


def test_files_that_are_no_text_or_gone(registry: Registry) -> None:
    artifacts = registry.home.glob("mlflow/**/champion/evidence.json")
    artifact = next(path for path in artifacts if registry.first.study_id in path.read_text())
    whole, uri = artifact.read_bytes(), f"models:/{NAME}/1"
    try:
        artifact.write_bytes(b"\xff" + whole)
        with pytest.raises(StateError, match=r"(?s)no text.*--register NEW_NAME"):
            krins.load_router(uri, home=registry.home)
        artifact.parent.rename(artifact.parent.with_name("elsewhere"))
        with pytest.raises(StateError, match=r"(?s)holds no files.*--register NEW_NAME"):
            krins.load_router(uri, home=registry.home)
        artifact.parent.with_name("elsewhere").rename(artifact.parent)
    finally:
        artifact.write_bytes(whole)
    assert krins.load_router(uri, home=registry.home).evidence == registry.first


@pytest.fixture
def files(registry: Registry, tmp_path: Path) -> dict[str, str]:
    with resumed_study(StudyStore(registry.home), registry.second.study_id) as study:
        assert study.ended is not None
        folder = kept_winner(study, study.ended)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_text_with_one_other_character_is_refused(files: dict[str, str]) -> None:
    read_files(files)
    rng = np.random.default_rng(1)
    for name in (CHAMPION_FILE, EVIDENCE_FILE):
        for at in rng.integers(0, len(files[name]), 40).tolist():
            changed = files[name][:at] + chr(ord(files[name][at]) ^ 1) + files[name][at + 1 :]
            with pytest.raises(StateError):
                read_files({**files, name: changed})
        with pytest.raises(StateError):
            read_files({**files, name: files[name][:-9]})
        with pytest.raises(StateError, match="lacks"):
            read_files({other: text for other, text in files.items() if other != name})


def test_a_damaged_artifact_is_refused(registry: Registry) -> None:
    artifact = next(registry.home.glob("mlflow/**/champion/champion.json"))
    whole = artifact.read_text()
    artifact.write_text(whole[: len(whole) // 2])
    try:
        broken = [version for version in (1, 2) if _is_damaged(registry.home, version)]
    finally:
        artifact.write_text(whole)
    assert len(broken) == 1


def _is_damaged(home: Path, version: int) -> bool:
    try:
        krins.load_router(f"models:/{NAME}/{version}", home=home)
    except StateError as error:
        assert "damaged or cut off" in str(error)
        return True
    return False


def test_features_and_floor_come_back_with_a_contextual_router(registry: Registry) -> None:
    spec = FeatureSpec(one_hot=("category",), length=True, word_buckets=4)
    features = spec.fit(tasks(9))
    router = Router(LinUCB(len(features.names), alpha=0.5), ["a", "b"], rng=3)
    for task in tasks(9):
        row = features.transform([task])[0]
        router.learn(router.decide(row).arm, 0.5, features=row)
    contents = Contents(router, features, Reward(per_usd=0.1), 0.05, registry.first)
    again = read_files(write_files(contents))
    assert (again.features, again.reward, again.exploration_floor) == (features, contents.reward, 0.05)
    rows = [features.transform([task])[0] for task in tasks(100)]
    assert decisions(again.router, rows) == decisions(router, rows)


def test_names() -> None:
    assert parse_model_uri("models:/my-suite@champion") == ("my-suite", None, "champion")
    assert parse_model_uri("models:/my suite/12") == ("my suite", "12", None)
    for name in ("", " ", "a/b", "a:b", "a@b", "a'b"):
        with pytest.raises(UserError, match="cannot be the name"):
            check_model_name(name)
