"""Live spans, recorded with OpenTelemetry and handed to an exporter in the background.

Imported only where spans are asked for. Invariants: ids are those that `krins.models.tracing.attributes` gives, except
under a provider of the user's; a span of somebody else's that is under way is the parent of a decision; a call belongs
to the decision in whose context it is made, in whichever asyncio task. Left out: exporters
(`krins.models.tracing.exporters`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Generic, NamedTuple, Self, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from krins.domain import Call, Outcome, Request, Scope
from krins.models.providers.choices import output_limit
from krins.models.spec import ModelSpec
from krins.models.tracing.attributes import (
    Attributes,
    call_attributes,
    call_name,
    decision_attributes,
    decision_name,
    model_attributes,
    outcome_attributes,
    server_attributes,
    settings_attributes,
    span_id,
    trace_id,
)
from krins.models.tracing.exporters import Pipeline, open_pipeline
from krins.models.tracing.ids import next_ids

Result = TypeVar("Result")


def make_recorder(exporters: Sequence[str]) -> Recorder | None:
    """On the tracer provider that the user has set, else on one of our own; None where that has no exporter."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        return Recorder(provider.get_tracer("krins"), None)
    pipeline = open_pipeline(exporters)
    return None if pipeline is None else Recorder(pipeline.provider.get_tracer("krins"), pipeline)


class _Decision(NamedTuple):
    correlation_id: str
    numbers: Iterator[int]
    """Of its calls, from 1."""


_decision: ContextVar[_Decision] = ContextVar("krins_decision")


class _Ended(NamedTuple):
    attributes: Attributes
    error: str | None


class _LiveSpan(Generic[Result]):
    """An OpenTelemetry span that is the current one within a `with`."""

    def __init__(self, span: trace.Span, describe: Callable[[Result], _Ended], decision: _Decision | None) -> None:
        self._span, self._describe, self._decision = span, describe, decision

    def __enter__(self) -> Self:
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        self._outer = None if self._decision is None else _decision.set(self._decision)
        return self

    def end(self, result: Result) -> None:
        ended = self._describe(result)
        self._span.set_attributes(ended.attributes)
        if ended.error is not None:
            self._span.set_status(Status(StatusCode.ERROR, ended.error))
        self._span.end()

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: Any) -> None:
        if self._outer is not None:
            _decision.reset(self._outer)
        otel_context.detach(self._token)
        if not self._span.is_recording():
            return  # it has ended, or was not sampled
        if exc_type is not None:
            self._span.set_attribute("error.type", exc_type.__name__)
            self._span.set_status(Status(StatusCode.ERROR, str(exc)))
        self._span.end()


class Recorder:
    """Makes spans. `pipeline`: what becomes of them where that is our affair."""

    def __init__(self, tracer: Tracer, pipeline: Pipeline | None) -> None:
        self._tracer, self._pipeline = tracer, pipeline

    def decision(self, scope: Scope, arm: str, sample: int) -> _LiveSpan[Outcome]:
        decision = _Decision(scope.decision_id, itertools.count(1))
        attributes = decision_attributes(scope, arm, sample)
        span = self._start(decision.correlation_id, 0, decision_name(arm), SpanKind.INTERNAL, attributes)
        return _LiveSpan(span, _decided, decision)

    def call(self, spec: ModelSpec, request: Request) -> _LiveSpan[Call]:
        decision = _decision.get(None)
        correlation_id, number = (decision.correlation_id, next(decision.numbers)) if decision else ("", 0)
        attributes = (
            model_attributes(spec.name, spec.model, spec.provider, correlation_id)
            | settings_attributes(spec.provider, request.sample, output_limit(request, spec), spec.settings.temperature)
            | server_attributes(spec.base_url, spec.provider)
        )
        if request.answer_type is not None:
            attributes["gen_ai.output.type"] = "json"
        return _LiveSpan(
            self._start(correlation_id, number, call_name(spec.model), SpanKind.CLIENT, attributes), _called, None
        )

    def _start(self, correlation_id: str, number: int, name: str, kind: SpanKind, attributes: Attributes) -> trace.Span:
        trace_number = trace_id(correlation_id)
        if trace_number is None:
            return self._tracer.start_span(name, kind=kind, attributes=attributes)
        with next_ids(trace_number, span_id(correlation_id, number)):
            return self._tracer.start_span(name, kind=kind, attributes=attributes)

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()


def _decided(outcome: Outcome) -> _Ended:
    return _Ended(outcome_attributes(outcome), outcome.failure.message if outcome.failure else None)


def _called(call: Call) -> _Ended:
    return _Ended(call_attributes(call), call.error)
