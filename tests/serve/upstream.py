"""A small HTTP upstream whose replies a test writes down, byte by byte, and which remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass(frozen=True)
class Reply:
    pieces: Sequence[bytes] = ()
    """Sent one after another."""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    """After the pieces nothing comes, until the client is gone."""
    is_gated: bool = False
    """The last piece comes once `Upstream.go` is set."""

    @classmethod
    def json(cls, content: Any, status: int = 200, **headers: str) -> Reply:
        return cls([orjson.dumps(content)], status, headers=headers)

    @classmethod
    def events(cls, *events: Any, done: bool = True, hangs: bool = False) -> Reply:
        """A stream of Chat Completions."""
        pieces = [b"data: %b\n\n" % orjson.dumps(event) for event in events]
        return cls([*pieces, *([b"data: [DONE]\n\n"] if done else [])], content_type="text/event-stream", hangs=hangs)


@dataclass(frozen=True)
class Seen:
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]


class Upstream:
    def __init__(self, replies: Sequence[Reply]) -> None:
        """The last reply is given again and again."""
        self._replies = list(replies)
        self.seen: list[Seen] = []
        self.gone = asyncio.Event()
        """A client went away while a reply hung."""
        self.go = asyncio.Event()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.path, headers, orjson.loads(await request.read())))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        response.content_type = reply.content_type
        await response.prepare(request)
        for piece in reply.pieces:
            if reply.is_gated and piece is reply.pieces[-1]:
                await self.go.wait()
            await response.write(piece)
        if reply.hangs:
            await self._hang(request)
        return response

    async def _hang(self, request: web.Request) -> None:
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.005)
        self.gone.set()


@asynccontextmanager
async def upstream(*replies: Reply) -> AsyncIterator[Upstream]:
    served = Upstream(replies)
    application = web.Application(client_max_size=2**26)
    application.router.add_post("/{path:.*}", served.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()
