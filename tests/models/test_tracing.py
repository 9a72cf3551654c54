"""Tracing: what is recorded of a call, what arrives at a collector, and that having none or a bad one does no harm."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from pydantic import BaseModel

from krins.domain import Attempt, Call, Failure, FailureKind, Outcome, Request, Scope, Usage
from krins.models.spec import ModelSpec, ProviderName
from krins.models.tracing import call_span, configure_tracing, decision_span, shutdown_tracing
from krins.models.tracing.attributes import (
    call_attributes,
    decision_attributes,
    model_attributes,
    outcome_attributes,
    server_attributes,
    settings_attributes,
    span_id,
    trace_id,
)
from krins.suite import LiveModel
from tests.support.bad_servers import Answer, bad_server, come_back_tomorrow, garbage, silence

DECISION_ID = "0af7651916cd43dd8448eb211c80319c"
SCOPE = Scope(DECISION_ID, "rot13")
QUESTION = Request.of("What is the answer?", sample=3)
CALL = Call(
    model="small",
    provider="openai-chat",
    started_at_seconds=1_700_000_000.0,
    latency_seconds=0.5,
    usage=Usage(120, 30, cached_tokens=100, cache_write_tokens=5, reasoning_tokens=20),
    cost_usd=Decimal("0.00025"),
    billed_usd=Decimal("0.00025"),
    billed_tokens=150,
    finish_reason="stop",
    request_id="chatcmpl-7",
)
FAILED = replace(CALL, usage=None, finish_reason=None, request_id=None, error="Overloaded: 529 at 127.0.0.1")
OUTCOME = Outcome("rot13", "small", 3, 0.75, Decimal("0.0005"), calls=(FAILED, CALL), correlation_id=DECISION_ID)


def spec(provider: ProviderName = "openai-chat", base_url: str | None = "http://127.0.0.1:8080/v1") -> ModelSpec:
    return ModelSpec(LiveModel(name="small"), provider, "qwen-0.5b", base_url, None, None, 64, None)


# --- What spans tell ---


def test_a_call_tells_what_it_was_and_cost() -> None:
    assert call_attributes(CALL) == {
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "krins.cost_usd": 0.00025,
        "krins.billed_usd": 0.00025,
        "krins.usage_unknown": False,
    }


def test_what_is_unknown_of_a_call_is_left_out() -> None:
    lost = replace(FAILED, cost_usd=None, billed_usd=None, is_usage_unknown=True, error="cancelled")
    assert call_attributes(lost) == {"krins.usage_unknown": True, "error.type": "cancelled"}


def test_an_error_goes_by_its_class() -> None:
    assert call_attributes(FAILED)["error.type"] == "Overloaded"


def test_an_outcome_tells_its_quality_and_what_it_cost() -> None:
    assert outcome_attributes(OUTCOME) == {
        "krins.quality": 0.75,
        "krins.cost_usd": 0.0005,
        "krins.billed_usd": 0.0005,
        "krins.is_cached": False,
    }


def test_an_outcome_without_an_answer_tells_whose_fault_it_was() -> None:
    failed = replace(OUTCOME, cost_usd=None, calls=(), failure=Failure(FailureKind.BUDGET, "no room"))
    assert outcome_attributes(failed) == {
        "krins.quality": 0.75,
        "krins.billed_usd": 0.0,
        "krins.is_cached": False,
        "error.type": "budget",
    }


def test_an_answer_out_of_the_cache_is_marked() -> None:
    attempt = Attempt("yes", None, 0.5, is_cached=True)
    assert outcome_attributes(replace(OUTCOME, attempts=(attempt,)))["krins.is_cached"] is True


@pytest.mark.parametrize(
    ("provider", "name", "host"),
    [
        ("anthropic", "anthropic", "api.anthropic.com"),
        ("openai", "openai", "api.openai.com"),
        ("openai-chat", "openai", "api.openai.com"),
        ("google", "gcp.gemini", "generativelanguage.googleapis.com"),
    ],
)
def test_providers_go_by_the_names_of_the_conventions(provider: str, name: str, host: str) -> None:
    assert model_attributes("small", "qwen-0.5b", provider, "")["gen_ai.provider.name"] == name
    assert server_attributes(None, provider) == {"server.address": host, "server.port": 443}


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:8080/v1", "127.0.0.1", 8080),
        ("http://models.example/v1", "models.example", 80),
        ("https://models.example/v1", "models.example", 443),
        ("http://[::1]:9/v1", "::1", 9),
    ],
)
def test_the_server_is_the_base_urls(url: str, host: str, port: int) -> None:
    assert server_attributes(url, "openai-chat") == {"server.address": host, "server.port": port}


def test_a_seed_is_told_only_where_the_api_takes_one() -> None:
    assert settings_attributes("anthropic", 3, 64, None) == {"gen_ai.request.max_tokens": 64}
    assert settings_attributes("google", 3, 64, None) == {"gen_ai.request.max_tokens": 64, "gen_ai.request.seed": 3}


def test_a_stated_temperature_is_told() -> None:
    assert settings_attributes("anthropic", 0, None, 0.7) == {"gen_ai.request.temperature": 0.7}


def test_names_are_those_of_the_conventions() -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
    from opentelemetry.semconv.attributes import error_attributes
    from opentelemetry.semconv.attributes import server_attributes as server_names

    known = {
        value
        for module in (gen_ai_attributes, error_attributes, server_names)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    told = (
        decision_attributes(SCOPE, "small", 3)
        | call_attributes(CALL)
        | call_attributes(FAILED)
        | model_attributes("small", "qwen-0.5b", "openai-chat", DECISION_ID)
        | settings_attributes("openai-chat", 3, 64, None)
        | server_attributes(None, "openai")
    )
    foreign = {name for name in told if not name.startswith("krins.")}
    assert len(foreign) == 17
    assert foreign <= known


# --- Ids ---


def test_the_trace_id_is_the_correlation_id() -> None:
    assert trace_id(DECISION_ID) == 0x0AF7651916CD43DD8448EB211C80319C


@pytest.mark.parametrize("text", ["", "0" * 32, DECISION_ID[1:], DECISION_ID + "0", "no id at all", "-" + "1" * 31])
def test_what_is_no_correlation_id_is_no_trace_id(text: str) -> None:
    assert trace_id(text) is None


@given(st.integers(1, 2**128 - 1), st.integers(0, 50), st.integers(0, 50))
def test_spans_have_ids_of_their_own(number: int, one: int, other: int) -> None:
    decision_id = f"{number:032x}"
    assert trace_id(decision_id) == number
    assert 0 < span_id(decision_id, one) < 2**64
    assert (span_id(decision_id, one) == span_id(decision_id, other)) == (one == other)


# --- What arrives at a collector ---


class Collector:
    """An OTLP/HTTP receiver on this machine."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def resources(self) -> list[dict[str, Any]]:
        return [plain(of.resource.attributes) for request in self.requests for of in request.resource_spans]

    def spans(self) -> list[SentSpan]:
        """In the order in which they ended."""
        return [
            span
            for request in self.requests
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes of the protocol as they were set."""

    def value(of: AnyValue) -> Any:
        kind = str(of.WhichOneof("value"))
        return [value(one) for one in of.array_value.values] if kind == "array_value" else getattr(of, kind)

    def pair(of: KeyValue) -> tuple[str, Any]:
        return of.key, value(of.value)

    return dict(map(pair, attributes))


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Traced to, until the test shuts tracing down."""
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    try:
        yield collector
    finally:
        shutdown_tracing()
        collector.close()


def test_a_decision_and_its_calls_arrive_as_one_trace(collector: Collector) -> None:
    configure_tracing()
    before = time.time_ns()
    with decision_span(SCOPE, "small", 3) as decision:
        with call_span(spec(), QUESTION) as call:
            call.end(FAILED)
        with call_span(spec(), QUESTION) as call:
            call.end(CALL)
        decision.end(OUTCOME)
    shutdown_tracing()

    failed, answered, root = collector.spans()
    assert [span.name for span in (root, failed, answered)] == ["invoke_agent small", *["chat qwen-0.5b"] * 2]
    assert [span.kind for span in (root, failed)] == [SentSpan.SPAN_KIND_INTERNAL, SentSpan.SPAN_KIND_CLIENT]
    assert {span.trace_id.hex() for span in (root, failed, answered)} == {DECISION_ID}
    assert root.parent_span_id == b""
    assert failed.parent_span_id == answered.parent_span_id == root.span_id
    ids = [int.from_bytes(span.span_id, "big") for span in (root, failed, answered)]
    assert ids == [span_id(DECISION_ID, number) for number in range(3)]
    assert before <= root.start_time_unix_nano <= failed.start_time_unix_nano <= answered.end_time_unix_nano
    assert answered.end_time_unix_nano <= root.end_time_unix_nano <= time.time_ns()

    assert plain(root.attributes) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "small",
        "krins.correlation_id": DECISION_ID,
        "krins.task_id": "rot13",
        "krins.arm": "small",
        "krins.sample": 3,
    } | outcome_attributes(OUTCOME)
    asked = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "qwen-0.5b",
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.seed": 3,
        "server.address": "127.0.0.1",
        "server.port": 8080,
        "krins.model": "small",
        "krins.correlation_id": DECISION_ID,
    }
    assert plain(answered.attributes) == asked | call_attributes(CALL)
    assert plain(failed.attributes) == asked | call_attributes(FAILED)
    assert (failed.status.code, failed.status.message) == (Status.STATUS_CODE_ERROR, "Overloaded: 529 at 127.0.0.1")
    assert root.status.code == answered.status.code == Status.STATUS_CODE_UNSET
    assert {resource["service.name"] for resource in collector.resources()} == {"krins"}


