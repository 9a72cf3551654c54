"""What Prometheus is told: counters, gauges and histograms that all replicas of a node share.

prometheus_client's multiprocess mode: each process keeps its values in files of one folder, mapped into memory, so any
replica answers GET /metrics for all and a killed one loses nothing it had counted (`serve.operations.metric_files`).
Invariants: the number of time series is bounded whatever callers send: labels are routes of the table, classes of
reasons, and the first 200 names of arms, the rest being `other`. Children are looked up once, for `labels()` takes
longer than counting. Left out: reading the files (`serve.operations.metric_files`).
"""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serve.operations.metric_files import MetricFiles

if TYPE_CHECKING:
    from prometheus_client.metrics import MetricWrapperBase

_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_UPSTREAM_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_REASONS = frozenset({"router", "sticky", "switched", "pinned", "fallback"})
_TOKENS = frozenset({"input", "cached", "output", "saved"})
_MAX_NAMES = 200
_OTHER = "other"
_BREAKER_OPEN = {"closed": 0.0, "half-open": 0.5, "open": 1.0}


class PrometheusMeters:
    """`serve.interfaces.Meters`, and what only operations count. One a process."""

    def __init__(self, folder: Path, version: str, models_are: str = "") -> None:
        """
        Args:
            folder: shared by the replicas of a node, and by nobody else.
            models_are: the service's label, such as `fake provider`.

        Raises:
            StorageFault: the folder cannot be written.
        """
        self._files = MetricFiles(folder)
        self._files.claim()
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        registry = CollectorRegistry(auto_describe=False)

        def counter(name: str, what: str, *labels: str) -> _Family:
            return _Family(Counter(name, what, labels, registry=registry))

        def histogram(name: str, what: str, label: str, buckets: tuple[float, ...]) -> _Family:
            return _Family(Histogram(name, what, (label,), registry=registry, buckets=buckets))

        def gauge(name: str, what: str, mode: Any, *labels: str) -> _Family:
            return _Family(Gauge(name, what, labels, registry=registry, multiprocess_mode=mode))

        self._requests = counter("krins_requests", "Requests answered.", "route", "status")
        self._request_seconds = histogram(
            "krins_request_seconds", "From the head of a request to the end of its answer.", "route", _REQUEST_BUCKETS
        )
        self._decisions = counter("krins_decisions", "Decisions for a model.", "model", "reason")
        self._upstream = counter("krins_upstream_calls", "Calls of models.", "model", "outcome")
        self._upstream_seconds = histogram("krins_upstream_seconds", "Calls of models.", "model", _UPSTREAM_BUCKETS)
        self._spend = counter("krins_spend_usd", "Spent on calls of models.", "model")
        self._tokens = counter(
            "krins_tokens", "Tokens read, cached, written, and left out of prompts.", "model", "kind"
        )
        self._breaker = gauge("krins_breaker_open", "1: open, 0.5: half-open.", "livemax", "endpoint")
        self._queue = gauge("krins_queue_jobs", "Jobs by state.", "livemostrecent", "status")
        self._feedback = counter("krins_feedback", "Feedback by what became of it.", "status")
        self._in_flight = gauge("krins_in_flight", "Requests in work.", "livesum")
        self._ready = gauge("krins_ready", "1 where every replica of the node is ready.", "livemin")
        self._disk_free = gauge("krins_disk_free_bytes", "Free where state lives.", "livemostrecent")
        self._budget_left = gauge(
            "krins_key_budget_left_ratio", "Of a key's budget, what is left.", "livemostrecent", "key"
        )
        gauge("krins_build_info", "What runs.", "livemax", "version", "models").of(version, models_are or "-").set(1)
        self._names: set[str] = set()

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.of(route, str(status)).inc()
        self._request_seconds.of(route).observe(seconds)

    def decision(self, arm: str, reason: str) -> None:
        kind = reason.partition(":")[0]
        self._decisions.of(self._bounded(arm), kind if kind in _REASONS else _OTHER).inc()

    def upstream(self, arm: str, outcome: str, seconds: float) -> None:
        name = self._bounded(arm)
        self._upstream.of(name, outcome).inc()
        self._upstream_seconds.of(name).observe(seconds)

    def spend(self, arm: str, usd: Decimal) -> None:
        self._spend.of(self._bounded(arm)).inc(float(usd))

    def tokens(self, arm: str, kind: str, count: int) -> None:
        self._tokens.of(self._bounded(arm), kind if kind in _TOKENS else _OTHER).inc(count)

    def breaker(self, endpoint: str, state: str) -> None:
        self._breaker.of(self._bounded(endpoint)).set(_BREAKER_OPEN[state])

    def queue(self, status: str, depth: int) -> None:
        self._queue.of(status).set(depth)

    def feedback(self, status: str) -> None:
        self._feedback.of(status).inc()

    def in_flight(self, count: int) -> None:
        self._in_flight.of().set(count)

    def ready(self, is_ready: bool) -> None:
        self._ready.of().set(is_ready)

    def disk_free(self, size_bytes: int) -> None:
        self._disk_free.of().set(size_bytes)

    def budget_left(self, key_id: str, ratio: float) -> None:
        if math.isfinite(ratio):
            self._budget_left.of(self._bounded(key_id)).set(ratio)

    def exposition(self) -> bytes:
        """All processes of the node, in Prometheus' text format."""
        return self._files.exposition()

    def _bounded(self, name: str) -> str:
        if name in self._names:
            return name
        if len(self._names) >= _MAX_NAMES:
            return _OTHER
        self._names.add(name)
        return name


class _Family:
    """A metric and its children by label values."""

    def __init__(self, metric: MetricWrapperBase) -> None:
        self._metric: Any = metric
        self._children: dict[tuple[str, ...], Any] = {}

    def of(self, *values: str) -> Any:
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._metric.labels(*values) if values else self._metric
        return child
