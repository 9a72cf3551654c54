"""Races over recorded tables and live servers, through the real command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from krins.cli import main
from krins.errors import SuiteError
from krins.studies.race import race_recorded
from krins.studies.race_result import RaceOptions
from krins.studies.router_race import race_routers
from krins.suite_file import load_suite
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, write_suite, write_table

QUALITY = RaceOptions()


def recorded(tmp_path: Path, quality: Any, cost: Any, routers: list[Any] | None = None, **keys: Any) -> Path:
    table = write_table(tmp_path / "t.parquet", np.asarray(quality, float), np.asarray(cost, float))
    environment = {"kind": "recorded", "table": str(table), **keys.pop("environment", {})}
    return write_suite(tmp_path, environment, routers or ["random"], **keys)


def three_models(n_tasks: int = 400) -> tuple[Any, Any]:
    """Of quality 0.9, 0.5 and 0.1, at 0.01, 0.1 and 1 dollars."""
    rng = np.random.default_rng(2)
    quality = (rng.random((n_tasks, 3)) < [0.9, 0.5, 0.1]).astype(float)
    return quality, np.tile([0.01, 0.1, 1.0], (n_tasks, 1))


def krins_eval(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_best_is_found_for_a_fraction_of_the_grid(tmp_path: Path) -> None:
    quality, cost = three_models()
    found = race_recorded(load_suite(recorded(tmp_path, quality, cost)), QUALITY)
    assert (found.winner, found.is_settled) == ("model-0", True)
    assert found.grid_usd == pytest.approx(cost.sum())
    assert found.paid_usd == pytest.approx(
        sum(one.n_asked * price for one, price in zip(found.racers, [0.01, 0.1, 1], strict=True))
    )
    assert found.share_of_grid < 0.15
    leads = {one.name: one.least_lead for one in found.racers}
    for arm in (1, 2):
        least = leads[f"model-{arm}"]
        assert least is not None
        assert 0 < least <= quality[:, 0].mean() - quality[:, arm].mean()


def test_samples_are_units_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    quality = (rng.random((10, 2, 20)) < np.array([0.8, 0.4])[:, None]).astype(float)
    found = race_recorded(load_suite(recorded(tmp_path, quality, np.ones((10, 2, 20)))), QUALITY)
    assert (found.winner, found.n_grid) == ("model-0", 400)
    assert found.n_answers < 400


def test_without_costs_answers_are_counted(tmp_path: Path) -> None:
    quality, cost = three_models()
    found = race_recorded(load_suite(recorded(tmp_path, quality, cost * np.nan)), QUALITY)
    assert (found.paid_usd, found.grid_usd) == (None, None)
    assert found.share_of_grid == found.n_answers / found.n_grid


def test_by_reward_the_costs_count(tmp_path: Path) -> None:
    quality, cost = three_models()
    reward = {"quality": 1.0, "per_usd": 20.0, "floor": -1.0}
    cost = np.tile([0.05, 0.001, 0.0], (400, 1))  # the best one costs its worth
    suite = load_suite(recorded(tmp_path, quality, cost, reward=reward))
    assert race_recorded(suite, RaceOptions(objective="reward")).winner == "model-1"
    assert race_recorded(suite, QUALITY).winner == "model-0"


def test_a_reward_without_a_floor_cannot_be_raced(tmp_path: Path) -> None:
    quality, cost = three_models(30)
    suite = load_suite(recorded(tmp_path, quality, cost, reward={"per_usd": 1.0}))
    with pytest.raises(SuiteError, match="nothing is ever settled"):
        race_recorded(suite, RaceOptions(objective="reward"))


def test_a_reward_that_is_always_the_same_cannot_be_raced(tmp_path: Path) -> None:
    quality, cost = three_models(30)
    suite = load_suite(recorded(tmp_path, quality, cost, reward={"quality": 0.0}))
    with pytest.raises(SuiteError, match="all answers are worth the same"):
        race_recorded(suite, RaceOptions(objective="reward"))


def test_one_model_is_no_race(tmp_path: Path) -> None:
    suite = recorded(tmp_path, np.ones((5, 1)), np.ones((5, 1)))
    ended = krins_eval("race", suite)
    assert ended.exit_code == 2
    assert "two or more" in ended.stderr


def test_routers_are_raced_and_a_cascade_is_left_out(tmp_path: Path) -> None:
    quality, cost = three_models(60)
    cascade = {
        "policy": "cascade",
        "models": ["model-1", "model-0"],
        "verifier": {"sensitivity": 0.9, "specificity": 0.9},
    }
    routers = ["random", "fixed:model-0", "fixed:model-2", cascade]
    suite = load_suite(recorded(tmp_path, quality, cost, routers, replications=300))
    found = race_routers(suite, RaceOptions(objective="quality"))
    assert (found.winner, found.is_settled, len(found.racers)) == ("fixed:model-0", True, 3)
    assert all(one.n_asked < 60 for one in found.racers)
    assert (found.n_grid, found.paid_usd) == (900, None)
    assert any("cascade" in note for note in found.notes)


def test_routers_that_are_alike_take_the_whole_run(tmp_path: Path) -> None:
    quality, cost = three_models(20)
    routers = ["random", {"policy": "random", "name": "another"}]
    suite = load_suite(recorded(tmp_path, quality, cost, routers, replications=150))
    found = race_routers(suite, RaceOptions(objective="quality"))
    assert (found.is_settled, found.n_answers, found.racers[1].is_level) == (True, 300, True)


def test_a_router_that_seldom_loses_much_is_not_taken_for_a_better_one(tmp_path: Path) -> None:
    """The one that explores nothing locks into a bad model now and then: rare, and worse than what it gains else."""
    rng = np.random.default_rng(8)
    quality = (rng.random((120, 2)) < [0.95, 0.5]).astype(float)
    routers = [
        {"policy": "epsilon-greedy", "epsilon": 0.0, "name": "greedy"},
        {"policy": "epsilon-greedy", "epsilon": 0.02},
    ]
    suite = load_suite(recorded(tmp_path, quality, np.ones((120, 2)), routers, replications=600))
    options = RaceOptions(objective="quality")
    means = {
        one.name: one.mean
        for one in race_routers(suite, RaceOptions(objective="quality", error_probability=1e-9)).racers
    }
    best = max(means, key=lambda name: means[name])
    wrong = 0
    for seed in range(8):
        found = race_routers(suite.model_copy(update={"seed": seed}), options)
        assert all(one.least_lead is None or one.least_lead <= one.lead + 1e-9 for one in found.racers)
        wrong += found.winner != best and found.share_of_grid < 1
    assert wrong <= 2


def test_the_command_says_what_may_be_said(tmp_path: Path) -> None:
    quality, cost = three_models()
    suite = recorded(tmp_path, quality, cost)
    ended = krins_eval("race", suite, "--json", tmp_path / "race.json", "--report", tmp_path / "report")
    assert ended.exit_code == 0
    assert "test: model-0 has the highest quality\n" in ended.stdout
    assert "probability of error at most 0.05" in ended.stdout
    found = json.loads((tmp_path / "race.json").read_text())
    assert found["winner"] == "model-0"
    assert "model-0 has the highest quality" in (tmp_path / "report" / "index.html").read_text()
    assert (tmp_path / "report" / "race.csv").read_text().count("\n") == 4


@pytest.fixture
def live_suite(start_server: Callable[..., FakeServer], tmp_path: Path) -> tuple[FakeServer, Path]:
    server = start_server(delay_seconds=0.1)
    environment = live_environment(server.base_url, ["p-90", "p-10"], samples=3)
    return server, write_suite(tmp_path, environment, ["random"])


def numbers(path: Path) -> Any:
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "run_id"}


def test_a_live_race_pays_for_what_it_asks_and_is_told_again_for_nothing(
    live_suite: tuple[FakeServer, Path], tmp_path: Path
) -> None:
    server, suite = live_suite
    ended = krins_eval("race", suite, "--home", tmp_path / "home", "--json", tmp_path / "a.json")
    assert ended.exit_code == 0, ended.stderr
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["winner"], found["is_settled"], found["n_grid"]) == ("p-90", True, 72)
    assert len(server.calls) == found["n_answers"] < 72
    again = krins_eval("race", "--resume", "latest", "--home", tmp_path / "home", "--json", tmp_path / "b.json")
    assert again.exit_code == 0, again.stderr
    assert json.loads((tmp_path / "b.json").read_text()) == found
    assert len(server.calls) == found["n_answers"]


def test_a_killed_race_goes_on_to_the_same_end(live_suite: tuple[FakeServer, Path], tmp_path: Path) -> None:
    server, suite = live_suite
    home = tmp_path / "home"
    command = [
        sys.executable,
        "-c",
        "from krins.cli import main; main()",
        "race",
        str(suite),
        "--home",
        str(home),
        "--no-cache",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(server.calls) < 15:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = krins_eval("race", "--resume", "latest", "--home", home, "--no-cache", "--json", tmp_path / "a.json")
    assert resumed.exit_code == 0, resumed.stderr
    whole = krins_eval("race", suite, "--home", tmp_path / "other", "--no-cache", "--json", tmp_path / "b.json")
    assert whole.exit_code == 0, whole.stderr
    assert numbers(tmp_path / "a.json") == numbers(tmp_path / "b.json")
    assert json.loads((tmp_path / "a.json").read_text())["run_id"].startswith("test-race-")


def test_a_race_is_not_gone_on_with_as_a_run(live_suite: tuple[FakeServer, Path], tmp_path: Path) -> None:
    assert krins_eval("race", live_suite[1], "--home", tmp_path / "home").exit_code == 0
    ended = krins_eval("run", "--resume", "latest", "--home", tmp_path / "home")
    assert ended.exit_code == 2
    assert "is a race" in ended.stderr
    assert "krins-eval race --resume test-race-" in ended.stderr
    listed = krins_eval("history", "list", "--home", tmp_path / "home")
    assert "race" in listed.stdout


def test_a_budget_that_ends_stops_a_race_which_then_goes_on(
    live_suite: tuple[FakeServer, Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    stopped = krins_eval("race", live_suite[1], "--home", home, "--budget-usd", "0.003")
    assert stopped.exit_code == 3
    assert "krins-eval race --resume" in stopped.stderr
    ended = krins_eval("race", "--resume", "latest", "--home", home, "--budget-usd", "5", "--json", tmp_path / "a.json")
    assert ended.exit_code == 0, ended.stderr
    assert json.loads((tmp_path / "a.json").read_text())["winner"] == "p-90"


def test_a_model_for_which_no_money_is_left_does_not_lose_by_that(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    environment = live_environment(start_server().base_url, ["p-90", "p-10"], samples=3)
    environment["models"][0]["usd_per_million_output_tokens"] = "500"
    suite = write_suite(tmp_path, environment, ["random"])
    stopped = krins_eval("race", suite, "--home", tmp_path / "home", "--budget-usd", "0.4", "--yes")
    assert stopped.exit_code == 3
    assert "p-90" in stopped.stderr
    assert "has the highest" not in stopped.stdout


@pytest.mark.parametrize("option", [("--tolerance", "nan"), ("--tolerance", "inf"), ("--error", "nan")])
def test_limits_are_numbers(tmp_path: Path, option: tuple[str, str]) -> None:
    quality, cost = three_models(30)
    ended = krins_eval("race", recorded(tmp_path, quality, cost), *option)
    assert ended.exit_code == 2
    assert "no finite number" in ended.stderr


def test_a_resumed_race_takes_no_other_options(tmp_path: Path) -> None:
    ended = krins_eval("race", "--resume", "latest", "--error", "0.2", "--by", "reward", "--home", tmp_path / "home")
    assert ended.exit_code == 2
    assert "leave out --by, --error" in ended.stderr


def test_a_race_is_not_shown_as_a_run(live_suite: tuple[FakeServer, Path], tmp_path: Path) -> None:
    assert krins_eval("race", live_suite[1], "--home", tmp_path / "home").exit_code == 0
    ended = krins_eval("show", "latest", "--home", tmp_path / "home")
    assert "is a race" in ended.stderr
    assert "krins-eval race --resume test-race-" in ended.stderr