def test_no_text_of_a_prompt_leaves(collector: Collector) -> None:
    configure_tracing()
    with decision_span(SCOPE, "small", 3), call_span(spec(), replace(QUESTION, system="Be brief.")) as call:
        call.end(CALL)
    shutdown_tracing()
    assert len(collector.spans()) == 2
    assert not any("answer" in str(request) or "brief" in str(request) for request in collector.requests)


def test_a_structured_answer_is_asked_for_as_json(collector: Collector) -> None:
    configure_tracing()
    with call_span(spec(), replace(QUESTION, answer_type=BaseModel)) as call:
        call.end(CALL)
    shutdown_tracing()
    assert plain(collector.spans()[0].attributes)["gen_ai.output.type"] == "json"


def test_calls_of_decisions_at_once_are_told_apart(collector: Collector) -> None:
    """Each decision makes two calls at once, as a hedge does."""

    async def ask() -> None:
        with call_span(spec(), QUESTION) as call:
            await asyncio.sleep(0)
            call.end(CALL)

    async def decide(decision_id: str) -> None:
        with decision_span(Scope(decision_id, "rot13"), "small", 3) as decision:
            await asyncio.gather(ask(), ask())
            decision.end(OUTCOME)

    async def decide_all(decision_ids: list[str]) -> None:
        await asyncio.gather(*map(decide, decision_ids))

    configure_tracing()
    decision_ids = [f"{number:032x}" for number in (1, 2, 3)]
    asyncio.run(decide_all(decision_ids))
    shutdown_tracing()
    for decision_id in decision_ids:
        mine = [span for span in collector.spans() if span.trace_id.hex() == decision_id]
        assert {int.from_bytes(span.span_id, "big") for span in mine} == {span_id(decision_id, n) for n in range(3)}
        assert sorted(int.from_bytes(span.parent_span_id, "big") for span in mine) == sorted(
            [0, span_id(decision_id, 0), span_id(decision_id, 0)]
        )


