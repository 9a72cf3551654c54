"""Runs of tasks about a source tree: what models are shown, and the tokens that it saves, from journal to MLflow."""

from __future__ import annotations

import json
import pickle
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from krins.context.tokens import tokenizer
from krins.errors import RunError
from krins.pipeline.contexts import whole
from krins.pipeline.tasks import CodingTask, load_tasks
from krins.runs.dry_run import describe_plan
from krins.runs.environments import live_inputs
from krins.runs.execution import Execution
from krins.runs.history import open_history
from krins.runs.preflight import forecast_recording
from krins.runs.recording import record_suite
from krins.runs.result import Figure, RunResult
from krins.runs.run import resume, run
from krins.runs.session import read_run
from krins.runs.spending import decision_at_worst
from krins.runs.store import Store
from krins.runs.tracking import track
from krins.runs.tracking.mlflow_store import quiet_mlflow
from krins.runs.worker import LiveInputs
from krins.suite import LiveEnvironment
from tests.support.fake_provider import TASKS, FakeServer
from tests.support.suites import live_environment, same_numbers, write_suite

HERE = Execution(workers=0)
CONTEXT_TASKS = TASKS.parent / "context_tasks"
SELECT = {"select": {"budget_tokens": 500}}
COUNT = tokenizer("o200k").count
Start = Callable[..., FakeServer]


def environment(
    server: FakeServer, context: object, models: tuple[str, ...] = ("p-100",), **keys: Any
) -> dict[str, Any]:
    return live_environment(server.base_url, models, tasks=str(CONTEXT_TASKS), context=context, **keys)


def loaded(context: object) -> LiveEnvironment:
    return LiveEnvironment.model_validate(
        live_environment("http://127.0.0.1:1/v1", ["m"], tasks=str(CONTEXT_TASKS), context=context)
    )


@pytest.fixture(scope="module")
def coding_tasks() -> list[CodingTask]:
    return load_tasks(loaded("none"))


@pytest.fixture
def server(start_server: Start) -> FakeServer:
    return start_server(tasks=CONTEXT_TASKS)


def means(result: RunResult) -> tuple[float, float, float]:
    figures = result.context_tokens, result.whole_context_tokens, result.context_token_saving
    known = [figure for figure in figures if isinstance(figure, Figure)]
    tokens, whole_tokens, saving = (figure.mean for figure in known)
    return tokens, whole_tokens, saving


@pytest.mark.parametrize("context", ["none", "whole", SELECT], ids=["none", "whole", "select"])
def test_a_run_shows_what_its_suite_says_and_knows_what_that_saves(
    server: FakeServer, tmp_path: Path, coding_tasks: list[CodingTask], context: object
) -> None:
    suite = write_suite(tmp_path, environment(server, context), ["fixed:p-100", "random"])
    result = run(suite, home=tmp_path / "home", execution=HERE)
    assert result.routers[0].quality.mean == 1.0, "the references pass with the tree beside them"

    outcomes = read_run(Store(tmp_path / "home"), result.run_id).observed
    given = {outcome.task_id: outcome.context for outcome in outcomes}
    for coding in coding_tasks:
        one = given[coding.task.task_id]
        assert one is not None
        assert one.kind == ("select" if isinstance(context, dict) else context)
        assert one.whole_tokens == COUNT(whole(coding.tree)) > 700
        least, most = {"none": (0, 0), "whole": (one.whole_tokens,) * 2, "select": (1, 500)}[one.kind]
        assert least <= one.tokens <= most

    shown = [one.tokens for one in given.values() if one is not None]
    baseline = [one.whole_tokens for one in given.values() if one is not None]
    expected = sum(shown) / 4, sum(baseline) / 4, 1 - sum(shown) / sum(baseline)
    assert means(result) == pytest.approx(expected)
    assert result.routers[1].context_token_saving == result.routers[0].context_token_saving
    # What was paid for tells that it was sent: the fake provider counts a token for some four bytes.
    sent = sum(row["input_tokens"] for row in server.bill)
    assert sent > 0.6 * sum(shown)

    table = pd.read_parquet(result.folder / "outcomes.parquet")
    assert dict(zip(table.task_id, table.context_tokens, strict=True)) == {
        task_id: one.tokens for task_id, one in given.items() if one is not None
    }


