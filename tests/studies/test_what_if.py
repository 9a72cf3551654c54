"""Off-policy answers from runs: exact propensities, the truth where it is known, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from krins.cli import main
from krins.errors import KrinsError, RunError, SuiteError, UserError
from krins.interfaces import FloatArray
from krins.runs.run import run
from krins.runs.store import Store
from krins.studies.logged import read_traffic
from krins.studies.what_if import WhatIf, parse_router, what_if
from tests.support.suites import write_suite, write_table

N_TASKS, N_ARMS = 120, 4


@pytest.fixture(scope="module")
def table() -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(4)
    quality = (rng.random((N_TASKS, N_ARMS)) < [0.3, 0.5, 0.6, 0.8]).astype(np.float64)
    return quality, rng.random((N_TASKS, N_ARMS)) * [1, 2, 3, 4]


def run_of(home: Path, table: tuple[FloatArray, FloatArray], *routers: Any, **keys: Any) -> str:
    path = write_table(home / "table.parquet", *table)
    suite = write_suite(home, {"kind": "recorded", "table": str(path)}, routers, **{"replications": 3, **keys})
    return run(suite, home=home).run_id


def value(found: WhatIf, name: str, what: str = "quality") -> float:
    answer = found.quality if what == "quality" else found.cost_usd
    assert answer is not None
    return next(estimate.value for estimate in answer.estimates if estimate.name == name)


@pytest.mark.parametrize("round_size", [1, 5])
@pytest.mark.parametrize(
    "router",
    [
        {"policy": "epsilon-greedy", "epsilon": 0.3},
        {"policy": "epsilon-greedy-decaying", "prior": {"weight": 3, "scores": {"model-1": 0.9}}},
        {"policy": "exp3"},
        {"policy": "ucb-tuned", "exploration_floor": 0.2},
        {"policy": "epsilon-greedy", "window": 30},
        {"policy": "linucb", "exploration_floor": 0.3},
    ],
    ids=lambda router: router["policy"],
)
def test_the_replayed_propensities_are_those_that_were_recorded(
    tmp_path: Path, table: tuple[FloatArray, FloatArray], router: dict[str, Any], round_size: int
) -> None:
    keys = {"round_size": round_size, "feedback_delay": 2, "features": {"fields": ["repository"]}}
    traffic = read_traffic(Store(tmp_path), run_of(tmp_path, table, router, **keys), None, 1)
    recorded = traffic.recorded_probabilities
    assert recorded is not None
    np.testing.assert_allclose(traffic.propensities[np.arange(len(recorded)), traffic.arms], recorded, rtol=1e-12)
    np.testing.assert_allclose(traffic.propensities.sum(axis=1), 1.0, rtol=1e-12)


def test_a_router_asked_about_itself_scores_what_it_scored(
    tmp_path: Path, table: tuple[FloatArray, FloatArray]
) -> None:
    router = {"policy": "epsilon-greedy", "epsilon": 0.3}
    found = what_if(tmp_path, run_of(tmp_path, table, router), parse_router(json.dumps(router)))
    assert found.overlap.largest_weight == pytest.approx(1.0)
    assert found.overlap.effective_sample_size == pytest.approx(N_TASKS - N_ARMS)
    for name in ("IPS", "SNIPS", "replay"):
        assert value(found, name) == pytest.approx(found.quality.logged)


def test_a_uniform_log_by_hand(tmp_path: Path, table: tuple[FloatArray, FloatArray]) -> None:
    quality, cost = table
    run_id = run_of(tmp_path, table, "random")
    found = what_if(tmp_path, run_id, parse_router("fixed:model-3"), replication=2)
    traffic = read_traffic(Store(tmp_path), run_id, None, 2)
    hit = traffic.arms == 3
    assert value(found, "IPS") == pytest.approx(N_ARMS * (quality[traffic.tasks, 3] * hit).mean())
    assert value(found, "SNIPS") == pytest.approx(quality[traffic.tasks[hit], 3].mean())
    assert value(found, "replay", "cost_usd") == pytest.approx(cost[traffic.tasks[hit], 3].mean())
    assert found.quality.known == pytest.approx(quality[:, 3].mean())
    assert found.cost_usd is not None
    assert found.cost_usd.known == pytest.approx(cost[:, 3].mean())


def test_estimates_are_right_on_average(tmp_path: Path, table: tuple[FloatArray, FloatArray]) -> None:
    run_id = run_of(tmp_path, table, {"policy": "thompson", "exploration_floor": 0.3}, replications=40)
    answers = [what_if(tmp_path, run_id, parse_router("random"), replication=r) for r in range(40)]
    for name in ("IPS", "DR"):
        errors = np.array([value(found, name) - (found.quality.known or 0.0) for found in answers])
        assert abs(errors.mean()) < 4 * errors.std(ddof=1) / np.sqrt(len(errors))


def test_a_learner_learns_from_the_log(tmp_path: Path, table: tuple[FloatArray, FloatArray]) -> None:
    found = what_if(tmp_path, run_of(tmp_path, table, "random"), parse_router("ucb1"))
    assert found.quality.known is not None
    # After each arm was tried once, it prefers the better ones: more than the mean over arms.
    assert found.quality.known > table[0].mean() + 0.05


@pytest.mark.parametrize(
    ("logged", "asked", "error", "message"),
    [
        ("ucb1", "thompson", UserError, "deterministic policy"),
        ("fixed:model-1", "fixed:model-2", UserError, "deterministic policy"),
        ("random", "{policy: budgeted, usd_per_task: 1}", UserError, "depends on what it did before"),
        ("random", "{policy: quality-floor, reference: model-1}", UserError, "depends on what it did before"),
        ("random", "fixed:model-9", SuiteError, "no model 'model-9'"),
        ("random", "lints", SuiteError, "looks at features"),
        ("random", "thomson", SuiteError, "is no router"),
        ("random", "{policy: [", SuiteError, "is no router"),
        ("random", "{policy: fixed}", SuiteError, "model: Field required"),
        ("random", "{policy: fixed, model: model-1, colour: red}", SuiteError, "colour: Extra inputs"),
        ("random", "fixed:model-1 #x", SuiteError, "no model 'model-1 #x'"),
        ("random", "{policy: exp3, reward_range: [0, 0.5]}", SuiteError, "outside its reward_range"),
        (
            {"policy": "cascade", "models": ["model-0", "model-1"], "verifier": {"sensitivity": 1, "specificity": 1}},
            "random",
            RunError,
            "several models a task",
        ),
    ],
)
def test_what_the_log_cannot_tell_is_refused(
    tmp_path: Path, table: tuple[FloatArray, FloatArray], logged: Any, asked: str, error: type[KrinsError], message: str
) -> None:
    run_id = run_of(tmp_path, table, logged)
    with pytest.raises(error, match=message):
        what_if(tmp_path, run_id, parse_router(asked))


def test_a_deterministic_log_speaks_for_itself(tmp_path: Path, table: tuple[FloatArray, FloatArray]) -> None:
    found = what_if(tmp_path, run_of(tmp_path, table, "fixed:model-1"), parse_router("fixed:model-1"))
    assert value(found, "SNIPS") == pytest.approx(found.quality.logged) == pytest.approx(table[0][:, 1].mean())


def test_which_decisions_is_to_be_said(tmp_path: Path, table: tuple[FloatArray, FloatArray]) -> None:
    run_id = run_of(tmp_path, table, "random", "thompson")
    with pytest.raises(RunError, match="several routers"):
        what_if(tmp_path, run_id, parse_router("ucb1"))
    with pytest.raises(RunError, match="no router 'exp3'"):
        what_if(tmp_path, run_id, parse_router("ucb1"), "exp3")
    with pytest.raises(RunError, match="no replication 3"):
        what_if(tmp_path, run_id, parse_router("ucb1"), "random", 3)


def test_one_repository_has_estimates_without_intervals_or_a_model(tmp_path: Path) -> None:
    run_id = run_of(tmp_path, (np.ones((1, 2)), np.ones((1, 2))), "random")
    found = what_if(tmp_path, run_id, parse_router("random"))
    assert [(e.name, e.value, e.low, e.high) for e in found.quality.estimates] == [
        (name, 1.0, None, None) for name in ("IPS", "SNIPS", "replay")
    ]


def test_decisions_without_an_alternative_are_left_out(tmp_path: Path, table: tuple[FloatArray, FloatArray]) -> None:
    found = what_if(tmp_path, run_of(tmp_path, table, "epsilon-greedy"), parse_router("random"))
    assert (found.n_forced, found.n_decisions) == (N_ARMS, N_TASKS - N_ARMS)


def test_a_task_without_a_repository_is_one_cluster_however_often_it_comes_up(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = write_table(tmp_path / "table.parquet", rng.integers(2, size=(8, 2)).astype(np.float64), np.ones((8, 2)))
    frame = pd.read_parquet(path)
    answers = []
    for repositories in (None, frame["task_id"]):
        frame.assign(repo=repositories).to_parquet(path)
        suite = write_suite(tmp_path, {"kind": "recorded", "table": str(path)}, ["random"], passes=20)
        answers.append(what_if(tmp_path, run(suite, home=tmp_path).run_id, parse_router("fixed:model-1")))
    assert answers[0].n_clusters == 8
    assert answers[0].quality == answers[1].quality


def test_the_floor_of_the_suite_is_the_log_s_and_not_the_target_s(
    tmp_path: Path, table: tuple[FloatArray, FloatArray]
) -> None:
    run_id = run_of(tmp_path, table, "random", exploration_floor=0.5)
    traffic = read_traffic(Store(tmp_path), run_id, None, 0)
    assert traffic.along(parse_router("ucb1")).max() == 1.0
    floored = traffic.along(parse_router("{policy: ucb1, exploration_floor: 0.5}"))
    assert floored.max() == 0.5 + 0.5 / N_ARMS


def test_the_command(tmp_path: Path, table: tuple[FloatArray, FloatArray]) -> None:
    run_id = run_of(tmp_path, table, "random", {"policy": "thompson", "exploration_floor": 0.1})
    output = tmp_path / "answer.json"
    arguments = ["what-if", run_id, "--router", "ucb1", "--logged", "random", "--json", str(output)]
    done = CliRunner().invoke(main, [*arguments, "--home", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "what if ucb1 had served the traffic of random?" in done.output
    assert "known: ucb1" in done.output
    written = json.loads(output.read_text())
    assert [estimate["name"] for estimate in written["quality"]["estimates"]][:2] == ["DM", "IPS"]
    refused = CliRunner().invoke(main, ["what-if", run_id, "--router", "ucb1", "--home", str(tmp_path)])
    assert refused.exit_code == 2
    assert "--logged" in refused.output
