"""Live suites whose answers are looked at before they are submitted: same on actors, within their bounds, accounted."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from krins.cli import main
from krins.domain import Outcome
from krins.errors import UserError
from krins.models.ledger import Amount
from krins.runs.audit import audit_lines
from krins.runs.environments import live_inputs
from krins.runs.execution import Execution
from krins.runs.preflight import forecast_recording
from krins.runs.publish import read_outcomes
from krins.runs.records import Cell, Started
from krins.runs.run import run
from krins.runs.session import RunLog, read_run
from krins.runs.spending import decision_at_worst, spent_before
from krins.runs.store import Store
from krins.suite import LiveEnvironment, Suite
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, same_numbers, write_suite

TASKS = ["backend-easy-success-status", "frontend-easy-table-width"]
INCLUDE = {"task_id": TASKS}


def timeless(outcome: Outcome) -> Outcome:
    """Without what is another each time: durations, moments, ids."""
    rounds = [
        replace(found, gates=tuple(replace(gate, seconds=0.0) for gate in found.gates)) for found in outcome.rounds
    ]
    calls = [replace(call, started_at_seconds=0.0, latency_seconds=0.0, request_id=None) for call in outcome.calls]
    attempts = [replace(attempt, latency_seconds=0.0, request_id=None) for attempt in outcome.attempts]
    return replace(
        outcome,
        latency_seconds=0.0,
        correlation_id="",
        rounds=tuple(rounds),
        calls=tuple(calls),
        attempts=tuple(attempts),
    )


def journalled(home: Path, run_id: str) -> dict[tuple[str, str, int], Outcome]:
    outcomes = read_run(Store(home), run_id).outcomes.values()
    return {(one.task_id, one.arm, one.sample): timeless(one) for one in outcomes}


@pytest.mark.parametrize("mode", ["judge", "spec"])
def test_a_pipeline_gives_the_same_journal_on_actors(
    ray_cluster: None, start_server: Callable[..., FakeServer], tmp_path: Path, mode: str
) -> None:
    pipeline = {"mode": mode, "rounds": 1}
    environment = live_environment(start_server().base_url, ["p-100", "p-0"], include=INCLUDE, pipeline=pipeline)
    suite = write_suite(tmp_path, environment, ["fixed:p-100", "fixed:p-0"])
    here = run(suite, home=tmp_path / "here", execution=Execution(workers=1, is_confirmed=True))
    there = run(suite, home=tmp_path / "there", execution=Execution(workers=4, is_confirmed=True))
    assert same_numbers(here) == same_numbers(there)
    assert here.pipeline == there.pipeline
    assert [(row.model, row.n_attempts, row.tests_written is not None) for row in here.pipeline] == [
        (name, 2, mode == "spec") for name in ("p-0", "p-100")
    ]
    outcomes = journalled(tmp_path / "here", here.run_id)
    assert outcomes == journalled(tmp_path / "there", there.run_id)
    assert len(outcomes) == 4
    for outcome in outcomes.values():
        assert 1 <= len(outcome.rounds) <= 2
        assert outcome.cost_usd == sum((call.cost_usd or Decimal(0) for call in outcome.calls), Decimal(0)) > 0
        assert (outcome.generated_tests is not None) == (mode == "spec")
        agents = {call.agent for call in outcome.calls}
        assert agents == {"proposer", *(["judge"] if outcome.rounds[-1].judgement else []), *_testers(mode)}


def _testers(mode: str) -> list[str]:
    return ["tester"] if mode == "spec" else []


def test_no_decision_costs_more_than_its_bound_and_each_step_leaves_a_line(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    content = live_environment(
        start_server().base_url, ["p-100", "p-0"], include=INCLUDE, pipeline={"mode": "judge", "rounds": 2}
    )
    suite = write_suite(tmp_path, content, ["fixed:p-100", "fixed:p-0"])
    result = run(suite, home=tmp_path / "home", execution=Execution(workers=0, is_confirmed=True))
    inputs, _ = live_inputs(LiveEnvironment.model_validate(content), allow_unsafe=False)
    outcomes = read_run(Store(tmp_path / "home"), result.run_id).observed
    for outcome in outcomes:
        bound = decision_at_worst(inputs, outcome.task_id, outcome.arm, time.time())
        assert outcome.usage is not None
        assert outcome.cost_usd is not None
        assert outcome.cost_usd <= bound.usd
        assert (outcome.usage.tokens, len(outcome.calls)) <= (bound.tokens, bound.calls)
    lines = list(audit_lines(outcomes))
    costs = [outcome.cost_usd or Decimal(0) for outcome in outcomes]
    assert sum((line.cost_usd or Decimal(0) for line in lines), Decimal(0)) == sum(costs, Decimal(0))
    printed = CliRunner().invoke(main, ["history", "audit", "--home", str(tmp_path / "home")])
    assert printed.exit_code == 0
    rows = [json.loads(line) for line in printed.output.splitlines()]
    assert [row["agent"] for row in rows] == [line.agent for line in lines]
    assert {"proposer", "judge", "gate: syntax", "gate: security", "hidden tests"} <= {row["agent"] for row in rows}
    assert all(row["verdict"] for row in rows)


def test_a_forecast_counts_every_call_of_every_round(start_server: Callable[..., FakeServer]) -> None:
    url = start_server().base_url

    def calls(**pipeline: object) -> int:
        content = live_environment(url, ["p-100", "p-0"], include=INCLUDE, pipeline=pipeline)
        inputs, _ = live_inputs(LiveEnvironment.model_validate(content), allow_unsafe=False)
        return forecast_recording(inputs).expected.calls

    direct, judge, spec = calls(mode="direct"), calls(mode="judge", rounds=1), calls(mode="spec", rounds=1)
    assert (judge, spec) == (6 * direct, 7 * direct)


def test_what_a_budget_kept_from_being_judged_is_judged_when_there_is_room(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server, output, home = start_server(), tmp_path / "answers.parquet", tmp_path / "home"

    def record(n_calls: int, *more: str) -> Result:
        content = live_environment(
            server.base_url,
            ["p-100", "p-0"],
            include=INCLUDE,
            pipeline={"mode": "judge", "rounds": 0},
            budget={"run": {"calls": n_calls}},
        )
        suite = write_suite(tmp_path, content, ["random"])
        return CliRunner().invoke(main, ["record", str(suite), "--output", str(output), "--home", str(home), *more])

    assert record(5, "--yes").exit_code == 3
    [run_id] = Store(home).run_ids()
    done = record(1000, "--yes", "--resume", run_id)
    assert done.exit_code == 0, done.output
    outcomes = read_outcomes(output)
    assert len(outcomes) == 4
    assert [outcome.failure for outcome in outcomes] == [None] * 4
    assert all(outcome.rounds[0].judgement for outcome in outcomes)


def test_attempts_that_were_cut_off_count_within_their_limits(start_server: Callable[..., FakeServer]) -> None:
    def spent(budget: dict[str, object], n_lost: int, known: list[Outcome]) -> Decimal:
        pipeline = {"mode": "judge", "rounds": 1}
        content = live_environment(
            start_server().base_url, ["p-100", "p-0"], include=INCLUDE, pipeline=pipeline, budget=budget
        )
        inputs, _ = live_inputs(LiveEnvironment.model_validate(content), allow_unsafe=False)
        lost = Counter({Cell(TASKS[0], "p-100", 0): n_lost})
        suite = Suite.model_validate({"version": 1, "name": "s", "environment": content, "routers": ["random"]})
        started = Started(
            run_id="r", krins_version="0", started_at_seconds=0.0, suite=suite, suite_text="", suite_path=Path()
        )
        return spent_before(RunLog(started, unaccounted=lost, observed=known), inputs, 0.0).usd

    paid = Outcome("t", "p-100", 0, 1.0, Decimal("0.25"))
    worst = spent({}, 1, [])
    assert worst > Decimal("0.5")
    assert spent({}, 2, [paid]) == Decimal("0.25") + 2 * worst
    assert spent({"task": {"usd": "0.05"}}, 3, [paid]) == Decimal("0.25") + 3 * Decimal("0.05")
    assert spent({"run": {"usd": "0.5"}}, 3, [paid]) == Decimal("0.5")
    assert spent({"run": {"usd": "0.1"}}, 1, [paid]) == Decimal("0.25") + worst, "it was given another limit"


def test_rounds_and_tests_raise_the_bound(start_server: Callable[..., FakeServer]) -> None:
    url = start_server().base_url

    def bound(**pipeline: object) -> Amount:
        content = live_environment(url, ["p-100", "p-0"], include=INCLUDE, pipeline=pipeline)
        inputs, _ = live_inputs(LiveEnvironment.model_validate(content), allow_unsafe=False)
        return decision_at_worst(inputs, TASKS[0], "p-100", 0.0)

    direct, none, two, spec = (
        bound(mode="direct"),
        bound(mode="judge", rounds=0),
        bound(mode="judge", rounds=2),
        bound(mode="spec", rounds=2),
    )
    tries = direct.calls  # of one answer
    assert (none.calls, two.calls, spec.calls) == (3 * tries, 9 * tries, 10 * tries)
    assert direct.usd < none.usd < two.usd < spec.usd


def test_a_run_that_a_pipeline_makes_dear_asks_first(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    content = live_environment(
        start_server().base_url,
        ["p-100", "p-0"],
        include=INCLUDE,
        pipeline={"mode": "judge"},
        budget={"confirm_above_usd": "0.5"},
    )
    suite = write_suite(tmp_path, content, ["fixed:p-100"])
    with pytest.raises(UserError, match="confirm_above_usd"):
        run(suite, home=tmp_path / "home", execution=Execution(workers=0))
