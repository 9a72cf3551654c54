"""Where spans go: the exporters that the standard variables ask for, behind a queue.

Imported only where spans are asked for. Exporters are found by their entry points, as OpenTelemetry's own
auto-instrumentation finds them, so any that is installed can be named. Invariants: a full queue drops spans rather than
hold up a run; of all errors one warning is given, the rest is for whoever has set up logging.
Left out: sampling, limits, headers, TLS and time-outs, which the SDK reads from their own variables.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from importlib.metadata import entry_points

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from krins.models.tracing.ids import GivenIds

_log = logging.getLogger(__name__)
_GROUP = "opentelemetry_traces_exporter"
_CLOSING_SECONDS = 2.0
_DELAY_SECONDS = 1.0
"""Between exports, where OTEL_BSP_SCHEDULE_DELAY says nothing: what is lost when a process is killed."""


def open_pipeline(names: Sequence[str]) -> Pipeline | None:
    """A provider with the exporters of these names, as in OTEL_TRACES_EXPORTER; None where none can be had."""
    warning = _OneWarning()
    _sdk_log().addHandler(warning)
    exporters = [exporter for name in names if (exporter := _exporter(name, warning))]
    if exporters:
        return Pipeline(exporters, warning)
    _sdk_log().removeHandler(warning)
    return None


class Pipeline:
    """A tracer provider of our own, and the thread that will shut it down."""

    def __init__(self, exporters: list[SpanExporter], warning: _OneWarning) -> None:
        self.provider = TracerProvider(resource=_resource(), id_generator=GivenIds(), shutdown_on_exit=False)
        delay_millis = None if os.environ.get("OTEL_BSP_SCHEDULE_DELAY") else _DELAY_SECONDS * 1000
        for exporter in exporters:
            self.provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay_millis))
        self._warning = warning
        self._is_closing = threading.Event()
        # Started now because no thread can be started while the interpreter ends; a daemon, so that it can be left.
        self._closer = threading.Thread(target=self._shut_down, name="krins-spans", daemon=True)
        self._closer.start()

    def close(self) -> None:
        """Export what is left, as far as that takes no more than two seconds."""
        self._is_closing.set()
        self._closer.join(_CLOSING_SECONDS)
        if self._closer.is_alive():
            self._warning.give(f"the last ones did not go out within {_CLOSING_SECONDS:.0f} s")
        else:
            _sdk_log().removeHandler(self._warning)  # otherwise it still has to keep quiet what the SDK will say

    def _shut_down(self) -> None:
        self._is_closing.wait()
        self.provider.shutdown()


class _OneWarning(logging.Handler):
    """Turns the SDK's errors into one warning; as a handler it also keeps Python from printing the rest."""

    _is_given = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            failure = record.exc_info[1] if record.exc_info else None
            self.give(f"{record.getMessage()} {failure or ''}".rstrip())

    def give(self, reason: str) -> None:
        if not self._is_given:
            self._is_given = True
            _log.warning("spans are not exported: %s (this is said once; the run is not affected)", reason)


def _sdk_log() -> logging.Logger:
    return logging.getLogger("opentelemetry")


def _exporter(name: str, warning: _OneWarning) -> SpanExporter | None:
    component = _component(name)
    found = next(iter(entry_points(group=_GROUP, name=component)), None)
    if found is None:
        installed = ", ".join(sorted(point.name for point in entry_points(group=_GROUP)))
        warning.give(f"there is no exporter {component} (installed: {installed})")
        return None
    try:
        exporter: SpanExporter = found.load()()
    except Exception as failure:  # whatever is wrong with the variables that it reads
        warning.give(f"the exporter {component} cannot be set up: {failure}")
        return None
    return exporter


def _component(name: str) -> str:
    """What the exporter is called in its entry point; `otlp` goes by protocol, http/protobuf unless said otherwise."""
    if name != "otlp":
        return name
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}.get(
        protocol or "http/protobuf", f"otlp for {protocol}"
    )


def _resource() -> Resource:
    stated = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in stated
    return Resource.create({} if is_named else {"service.name": "krins"})
