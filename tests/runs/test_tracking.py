"""Tracking with MLflow itself: what is logged, once, and what becomes of a run when the server is of no use."""

from __future__ import annotations

import io
import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from krins.errors import RunError, TrackingFault
from krins.runs.history.brief import read_brief
from krins.runs.journal import read_journal
from krins.runs.store import Store
from krins.runs.tracking import sync, track
from krins.runs.tracking.mlflow_store import MlflowStore, quiet_mlflow
from krins.runs.tracking.tracked_run import describe_run
from tests.support.bad_servers import Answer, bad_server, come_back_tomorrow, garbage, silence, trickle
from tests.support.past_runs import STEPS, SUITE_TEXT, PastRun, write_run, write_runs

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


class Tracked(NamedTuple):
    """A home whose first run was logged to the default store."""

    store: Store
    uri: str
    run_id: str
    mlflow_run_id: str
    terminal: str
    """What was printed meanwhile, the making of the database included."""


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """One for all tests: MLflow takes seconds to make a database."""
    store = Store(tmp_path_factory.mktemp("tracking") / "home")
    run_id = write_run(store, PastRun(quality=0.75))
    figures = store.folder(run_id) / "figures"
    figures.mkdir()
    for name in ("regret.png", "regret.html", "notes.txt"):
        (figures / name).write_text(name)
    uri = f"sqlite:///{store.home}/mlflow.db"
    terminal = io.StringIO()
    with redirect_stdout(terminal), redirect_stderr(terminal):
        mlflow_run_id = track(store, run_id, uri)
    return Tracked(store, uri, run_id, mlflow_run_id, terminal.getvalue())


@pytest.fixture
def client(tracked: Tracked) -> Iterator[MlflowClient]:
    with quiet_mlflow():
        from mlflow.tracking import MlflowClient

        yield MlflowClient(tracked.uri)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def logged(client: MlflowClient, run_id: str) -> list[Run]:
    experiment = client.get_experiment_by_name("krins/past")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.`krins.run_id` = '{run_id}'"))


def test_the_parent_says_what_was_run(tracked: Tracked, client: MlflowClient) -> None:
    parent = client.get_run(tracked.mlflow_run_id)
    assert (parent.info.run_name, parent.info.status) == (tracked.run_id, "FINISHED")
    assert parent.info.start_time == 1_700_000_000_000
    assert parent.info.end_time == 1_700_000_001_500
    assert parent.data.params["seed"] == "7"
    assert parent.data.params["replications"] == "3"
    assert parent.data.params["table_sha256"] == "ab" * 32
    assert len(parent.data.params["fingerprint"]) == 64
    assert parent.data.params["krins_version"] == "0.1.0"
    assert parent.data.metrics["billed_usd"] == 0.000000125
    assert parent.data.metrics["baseline/best_single/quality_mean"] == 0.4
    assert parent.data.tags["mlflow.note.content"] == "made up"


def test_each_router_is_a_child_with_its_numbers_and_curves(tracked: Tracked, client: MlflowClient) -> None:
    children = {
        run.info.run_name: run for run in logged(client, tracked.run_id) if "mlflow.parentRunId" in run.data.tags
    }
    assert children.keys() == {"random", "greedy"}
    greedy = children["greedy"]
    assert greedy.data.tags["mlflow.parentRunId"] == tracked.mlflow_run_id
    assert greedy.info.status == "FINISHED"
    assert greedy.data.params["epsilon"] == "0.25"
    assert greedy.data.metrics["quality_mean"] == 0.75
    assert greedy.data.metrics["regret_vs_oracle_replication_high"] == 0.1875
    assert greedy.data.metrics["errors_infrastructure"] == 2
    assert "tokens_low" not in greedy.data.metrics, "what is not known is not logged"
    assert "curve/tokens" not in greedy.data.metrics
    for curve in ("regret", "cost_usd", "quality"):
        history = client.get_metric_history(greedy.info.run_id, f"curve/{curve}")
        assert [(point.step, point.value) for point in history] == [(step, float(step)) for step in STEPS]


def test_files_lie_with_the_parent(tracked: Tracked, client: MlflowClient, tmp_path: Path) -> None:
    files = {file.path for file in client.list_artifacts(tracked.mlflow_run_id)}
    assert files == {"suite.yaml", "result.json", "table.csv", "figures"}
    figures = {file.path for file in client.list_artifacts(tracked.mlflow_run_id, "figures")}
    assert figures == {"figures/regret.png", "figures/regret.html"}
    folder = Path(client.download_artifacts(tracked.mlflow_run_id, "", str(tmp_path)))
    assert (folder / "suite.yaml").read_text() == SUITE_TEXT
    assert json.loads((folder / "result.json").read_text())["routers"][0]["quality"]["mean"] == 0.75
    assert (folder / "table.csv").read_text().startswith("router,")
    assert (tracked.store.home / "mlflow").is_dir()


