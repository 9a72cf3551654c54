"""A status page with figures of one's choice, in a small HTTP server that asks for a key, or for none.

Stands in for the door alone: matching three paths and one key. Left out: everything else a door does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from krins.clock import FakeClock
from krins.interfaces import Clock
from krins.models.breaker import BreakerHealth, CircuitBreaker
from serve.interfaces import Answered, DecisionMade, Feedback, Receipt
from serve.page.data import Check, Sources
from serve.page.page import StatusPage, routes
from serve.web import Answer, Call, Client, Refusal, Route

KEY = "krins_test_key"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202egnp.exe{{7*7}}"

STATE: dict[str, Any] = {
    "router": "models:/quickstart/3",
    "version": 1234,
    "epoch": 2,
    "frozen": False,
    "more": "ignored",
}
ARMS: dict[str, Any] = {
    "arms": [
        {"arm": "qwen2.5-coder-1.5b", "decisions": 900, "outcomes": 850, "spend_usd": "3.21",
         "mean_quality": 0.72, "quality_interval": [0.69, 0.75], "mean_reward": 0.7, "reward_interval": [0.66, 0.73]},
        {"arm": "smollm2-135m", "decisions": 100, "outcomes": 90, "spend_usd": "0.0042",
         "mean_quality": 0.1, "quality_interval": None, "mean_reward": None},
    ]
}  # fmt: skip
SAVING: dict[str, Any] = {
    "reference": "qwen2.5-coder-1.5b",
    "ratio": 0.31,
    "interval": [0.25, 0.37],
    "is_claimed": True,
    "words": "The router spends 31% less than always asking qwen2.5-coder-1.5b, and is no worse by 2 points.",
}
DECISIONS: dict[str, Any] = {
    "decisions": [
        {"at_seconds": 1.8e9 + 60 * number, "arm": "smollm2-135m", "probability": 0.025, "reason": "router"}
        for number in range(30)
    ]
}


class Ticking(FakeClock):
    """A second passes whenever it is looked at."""

    def monotonic_seconds(self) -> float:
        self.advance(1.0)
        return super().monotonic_seconds()


class Learner:
    """Answers what it was given; what is missing it refuses, and None is never answered."""

    def __init__(self, **answers: Mapping[str, Any] | None) -> None:
        self.answers: dict[str, Mapping[str, Any] | None] = {
            "state": STATE,
            "arms": ARMS,
            "decisions": DECISIONS,
            "report": {"saving": SAVING},
        } | answers
        self.asked = 0

    async def ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked += 1
        if what not in self.answers:
            raise Refusal(503, "learner_unreachable", "the learner is out of reach")
        answer = self.answers[what]
        if answer is None:
            await asyncio.Event().wait()
            raise AssertionError
        return answer

    async def feedback(self, items: Sequence[Feedback]) -> Sequence[Receipt]:
        raise NotImplementedError

    def note(self, record: DecisionMade | Answered) -> None:
        raise NotImplementedError


def sources(learner: Learner, clock: Clock | None = None, name: str = "http://upstream:8790/v1") -> Sources:
    clock = clock or FakeClock(1.8e9)

    async def queue() -> Mapping[str, int]:
        return {"queued": 3, "running": 1, "dead": 0}

    async def health() -> Sequence[Check]:
        return (
            Check(name="store", status="ok", figure="written in 2 ms"),
            Check(name="disk", status="degraded", figure=f"1.2 GB free at {name}"),
        )

    def breakers() -> Mapping[str, BreakerHealth]:
        opened = BreakerHealth("open", 0.8, 25, 1.8e9, 4.2, "ServerFault: 500")
        return {name: opened, "http://other/v1": CircuitBreaker(clock).health()}

    return Sources(learner, breakers, queue, health, clock, label="fake provider")


@contextmanager
def serving(sources: Sources, may_see: Callable[[Call], bool]) -> Iterator[str]:
    """The URL of a server of the page of these sources."""
    loop = asyncio.new_event_loop()
    turning = threading.Thread(target=loop.run_forever, daemon=True)
    turning.start()
    table = {route.path: route for route in routes(StatusPage(sources, may_see))}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower().encode(): value.encode() for name, value in self.headers.items()}
            call = Call("GET", self.path, {}, None, headers, b"", None, Client("", frozenset()), "r")
            answer = asyncio.run_coroutine_threadsafe(_answer(table.get(self.path), may_see, call), loop).result()
            assert isinstance(answer.body, bytes)
            self.send_response(answer.status)
            for name, value in [*answer.headers, (b"content-type", answer.content_type)]:
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        loop.call_soon_threadsafe(loop.stop)
        turning.join()
        loop.close()


def has_key(call: Call) -> bool:
    return call.headers.get(b"authorization") == f"Bearer {KEY}".encode()


def anybody(call: Call) -> bool:
    return True


async def _answer(route: Route | None, may_see: Callable[[Call], bool], call: Call) -> Answer:
    if route is None:
        return Answer(b"", 404)
    if route.scope and not may_see(call):
        return Answer(b"{}", 401)
    return await route.handle(call)
