"""Every router that a suite can name, end to end on a small table; and suites that do not fit, with their messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from krins.errors import SuiteError
from krins.runs.run import resume, run
from tests.support.suites import same_numbers, write_suite, write_table

N_TASKS, N_ARMS = 60, 3
RANGE = [-1, 1]
ROUTERS: dict[str, dict[str, Any]] = {
    "ucb-tuned": {"policy": "ucb-tuned", "reward_range": RANGE},
    "kl-ucb": {"policy": "kl-ucb", "reward_range": RANGE, "c": 3},
    "imed": {"policy": "imed", "reward_range": RANGE},
    "exp3": {"policy": "exp3", "reward_range": RANGE},
    "linucb": {"policy": "linucb", "alpha": 0.5},
    "linucb shared": {"policy": "linucb", "shared": True},
    "lints": {"policy": "lints", "ridge": 0.5},
    "lints shared": {"policy": "lints", "shared": True},
    "budgeted": {"policy": "budgeted", "usd_per_task": 0.5},
    "forecast": {"policy": "budgeted", "usd_per_task": 0.5, "expected_usd": {"model-2": 0.9}},
    "quality-floor": {"policy": "quality-floor", "reference": "model-2", "margin": 0.1},
    "discounted": {"policy": "ucb1", "reward_range": RANGE, "discount": 0.99},
    "windowed": {"policy": "epsilon-greedy", "window": 20},
    "restarting": {"policy": "thompson", "restart": 0.05},
    "warm": {
        "policy": "thompson",
        "prior": {"weight": 5, "scores": {"model-2": 0.9}, "usd_per_task": {"model-2": 0.9}},
    },
    "floored": {"policy": "ucb1", "reward_range": RANGE, "exploration_floor": 0.2},
}


def table_of(folder: Path, n_tasks: int = N_TASKS, n_arms: int = N_ARMS) -> Path:
    rng = np.random.default_rng(8)
    quality = (rng.random((n_tasks, n_arms)) < np.linspace(0.4, 0.8, n_arms)).astype(np.float64)
    return write_table(folder / "table.parquet", quality, np.tile(np.linspace(0.1, 0.9, n_arms), (n_tasks, 1)))


def suite_of(folder: Path, *routers: Any, **keys: Any) -> Path:
    environment = {"kind": "recorded", "table": str(table_of(folder)), **keys.pop("environment", {})}
    settings = {"reward": {"quality": 1, "per_usd": 0.2}, "features": {"fields": ["repository"]}, "replications": 4}
    return write_suite(folder, environment, routers, **{**settings, **keys})


@pytest.mark.parametrize("name", ROUTERS)
def test_every_router_runs_and_resumes_to_the_same_table(tmp_path: Path, name: str) -> None:
    suite = suite_of(tmp_path, {**ROUTERS[name], "name": name}, round_size=2, feedback_delay=1)
    done = run(suite, home=tmp_path)
    decisions = done.decisions
    assert len(decisions) == 4 * N_TASKS
    assert (decisions["probability"].dropna() > 0).all()
    assert done.routers[0].quality.mean == pytest.approx(_mean_quality(tmp_path, decisions))
    (done.folder / "decisions.parquet").unlink()
    again = resume(done.run_id, home=tmp_path)
    assert same_numbers(again) == same_numbers(done)
    pd.testing.assert_frame_equal(again.decisions, decisions)


def _mean_quality(folder: Path, decisions: pd.DataFrame) -> float:
    table = pd.read_parquet(folder / "table.parquet").set_index(["task_id", "model"])["quality"]
    keys = list(zip(decisions["task_id"].astype(str), decisions["model"].astype(str), strict=True))
    return float(table.loc[keys].mean())


@pytest.mark.parametrize("name", ["linucb", "lints", "budgeted", "warm", "floored", "restarting"])
def test_one_task_and_one_arm(tmp_path: Path, name: str) -> None:
    router = {**ROUTERS[name]}
    if name == "warm":
        router["prior"] = {"weight": 5, "scores": {"model-0": 0.9}, "usd_per_task": {"model-0": 0.1}}
    table = table_of(tmp_path, 1, 1)
    keys = {"features": {"fields": ["repository"]}, "reward": {"quality": 1, "per_usd": 0.2}}
    done = run(write_suite(tmp_path, {"kind": "recorded", "table": str(table)}, [router], **keys), home=tmp_path)
    assert done.routers[0].n_decisions == 100
    assert set(done.decisions["model"]) == {"model-0"}


def test_a_new_option_at_its_default_changes_no_result(tmp_path: Path) -> None:
    plain = run(suite_of(tmp_path, "thompson"), home=tmp_path)
    given = run(suite_of(tmp_path, {"policy": "thompson", "exploration_floor": None}, feedback_delay=0), home=tmp_path)
    assert same_numbers(plain) == same_numbers(given)


def test_the_floor_of_the_suite_reaches_learning_routers_alone(tmp_path: Path) -> None:
    routers = ["ucb1", {"policy": "ucb1", "name": "without", "exploration_floor": 0}, "fixed:model-1"]
    done = run(suite_of(tmp_path, *routers, exploration_floor=0.3, reward={"quality": 1}), home=tmp_path)
    probabilities = {str(name): group for name, group in done.decisions.groupby("router", observed=True)["probability"]}
    assert set(np.round(probabilities["ucb1"], 9)) == {0.1, 0.8}
    assert set(probabilities["without"]) == set(probabilities["fixed:model-1"]) == {1.0}


def test_a_warm_start_skips_the_models_that_are_known_to_be_bad(tmp_path: Path) -> None:
    scores = {"model-0": 0.1, "model-1": 0.1, "model-2": 0.9}
    warm = {"policy": "epsilon-greedy", "epsilon": 0, "prior": {"weight": 1000, "scores": scores}}
    done = run(suite_of(tmp_path, warm, reward={"quality": 1}), home=tmp_path)
    assert set(done.decisions["model"]) == {"model-2"}
    assert done.routers[0].router == "epsilon-greedy(prior=1000 rewards, epsilon=0.0)"


def test_a_budgeted_router_spends_what_it_may(tmp_path: Path) -> None:
    done = run(suite_of(tmp_path, ROUTERS["budgeted"], passes=40), home=tmp_path)
    cost = done.routers[0].cost_usd
    assert cost is not None
    assert cost.mean == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("router", "keys", "message"),
    [
        ("linucb", {"features": None}, "looks at features of tasks, and the suite names none"),
        ("lints", {"features": {"fields": ["quality"]}}, "'quality' is no feature"),
        ("lints", {"features": {"fields": ["difficulty"]}}, "difficulty leaks"),
        ("lints", {"features": {"fields": ["category"]}}, "no task has a category"),
        ("lints", {"features": {"words": 8, "fields": []}}, "made from prompts, and no task has one"),
        ({"policy": "quality-floor", "reference": "model-9"}, {}, "no model 'model-9'"),
        ({"policy": "quality-floor", "reference": "model-1", "margin": 0}, {}, "greater than 0"),
        ({"policy": "budgeted", "usd_per_task": 0}, {}, "greater than 0"),
        ({"policy": "budgeted", "usd_per_task": 1, "expected_usd": {"model-9": 1}}, {}, "no model 'model-9'"),
        ({"policy": "budgeted", "usd_per_task": ".inf"}, {}, "usd_per_task"),
        ({"policy": "exp3"}, {}, "outside its reward_range"),
        ({"policy": "exp3", "reward_range": [1, 1]}, {}, "low < high"),
        ({"policy": "kl-ucb", "reward_range": [".nan", 1]}, {}, "reward_range"),
        ({"policy": "ucb1", "reward_range": RANGE, "window": 10**9}, {}, "less than or equal to 1000000"),
        ({"policy": "lints", "ridge": 1e-9}, {}, "greater than or equal to"),
        ("thompson", {"features": {"words": 20_000}}, "less than or equal to 4096"),
        (
            {"policy": "thompson", "prior": {"weight": 3, "scores": {"model-1": 0.5}, "usd_per_task": {"model-1": -2}}},
            {},
            "greater than or equal to 0",
        ),
        ({"policy": "thompson", "discount": 0.9}, {}, "does not add up"),
        ({"policy": "thompson", "discount": 0.9, "window": 3}, {}, "forgets in one way"),
        ({"policy": "thompson", "discount": 1.5}, {}, "less than 1"),
        ({"policy": "thompson", "prior": {"weight": 3, "scores": {"model-9": 0.5}}}, {}, "no model 'model-9'"),
        ({"policy": "thompson", "prior": {"weight": 3, "scores": {"model-1": 50}}}, {}, "a score lies in"),
        (
            {"policy": "thompson", "prior": {"weight": 3, "scores": {"model-1": 0.5}}},
            {},
            "charges for more than",
        ),
        ({"policy": "thompson", "prior": {"weight": 0, "scores": {"model-1": 0.5}}}, {}, "greater than 0"),
        ({"policy": "ucb-tuned", "prior": {"weight": 1, "scores": {"model-1": 0.5}}}, {}, "starts cold"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_begun(
    tmp_path: Path, router: Any, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(SuiteError, match=message):
        run(suite_of(tmp_path, router, **keys), home=tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_routers_that_learn_costs_need_them(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    frame = pd.read_parquet(table)
    frame.assign(cost_usd=np.nan).to_parquet(table)
    suite = write_suite(tmp_path, {"kind": "recorded", "table": str(table)}, [ROUTERS["budgeted"]])
    with pytest.raises(SuiteError, match="does not know for every outcome"):
        run(suite, home=tmp_path)
