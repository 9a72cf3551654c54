"""One connection: uvicorn's httptools protocol, with bounds on what a caller may keep open or half send.

Invariants: a head that is not complete within `head_seconds`, or is larger than `max_head_bytes`, ends the connection;
no timer is set for that, the listener looks once a second; a connection that is to end with bytes of a request unread
ends in two steps (lingering close): the answer, our end of the stream, and then up to `linger_seconds` in which what
still comes is thrown away, for a close with unread bytes makes the kernel send a reset, which can overtake the answer.
Left out: how long a body may take (`serve.reading`), and who listens (`serve.listener`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_LATER = b"content-type: application/json\r\nconnection: close\r\nx-content-type-options: nosniff\r\n"


class ConnectionLimits(NamedTuple):
    head_seconds: float = 8.0
    """With the second that may pass until the listener looks, within 10 s even where the machine is busy."""
    max_head_bytes: int = 65_536
    keep_alive_seconds: int = 75
    """Longer than clients keep idle connections (httpx 5 s, aiohttp 15 s), so that the client closes first."""
    linger_seconds: float = 2.0


class _Lingering:
    """A transport that, told to close, first lets the peer have the answer. Its methods are the transport's own."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write, self.is_closing = transport.write, transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading
        self.close = close


class Connection(HttpToolsProtocol):
    def __init__(
        self,
        config: Config,
        state: ServerState,
        limits: ConnectionLimits,
        is_draining: Callable[[], bool],
        is_full: bool,
    ) -> None:
        """`is_full`: there are so many connections that this one is only told so."""
        super().__init__(config, state, {})
        self._limits, self._is_draining, self._is_full = limits, is_draining, is_full
        self._bare: asyncio.Transport | None = None
        self._head_since_seconds: float | None = None
        """Since when a head is waited for or incomplete; None while a request is in work, or the connection idle."""
        self._head_bytes = 0
        self._is_lingering = False
        self._refusal = (400, b"Bad Request", b"bad_request", b"not an HTTP request that can be read")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._bare = cast(asyncio.Transport, transport)
        super().connection_made(cast(asyncio.Transport, _Lingering(self._bare, self._close)))
        self._head_since_seconds = self.loop.time()
        if self._is_full:
            self._refuse(503, b"Service Unavailable", b"overloaded", b"too many connections are open")

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            return
        if self._head_since_seconds is None and (self.cycle is None or self.cycle.response_complete):
            self._head_since_seconds, self._head_bytes = self.loop.time(), 0
        if self._head_since_seconds is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_since_seconds is not None and self._head_bytes > self._limits.max_head_bytes:
            self._refuse_head()

    def eof_received(self) -> None:
        if self._is_lingering and self._bare is not None:
            self._bare.close()

    def on_headers_complete(self) -> None:
        if self._head_bytes > self._limits.max_head_bytes and self._head_size() > self._limits.max_head_bytes:
            self._refusal = (
                431,
                b"Request Header Fields Too Large",
                b"headers_too_large",
                b"the headers are too large",
            )
            raise httptools.HttpParserError("headers too large")
        self._head_since_seconds, self._head_bytes = None, 0
        super().on_headers_complete()
        if self._is_draining():
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls where the parser gave up; its words are for programmers."""
        self._refuse(*self._refusal)

    def close_after_answer(self) -> None:
        """Let the answer that has not begun say that it is the last; an idle connection has one more request."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def close_now(self) -> None:
        """What is written goes out; what is on its way here is not waited for."""
        if self._bare is not None:
            self._bare.close()

    def close_if_slow(self, now_seconds: float) -> None:
        """End the connection if its head, or the rest of a body that nobody wants, has been coming for too long."""
        since = self._head_since_seconds
        if since is not None and now_seconds - since > self._limits.head_seconds:
            self.transport.close()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_head(self) -> None:
        if self._is_body_of_answered():
            return
        self._refuse(431, b"Request Header Fields Too Large", b"headers_too_large", b"the headers are too large")

    def _is_body_of_answered(self) -> bool:
        """What comes is the rest of a body whose request is answered: it is thrown away, for a while."""
        return self.cycle is not None and self.cycle.response_complete and self.cycle.more_body

    def _refuse(self, status: int, phrase: bytes, code: bytes, message: bytes) -> None:
        body = b'{"error":{"code":"%s","message":"%s","remedy":""}}' % (code, message)
        head = b"HTTP/1.1 %d %s\r\n%scontent-length: %d\r\n\r\n" % (status, phrase, _LATER, len(body))
        self._linger(head + body)

    def _close(self) -> None:
        if self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            self._linger(b"")
        elif self._bare is not None:
            self._bare.close()

    def _linger(self, last_words: bytes) -> None:
        transport = self._bare
        if transport is None or transport.is_closing() or self._is_lingering:
            return
        self._is_lingering = True
        transport.write(last_words)
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()
        self.transport.is_closing = lambda: True  # type: ignore[method-assign]
        self.loop.call_later(self._limits.linger_seconds, transport.close)
