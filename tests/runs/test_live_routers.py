"""Routers that look at tasks, costs and budgets, on live suites, and off-policy answers from a live run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from krins.errors import BudgetExhausted, ModelFault, UserError
from krins.runs.execution import Execution
from krins.runs.run import resume, run
from krins.studies.what_if import parse_router, what_if
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, same_numbers, write_suite

HERE = Execution(workers=0)
FEATURES = {"fields": ["category", "difficulty"], "difficulty_known_at_routing": True, "length": True, "words": 8}


def test_routers_with_features_costs_and_floors(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["p-100", "p-0"])
    routers = [
        {"policy": "lints", "exploration_floor": 0.5},
        {"policy": "linucb", "shared": True},
        {"policy": "budgeted", "usd_per_task": 0.001},
        {"policy": "quality-floor", "reference": "p-100", "margin": 0.1},
        {"policy": "thompson", "restart": 0.05, "prior": {"weight": 10, "scores": {"p-100": 0.9, "p-0": 0.1}}},
        "fixed:p-100",
        "fixed:p-0",
    ]
    suite = write_suite(tmp_path, environment, routers, features=FEATURES, feedback_delay=1)
    done = run(suite, home=tmp_path / "home", execution=HERE)
    assert all(row.n_decisions == 12 for row in done.routers)
    assert len(server.calls) == 24
    (done.folder / "decisions.parquet").unlink()
    assert same_numbers(resume(done.run_id, home=tmp_path / "home", execution=HERE)) == same_numbers(done)

    answer = what_if(tmp_path / "home", done.run_id, parse_router("random"), "lints(exploration_floor=0.5)")
    assert answer.n_decisions == 12
    assert answer.quality.known is None
    assert answer.cost_usd is not None
    with pytest.raises(UserError, match="deterministic"):
        what_if(tmp_path / "home", done.run_id, parse_router("random"), "linucb(shared=True)")


def test_a_router_that_learns_costs_needs_a_server_that_tells_them(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    environment = live_environment(start_server().base_url, ["no-usage"])
    suite = write_suite(tmp_path, environment, [{"policy": "budgeted", "usd_per_task": 0.1}])
    with pytest.raises(ModelFault, match="does not tell how many tokens"):
        run(suite, home=tmp_path / "home", execution=HERE)


def test_the_budget_of_the_suite_makes_a_router_s_hard(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["p-100", "p-0"], budget={"router": {"usd": "0.009"}})
    suite = write_suite(tmp_path, environment, [{"policy": "budgeted", "usd_per_task": 1}], round_size=1)
    with pytest.raises(BudgetExhausted):
        run(suite, home=tmp_path / "home", execution=HERE)
    # 1 USD a million tokens of input, 2 of output.
    spent = sum(row["input_tokens"] + 2 * row["output_tokens"] for row in server.bill if row["billed"]) / 1e6
    assert 0 < spent <= 0.009
