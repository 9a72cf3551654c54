"""HTTP/1.1 on one connection, down to the socket: h11 for the protocol, an asyncio transport for the rest.

An `Exchange` is one request and the ways to answer it, the rude ones included. Invariants: requests of a connection are
served one after another; whoever serves is cancelled once the client is gone; a connection is used again only after an
answer that was whole. Left out: what is answered (`krins.fake_provider.service`), TLS, HTTP/2.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import h11

Headers = Mapping[str, str]
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and the connection to answer it on."""

    method: str
    target: str
    """Path and query."""
    headers: Headers
    """Names in lower case."""
    body: bytes
    _connection: Connection

    async def send(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer in whole."""
        head = _head(status, {**headers, "content-length": str(len(body))})
        self._connection.put(head, h11.Data(data=body), h11.EndOfMessage())
        await self._connection.drained()

    def begin(self, status: int, headers: Headers) -> None:
        """Send the head; without a Content-Length the body will be chunked."""
        framing = {} if "content-length" in headers else {"transfer-encoding": "chunked"}
        self._connection.put(_head(status, {**headers, **framing}))

    async def write(self, data: bytes) -> None:
        self._connection.put(h11.Data(data=data))
        await self._connection.drained()

    def end(self) -> None:
        """Raises h11.LocalProtocolError where the body is shorter than its Content-Length."""
        self._connection.put(h11.EndOfMessage())

    async def half_close(self) -> None:
        """Send FIN, and nothing after it."""
        await self._connection.half_close()

    async def reset(self) -> None:
        """Send RST, after what was written."""
        await self._connection.drained()
        self._connection.reset()


def _head(status: int, headers: Headers) -> h11.Response:
    return h11.Response(status_code=status, headers=list(headers.items()), reason=_REASONS[status])


Serve = Callable[[Exchange], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One accepted connection; `on_open` is called with it, and `on_close`."""

    def __init__(
        self, serve: Serve, on_open: Callable[[Connection], None], on_close: Callable[[Connection], None]
    ) -> None:
        self._serve, self._on_open, self._on_close = serve, on_open, on_close
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self._on_open(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self._task is None:
            self._on_close(self)
        else:
            self._task.add_done_callback(lambda _: self._on_close(self))
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        if self._task is None:
            self._read()

    def _read(self) -> None:
        """Go on until a request is complete, or more has to come."""
        try:
            while not isinstance(event := self._http.next_event(), type):
                if isinstance(event, h11.Request):
                    self._request = event
                elif isinstance(event, h11.Data):
                    self._body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    self._task = asyncio.get_running_loop().create_task(self._answer(self._exchange()))
                    return
                else:
                    self._transport.close()
                    return
        except h11.RemoteProtocolError:
            self._transport.close()

    def _exchange(self) -> Exchange:
        request = self._request
        assert request is not None
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        body, self._body = bytes(self._body), bytearray()
        return Exchange(request.method.decode(), request.target.decode(), headers, body, self)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._serve(exchange)
        except Exception:
            self._transport.abort()
            raise
        self._task = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._read()
        elif self._http.our_state is not h11.SEND_BODY:
            self._transport.close()

    def put(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        if data and not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the kernel has all that was written."""
        if not self._writable.is_set():
            await self._writable.wait()

    async def half_close(self) -> None:
        await self.drained()
        self._transport.write_eof()

    def reset(self) -> None:
        """Close so that the kernel sends RST: with no time to linger."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    @property
    def is_idle(self) -> bool:
        return self._task is None

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
