"""Tracing: OpenTelemetry spans of live runs, from a decision to the calls that it causes.

A decision is a span `invoke_agent ARM`, each call beneath it a span `chat MODEL`. Where they go, the standard variables
say: OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and so on. Invariants: while none of them is
set, nothing is imported and a span costs a fraction of a microsecond; exporting never fails a run, and holds it up only
at its end and for at most two seconds; no global state of OpenTelemetry's is set, and a tracer provider that the user
has set is used as it is. A decision's trace id is its correlation id.
Left out: texts of prompts and answers, which belong to the journal alone; what a span tells
(`krins.models.tracing.attributes`) and how it is recorded (`krins.models.tracing.recorder`).
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from krins.domain import Call, Outcome, Request, Scope

if TYPE_CHECKING:
    from krins.models.spec import ModelSpec
    from krins.models.tracing.recorder import Recorder

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

Result = TypeVar("Result", contravariant=True)


class Span(Protocol[Result]):
    """A span under way, to be used in a `with`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: Any) -> None:
        """End the span, unless `end` has; as failed where an exception passes."""
        ...

    def end(self, result: Result) -> None:
        """Say what came of it, and end the span."""
        ...


class _NoSpan:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        pass

    def end(self, result: object) -> None:
        pass


_NO_SPAN = _NoSpan()
_recorder: Recorder | None = None


def configure_tracing() -> None:
    """Record spans from now on, where the environment or a tracer provider that the user has set asks for it.

    Once is enough for a process, and does nothing where it was done before.
    """
    global _recorder
    if _recorder is not None or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    names = _exporter_names()
    if not names and "opentelemetry.trace" not in sys.modules:  # without which no provider can have been set
        return
    from krins.models.tracing.recorder import make_recorder

    _recorder = make_recorder(names)
    if _recorder is not None:
        atexit.register(shutdown_tracing)


def _exporter_names() -> list[str]:
    """As in OTEL_TRACES_EXPORTER; where that is not set, an endpoint asks for `otlp`."""
    stated = os.environ.get("OTEL_TRACES_EXPORTER")
    if not stated:
        return ["otlp"] if any(os.environ.get(name) for name in _ENDPOINTS) else []
    names = [name.strip() for name in stated.split(",")]
    return [name for name in dict.fromkeys(names) if name not in ("", "none")]


def shutdown_tracing() -> None:
    """Export what has been recorded, for at most two seconds, and record no more."""
    global _recorder
    if _recorder is not None:
        atexit.unregister(shutdown_tracing)
        recorder, _recorder = _recorder, None
        recorder.close()


def decision_span(scope: Scope, arm: str, sample: int) -> Span[Outcome]:
    """The span of giving a task to an arm; calls within it become its children."""
    return _NO_SPAN if _recorder is None else _recorder.decision(scope, arm, sample)


def call_span(spec: ModelSpec, request: Request) -> Span[Call]:
    """The span of one request that goes to a provider."""
    return _NO_SPAN if _recorder is None else _recorder.call(spec, request)


__all__ = ["Span", "call_span", "configure_tracing", "decision_span", "shutdown_tracing"]
