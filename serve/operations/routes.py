"""The routes of those who run the service: /health, /health/live, /health/ready, /metrics.

Invariants: they are answered however much there is to do, and whether the service is ready or not; health is open to
everybody and tells nothing secret; metrics, which name models and what they cost, ask for a key.
Left out: what is looked at (`serve.operations.checks`) and counted (`serve.operations.meters`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pydantic import BaseModel

from serve.operations.health import Health, HealthReport
from serve.web import Answer, Call, Refusal, Route, Scope

TAG = "operations"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Live(BaseModel):
    status: str = "ok"


class Ready(BaseModel):
    ready: bool = True


def routes(health: Health, exposition: Callable[[], bytes]) -> list[Route]:
    """`exposition`: all that was counted, in Prometheus' text format."""

    async def full(call: Call) -> Answer:
        return Answer.of(health.report())

    async def live(call: Call) -> Answer:
        return Answer.of(Live())

    async def ready(call: Call) -> Answer:
        if why := health.unready():
            raise Refusal(503, "not_ready", f"not ready: {why}", "wait a little", retry_after_seconds=1.0)
        return Answer.of(Ready())

    async def metrics(call: Call) -> Answer:
        return Answer(await asyncio.to_thread(exposition), content_type=_METRICS_TYPE.encode())

    not_ready = {503: "requests cannot be served now; the message says why"}
    return [
        Route(
            "GET",
            "/health",
            full,
            None,
            "How every part is, with its figures; 200 also where one has failed",
            TAG,
            answer=HealthReport,
            is_always_answered=True,
            example_answer=HealthReport(
                status="ok", ready=True, label="", version="0.1.0", uptime_seconds=12.5, parts={}
            ).model_dump(mode="json"),
        ),
        Route(
            "GET",
            "/health/live",
            live,
            None,
            "Whether the process answers at all",
            TAG,
            answer=Live,
            is_always_answered=True,
            example_answer={"status": "ok"},
        ),
        Route(
            "GET",
            "/health/ready",
            ready,
            None,
            "Whether requests can be served",
            TAG,
            answer=Ready,
            refusals=not_ready,
            is_always_answered=True,
            example_answer={"ready": True},
        ),
        Route(
            "GET",
            "/metrics",
            metrics,
            Scope.ANY,
            "What was counted, by all replicas of this node, for Prometheus",
            TAG,
            content_type=_METRICS_TYPE,
            is_always_answered=True,
        ),
    ]
