"""Traces of live runs in MLflow itself: the spans that live tracing exports, once each, with the run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from krins.domain import Attempt, Call, Failure, FailureKind, Outcome, Request, Scope, Usage
from krins.models.catalogue import resolve_all
from krins.models.tracing.ids import GivenIds
from krins.models.tracing.recorder import Recorder
from krins.runs.journal import JournalWriter
from krins.runs.records import Finished, Observed, Record, Started
from krins.runs.store import Store
from krins.runs.tracking import track
from krins.runs.tracking.mlflow_store import MlflowStore, quiet_mlflow
from krins.runs.tracking.traces import MAX_TRACES, describe_traces
from krins.runs.tracking.tracked_run import describe_run
from krins.suite import LiveEnvironment
from krins.suite_file import parse_suite
from tests.support.past_runs import PastRun, result, write_run

if TYPE_CHECKING:
    from mlflow.entities import Span, Trace
    from mlflow.tracking import MlflowClient

SUITE_TEXT = """\
version: 1
name: past
environment:
  kind: live
  tasks: tasks
  models:
    - name: small
      base_url: http://127.0.0.1:8080/v1
      model: qwen-0.5b
      max_output_tokens: 64
      fallback: [claude-haiku-5-5]
routers: [random]
"""
STARTED_SECONDS = 1_700_000_000.0
BUSY = Call(
    "small",
    "openai-chat",
    STARTED_SECONDS + 10,
    0.5,
    None,
    Decimal(0),
    Decimal(0),
    error="Overloaded: 529 at 127.0.0.1",
)
ANSWERED = Call(
    model="claude-haiku-5-5",
    provider="anthropic",
    started_at_seconds=STARTED_SECONDS + 12,
    latency_seconds=1.25,
    usage=Usage(100, 20),
    cost_usd=Decimal("0.00025"),
    billed_usd=Decimal("0.00025"),
    billed_tokens=120,
    finish_reason="stop",
    request_id="msg_1",
)


RETRIED = Outcome("rot13", "small", 1, 1.0, Decimal("0.00025"), calls=(ANSWERED, BUSY), correlation_id=f"{1:032x}")
CACHED = replace(RETRIED, attempts=(Attempt("yes", None, 0.5, is_cached=True),), correlation_id=f"{2:032x}")
SPENT = replace(RETRIED, calls=(), failure=Failure(FailureKind.BUDGET, "no room for it"), correlation_id=f"{3:032x}")
OLD = replace(RETRIED, correlation_id="")
OUTCOMES = (RETRIED, CACHED, SPENT, OLD)


def started(run_id: str) -> Started:
    path = Path("/suites/past.yaml")
    return Started(
        run_id=run_id,
        krins_version="0.1.0",
        started_at_seconds=STARTED_SECONDS,
        suite=parse_suite(SUITE_TEXT, path),
        suite_text=SUITE_TEXT,
        suite_path=path,
    )


def write_live_run(store: Store, outcomes: Sequence[Outcome]) -> str:
    run_id = store.create_run("past", STARTED_SECONDS)
    observed = [Observed(outcome=one) for one in outcomes]
    records: list[Record] = [started(run_id), *observed, Finished(result=result(run_id, PastRun()))]
    with store.lock(run_id), JournalWriter(store.journal(run_id)) as journal:
        for record in records:
            journal.append(record.model_dump(mode="json"))
        journal.commit()
    return run_id


class Tracked(NamedTuple):
    """A home whose only run was logged to the default store."""

    store: Store
    uri: str
    run_id: str
    mlflow_run_id: str


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """One for all tests: MLflow takes seconds to make a database."""
    store = Store(tmp_path_factory.mktemp("traces") / "home")
    run_id = write_live_run(store, OUTCOMES)
    return Tracked(store, f"sqlite:///{store.home}/mlflow.db", run_id, track(store, run_id))


@pytest.fixture
def client(tracked: Tracked) -> Iterator[MlflowClient]:
    with quiet_mlflow():
        from mlflow.tracking import MlflowClient

        yield MlflowClient(tracked.uri)


def traces_of(client: MlflowClient, mlflow_run_id: str) -> dict[str, Trace]:
    """By MLflow's id, as the tab of the run shows them."""
    experiment_id = client.get_run(mlflow_run_id).info.experiment_id
    found = client.search_traces(locations=[experiment_id], run_id=mlflow_run_id)
    return {trace.info.trace_id: trace for trace in found}