def test_nothing_is_printed(tracked: Tracked) -> None:
    assert tracked.terminal == ""


def test_logging_again_finds_what_is_there(tracked: Tracked, client: MlflowClient) -> None:
    assert track(tracked.store, tracked.run_id) == tracked.mlflow_run_id
    assert len(logged(client, tracked.run_id)) == 3


def test_logging_that_was_broken_off_anywhere_is_made_good(tracked: Tracked, client: MlflowClient) -> None:
    """The work is ended before its first call to MLflow, its second and so on; no clean-up follows, as in a kill."""
    run_id = write_run(tracked.store)
    brief = read_brief(tracked.store, run_id)
    assert brief.result is not None
    run = describe_run(brief.started, brief.result, tracked.store.folder(run_id))
    for n_calls in itertools.count():
        calls = itertools.count()

        def check(calls: Iterator[int] = calls, last: int = n_calls) -> None:
            if next(calls) == last:
                raise KeyboardInterrupt

        try:
            mlflow_run_id = MlflowStore(tracked.uri, None, check).log(run)
        except KeyboardInterrupt:
            assert not any(r.info.status == "FINISHED" for r in logged(client, run_id) if r.info.run_name == run_id)
        else:
            break
    assert n_calls > 8
    assert track(tracked.store, run_id, tracked.uri) == mlflow_run_id
    runs = logged(client, run_id)
    assert sorted(run.info.run_name for run in runs) == sorted([run_id, "random", "greedy"])
    assert all(run.info.status == "FINISHED" for run in runs)


def test_sync_logs_what_is_not_logged_there(tracked: Tracked, client: MlflowClient) -> None:
    sync(tracked.store, tracked.uri)
    new = write_runs(tracked.store, 2)
    write_run(tracked.store, PastRun(is_finished=False))
    broken = write_run(tracked.store)
    tracked.store.journal(broken).write_bytes(b"nothing that can be read\n")
    synced = sync(tracked.store)  # the default store, which is the same one
    assert [one.run_id for one in synced] == new
    for one in synced:
        assert one.error is None
        assert client.get_run(str(one.mlflow_run_id)).info.status == "FINISHED"
        marks = json.loads((tracked.store.folder(one.run_id) / "tracked.json").read_text())
        assert marks == {tracked.uri: one.mlflow_run_id}
    assert sync(tracked.store, tracked.uri) == []


def test_a_deleted_experiment_is_named(tracked: Tracked, client: MlflowClient) -> None:
    experiment = client.get_experiment_by_name("krins/past")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    try:
        with pytest.raises(TrackingFault, match=r"'krins/past' was deleted") as caught:
            track(tracked.store, tracked.run_id, tracked.uri)
        assert "mlflow experiments restore" in caught.value.remedy
    finally:
        client.restore_experiment(experiment.experiment_id)


def test_an_unfinished_run_is_not_logged(store: Store) -> None:
    run_id = write_run(store, PastRun(is_finished=False))
    with pytest.raises(RunError, match="not finished"):
        track(store, run_id)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def assert_refused_and_kept(store: Store, uri: str, capfd: pytest.CaptureFixture[str]) -> str:
    """Logging fails with a TrackingFault, quietly, and the run is as it was. Returns the message."""
    run_id = write_run(store)
    before = store.journal(run_id).read_bytes()
    with pytest.raises(TrackingFault) as caught:
        track(store, run_id, uri, patience_seconds=6.0)
    assert "krins-eval history sync" in caught.value.remedy
    assert capfd.readouterr() == ("", "")
    assert store.journal(run_id).read_bytes() == before
    assert read_journal(store.journal(run_id)).damage == []
    assert not (store.folder(run_id) / "tracked.json").exists()
    return caught.value.message


@pytest.mark.parametrize("answer", [garbage, silence, trickle, come_back_tomorrow])
def test_a_server_of_no_use(store: Store, answer: Answer, capfd: pytest.CaptureFixture[str]) -> None:
    with bad_server(answer) as address:
        message = assert_refused_and_kept(store, f"http://me:secret@{address}", capfd)
    assert address in message
    assert "secret" not in message
    assert len(message) < 1000


def test_a_server_that_is_down(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    assert uri in assert_refused_and_kept(store, uri, capfd)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    more = write_runs(store, 4)
    synced = sync(store)
    assert {one.run_id for one in synced} >= set(more)
    assert all(one.error and one.mlflow_run_id is None for one in synced)
    assert [one.error for one in synced[3:]] == ["not tried: the server did not take the runs before"] * 2


def test_an_address_that_is_none(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    assert "nonsense://" in assert_refused_and_kept(store, "nonsense://server", capfd)


def test_heavy_libraries_are_imported_when_they_are_used() -> None:
    program = (
        "import sys, krins.runs.history, krins.runs.history.pruning, krins.runs.tracking;"
        "sys.exit(str(sorted({'duckdb', 'mlflow', 'pandas', 'pyarrow'} & sys.modules.keys())))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stderr.strip() == "[]"
