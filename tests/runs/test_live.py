"""Live suites against a server that speaks the real protocol: real SDK, real sandbox, real journal."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from krins.domain import Arm, Outcome, Task
from krins.errors import ModelFault, RunError, UserError
from krins.runs.execution import Execution
from krins.runs.journal import JournalWriter, read_journal
from krins.runs.live import Before, GroupCommit, OutcomeSource, WorkerDied
from krins.runs.progress import SILENT
from krins.runs.recording import record_suite
from krins.runs.records import Cell
from krins.runs.run import resume, run
from krins.runs.session import read_run
from krins.runs.store import Store
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, same_numbers, write_suite

HERE = Execution(workers=0)
EASY = {"difficulty": ["easy"]}


def test_a_live_run_asks_for_each_answer_once_and_grades_it(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["p-100", "p-0"], include=EASY)
    suite = write_suite(tmp_path, environment, ["thompson", "ucb1", "fixed:p-100", "fixed:p-0"], replications=2)
    result = run(suite, home=tmp_path / "home", execution=HERE)
    right, wrong = result.routers[2:]
    assert (right.quality.mean, wrong.quality.mean) == (1.0, 0.0)
    # 4 tasks, 2 models, 2 replications; Thompson and UCB1 drew from what the fixed routers paid for.
    assert len(server.calls) == len(set(server.calls)) == 16
    assert result.baselines is not None
    assert result.baselines.best_single.model == "p-100"
    log = read_run(Store(tmp_path / "home"), result.run_id)
    assert result.billed_usd == sum((o.cost_usd or Decimal(0) for o in log.outcomes.values()), Decimal(0)) > 0
    assert right.tokens is not None
    assert right.tokens.mean > 100
    outcomes = result.outcomes
    assert len(outcomes) == 16
    assert set(result.decisions.columns) >= {"router", "replication", "step", "task_id", "model", "probability"}


def test_without_fixed_routers_there_are_no_baselines_and_the_notes_say_so(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["p-100", "p-0", "p-50"], include=EASY)
    result = run(write_suite(tmp_path, environment, ["thompson"]), home=tmp_path / "home", execution=HERE)
    assert result.baselines is None
    assert result.routers[0].regret_vs_oracle is None
    assert any("No baselines" in note for note in result.notes)


def test_answers_that_cannot_be_used_are_the_models_fault(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["empty"], include=EASY)
    result = run(write_suite(tmp_path, environment, ["fixed:empty"]), home=tmp_path / "home", execution=HERE)
    assert (result.routers[0].errors.model, result.routers[0].errors.infrastructure) == (4, 0)
    assert result.routers[0].cost_usd is not None
    assert result.routers[0].cost_usd.mean > 0


def test_a_server_that_tells_no_usage_has_an_unknown_cost(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["no-usage"], include=EASY)
    suite = write_suite(tmp_path, environment, ["fixed:no-usage"])
    result = run(suite, home=tmp_path / "home", execution=HERE)
    assert (result.routers[0].cost_usd, result.routers[0].tokens) == (None, None)
    suite = write_suite(tmp_path, environment, ["fixed:no-usage"], reward={"per_usd": 1.0})
    with pytest.raises(ModelFault, match="does not tell how many tokens"):
        run(suite, home=tmp_path / "home", execution=HERE)


@pytest.mark.parametrize("model", ["garbage", "html", "down"])
def test_a_server_that_answers_garbage_stops_the_run_with_its_own_words(
    start_server: Callable[..., FakeServer], tmp_path: Path, model: str
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, [model], include=EASY)
    with pytest.raises(ModelFault, match=rf"model {model} at http.*3 attempts running") as caught:
        run(write_suite(tmp_path, environment, [f"fixed:{model}"]), home=tmp_path / "home", execution=HERE)
    assert "--resume" in caught.value.remedy
    assert caught.value.exit_code == 1


def test_a_server_that_is_not_there_is_found_before_any_work(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        environment = live_environment(f"http://127.0.0.1:{unused.getsockname()[1]}/v1", ["p-100"])
        with pytest.raises(ModelFault, match=r"model p-100 at .*Connection"):
            run(write_suite(tmp_path, environment, ["fixed:p-100"]), home=tmp_path / "home", execution=HERE)


def test_a_key_that_is_not_set(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    environment = live_environment(start_server().base_url, ["p-100"])
    environment["models"][0]["api_key_env"] = "KRINS_TEST_NO_SUCH_KEY"
    with pytest.raises(UserError, match="KRINS_TEST_NO_SUCH_KEY is not set"):
        run(write_suite(tmp_path, environment, ["random"]), home=tmp_path / "home", execution=HERE)


@pytest.mark.parametrize(
    ("tests", "n_infrastructure"),
    [
        ("def test_it(solution):\n    while True: pass\n", 1),
        # The sandbox lets only so many processes be; the test then fails by an error of its own, as any test may.
        ("import os\ndef test_it(solution):\n    while True: os.fork()\n", 0),
    ],
    ids=["never end", "fork without bound"],
)
def test_tests_that_run_wild_are_bounded(
    start_server: Callable[..., FakeServer], tmp_path: Path, tests: str, n_infrastructure: int
) -> None:
    for name in ("sound", "wild"):
        folder = tmp_path / "tasks" / name
        folder.mkdir(parents=True)
        keys = {"prompt": name, "category": "c", "difficulty": "easy", "language": "python"}
        (folder / "task.yaml").write_text(yaml.safe_dump({**keys, "answer_file": "solution.py"}))
        (folder / "tests.py").write_text(tests if name == "wild" else "def test_it(solution): assert solution.f() == 1")
        (folder / "reference").mkdir()
        (folder / "reference" / "solution.py").write_text("def f(): return 1")
    server = start_server(tasks=tmp_path / "tasks")
    environment = live_environment(
        server.base_url, ["p-100"], limits={"wall_seconds": 2}, tasks=str(tmp_path / "tasks")
    )
    result = run(write_suite(tmp_path, environment, ["fixed:p-100"]), home=tmp_path / "home", execution=HERE)
    row = result.routers[0]
    assert (row.errors.model, row.errors.infrastructure) == (0, n_infrastructure)
    assert row.quality_answered is not None
    assert (row.quality.mean, row.quality_answered.mean) == (0.5, 1.0 if n_infrastructure else 0.5)
    assert row.cost_usd is not None
    assert any("because of infrastructure" in note for note in result.notes) == bool(n_infrastructure)


def test_a_stopped_run_goes_on_where_it_was(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    server = start_server()
    routers = ["thompson", "fixed:p-60", "fixed:p-30"]
    whole = write_suite(tmp_path, live_environment(server.base_url, ["p-60", "p-30"]), routers)
    undisturbed = run(whole, home=tmp_path / "home", execution=HERE)
    n_calls = len(server.calls)

    lines = Store(tmp_path / "home").journal(undisturbed.run_id).read_text().splitlines(keepends=True)
    # As if the process had died after ten answers: the journal ends there, in the middle of a line.
    kept = next(i for i in range(len(lines)) if sum('"observed"' in line for line in lines[:i]) == 10)
    cut = "".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2]
    store = Store(tmp_path / "another")
    store.folder(undisturbed.run_id).mkdir(parents=True)
    store.journal(undisturbed.run_id).write_text(cut)
    result = resume(undisturbed.run_id, home=store.home, execution=HERE)
    assert same_numbers(result) == same_numbers(undisturbed)
    assert len(server.calls) - n_calls == 24 - 10
    assert any("damaged" in note for note in result.notes)


def test_an_attempt_that_dies_with_its_worker_is_made_again_and_counted(tmp_path: Path) -> None:
    class Mortal:
        """Dies in its first two attempts."""

        tasks: Sequence[Task] = (Task("t"),)
        arms: Sequence[Arm] = (Arm("m"),)
        deaths = 2

        async def attempt(self, task: Task, arm: Arm, sample: int, correlation_id: str = "") -> Outcome:
            if self.deaths:
                self.deaths -= 1
                raise WorkerDied("killed")
            return Outcome(task.task_id, arm.name, sample, 1.0, Decimal("0.25"))

    async def always() -> bool:
        return True

    async def both(journal: JournalWriter) -> OutcomeSource:
        source = OutcomeSource(Mortal(), GroupCommit(journal), Before(), 1, SILENT, always)
        cells = [Cell("t", "m", 0), Cell("t", "m", 1)]
        assert [outcome.sample for outcome in await source.outcomes(cells)] == [0, 1]
        return source

    path = tmp_path / "journal.jsonl"
    with JournalWriter(path) as journal:
        source = asyncio.run(both(journal))
    assert (source.n_lost, source.billed_usd) == (2, Decimal("0.50"))
    kinds = [record["kind"] for record in read_journal(path).records]
    assert kinds == ["dispatched", "dispatched", "dispatched", "observed", "dispatched", "observed"]


def test_a_recording_is_not_gone_on_with_as_a_run(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    server = start_server()
    suite = write_suite(tmp_path, live_environment(server.base_url, ["p-60"], include=EASY), ["random"])
    record_suite(suite, tmp_path / "t.parquet", home=tmp_path / "home")
    with pytest.raises(RunError, match="is a recording"):
        resume("latest", home=tmp_path / "home", execution=HERE)


def test_a_live_run_in_a_running_event_loop_as_in_a_notebook(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server = start_server()
    suite = write_suite(tmp_path, live_environment(server.base_url, ["p-60"], include=EASY), ["random"])

    async def cell_of_a_notebook() -> int:
        return run(suite, home=tmp_path / "home", execution=HERE).n_tasks

    assert asyncio.run(cell_of_a_notebook()) == 4