def spans_of(trace: Trace) -> tuple[Span, list[Span]]:
    """The decision, and its calls in the order in which they began."""
    [root] = [span for span in trace.data.spans if span.parent_id is None]
    calls = [span for span in trace.data.spans if span.parent_id is not None]
    assert {span.parent_id for span in calls} <= {root.span_id}
    return root, sorted(calls, key=lambda span: span.start_time_ns)


def test_each_decision_is_a_trace_of_the_run(tracked: Tracked, client: MlflowClient) -> None:
    traces = traces_of(client, tracked.mlflow_run_id)
    assert traces.keys() == {f"tr-{one.correlation_id}" for one in (RETRIED, CACHED, SPENT)}
    for trace_id, trace in traces.items():
        assert trace.info.tags["krins.run_id"] == tracked.run_id
        assert trace.info.tags["krins.correlation_id"] == trace_id.removeprefix("tr-")
    assert client.get_run(tracked.mlflow_run_id).data.tags["krins.traces"] == "3 of 3"


def test_calls_stand_beneath_their_decision_with_their_times(tracked: Tracked, client: MlflowClient) -> None:
    trace = traces_of(client, tracked.mlflow_run_id)[f"tr-{RETRIED.correlation_id}"]
    root, [busy, answered] = spans_of(trace)
    assert [span.name for span in (root, busy, answered)] == [
        "invoke_agent small",
        "chat qwen-0.5b",
        "chat claude-haiku-5-5",
    ]
    second = 10**9
    began = int(STARTED_SECONDS) * second
    assert (root.start_time_ns, root.end_time_ns) == (began + 10 * second, began + 13 * second + second // 4)
    assert (busy.start_time_ns, busy.end_time_ns) == (began + 10 * second, began + 10 * second + second // 2)
    assert (answered.start_time_ns, answered.end_time_ns) == (began + 12 * second, root.end_time_ns)
    assert [span.status.status_code for span in (root, busy, answered)] == ["UNSET", "ERROR", "UNSET"]
    assert busy.status.description == BUSY.error


def test_mlflow_sums_up_what_krins_counted(tracked: Tracked, client: MlflowClient) -> None:
    trace = traces_of(client, tracked.mlflow_run_id)[f"tr-{RETRIED.correlation_id}"]
    assert trace.info.state == "OK"
    assert trace.info.cost is not None and trace.info.cost["total_cost"] == 0.00025
    assert trace.info.token_usage is not None and trace.info.token_usage["total_tokens"] == 120
    assert trace.info.request_preview == '{"task_id": "rot13", "arm": "small", "sample": 1}'
    assert trace.info.response_preview == '{"quality": 1.0, "failure": null}'
    assert [span.span_type for span in trace.data.spans] == ["AGENT", "CHAT_MODEL", "CHAT_MODEL"]


@pytest.mark.parametrize(("one", "state"), [(CACHED, "OK"), (SPENT, "ERROR")])
def test_a_decision_that_called_nothing_stands_alone(
    tracked: Tracked, client: MlflowClient, one: Outcome, state: str
) -> None:
    trace = traces_of(client, tracked.mlflow_run_id)[f"tr-{one.correlation_id}"]
    root, calls = spans_of(trace)
    assert calls == []
    assert root.start_time_ns == root.end_time_ns == int(STARTED_SECONDS) * 10**9
    assert trace.info.state == state
    assert root.attributes["krins.is_cached"] is (one is CACHED)


def test_spans_are_those_of_live_tracing(tracked: Tracked, client: MlflowClient) -> None:
    """Names, ids and attributes; where a call went the journal tells only if the suite says so."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider(id_generator=GivenIds())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    recorder = Recorder(provider.get_tracer("krins"), None)
    environment = started("any").suite.environment
    assert isinstance(environment, LiveEnvironment)
    specs = resolve_all(environment.models, {})
    with recorder.decision(Scope(RETRIED.correlation_id, "rot13"), "small", 1) as decision:
        for call in (BUSY, ANSWERED):
            with recorder.call(specs[call.model], Request.of("?", sample=1)) as span:
                span.end(call)
        decision.end(RETRIED)
    provider.shutdown()

    trace = traces_of(client, tracked.mlflow_run_id)[f"tr-{RETRIED.correlation_id}"]
    logged = {
        (span.span_id, span.name): {name: value for name, value in span.attributes.items() if "mlflow" not in name}
        for span in trace.data.spans
    }
    live = {
        (f"{span.context.span_id:016x}", span.name): {
            name: list(value) if isinstance(value, tuple) else value for name, value in (span.attributes or {}).items()
        }
        for span in exporter.get_finished_spans()
    }
    for (_, name), attributes in live.items():
        if name == "chat claude-haiku-5-5":
            del attributes["server.address"], attributes["server.port"]
    assert logged == live


def test_logging_that_was_broken_off_anywhere_leaves_each_trace_once(tracked: Tracked, client: MlflowClient) -> None:
    """The work is ended before its first call to MLflow, its second and so on; no clean-up follows, as in a kill."""
    outcomes = [replace(RETRIED, correlation_id=f"{number:032x}") for number in (11, 12)]
    run_id = write_live_run(tracked.store, outcomes)
    run = describe_run(started(run_id), result(run_id, PastRun()), tracked.store.folder(run_id), outcomes)
    for n_calls in itertools.count():
        calls = itertools.count()

        def check(calls: Iterator[int] = calls, last: int = n_calls) -> None:
            if next(calls) == last:
                raise KeyboardInterrupt

        try:
            mlflow_run_id = MlflowStore(tracked.uri, None, check).log(run)
        except KeyboardInterrupt:
            continue
        break
    assert n_calls > 11
    assert track(tracked.store, run_id) == mlflow_run_id
    traces = traces_of(client, mlflow_run_id)
    assert traces.keys() == {f"tr-{one.correlation_id}" for one in outcomes}
    for trace in traces.values():
        assert len(trace.data.spans) == 3
        assert trace.info.cost is not None and trace.info.cost["total_cost"] == 0.00025


def test_no_more_than_so_many_are_logged_and_the_run_says_so() -> None:
    outcomes = [replace(RETRIED, correlation_id=f"{number:032x}") for number in range(1, MAX_TRACES + 4)]
    run = describe_run(started("any"), result("any", PastRun()), Path("nowhere"), outcomes)
    assert [trace.correlation_id for trace in run.traces] == [one.correlation_id for one in outcomes[:MAX_TRACES]]
    assert run.n_traces_left_out == 3
    assert run.notes.endswith("traces of the first 1000 decisions; those of 3 more are left out")


def test_calls_are_in_the_order_in_which_they_began() -> None:
    [trace] = describe_traces(started("any"), [RETRIED])
    assert [span.number for span in trace.spans] == [0, 1, 2]
    assert [span.attributes.get("krins.model") for span in trace.spans] == [None, "small", "claude-haiku-5-5"]


def test_a_model_that_nobody_knows_any_more_goes_by_its_name() -> None:
    [trace] = describe_traces(started("any"), [replace(RETRIED, calls=(replace(ANSWERED, model="claude-0"),))])
    assert trace.spans[1].name == "chat claude-0"
    assert "gen_ai.request.max_tokens" not in trace.spans[1].attributes


def test_recorded_runs_have_no_traces(tracked: Tracked, client: MlflowClient) -> None:
    mlflow_run_id = track(tracked.store, write_run(tracked.store))
    assert traces_of(client, mlflow_run_id) == {}
    assert "krins.traces" not in client.get_run(mlflow_run_id).data.tags


def test_a_store_that_takes_no_spans_takes_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As MLflow's folders, and servers older than its version 3.4."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store, uri = Store(tmp_path / "home"), (tmp_path / "mlruns").as_uri()
    mlflow_run_id = track(store, write_live_run(store, OUTCOMES), uri)
    with quiet_mlflow():
        from mlflow.tracking import MlflowClient

        run = MlflowClient(uri).get_run(mlflow_run_id)
    assert (run.info.status, run.data.tags["krins.traces"]) == ("FINISHED", "0 of 3")
