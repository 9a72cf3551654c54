"""Ids of spans: given for krins's own, random for whatever else is recorded through the same provider.

Imported only where spans are asked for. Left out: which ids are given (`krins.models.tracing.attributes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator


class _Ids(NamedTuple):
    trace_id: int
    span_id: int


_next: ContextVar[_Ids | None] = ContextVar("krins_next_ids", default=None)


@contextmanager
def next_ids(trace_id: int, span_id: int) -> Iterator[None]:
    """Give a span that begins within these ids; the trace id only if no other span is its parent."""
    token = _next.set(_Ids(trace_id, span_id))
    try:
        yield
    finally:
        _next.reset(token)


class GivenIds(RandomIdGenerator):
    """Correlation ids are random, so samplers may rely on trace ids as ever."""

    def generate_trace_id(self) -> int:
        ids = _next.get()
        return super().generate_trace_id() if ids is None else ids.trace_id

    def generate_span_id(self) -> int:
        ids = _next.get()
        return super().generate_span_id() if ids is None else ids.span_id