def test_only_tasks_with_a_tree_count(start_server: Start, tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    with_tree, without = "docs-easy-page-anchors", "docs-easy-count-words"
    (folder / with_tree).symlink_to(CONTEXT_TASKS / with_tree)
    (folder / without).symlink_to(TASKS / without)
    server = start_server(tasks=folder)
    content = live_environment(server.base_url, ["p-100"], tasks=str(folder), context="whole")
    result = run(write_suite(tmp_path, content, ["fixed:p-100"]), home=tmp_path / "home", execution=HERE)
    [tree] = [coding.tree for coding in load_tasks(loaded("none")) if coding.task.task_id == with_tree]
    assert means(result) == (COUNT(whole(tree)), COUNT(whole(tree)), 0.0)
    outcomes = read_run(Store(tmp_path / "home"), result.run_id).outcomes.values()
    assert {outcome.task_id: outcome.context is None for outcome in outcomes} == {with_tree: False, without: True}


def test_without_trees_nothing_is_said_of_context(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = live_environment(server.base_url, ["p-100"], include={"difficulty": ["easy"]}, context="whole")
    suite = write_suite(tmp_path, content, ["fixed:p-100"])
    warned = "no task has a folder `tree`"
    assert warned in describe_plan(suite, None, None, None, allow_unsafe=False)
    assert "o200k" not in describe_plan(suite, None, None, None, allow_unsafe=False)
    result = run(suite, home=tmp_path / "home", execution=HERE)
    assert (result.context_tokens, result.context_token_saving, result.routers[0].context_tokens) == (None,) * 3
    assert "context_tokens" not in pd.read_parquet(result.folder / "outcomes.parquet").columns
    asked = read_run(Store(tmp_path / "home"), result.run_id).observed[0]
    assert asked.context is None


def test_a_stopped_run_keeps_its_figures_and_a_changed_tree_stops_it(
    server: FakeServer, tmp_path: Path, coding_tasks: list[CodingTask]
) -> None:
    tasks = tmp_path / "tasks"
    for coding in coding_tasks:
        copy_task(CONTEXT_TASKS / coding.task.task_id, tasks / coding.task.task_id)
    content = environment(server, SELECT, ("p-60", "p-30")) | {"tasks": str(tasks)}
    suite = write_suite(tmp_path, content, ["thompson", "fixed:p-60", "fixed:p-30"])
    whole_run = run(suite, home=tmp_path / "home", execution=HERE)
    journal = Store(tmp_path / "home").journal(whole_run.run_id)
    lines = journal.read_text().splitlines(keepends=True)
    kept = next(i for i in range(len(lines)) if sum('"observed"' in line for line in lines[:i]) == 3)
    journal.write_text("".join(lines[:kept]))
    changed = next(tasks.rglob("tree/*/*.py"))
    text = changed.read_text()
    changed.write_text(text + "# changed\n")
    with pytest.raises(RunError, match="or their contexts, have changed"):
        resume(whole_run.run_id, home=tmp_path / "home", execution=HERE)
    changed.write_text(text)
    resumed = resume(whole_run.run_id, home=tmp_path / "home", execution=Execution(workers=0, use_cache=False))
    assert same_numbers(resumed) == same_numbers(whole_run)
    assert resumed.context_token_saving is not None


def copy_task(task: Path, target: Path) -> None:
    for path in task.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            (target / path.relative_to(task)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(task)).write_bytes(path.read_bytes())


def test_workers_elsewhere_are_handed_the_contexts() -> None:
    inputs, _ = live_inputs(loaded(SELECT), allow_unsafe=False)
    sent: LiveInputs = pickle.loads(pickle.dumps(inputs))
    assert sent.coding_tasks == inputs.coding_tasks
    assert [sent.request(task.task_id) for task in sent.tasks] == [
        inputs.request(task.task_id) for task in inputs.tasks
    ]


def test_a_recording_is_replayed_with_its_figures(server: FakeServer, tmp_path: Path) -> None:
    models = ("p-100", "p-0")
    suite = write_suite(tmp_path, environment(server, SELECT, models, samples=2), ["random"])
    table = tmp_path / "table.parquet"
    assert record_suite(suite, table, home=tmp_path / "home", execution=HERE).n_rows == 16
    recorded = pd.read_parquet(table)
    assert (recorded.context_tokens <= 500).all()
    assert recorded.prompt.str.len().max() < 1000, "of the prompt that routers see, context is no part"

    cascade = {"policy": "cascade", "models": ["p-0", "p-100"], "verifier": {"sensitivity": 1, "specificity": 1}}
    replay = write_suite(
        tmp_path,
        {"kind": "recorded", "table": str(table)},
        ["thompson", "fixed:p-100", cascade],
        replications=3,
        passes=2,
    )
    result = run(replay, home=tmp_path / "home", execution=HERE)
    by_task = recorded.drop_duplicates("task_id")
    saving = 1 - by_task.context_tokens.sum() / by_task.whole_context_tokens.sum()
    assert means(result)[2] == pytest.approx(saving)
    for router, n_prompts in zip(result.routers, (1, 1, 2), strict=True):  # the cascade's first model always fails
        assert router.context_tokens is not None
        assert router.context_token_saving is not None
        assert router.context_tokens.mean == pytest.approx(n_prompts * by_task.context_tokens.mean())
        assert router.context_token_saving.mean == pytest.approx(saving)
    # A resumed recorded run draws from the table in its journal.
    (result.folder / "decisions.parquet").unlink()
    assert same_numbers(resume(result.run_id, home=tmp_path / "home", execution=HERE)) == same_numbers(result)

    recorded.drop(columns=["context_tokens", "whole_context_tokens"]).to_parquet(table)
    assert run(replay, home=tmp_path / "home", execution=HERE).context_token_saving is None


def test_a_journal_from_before_there_was_context_is_read(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    content = live_environment(server.base_url, ["p-100"], include={"difficulty": ["easy"]})
    result = run(write_suite(tmp_path, content, ["fixed:p-100"]), home=tmp_path / "home", execution=HERE)
    store = Store(tmp_path / "home")

    def as_before(line: str) -> str:
        record = json.loads(line)["record"]
        old = json.loads(json.dumps(record), object_pairs_hook=_without_context)
        body = json.dumps(old, separators=(",", ":"))
        return f'{{"crc32":"{zlib.crc32(body.encode()):08x}","record":{body}}}\n'

    journal = store.journal(result.run_id)
    lines = journal.read_text().splitlines()
    journal.write_text("".join(map(as_before, lines)))
    assert "context" not in journal.read_text().replace("context_window", "")
    log = read_run(store, result.run_id)
    assert log.damage == []
    assert log.result is not None
    assert (log.result.context_token_saving, log.observed[0].context) == (None, None)
    assert resume(result.run_id, home=store.home, execution=HERE).routers == result.routers


def _without_context(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    gone = {"context", "context_tokens", "whole_context_tokens", "context_token_saving"}
    return {key: value for key, value in pairs if key not in gone}


@pytest.fixture
def tracked(server: FakeServer, tmp_path: Path) -> Iterator[tuple[Any, RunResult]]:
    suite = write_suite(tmp_path, environment(server, SELECT), ["fixed:p-100"])
    result = run(suite, home=tmp_path / "home", execution=HERE)
    store = Store(tmp_path / "home")
    uri = f"sqlite:///{store.home}/mlflow.db"
    mlflow_run_id = track(store, result.run_id, uri)
    with quiet_mlflow():
        from mlflow.tracking import MlflowClient

        client = MlflowClient(uri)
        parent = client.get_run(mlflow_run_id)
        children = client.search_runs(
            [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
        )
        yield [parent, *children], result


def test_mlflow_is_told_the_saving_and_what_it_is_measured_against(tracked: tuple[list[Any], RunResult]) -> None:
    [parent, child], result = tracked
    names = ("context_tokens", "whole_context_tokens", "context_token_saving")
    assert tuple(parent.data.metrics[name] for name in names) == pytest.approx(means(result))
    assert parent.data.params["context"] == "select(budget_tokens=500)"
    assert parent.data.params["context_baseline"] == "whole tree"
    assert parent.data.metrics["context_token_saving_low"] < parent.data.metrics["context_token_saving"]
    assert child.data.metrics["context_token_saving_mean"] == parent.data.metrics["context_token_saving"]
    assert child.data.params["context_baseline"] == "whole tree"


def test_the_history_has_the_figures_beside_runs_without(start_server: Start, tmp_path: Path) -> None:
    home = tmp_path / "home"
    easy = live_environment(start_server().base_url, ["p-100"], include={"difficulty": ["easy"]})
    run(write_suite(tmp_path, easy, ["fixed:p-100"]), home=home, execution=HERE)
    server = start_server(tasks=CONTEXT_TASKS)
    run(write_suite(tmp_path, environment(server, "none"), ["fixed:p-100"]), home=home, execution=HERE)
    with open_history(Store(home)) as history:
        assert sorted(history.execute("SELECT context_token_saving_mean FROM results").fetchall(), key=str) == [
            (1.0,),
            (None,),
        ]
        [(n_outcomes,)] = history.execute("SELECT count(*) FROM outcomes").fetchall()
    assert n_outcomes == 8


def test_forecasts_count_context(coding_tasks: list[CodingTask]) -> None:
    found = {}
    for context in ("none", "whole"):
        inputs, _ = live_inputs(loaded(context), allow_unsafe=False)
        task_id = coding_tasks[0].task.task_id
        found[context] = forecast_recording(inputs).expected.tokens, decision_at_worst(inputs, task_id, "m", 0.0).tokens
    n_bytes = [len(whole(coding.tree).encode()) for coding in coding_tasks]
    more_expected, more_at_worst = (found["whole"][i] - found["none"][i] for i in (0, 1))
    assert more_expected == pytest.approx(sum(n_bytes) / 4, rel=0.01)
    assert more_at_worst == pytest.approx(3 * n_bytes[0], rel=0.01), "of each of three tries"


def test_a_dry_run_says_how_large_contexts_are(tmp_path: Path, server: FakeServer) -> None:
    suite = write_suite(tmp_path, environment(server, "none"), ["random"])
    said = describe_plan(suite, None, None, None, allow_unsafe=False)
    assert "context: none, 0 of the " in said
    assert "o200k tokens that a whole tree takes, 100.0% saved; 4 of 4 tasks have a tree" in said
    suite = write_suite(tmp_path, environment(server, SELECT), ["random"])
    assert "context: select(budget_tokens=500), " in describe_plan(suite, None, None, None, allow_unsafe=False)
    assert yaml.safe_load(suite.read_text())["environment"]["context"] == SELECT


def test_a_context_that_a_model_cannot_hold_is_warned_of() -> None:
    environment = loaded("whole")
    small = environment.models[0].model_copy(update={"context_window": 1000})
    inputs, warnings = live_inputs(environment.model_copy(update={"models": [small]}), allow_unsafe=False)
    largest = max(coding.context.tokens for coding in inputs.coding_tasks if coding.context)
    assert f"the largest context has {largest:,} tokens, more than the 1,000 that model m takes" in warnings
    assert not any("context" in warning for warning in live_inputs(environment, allow_unsafe=False)[1])
