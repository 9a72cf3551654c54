"""Servers that answer every request with the same bytes, and providers that ask them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from krins.clock import FakeClock
from krins.domain import Request
from krins.errors import ModelFault
from krins.interfaces import OnText, Reply
from krins.models.providers import build_provider
from krins.models.spec import ModelSpec, ProviderName
from tests.support.fault_matrix import spec_for

T = TypeVar("T")

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
PROMPT = Request.of("What?", sample=7)


@dataclass
class Canned:
    """A running server, and what was asked of it."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The JSON of each request; that of one without a body is empty."""


@asynccontextmanager
async def canned(body: bytes, status: int = 200, headers: dict[str, str] = JSON) -> AsyncIterator[Canned]:
    """Answer every request with `body`, on a connection of its own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        asked = await reader.readexactly(lengths[0]) if lengths and lengths[0] else b"{}"
        server_of.requests.append(json.loads(asked))
        lines = [f"HTTP/1.1 {status} Said", "connection: close", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        try:
            await writer.drain()
        except ConnectionError:
            pass  # a client that had enough
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        server_of = Canned(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield server_of


def spec(provider: ProviderName, url: str, **keys: object) -> ModelSpec:
    base_url = f"{url}/v1" if provider.startswith("openai") else url
    return spec_for(provider, "m", base_url, **keys)


async def ask(
    of: ModelSpec, request: Request = PROMPT, on_text: OnText | None = None, clock: FakeClock | None = None
) -> Reply:
    provider = build_provider(of, clock or FakeClock())
    try:
        return await provider.reply(request, on_text)
    finally:
        await provider.close()


async def fault_of_asking(of: ModelSpec, on_text: OnText | None = None, clock: FakeClock | None = None) -> ModelFault:
    try:
        reply = await ask(of, on_text=on_text, clock=clock)
    except ModelFault as fault:
        return fault
    raise AssertionError(f"answered: {reply}")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def ignore(text: str) -> None:
    """Takes a stream's text, for those who want only that it streams."""
