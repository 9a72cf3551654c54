"""The HTTP client under every SDK: where it may go, how much it takes, and how a stream ended.

Invariants: while KRINS_NO_PAID_CALLS is set, nothing is sent beyond this machine, whichever SDK asks; a response body
is at most 32 MiB, however small it came; connecting has a limit of time, whatever an SDK thinks; nothing is redirected.
The SDKs swallow the last bytes of a stream, which alone tell that it was whole, so they are kept for `Tail`. Left out:
limits of time but the one to connect (`krins.models.timeouts`); proxies, which would need a transport for each of them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar
from urllib.parse import urlsplit

import httpx2

from krins.errors import UserError

NO_PAID_CALLS_VARIABLE = "KRINS_NO_PAID_CALLS"
MAX_BODY_BYTES = 32 * 2**20
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_TAIL_BYTES = 64
_MAX_CONNECTIONS = 4096


class BodyTooLarge(httpx2.ReadError):
    """A response is larger than any answer; reading it further could exhaust the memory."""


class Tail:
    """The last bytes of the response that the current task reads."""

    def __init__(self) -> None:
        self.content = b""
        _tail.set(self)


_tail: ContextVar[Tail | None] = ContextVar("tail", default=None)


def refuse_paid(name: str, url: str) -> None:
    """Raises UserError where the switch is set and the URL is not on this machine."""
    if os.environ.get(NO_PAID_CALLS_VARIABLE) and urlsplit(url).hostname not in _LOOPBACK:
        raise UserError(
            f"model {name}: {url} is not on this machine, and {NO_PAID_CALLS_VARIABLE} is set",
            f"unset {NO_PAID_CALLS_VARIABLE} to call models that may cost money",
        )


def http_client(connect_timeout_seconds: float) -> httpx2.AsyncClient:
    """A client to hand to an SDK, which closes it with itself or leaves that to its owner."""
    limits = httpx2.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=256)
    return httpx2.AsyncClient(
        transport=_Guarded(httpx2.AsyncHTTPTransport(limits=limits), connect_timeout_seconds),
        timeout=httpx2.Timeout(None, connect=connect_timeout_seconds, pool=connect_timeout_seconds),
        follow_redirects=False,
        headers={"accept-encoding": "identity"},
    )


class _Guarded(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport, connect_timeout_seconds: float) -> None:
        self._inner = inner
        self._limits = {"connect": connect_timeout_seconds, "pool": connect_timeout_seconds}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        refuse_paid("", str(request.url))
        # Google's SDK asks for no limits at all, which would stand in place of the client's.
        request.extensions = {
            **request.extensions,
            "timeout": {**request.extensions.get("timeout", {}), **self._limits},
        }
        response = await self._inner.handle_async_request(request)
        return _Bounded(
            response.status_code, headers=response.headers, stream=response.stream, extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx2.Response):
    """Counts what is read of it, decompressed."""

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncGenerator[bytes, None]:
        n_bytes, tail = 0, _tail.get()
        async with aclosing(super().aiter_bytes(chunk_size)) as chunks:
            async for chunk in chunks:
                n_bytes += len(chunk)
                if n_bytes > MAX_BODY_BYTES:
                    raise BodyTooLarge(f"the answer exceeds {MAX_BODY_BYTES // 2**20} MiB")
                if tail is not None:
                    tail.content = (tail.content + chunk)[-_TAIL_BYTES:]
                yield chunk
