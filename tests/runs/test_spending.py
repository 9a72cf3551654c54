"""What a live run spends: hard limits of every scope, the forecast before it, and the cache that spends nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from krins.errors import BudgetExhausted, RunError, SuiteError, UserError
from krins.runs.execution import Execution
from krins.runs.recording import record_suite
from krins.runs.run import resume, run
from krins.runs.session import read_run
from krins.runs.spending import spent_on
from krins.runs.store import Store
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, same_numbers, write_suite

HERE = Execution(workers=0)
EASY = {"difficulty": ["easy"]}
Start = Callable[..., FakeServer]


def environment(server: FakeServer, models: list[str], **keys: Any) -> dict[str, Any]:
    content = live_environment(server.base_url, models, include=EASY, **keys)
    for model in content["models"]:
        model["max_output_tokens"] = 400
    return content


def journalled_usd(home: Path, run_id: str) -> Decimal:
    return spent_on(read_run(Store(home), run_id).observed).usd


def test_a_suite_is_replayed_from_the_cache_with_no_call_and_the_same_table(
    start_server: Start, tmp_path: Path
) -> None:
    server = start_server()
    suite = write_suite(tmp_path, environment(server, ["p-60", "p-30"]), ["thompson", "fixed:p-60", "fixed:p-30"])
    first = run(suite, home=tmp_path / "home", execution=HERE)
    n_calls = len(server.calls)
    server.stop()  # nothing is within reach any more, and nothing needs to be
    again = run(suite, home=tmp_path / "home", execution=HERE)
    assert len(server.calls) == n_calls == 8
    assert first.billed_usd > 0 == again.billed_usd
    assert any("8 of 8 answers came out of the cache" in note for note in again.notes)
    assert {**same_numbers(again), "billed_usd": None} == {**same_numbers(first), "billed_usd": None}


def test_without_the_cache_everything_is_asked_again(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    suite = write_suite(tmp_path, environment(server, ["p-60"]), ["fixed:p-60"])
    for expected in (4, 8):
        run(suite, home=tmp_path / "home", execution=Execution(workers=0, use_cache=False))
        assert len(server.calls) == expected


def test_a_model_that_fails_its_calls_keeps_its_faults_in_the_replay(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    suite = write_suite(tmp_path, environment(server, ["p-60!refusal", "p-60"]), ["fixed:p-60!refusal"])
    first = run(suite, home=tmp_path / "home", execution=HERE)
    n_calls = len(server.calls)
    again = run(suite, home=tmp_path / "home", execution=HERE)
    assert (first.routers[0].errors.model, len(server.calls)) == (4, n_calls)
    assert {**same_numbers(again), "billed_usd": None} == {**same_numbers(first), "billed_usd": None}


def test_a_budget_stops_a_run_that_can_be_gone_on_with(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = environment(server, ["p-60"], budget={"run": {"usd": "0.0014"}}, max_concurrency=1)
    suite = write_suite(tmp_path, content, ["fixed:p-60"])
    with pytest.raises(BudgetExhausted, match=r"budget\.run: .* usd are spent") as caught:
        run(suite, home=tmp_path / "home", execution=HERE)
    assert "--budget-usd" in caught.value.remedy
    [run_id] = Store(tmp_path / "home").run_ids()
    spent = journalled_usd(tmp_path / "home", run_id)
    assert 0 < spent <= Decimal("0.0014")
    n_calls = len(server.calls)
    assert 0 < n_calls < 4
    with pytest.raises(BudgetExhausted):
        resume(run_id, home=tmp_path / "home", execution=HERE)
    assert len(server.calls) == n_calls
    result = resume(run_id, home=tmp_path / "home", execution=Execution(workers=0, budget_usd=Decimal(1)))
    assert len(server.calls) == 4
    assert result.billed_usd == journalled_usd(tmp_path / "home", run_id) > spent
    assert result.routers[0].errors.budget == 0


def test_a_suites_budget_holds_over_its_runs(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = environment(server, ["p-60"], budget={"suite": {"calls": 6}}, cache=False)
    suite = write_suite(tmp_path, content, ["fixed:p-60"])
    run(suite, home=tmp_path / "home", execution=HERE)
    with pytest.raises(BudgetExhausted, match=r"budget\.suite: 6 of 6 calls are spent"):
        run(suite, home=tmp_path / "home", execution=HERE)
    assert len(server.calls) == 6


def test_a_routers_budget_stops_it_before_it_is_overdrawn(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = environment(server, ["p-60"], budget={"router": {"calls": 5}})
    suite = write_suite(tmp_path, content, ["fixed:p-60"], round_size=1)
    with pytest.raises(BudgetExhausted, match=r"budget\.router \(fixed:p-60, replication 0\)"):
        run(suite, home=tmp_path / "home", execution=HERE)  # 3 calls made, and 3 tries of the next one may pass 5
    assert len(server.calls) == 3
    content["budget"] = {"router": {"calls": 6}}
    run(write_suite(tmp_path, content, ["fixed:p-60"], round_size=1), home=tmp_path / "home", execution=HERE)


def test_a_decision_that_its_budget_has_no_room_for_is_a_row(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = environment(server, ["p-60", "down"], budget={"task": {"calls": 1}})
    result = run(write_suite(tmp_path, content, ["fixed:down"]), home=tmp_path / "home", execution=HERE)
    assert result.routers[0].errors.budget == 4
    assert result.routers[0].quality_answered is None


def test_a_run_that_may_cost_much_asks_first(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = environment(server, ["p-60"], budget={"confirm_above_usd": "0.001"})
    suite = write_suite(tmp_path, content, ["fixed:p-60"])
    with pytest.raises(UserError, match="this can cost up to") as caught:
        run(suite, home=tmp_path / "home", execution=HERE)
    assert "--yes" in caught.value.remedy
    assert server.calls == []
    assert Store(tmp_path / "home").run_ids() == []
    run(suite, home=tmp_path / "home", execution=Execution(workers=0, is_confirmed=True))
    assert len(server.calls) == 4
    with pytest.raises(UserError, match="this can cost up to"):
        record_suite(suite, tmp_path / "t.parquet", home=tmp_path / "home")


def test_a_small_budget_needs_no_word(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = environment(server, ["p-60"], budget={"confirm_above_usd": "0.01", "run": {"usd": "0.01"}})
    run(write_suite(tmp_path, content, ["fixed:p-60"]), home=tmp_path / "home", execution=HERE)


def test_an_unpriced_model_is_refused_under_a_budget_in_usd(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = environment(server, ["p-60"], budget={"run": {"usd": 1}})
    for key in ("usd_per_million_input_tokens", "usd_per_million_output_tokens"):
        del content["models"][0][key]
    with pytest.raises(SuiteError, match="no price is known for p-60"):
        run(write_suite(tmp_path, content, ["fixed:p-60"]), home=tmp_path / "home", execution=HERE)
    del content["budget"]
    with pytest.raises(SuiteError, match="no price is known for p-60"):
        suite = write_suite(tmp_path, content, ["fixed:p-60"])
        run(suite, home=tmp_path / "home", execution=Execution(workers=0, budget_usd=Decimal(1)))
    assert server.calls == []
    result = run(write_suite(tmp_path, content, ["fixed:p-60"]), home=tmp_path / "home", execution=HERE)
    assert result.routers[0].cost_usd is None


def test_two_runs_do_not_spend_from_one_suites_budget_at_once(start_server: Start, tmp_path: Path) -> None:
    from filelock import FileLock

    server = start_server()
    content = environment(server, ["p-60"], budget={"suite": {"calls": 100}})
    suite = write_suite(tmp_path, content, ["fixed:p-60"])
    (tmp_path / "home").mkdir()
    with (
        FileLock(tmp_path / "home" / "budget-test.lock"),
        pytest.raises(RunError, match="is spending from the suite's budget"),
    ):
        run(suite, home=tmp_path / "home", execution=HERE)
    assert server.calls == []
