"""The command line as a user meets it: real commands, their output, their exit codes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from krins.runs.result import RunResult
from tests.conftest import ROOT, FakeServer
from tests.support.suites import live_environment, write_suite, write_table

KRINS = str(Path(sys.executable).with_name("krins-eval"))


def krins(*arguments: str | Path, home: Path | None = None, **keys: object) -> subprocess.CompletedProcess[str]:
    command = [KRINS, *map(str, arguments), *(["--home", str(home)] if home else [])]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT, **keys)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    quality = (rng.random((20, 3)) < [0.2, 0.5, 0.9]).astype(float)
    write_table(tmp_path / "table.parquet", quality, np.tile([0.01, 0.1, 1.0], (20, 1)))
    routers = ["thompson", "ucb1", "fixed:model-2"]
    return write_suite(tmp_path, {"kind": "recorded", "table": "table.parquet"}, routers, replications=20)


def test_run_shows_a_table_writes_json_and_keeps_everything(suite: Path, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out.json"
    done = krins("run", suite, "--json", out, home=home)
    assert done.returncode == 0, done.stderr
    for expected in ("thompson", "ucb1", "fixed:model-2", "oracle", "clustered by repository"):
        assert expected in done.stdout
    result = RunResult.model_validate_json(out.read_text())
    assert (result.n_tasks, result.n_replications, len(result.routers)) == (20, 20, 3)
    raw = json.loads(out.read_text())
    assert raw["billed_usd"] == "0"
    assert set(raw["routers"][0]["quality"]) == {"mean", "low", "high", "replication_low", "replication_high"}
    folder = home / "runs" / result.run_id
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("learning_curves", "cost_quality") for kind in ("png", "html")
    }
    assert krins("show", "latest", home=home).stdout == done.stdout
    listed = krins("history", "list", home=home)
    assert result.run_id in listed.stdout
    assert (home / "mlflow.db").exists()
    assert json.loads((folder / "tracked.json").read_text())


def test_dry_run_does_nothing(suite: Path, tmp_path: Path) -> None:
    done = krins("run", suite, "--dry-run", "--replications", "3", home=tmp_path / "home")
    assert "20 tasks x 1 passes x 3 replications x 3 routers = 180 decisions" in done.stdout
    assert not (tmp_path / "home").exists()


def test_help_answers_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = krins("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Find, for each coding task, the cheapest way" in done.stdout
    # Processor time, not a clock on the wall: what else the machine does hardly shows in it.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_help_imports_nothing_heavy() -> None:
    heavy = ["numpy", "pandas", "ray", "mlflow", "duckdb", "pyarrow", "openai", "altair", "rich"]
    assert imported("krins.cli", heavy) == "[]\n"


def test_a_recorded_run_does_not_wait_for_the_pipeline() -> None:
    heavy = ["tree_sitter", "krins.pipeline.process", "krins.quality.gates", "ray", "mlflow", "openai", "bandit"]
    assert imported("krins.runs.run", heavy) == "[]\n"


def imported(module: str, names: list[str]) -> str:
    """Which of `names` are imported with `module`."""
    code = f"import sys, {module}; print([name for name in {names} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "no such suite file"),
        (["run"], "give either a SUITE or --resume RUN"),
        (["run", "evals/openhands.yaml"], "names no outcome table"),
        (["run", "evals/openhands.yaml", "--table", "nowhere.parquet"], "no such outcome table"),
        (["run", "--resume", "nothing"], "there is no run 'nothing'"),
        (["run", "evals/openhands.yaml", "--workers", "-1"], "-1 is not in the range"),
        (["run", "--resume", "latest", "--seed", "1"], "a resumed run is what it was"),
        (["describe", "nowhere.csv"], "no such outcome table"),
        (["show", "nothing"], "there is no run"),
        (["record", "evals/openhands.yaml", "--output", "x.parquet"], "only a live suite can be recorded"),
    ],
)
def test_a_users_mistake_is_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    home = [] if arguments[0] == "describe" else ["--home", str(tmp_path / "home")]
    done = krins(*arguments, *home)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_exit_code_1(suite: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = krins("run", suite, home=tmp_path / "file" / "home")
    assert done.returncode == 1
    assert "cannot keep a run there" in done.stderr
    assert "KRINS_HOME" in done.stderr


def test_ctrl_c_says_how_to_go_on_and_going_on_works(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    server = start_server(delay_seconds=0.2)
    environment = live_environment(server.base_url, ["p-60"], max_concurrency=2)
    suite, home = write_suite(tmp_path, environment, ["fixed:p-60"]), tmp_path / "home"
    command = [KRINS, "run", str(suite), "--home", str(home), "--workers", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    while len(server.calls) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    run_id = stderr.split("krins-eval run --resume ")[1].split()[0]
    done = krins("run", "--resume", run_id, "--workers", "0", "--no-tracking", home=home)
    assert done.returncode == 0, done.stderr
    assert len(set(server.calls)) == 12
    again = krins("run", "--resume", run_id, "--no-tracking", home=home)
    assert again.stdout == done.stdout


def test_record_makes_a_table_that_can_be_run_and_described(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["p-80", "p-20"], samples=3, include={"difficulty": "easy"})
    suite, output = write_suite(tmp_path, environment, ["random"]), tmp_path / "recorded.parquet"
    done = krins("record", suite, "--output", output, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert len(server.calls) == len(set(server.calls)) == 4 * 2 * 3
    assert "24 outcomes" in done.stdout
    described = krins("describe", output)
    assert "p-80" in described.stdout
    assert described.returncode == 0
    replayed = write_suite(tmp_path, {"kind": "recorded", "table": str(output)}, ["thompson"], passes=3)
    assert krins("run", replayed, "--no-tracking", home=tmp_path / "home").returncode == 0


def test_schema_is_json() -> None:
    assert json.loads(krins("schema").stdout)["title"] == "Suite"


def test_doctor_finds_a_working_installation(tmp_path: Path) -> None:
    done = krins("doctor", home=tmp_path / "home")
    assert done.returncode == 0, done.stdout
    assert "runs and judges code" in done.stdout
