"""Comparisons of real runs: numbers made again by hand, refusals, and the command."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from krins.cli import main
from krins.errors import RunError
from krins.interfaces import FloatArray
from krins.runs.execution import Execution
from krins.runs.result import RunResult
from krins.runs.run import run
from krins.runs.store import Store
from krins.statistics.clustered import clustered_interval
from krins.studies.compare import compare
from krins.studies.comparison import AgainstReference, ComparedRouter, Comparison
from krins.studies.logged import read_traffic
from tests.support.fake_provider import FakeServer
from tests.support.past_runs import PastRun, write_run
from tests.support.suites import SMALL_TASKS, live_environment, write_suite, write_table

N_TASKS = 240
CLUSTERS = np.arange(N_TASKS) % 3
"""As `write_table` gives repositories; `more_repositories` gives twelve."""


def outcomes(seed: int = 3) -> tuple[FloatArray, FloatArray]:
    """Three models: dear and good, half the price and hardly worse, cheap and bad."""
    rng = np.random.default_rng(seed)
    good = rng.random(N_TASKS) < 0.85
    near = np.where(rng.random(N_TASKS) < 0.02, ~good, good)
    bad = rng.random(N_TASKS) < 0.2
    quality = np.stack([bad, near, good], axis=1).astype(np.float64)
    return quality, rng.uniform(0.5, 1.5, quality.shape) * [0.1, 0.5, 1.0]


def write_outcomes(folder: Path, quality: FloatArray, cost: FloatArray, **columns: Any) -> Path:
    """With twelve repositories, and further columns given as a function of the number of a task."""
    path = write_table(folder / "table.parquet", quality, cost)
    frame = pd.read_parquet(path)
    number = frame["task_id"].str[5:].astype(int)
    frame["repo"] = "repo-" + (number % 12).astype(str)
    for name, value in columns.items():
        frame[name] = number.map(value)
    frame.to_parquet(path)
    return path


def run_of(folder: Path, *routers: Any, home: Path | None = None, **keys: Any) -> RunResult:
    folder.mkdir(exist_ok=True)
    if not (folder / "table.parquet").exists():
        write_outcomes(folder, *outcomes())
    environment = {"kind": "recorded", "table": str(folder / "table.parquet")}
    suite = write_suite(folder, environment, routers, **{"replications": 4, **keys})
    return run(suite, home=home or folder)


def row(found: Comparison, label: str) -> tuple[ComparedRouter, AgainstReference]:
    router = next(one for one in found.routers if one.label == label)
    assert router.against_reference is not None
    return router, router.against_reference


def test_fixed_models_by_hand(tmp_path: Path) -> None:
    quality, cost = outcomes()
    result = run_of(tmp_path, "fixed:model-0", "fixed:model-1", "random")
    found = compare(tmp_path, [result.run_id])
    assert (found.reference.label, found.reference.is_model) == ("model-2", True)
    assert (found.n_tasks, found.n_clusters, found.is_clustered) == (N_TASKS, 12, True)
    router, against = row(found, "fixed:model-1")
    expected = clustered_interval(quality[:, 1] - quality[:, 2], np.arange(N_TASKS) % 12)
    assert (against.quality.mean, against.quality.low, against.quality.high) == pytest.approx(expected)
    wider = clustered_interval(quality[:, 1] - quality[:, 2], np.arange(N_TASKS) % 12, 1 - 0.05 / 3)
    assert (against.quality.simultaneous_low, against.quality.simultaneous_high) == pytest.approx(wider[1:])
    assert against.saving is not None
    assert against.saving.mean == pytest.approx(1 - cost[:, 1].mean() / cost[:, 2].mean())
    assert against.smallest_margin is not None
    assert against.smallest_margin >= max(0.0, -(expected.low or 0.0)) - 1e-6
    assert router.quality.mean == pytest.approx(quality[:, 1].mean())
    assert [test.margin for test in against.tests] == [0.01, 0.02, 0.05]
    for test in against.tests:
        assert test.p == max(test.p_quality or 0.0, test.p_saving or 0.0)
    assert row(found, "fixed:model-0")[1].verdict == "quality is lower"


def test_a_saving_is_claimed_where_both_halves_are_shown(tmp_path: Path) -> None:
    result = run_of(tmp_path, "fixed:model-0", "fixed:model-1", "fixed:model-2")
    found = compare(tmp_path, [result.run_id], margin=0.08)
    _, against = row(found, "fixed:model-1")
    assert against.verdict == "saving"
    assert found.claim.startswith("fixed:model-1 may be called a saving against model-2 at a margin of 8 points")
    strict = compare(tmp_path, [result.run_id], margin=0.001)
    assert row(strict, "fixed:model-1")[1].verdict in {"quality may be lower", "quality is lower"}
    assert strict.claim.startswith("No router may be called a saving")


def test_a_router_of_the_references_model_is_no_rival(tmp_path: Path) -> None:
    result = run_of(tmp_path, "fixed:model-1", "fixed:model-2", "random")
    found = compare(tmp_path, [result.run_id])
    assert [router.label for router in found.routers if router.against_reference is None] == ["fixed:model-2"]
    _, against = row(found, "fixed:model-1")
    alone = compare(tmp_path, [run_of(tmp_path, "fixed:model-1", "random").run_id])
    assert against.quality == row(alone, "fixed:model-1")[1].quality
    assert against.tests == row(alone, "fixed:model-1")[1].tests
    assert "reference: fixed:model-2" in shown(tmp_path, result.run_id)
    only = run_of(tmp_path, "fixed:model-2").run_id
    with pytest.raises(RunError, match="nothing to compare model-2 with"):
        compare(tmp_path, [only])


def test_where_nothing_differs_nothing_is_lower_or_dearer(tmp_path: Path) -> None:
    quality, cost = np.ones((N_TASKS, 3)), np.ones((N_TASKS, 3))
    write_outcomes(tmp_path, quality, cost)
    found = compare(tmp_path, [run_of(tmp_path, "random").run_id])
    assert found.claim.endswith("the nearest, random, is as dear, its quality the same.")
    assert any("fewer than 10 repositories for random (0)" in note for note in found.notes)


def test_a_free_reference(tmp_path: Path) -> None:
    quality, cost = outcomes()
    write_outcomes(tmp_path, quality, 0 * cost)
    found = compare(tmp_path, [run_of(tmp_path, "random").run_id])
    assert "the reference costs nothing, so nothing is cheaper" in found.claim
    assert "the reference costs nothing" in " ".join(shown(tmp_path, found.runs[0].run_id).split())


@pytest.mark.parametrize("margin", ["nan", "inf"])
def test_a_margin_is_a_finite_number(tmp_path: Path, margin: str) -> None:
    result = run_of(tmp_path, "random")
    done = CliRunner().invoke(main, ["compare", result.run_id, "--margin", margin, "--home", str(tmp_path)])
    assert (done.exit_code, done.exception.__class__) == (2, SystemExit)


def test_learning_routers_are_as_their_decisions_say(tmp_path: Path) -> None:
    result = run_of(tmp_path, "thompson", "random", passes=2, reward={"quality": 1.0, "per_usd": 0.1})
    found = compare(tmp_path, [result.run_id], reference="random")
    quality, cost = outcomes()
    decisions = result.decisions
    place = decisions["task_id"].str[5:].astype(int), decisions["model"].str[6:].astype(int)
    scored = decisions.assign(quality=quality[place], cost=cost[place], reward=quality[place] - 0.1 * cost[place])
    means = scored.groupby(["router", "task_id"], observed=True)[["quality", "cost", "reward"]].mean().unstack("router")
    _, against = row(found, "thompson")
    difference = (means["quality"]["thompson"] - means["quality"]["random"]).to_numpy()
    expected = clustered_interval(difference, np.arange(N_TASKS) % 12)
    assert (against.quality.mean, against.quality.low, against.quality.high) == pytest.approx(expected)
    assert against.reward is not None
    assert against.reward.mean == pytest.approx((means["reward"]["thompson"] - means["reward"]["random"]).mean())
    replications = scored[scored["router"] == "thompson"].groupby("replication")["quality"].mean()
    low = np.quantile(replications, 0.025) - means["quality"]["random"].mean()
    assert against.quality.replication_low == pytest.approx(low)
    assert next(one for one in found.routers if one.label == "random").against_reference is None


def test_several_runs_are_told_apart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    one = run_of(tmp_path / "suite", "random", "thompson", home=home)
    two = run_of(tmp_path / "suite", "random", home=home, seed=9, replications=2)
    found = compare(home, [one.run_id, two.run_id])
    ends = [result.run_id[-4:] for result in (one, two)]
    assert [router.label for router in found.routers] == [f"random @{ends[0]}", "thompson", f"random @{ends[1]}"]
    assert [router.run_id for router in found.routers] == [one.run_id, one.run_id, two.run_id]
    between = compare(home, [one.run_id, two.run_id], reference=f"random @{ends[1]}")
    assert abs(row(between, f"random @{ends[0]}")[1].quality.mean) < 0.1
    with pytest.raises(RunError, match="is named 2 times"):
        compare(home, [one.run_id, one.run_id])


def other(folder: Path, name: str, **changes: Any) -> RunResult:
    """A run in the same home, whose table or suite is changed."""
    quality, cost = outcomes()
    n_tasks, n_arms = changes.pop("shape", quality.shape)
    seed = changes.pop("table_seed", None)
    if seed is not None:
        quality, cost = outcomes(seed)
    (folder / name).mkdir()
    write_outcomes(folder / name, quality[:n_tasks, :n_arms], cost[:n_tasks, :n_arms])
    return run_of(folder / name, "random", home=folder / "home", **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": (200, 3)}, "their tasks differ: 240 and 200, 40 only in the first, such as task-0200"),
        ({"shape": (240, 2)}, "their models differ: 1 only in the first, such as model-2"),
        ({"table_seed": 4}, r"their outcomes differ: \d+ answers have another quality, the first of model-\d to task-"),
        ({"reward": {"quality": 1.0, "per_usd": 0.5}}, "their rewards differ"),
        ({"non_inferiority_margin": 0.05}, r"different margins of non-inferiority: 0.02, 0.05"),
    ],
)
def test_runs_that_cannot_be_compared(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    first, second = other(tmp_path, "one"), other(tmp_path, "two", **changes)
    with pytest.raises(RunError, match=message):
        compare(tmp_path / "home", [first.run_id, second.run_id])


def test_what_is_no_reference_and_what_is_not_finished(tmp_path: Path) -> None:
    result = run_of(tmp_path, "random")
    with pytest.raises(RunError, match=r"no router or model 'best'[\s\S]*random, model-0, model-1, model-2"):
        compare(tmp_path, [result.run_id], reference="best")
    with pytest.raises(RunError, match="nothing to compare random with"):
        compare(tmp_path, [result.run_id], reference="random")
    unfinished = write_run(Store(tmp_path), PastRun(is_finished=False))
    with pytest.raises(RunError, match="is not finished"):
        compare(tmp_path, [unfinished])
    with pytest.raises(RunError, match="decisions are missing from its journal"):
        compare(tmp_path, [write_run(Store(tmp_path))])


def test_a_cascade_is_labelled_simulated(tmp_path: Path) -> None:
    verifier = {"sensitivity": 0.9, "specificity": 0.9}
    result = run_of(tmp_path, {"policy": "cascade", "models": ["model-0", "model-2"], "verifier": verifier}, "random")
    found = compare(tmp_path, [result.run_id])
    assert [router.is_simulated for router in found.routers] == [True, False]
    assert "simulated verifier" in found.routers[0].label
    assert any(note.startswith("SIMULATED") for note in found.notes)
    assert found.routers[0].reward is not None


def test_groups_periods_and_trends(tmp_path: Path) -> None:
    quality, cost = outcomes()
    quality[N_TASKS // 2 :, 1] = 0.0  # the second model fails on the later half
    first = dt.date(2025, 1, 1)
    columns = {
        "category": lambda n: "even" if n % 2 == 0 else None,
        "date": lambda n: first + dt.timedelta(days=n),
    }
    write_outcomes(tmp_path, quality, cost, **columns)
    found = compare(tmp_path, [run_of(tmp_path, "fixed:model-1", "fixed:model-2").run_id])
    assert [(group.kind, group.name, group.n_tasks) for group in found.groups] == [
        ("category", "even", 120),
        ("category", "unknown", 120),
    ]
    rows = found.groups[0].rows
    assert [one.label for one in rows] == ["model-2", "fixed:model-1"]
    assert rows[0].difference is None
    assert rows[1].quality.mean == pytest.approx(quality[::2, 1].mean())
    assert rows[1].difference is not None
    assert rows[1].difference.mean == pytest.approx((quality[::2, 1] - quality[::2, 2]).mean())
    assert found.drift is not None
    assert [period.name for period in found.drift.periods] == [f"2025-0{month}" for month in range(1, 9)]
    assert sum(period.n_tasks for period in found.drift.periods) == found.drift.n_dated == N_TASKS
    trend = found.drift.trends[0]
    slope = np.polyfit(np.arange(N_TASKS) / 365.25, quality[:, 1] - quality[:, 2], 1)[0]
    assert trend.label == "fixed:model-1"
    assert trend.slope == pytest.approx(slope)
    assert trend.p_adjusted < 0.001
    assert len(found.drift.trends) == 1
    text = shown(tmp_path, found.runs[0].run_id)
    for expected in ("2025-08", "change of the", "By category", "unknown", "Frontier of fixed models"):
        assert expected in text


def test_without_costs_repositories_or_dates(tmp_path: Path) -> None:
    quality, cost = outcomes()
    path = write_table(tmp_path / "table.parquet", quality, cost)
    pd.read_parquet(path).assign(repo=None, cost_usd=np.nan).to_parquet(path)
    found = compare(tmp_path, [run_of(tmp_path, "random", "fixed:model-1").run_id])
    assert (found.is_clustered, found.n_clusters, found.frontier, found.drift) == (False, N_TASKS, None, None)
    assert found.groups == []
    assert any("not clustered" in note for note in found.notes)
    assert {router.against_reference.verdict for router in found.routers if router.against_reference} == {"unknown"}
    assert "costs are not known" in found.claim
    text = shown(tmp_path, found.runs[0].run_id)
    assert "not clustered" in text
    assert "not known" in text
    for absent in ("p at", "a saving at", "Frontier", "dates"):
        assert absent not in text


def test_one_repository_tells_nothing_and_few_make_no_clustered_band(tmp_path: Path) -> None:
    quality, cost = outcomes()
    path = write_table(tmp_path / "table.parquet", quality, cost)  # three repositories
    few = compare(tmp_path, [run_of(tmp_path, "random").run_id])
    assert few.frontier is not None
    assert (few.frontier.is_clustered, few.frontier.n_draws > 0) == (False, True)
    assert any("3 repositories are too few" in note for note in few.notes)
    pd.read_parquet(path).assign(repo="one").to_parquet(path)
    one = compare(tmp_path, [run_of(tmp_path, "random").run_id])
    _, against = row(one, "random")
    assert (against.quality.low, against.smallest_margin, against.verdict) == (None, None, "unknown")


def shown(home: Path, run_id: str) -> str:
    done = CliRunner().invoke(main, ["compare", run_id, "--home", str(home)], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_single_task(tmp_path: Path) -> None:
    quality, cost = outcomes()
    write_outcomes(tmp_path, quality[:1], cost[:1])
    found = compare(tmp_path, [run_of(tmp_path, "random").run_id])
    assert found.frontier is not None
    assert found.frontier.n_draws == 0
    assert found.claim.startswith("No router may be called a saving")


def test_live_runs(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    """Where not every model was tried on every task, the first router is what others are compared with."""
    include = {"task_id": SMALL_TASKS[:4]}
    environment = live_environment(start_server().base_url, ["p-100", "p-0"], include=include)
    suites = {"incomplete": ["fixed:p-0"], "complete": ["fixed:p-0", "fixed:p-100", "random"]}
    ids = {}
    for name, routers in suites.items():
        (tmp_path / name).mkdir()
        suite = write_suite(tmp_path / name, environment, routers, name=name)
        ids[name] = run(suite, home=tmp_path / "home", execution=Execution(workers=0)).run_id
    with pytest.raises(RunError, match="nothing to compare fixed:p-0 with"):
        compare(tmp_path / "home", [ids["incomplete"]])
    found = compare(tmp_path / "home", list(ids.values()))
    assert (found.reference.label, found.reference.quality.mean) == ("p-100", 1.0)
    assert {router.label[:9]: router.quality.mean for router in found.routers}["fixed:p-0"] == 0.0
    assert found.routers[0].reward is None
    assert any(note.startswith("Each live run has its own answers") for note in found.notes)


def test_a_race_is_called_one(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    environment = live_environment(start_server().base_url, ["p-100", "p-0"], include={"task_id": SMALL_TASKS[:2]})
    suite = write_suite(tmp_path, environment, ["random"])
    raced = CliRunner().invoke(main, ["race", str(suite), "--home", str(tmp_path), "--json", str(tmp_path / "a.json")])
    assert raced.exit_code == 0, raced.output
    run_id = json.loads((tmp_path / "a.json").read_text())["run_id"]
    with pytest.raises(RunError, match=f"{run_id} is a race, not a run of a suite"):
        compare(tmp_path, [run_id])
    with pytest.raises(RunError, match=f"{run_id} is a race, not a run of a suite"):
        read_traffic(Store(tmp_path), run_id, None, 0)


def test_the_command(tmp_path: Path) -> None:
    result = run_of(tmp_path, "thompson", "fixed:model-1")
    out = tmp_path / "out.json"
    arguments = ["compare", result.run_id, "--json", str(out), "--home", str(tmp_path)]
    done = CliRunner().invoke(main, arguments, env={"COLUMNS": "100"})
    assert done.exit_code == 0, done.output
    found = Comparison.model_validate_json(out.read_text())
    assert found == compare(tmp_path, [result.run_id])
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert " ".join(done.stdout.split()).endswith(found.claim)
    assert json.loads(out.read_text())["reference"]["label"] == "model-2"
    refused = CliRunner().invoke(main, ["compare", "nothing", "--home", str(tmp_path)])
    assert refused.exit_code == 2
    assert "there is no run 'nothing'" in refused.output