def test_a_call_outside_a_decision_is_a_trace_of_its_own(collector: Collector) -> None:
    configure_tracing()
    with decision_span(SCOPE, "small", 3):
        pass
    with call_span(spec(), QUESTION) as call:
        call.end(CALL)
    shutdown_tracing()
    decision, alone = collector.spans()
    assert alone.parent_span_id == b""
    assert alone.trace_id != decision.trace_id
    assert "krins.correlation_id" not in plain(alone.attributes)


def test_a_decision_that_breaks_says_so(collector: Collector) -> None:
    configure_tracing()
    with pytest.raises(ZeroDivisionError), decision_span(SCOPE, "small", 3):
        raise ZeroDivisionError("no sandbox")
    shutdown_tracing()
    [span] = collector.spans()
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "no sandbox")
    assert plain(span.attributes)["error.type"] == "ZeroDivisionError"


def test_tracing_can_begin_again(collector: Collector) -> None:
    for _ in range(2):
        configure_tracing()
        configure_tracing()
        with decision_span(SCOPE, "small", 3) as decision:
            decision.end(OUTCOME)
        shutdown_tracing()
        shutdown_tracing()
    assert [span.name for span in collector.spans()] == ["invoke_agent small"] * 2


@pytest.mark.parametrize("variable", ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"])
def test_the_user_names_the_service(collector: Collector, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "service.name=mine" if variable == "OTEL_RESOURCE_ATTRIBUTES" else "mine")
    configure_tracing()
    with decision_span(SCOPE, "small", 3):
        pass
    shutdown_tracing()
    assert [resource["service.name"] for resource in collector.resources()] == ["mine"]


# --- None, others, and bad ones. In processes of their own: what is imported and who has set what is global. ---

ONE_DECISION = """
import sys
from krins.domain import Scope
from krins.models.tracing import configure_tracing, decision_span, shutdown_tracing
configure_tracing()
with decision_span(Scope("0af7651916cd43dd8448eb211c80319c", "rot13"), "small", 3):
    pass
"""


@dataclass(frozen=True)
class Ended:
    stdout: str
    stderr: str


def run_program(program: str, **variables: str) -> Ended:
    """Run it to its end, with no more of OpenTelemetry's variables than these."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | variables
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return Ended(ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SERVICE_NAME": "mine"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    ],
)
def test_where_nobody_asks_for_spans_nothing_is_imported(variables: dict[str, str]) -> None:
    program = ONE_DECISION + "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    assert run_program(program, **variables) == Ended("[]\n", "")


def test_spans_can_go_to_the_terminal() -> None:
    ended = run_program(ONE_DECISION, OTEL_TRACES_EXPORTER="console")
    span = json.loads(ended.stdout)
    assert span["name"] == "invoke_agent small"
    assert span["context"]["trace_id"] == f"0x{DECISION_ID}"
    assert ended.stderr == ""


def test_a_provider_of_the_users_is_used_and_its_spans_are_parents() -> None:
    program = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
outer = trace.get_tracer("mine").start_as_current_span("outer")
outer.__enter__()
"""
    check = """
outer.__exit__(None, None, None)
shutdown_tracing()
inner, outer = exporter.get_finished_spans()
print(inner.name, inner.parent == outer.context, inner.attributes["krins.correlation_id"])
assert trace.get_tracer_provider() is provider
with trace.get_tracer("mine").start_as_current_span("after"):
    pass
print(len(exporter.get_finished_spans()))
"""
    assert run_program(program + ONE_DECISION + check) == Ended(f"invoke_agent small True {DECISION_ID}\n3\n", "")


@pytest.mark.parametrize("answer", [silence, come_back_tomorrow])
def test_a_collector_of_no_use_costs_one_line(answer: Answer) -> None:
    with bad_server(answer) as address:
        ended = run_program(ONE_DECISION, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address}")
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert line.startswith("spans are not exported: ")


def test_a_collector_that_is_down_costs_one_line() -> None:
    [line] = run_program(ONE_DECISION, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9").stderr.splitlines()
    assert line.startswith("spans are not exported: the last ones did not go out within 2 s")


def test_a_collector_that_answers_anything_is_believed() -> None:
    with bad_server(garbage) as address:
        ended = run_program(ONE_DECISION, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address}")
    assert ended == Ended("", "")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"OTEL_TRACES_EXPORTER": "pigeon"}, "there is no exporter pigeon (installed: console, otlp_proto_http)"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "morse"},
            "there is no exporter otlp for morse",
        ),
    ],
)
def test_an_exporter_that_is_not_there_costs_one_line(
    variables: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING):
        configure_tracing()
    with decision_span(SCOPE, "small", 3) as decision:
        decision.end(OUTCOME)
    shutdown_tracing()
    [record] = caplog.records
    assert record.getMessage().startswith(f"spans are not exported: {reason}")
