"""The spans of a finished live run, from its journal: what live tracing exports, given again for MLflow.

One trace for every decision that has an outcome, with a span for each call that it caused. Invariants: names, ids and
attributes are those of the live spans (`krins.models.tracing.attributes`), so logging a trace again, or after it was
exported live, changes spans and adds none; times are those of the calls. A decision that called nothing, as one whose
answer came out of the cache, stands at the run's beginning and lasts no time: the journal does not tell when it was.
Left out: logging them (`mlflow_store`); where a call went and how long its answer might be, unless the suite or the
pool says so; outcomes without a correlation id, which krins once did not give.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krins.domain import Call, Outcome, Scope
from krins.models.pool import pool
from krins.models.tracing.attributes import (
    Attributes,
    call_attributes,
    call_name,
    decision_attributes,
    decision_name,
    is_cached,
    model_attributes,
    outcome_attributes,
    server_attributes,
    settings_attributes,
    span_id,
    trace_id,
)
from krins.runs.records import Started
from krins.suite import LiveEnvironment, LiveModel

if TYPE_CHECKING:
    from mlflow.entities import Span
    from opentelemetry.sdk.trace import ReadableSpan

MAX_TRACES = 1000
"""Of a run: MLflow takes some 5 ms for each."""


@dataclass(frozen=True)
class TracedSpan:
    name: str
    number: int
    """0 for the decision, otherwise which of its calls it was, in the order in which they began."""
    attributes: Attributes
    error: str | None
    started_at_seconds: float
    """Since the epoch."""
    ended_at_seconds: float


@dataclass(frozen=True)
class Trace:
    correlation_id: str
    spans: list[TracedSpan]
    """The decision, then its calls."""

    @property
    def mlflow_id(self) -> str:
        return f"tr-{self.correlation_id}"


def describe_traces(started: Started, outcomes: Iterable[Outcome]) -> list[Trace]:
    """The traces of a live run's outcomes, those without a correlation id left out; none of a recorded run's."""
    environment = started.suite.environment
    if not isinstance(environment, LiveEnvironment):
        return []
    models = {model.name: model for model in environment.models}
    return [_trace(outcome, started, models) for outcome in outcomes if trace_id(outcome.correlation_id)]


def _trace(outcome: Outcome, started: Started, models: Mapping[str, LiveModel]) -> Trace:
    calls = [] if is_cached(outcome) else sorted(outcome.calls, key=lambda call: call.started_at_seconds)
    children = [_call(call, number, outcome, models) for number, call in enumerate(calls, start=1)]
    return Trace(outcome.correlation_id, [_decision(outcome, children, started), *children])


def _decision(outcome: Outcome, calls: list[TracedSpan], started: Started) -> TracedSpan:
    scope = Scope(outcome.correlation_id, outcome.task_id)
    return TracedSpan(
        name=decision_name(outcome.arm),
        number=0,
        attributes=decision_attributes(scope, outcome.arm, outcome.sample)
        | outcome_attributes(outcome)
        | _for_mlflow(outcome, started.run_id),
        error=outcome.failure.message if outcome.failure else None,
        started_at_seconds=min((call.started_at_seconds for call in calls), default=started.started_at_seconds),
        ended_at_seconds=max((call.ended_at_seconds for call in calls), default=started.started_at_seconds),
    )


def _for_mlflow(outcome: Outcome, run_id: str) -> Attributes:
    """What its list of traces shows and finds them by; the names are MLflow's own."""
    asked = {"task_id": outcome.task_id, "arm": outcome.arm, "sample": outcome.sample}
    came = {"quality": outcome.quality, "failure": outcome.failure.kind.value if outcome.failure else None}
    return {
        "mlflow.spanInputs": json.dumps(asked),
        "mlflow.spanOutputs": json.dumps(came),
        "mlflow.traceTag.mlflow.traceName": decision_name(outcome.arm),
        "mlflow.traceTag.krins.run_id": run_id,
        "mlflow.traceTag.krins.correlation_id": outcome.correlation_id,
    }


def _call(call: Call, number: int, outcome: Outcome, models: Mapping[str, LiveModel]) -> TracedSpan:
    stated = models.get(call.model)
    model = (stated and stated.model) or call.model
    attributes = (
        model_attributes(call.model, model, call.provider, outcome.correlation_id)
        | _stated_attributes(stated, model, call.provider, outcome.sample)
        | call_attributes(call)
    )
    if call.cost_usd is not None:
        attributes["mlflow.llm.cost"] = json.dumps({"total_cost": float(call.cost_usd)})  # else it makes up its own
    return TracedSpan(
        name=call_name(model),
        number=number,
        attributes=attributes,
        error=call.error,
        started_at_seconds=call.started_at_seconds,
        ended_at_seconds=call.started_at_seconds + call.latency_seconds,
    )


def _stated_attributes(stated: LiveModel | None, model: str, provider: str, sample: int) -> Attributes:
    """What the suite says of a call; what variables of that day may have added is not known any more."""
    found = pool().get(model)
    max_output_tokens = (stated and stated.max_output_tokens) or (found.max_output_tokens if found else None)
    attributes = settings_attributes(provider, sample, max_output_tokens, stated.temperature if stated else None)
    if stated is not None and stated.base_url is not None:
        attributes |= server_attributes(stated.base_url, provider)
    return attributes


def mlflow_spans(trace: Trace) -> list[Span]:
    """A trace as MLflow's own spans, made as it makes them of what arrives over OTLP."""
    from mlflow.entities import Span
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    encoded = encode_spans([_opentelemetry_span(span, trace.correlation_id) for span in trace.spans])
    return [
        Span.from_otel_proto(span)
        for of_resource in encoded.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _opentelemetry_span(span: TracedSpan, correlation_id: str) -> ReadableSpan:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

    def context(number: int) -> SpanContext:
        return SpanContext(int(correlation_id, 16), span_id(correlation_id, number), is_remote=False)

    return ReadableSpan(
        name=span.name,
        context=context(span.number),
        parent=context(0) if span.number else None,
        resource=Resource.get_empty(),
        attributes=span.attributes,
        kind=SpanKind.CLIENT if span.number else SpanKind.INTERNAL,
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.error),
        start_time=_nanoseconds(span.started_at_seconds),
        end_time=_nanoseconds(span.ended_at_seconds),
    )


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e6) * 1000  # a float of seconds since the epoch tells no more than that
