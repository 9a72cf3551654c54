"""Tuning from beginning to end: real commands, real journals, and processes that are really killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from krins.errors import Interrupted, KrinsError, RunError, SuiteError, TableError, UserError
from krins.routing.thompson import ThompsonBeta
from krins.runs.progress import Progress
from krins.studies.champion_file import read_files
from krins.studies.study_journal import StudyStore, TuneOptions, resumed_study
from krins.studies.tune import resume_tuning, tune
from krins.studies.tune_result import TuneResult
from krins.studies.tune_work import Work
from krins.studies.winner_files import keep_winner
from tests.studies.tuning import write_tunable
from tests.support.suites import live_environment, write_suite

OPTIONS = TuneOptions(n_points=2)
KRINS = str(Path(sys.executable).with_name("krins-eval"))


def krins(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([KRINS, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)


def same(result: TuneResult) -> dict[str, Any]:
    return result.model_dump(mode="json", exclude={"study_id"})


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tunable(tmp_path_factory.mktemp("suite"), replications=32)


@pytest.fixture(scope="module")
def undisturbed(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> TuneResult:
    return tune(suite, options=OPTIONS, home=tmp_path_factory.mktemp("home"))


def test_nothing_is_reported_on_what_was_chosen_on(undisturbed: TuneResult) -> None:
    tuning, unseen = undisturbed.split.tuning, undisturbed.split.unseen
    assert len(set(tuning.task_ids) | set(unseen.task_ids)) == 64 == tuning.n_tasks + unseen.n_tasks
    assert (tuning.n_repositories, unseen.n_repositories, undisturbed.split.n_groups) == (4, 4, 8)
    assert [int(name[5:]) % 8 in {int(n[5:]) % 8 for n in unseen.task_ids} for name in tuning.task_ids].count(True) == 0


def test_the_winner_is_the_best_of_the_last_rung_and_stands_first(undisturbed: TuneResult) -> None:
    last = max(trial.rung for trial in undisturbed.trials)
    finalists = [trial for trial in undisturbed.trials if trial.rung == last]
    assert all(trial.n_replications == 32 for trial in finalists)
    assert undisturbed.winner == max(finalists, key=lambda trial: trial.reward).router
    assert undisturbed.unseen[0].router == undisturbed.winner
    assert undisturbed.unseen[0].roles[0] == "winner"
    policies = {trial.policy for trial in undisturbed.trials} - {"fixed", "random"}
    roles = {role for row in undisturbed.unseen for role in row.roles}
    assert {f"best of {policy}" for policy in policies} | {"winner", "suite"} == roles


def test_a_fixed_model_is_itself(undisturbed: TuneResult) -> None:
    row = next(row for row in undisturbed.unseen if row.router == "fixed:model-1")
    assert undisturbed.chosen_fixed.model == "model-1"
    assert row.quality == undisturbed.chosen_fixed.quality
    assert row.reward_difference.mean == 0.0


def test_samples_bring_no_noise_to_a_fixed_model(tmp_path: Path) -> None:
    """Whose answers to one task differ: it equals itself exactly, in the search and on the unseen tasks."""
    path = write_tunable(tmp_path, routers=["thompson", "fixed:model-1"])
    table = pd.read_parquet(tmp_path / "table.parquet")
    flipped = table.assign(quality=1 - table.quality)
    pd.concat([table.assign(sample=0), table.assign(sample=1), flipped.assign(sample=2)]).to_parquet(
        tmp_path / "table.parquet"
    )
    found = tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home")
    row = next(row for row in found.unseen if row.router == "fixed:model-1")
    itself = next(one for one in (found.chosen_single, found.chosen_fixed) if one.model == "model-1")
    assert (row.quality, row.cost_usd, row.reward) == (itself.quality, itself.cost_usd, itself.reward)
    fixed = [trial for trial in found.trials if trial.policy == "fixed"]
    assert {trial.reward_error < 1e-15 for trial in fixed} == {True}
    if row.chosen.model == "model-1":
        assert (row.chosen.quality_difference.mean, row.chosen.smallest_margin) == (0.0, 0.0)


def test_each_model_competes_though_the_suite_lists_none(tmp_path: Path) -> None:
    path = write_tunable(tmp_path, routers=["thompson"])
    found = tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home")
    tried = {trial.router: trial.reward for trial in found.trials}
    assert {f"fixed:model-{arm}" for arm in range(4)} <= set(tried)
    assert found.trials[0].reward >= tried[f"fixed:{found.chosen_fixed.model}"] - 1e-12


def test_a_router_with_the_label_of_another_is_not_taken_for_it(tmp_path: Path) -> None:
    """The suite calls its windowed router what a drawn one is called by itself."""
    windowed = {"policy": "thompson", "window": 60, "name": "thompson"}
    path = write_tunable(tmp_path, routers=[windowed], reward={"quality": 1.0})
    found = tune(path, options=TuneOptions(n_points=1), home=tmp_path)
    rows = {row.router: row for row in found.unseen}
    (plain,) = (trial for trial in found.trials if trial.policy == "thompson" and not trial.is_suites)
    assert plain.router == f"thompson (candidate {plain.candidate})"
    assert len({trial.router for trial in found.trials}) == len(found.trials)
    assert len(rows) == len(found.unseen)
    assert rows["thompson"].params["window"] == 60
    won = found.model_copy(update={"winner": plain.router, "winner_candidate": plain.candidate})
    with resumed_study(StudyStore(tmp_path), found.study_id) as study:
        keep_winner(study, Work.of(study.begun.what.suite, study.begun.options, study.table()), won)
        files = {path.name: path.read_text() for path in (study.folder / "champion").iterdir()}
    assert isinstance(read_files(files).router.snapshot().policy, ThompsonBeta)


def test_nothing_of_unseen_outcomes_reaches_a_trial_through_the_gaps_of_a_table(tmp_path: Path) -> None:
    path = write_tunable(tmp_path, missing="fail")
    table = pd.read_parquet(tmp_path / "table.parquet")
    has_outcome = np.random.default_rng(1).random(len(table)) > 0.1
    table = table[has_outcome]
    table.to_parquet(tmp_path / "table.parquet")
    before = tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home")
    assert any("on the tuning tasks" in note for note in before.notes)
    is_unseen = table.task_id.isin(before.split.unseen.task_ids)
    changed = table.assign(
        quality=np.where(is_unseen, 0.5, table.quality), cost_usd=np.where(is_unseen, 9.0, table.cost_usd)
    )
    changed.to_parquet(tmp_path / "table.parquet")
    after = tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home")
    assert after.trials == before.trials
    assert after.unseen[0].quality != before.unseen[0].quality


def test_one_more_quality_between_0_and_1_among_unseen_tasks_changes_no_trial(tmp_path: Path) -> None:
    """Though posteriors of unseen tasks are of another kind then."""
    path = write_tunable(tmp_path, reward={"quality": 1.0})
    before = tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home")
    table = pd.read_parquet(tmp_path / "table.parquet")
    table.loc[table.task_id == before.split.unseen.task_ids[0], "quality"] = 0.5
    table.to_parquet(tmp_path / "table.parquet")
    assert tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home").trials == before.trials


class _StopsAfter(Progress):
    """Interrupts a study after so many steps, as Ctrl-C would."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self.said: list[str] = []

    def begin(self, what: str, total: int) -> None: ...

    def advance(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise KeyboardInterrupt

    def spend(self, billed_usd: object) -> None: ...

    def say(self, what: str) -> None:
        self.said.append(what)


def test_interrupted_again_and_again_it_ends_the_same(suite: Path, undisturbed: TuneResult, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="krins-eval tune --resume"):
        tune(suite, options=OPTIONS, home=tmp_path, progress=_StopsAfter(3))
    with pytest.raises(Interrupted):
        resume_tuning("latest", home=tmp_path, progress=_StopsAfter(20))
    journal = StudyStore(tmp_path).journal(StudyStore(tmp_path).find("latest"))
    journal.write_bytes(journal.read_bytes()[:-7])  # the last record is torn, as by a power cut
    result = resume_tuning("latest", home=tmp_path)
    assert same(result) == same(undisturbed)
    assert same(resume_tuning("latest", home=tmp_path)) == same(undisturbed)


def test_a_damaged_line_is_named_and_done_again(suite: Path, undisturbed: TuneResult, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        tune(suite, options=OPTIONS, home=tmp_path, progress=_StopsAfter(5))
    store = StudyStore(tmp_path)
    journal = store.journal(store.find("latest"))
    lines = journal.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b'"tried"', b'"trjed"')
    journal.write_bytes(b"\n".join(lines))
    progress = _StopsAfter(10_000)
    assert same(resume_tuning("latest", home=tmp_path, progress=progress)) == same(undisturbed)
    assert [said for said in progress.said if "line 4 of" in said and "checksum" in said]


def test_another_version_of_krins_does_not_go_on(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        tune(suite, options=OPTIONS, home=tmp_path, progress=_StopsAfter(3))
    monkeypatch.setattr("krins.studies.tune.__version__", "99.0")
    with pytest.raises(RunError, match=r"(?s)is not ended; this is 99.0.*go on by krins .*tune anew") as caught:
        resume_tuning("latest", home=tmp_path)
    assert "--resume" not in str(caught.value)


def test_remedies_lead_somewhere(suite: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        tune(suite, options=OPTIONS, home=tmp_path, progress=_StopsAfter(3))
    store = StudyStore(tmp_path)
    study_id = store.find("latest")
    assert f"--resume {study_id} --home {tmp_path}" in str(caught.value)
    store.create_run("later", time.time())
    store.journal("later").parent.mkdir(exist_ok=True)
    store.journal("later").touch()  # as where a process died before its first record
    assert store.find("latest") == study_id
    store.journal(study_id).write_bytes(b"nothing\n")
    with pytest.raises(KrinsError, match="tune anew") as refused:
        resume_tuning(study_id, home=tmp_path)
    assert "go on with" not in str(refused.value)


def test_a_killed_process_is_resumed_to_the_same_json(suite: Path, undisturbed: TuneResult, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out.json"
    command = [KRINS, "tune", suite, "--candidates", "2", "--no-tracking", "--home", home]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not _n_tried(home) >= 4:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert b'"ended"' not in _journal(home)
    done = krins("tune", "--resume", "latest", "--no-tracking", "--json", out, "--home", home)
    assert done.returncode == 0, done.stderr
    assert same(TuneResult.model_validate_json(out.read_text())) == same(undisturbed)
    for expected in ("unseen", "clustered by repository", "hindsight", "model-1", "flatter", "groups kept whole"):
        assert expected in done.stdout


def test_a_resumed_study_is_what_it_was(suite: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from krins.cli import main

    for arguments in (["--resume", "latest", "--seed", "3"], [str(suite), "--resume", "latest"], []):
        done = CliRunner().invoke(main, ["tune", *arguments, "--home", str(tmp_path)])
        assert done.exit_code == 2
        assert "--resume" in done.output


def _journal(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.glob("studies/*/journal.jsonl"))


def _n_tried(home: Path) -> int:
    return _journal(home).count(b'"tried"')


def test_a_table_without_repositories_and_prompts_is_split_and_says_so(tmp_path: Path) -> None:
    path = write_tunable(tmp_path, n_tasks=24, repositories=False)
    result = tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home")
    assert any("No repositories are known" in note for note in result.notes)
    assert result.unseen[0].quality.low is not None


def test_without_costs_there_is_no_saving(tmp_path: Path) -> None:
    path = write_tunable(tmp_path, n_tasks=32, reward={"quality": 1.0})

    table = pd.read_parquet(tmp_path / "table.parquet").assign(cost_usd=float("nan"))
    table.to_parquet(tmp_path / "table.parquet")
    result = tune(path, options=TuneOptions(n_points=1), home=tmp_path / "home")
    row = result.unseen[0]
    assert (row.cost_usd, row.chosen.saving, row.chosen_hull) == (None, None, None)
    assert any("No costs are known" in note for note in result.notes)


def test_what_cannot_be_tuned_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    home = tmp_path / "home"
    live = write_suite(tmp_path, live_environment("http://127.0.0.1:9/v1", ["a"]), ["thompson"])
    with pytest.raises(SuiteError, match=r"(?s)live suite is not tuned.*record it first"):
        tune(live, home=home)
    (tmp_path / "one").mkdir()
    one = write_tunable(tmp_path / "one", n_tasks=1)
    with pytest.raises(UserError, match="cannot be split"):
        tune(one, home=home)
    with pytest.raises(TableError, match="no-such"):
        tune(one, table=tmp_path / "no-such.parquet", home=home)
    assert not home.exists()
    with pytest.raises(RunError, match="no study 'x'"):
        resume_tuning("x", home=home)


def test_one_that_is_being_written_is_left_alone(suite: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        tune(suite, options=OPTIONS, home=tmp_path, progress=_StopsAfter(1))
    store = StudyStore(tmp_path)
    with store.lock(store.find("latest")), pytest.raises(KrinsError, match=r"study .* is being written by another"):
        resume_tuning("latest", home=tmp_path)


def test_the_json_of_a_result_reads_again(undisturbed: TuneResult) -> None:
    text = undisturbed.model_dump_json()
    assert TuneResult.model_validate_json(text) == undisturbed
    assert "NaN" not in json.dumps(json.loads(text))
