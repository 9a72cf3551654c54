"""A door with a few routes behind a listener: in this process, or (`python -m tests.serve.door_app`) in one of its own.

The routes answer what tests need: an echo, canned answers of the dialects, a stream, a fault. In a process of its own
it prints its port, stops gracefully on SIGTERM, and ends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop
from pydantic import BaseModel, ConfigDict, Field

from krins.clock import SystemClock
from serve.connection import ConnectionLimits
from serve.door import Door, Limits
from serve.listener import Listener, ListenerLimits
from serve.security.audit import AuditLog
from serve.security.guard import Guard
from serve.security.keys import KeyRing
from serve.security.rates import Rates
from serve.web import Answer, Call, Refusal, Route, Scope

ADMIN_KEY = "0f1a7c5be2d94836a1b2c3d4e5f60718"
QUICK = ListenerLimits(handshake_seconds=0.0, idle_grace_seconds=0.0)
_AUDITS: dict[Door, AuditLog] = {}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "krins",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
}


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1)
    times: int = Field(1, ge=1)


class Chat(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: str


class Page(BaseModel):
    limit: int = Field(10, ge=1)


class CountingMeters:
    """Counts what the door tells; everything else is left out of these tests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []

    def request(self, route: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((route, status))


async def _echo(call: Call) -> Answer:
    note: Note = call.data
    return Answer.of({"text": note.text * note.times, "key_id": call.client.key_id, "path": dict(call.params)})


async def _empty(call: Call) -> Answer:
    return Answer(b"{}")


async def _slow(call: Call) -> Answer:
    await asyncio.sleep(0.1)
    return Answer(b"{}")


async def _completion(call: Call) -> Answer:
    return Answer.of(COMPLETION)


async def _fault(call: Call) -> Answer:
    raise RuntimeError(f"inside: {call.headers.get(b'authorization')!r}")


async def _refusal(call: Call) -> Answer:
    raise Refusal(409, "in_flight", "another one is at it", "wait", retry_after_seconds=0.2)


async def _injection(call: Call) -> Answer:
    return Answer(b"<p>", headers=[(b"x-arm", b"a\r\nset-cookie: b=c")], content_type=b"text/html")


class Streams:
    """A stream that never ends by itself, and what became of it."""

    def __init__(self) -> None:
        self.begun = self.closed = 0

    async def handle(self, call: Call) -> Answer:
        return Answer(self._pieces(), content_type=b"text/event-stream")

    async def _pieces(self) -> AsyncIterator[bytes]:
        self.begun += 1
        try:
            while True:
                yield b"data: x\n\n"
                await asyncio.sleep(0.01)
        finally:
            self.closed += 1

    async def broken(self, call: Call) -> Answer:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"data: x\n\n"
            raise RuntimeError("in mid-stream")

        return Answer(pieces(), content_type=b"text/event-stream")


async def _page(call: Call) -> Answer:
    page: Page = call.query
    return Answer.of({"limit": page.limit})


def sample_routes(streams: Streams) -> list[Route]:
    infer, tag = Scope.INFER, "test"
    return [
        Route("GET", "/health/live", _empty, None, "", tag, is_always_answered=True),
        Route("POST", "/echo", _echo, infer, "", tag, body=Note),
        Route("POST", "/echo/{name}/{what}", _echo, infer, "", tag, body=Note),
        Route("GET", "/echo/{name}/{what}", _empty, infer, "", tag),
        Route("GET", "/empty", _empty, Scope.ANY, "", tag),
        Route("GET", "/slow", _slow, infer, "", tag),
        Route("GET", "/page", _page, infer, "", tag, query=Page),
        Route("POST", "/v1/chat/completions", _completion, infer, "", tag, "openai", body=Chat, streams=True),
        Route("POST", "/v1/messages", _completion, infer, "", tag, "anthropic", body=Chat, streams=True),
        Route("GET", "/fault", _fault, infer, "", tag),
        Route("GET", "/refusal", _refusal, infer, "", tag),
        Route("GET", "/injection", _injection, infer, "", tag),
        Route("GET", "/stream", streams.handle, infer, "", tag),
        Route("GET", "/broken", streams.broken, infer, "", tag),
        Route("POST", "/freeze", _empty, Scope.ADMIN, "", tag),
    ]


def make_door(
    folder: Path,
    routes: Sequence[Route],
    meters: CountingMeters | None = None,
    unready: Callable[[], str] = lambda: "",
    limits: Limits | None = None,
    keys: bool = True,
) -> Door:
    clock = SystemClock()
    audit = AuditLog(folder / "audit", clock)
    ring = KeyRing.load(folder / "keys.json", {"KRINS_ADMIN_KEY": ADMIN_KEY}, clock) if keys else None
    door = Door(
        routes,
        Guard(ring, Rates(clock, replicas=1)),
        meters or CountingMeters(),
        audit,
        unready,
        limits or Limits(),
    )
    _AUDITS[door] = audit
    return door


@asynccontextmanager
async def listening(door: Door, limits: ListenerLimits | None = None) -> AsyncIterator[Listener]:
    listener = Listener(door, "127.0.0.1", 0, SystemClock(), limits or QUICK)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(1.0)
        await _AUDITS.pop(door).close()


async def _main(folder: Path, port: int, max_in_flight: int) -> None:
    door = make_door(folder, sample_routes(Streams()), limits=Limits(max_in_flight=max_in_flight))
    limits = ListenerLimits(idle_grace_seconds=2.0, connection=ConnectionLimits(head_seconds=2.0))
    listener = Listener(door, "127.0.0.1", port, SystemClock(), limits)
    await listener.start()
    print(listener.port, flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await listener.stop(10.0)


if __name__ == "__main__":
    uvloop.run(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
