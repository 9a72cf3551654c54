"""The server: where it listens, and when it does not.

Invariants: it listens on 127.0.0.1 alone; during an outage its port stays its own, bound and not listening, so that
connections are refused and no other process takes it; once it is closed, nothing of it is left. Left out: what it
answers.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from krins.clock import SystemClock
from krins.errors import UserError, boundary
from krins.fake_provider.answers import Answers, Echo
from krins.fake_provider.bill import Bill
from krins.fake_provider.connection import Connection, Exchange
from krins.fake_provider.control import Control
from krins.fake_provider.faults import FaultPlan, FaultSchedule, Kind
from krins.fake_provider.service import Service

if TYPE_CHECKING:
    from krins.interfaces import Clock

HOST = "127.0.0.1"
_BACKLOG = 512
_ECHO, _NO_FAULTS, _CLOCK = Echo(), FaultPlan(), SystemClock()


class FakeProvider:
    """Serves while it is entered: `async with FakeProvider() as server`."""

    def __init__(
        self,
        answers: Answers = _ECHO,
        plan: FaultPlan = _NO_FAULTS,
        *,
        clock: Clock = _CLOCK,
        port: int = 0,
        delay_seconds: float = 0.0,
        bill_file: Path | None = None,
        calls_file: Path | None = None,
    ) -> None:
        """`port` 0: any; `delay_seconds`: before each answer; `calls_file`: a line [model, prompt, seed] for each call,
        written before it is answered, with the prompt as the first 16 digits of its SHA-256."""
        self.bill = Bill(bill_file)
        self._clock, self._port = clock, port
        schedule = FaultSchedule(plan)
        self._service = Service(answers, schedule, self.bill, clock, delay_seconds, calls_file, self.begin_outage)
        self._control = Control(self.bill, schedule, self.begin_outage)
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._outage: asyncio.Task[None] | None = None
        self._resets = False

    @property
    def url(self) -> str:
        """Base URL for Anthropic's and Google's SDKs; OpenAI's takes it with /v1."""
        return f"http://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        self._socket = _bound_socket(self._port)
        self._port = self._socket.getsockname()[1]
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._outage is not None:
            self._outage.cancel()
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for connection in list(self._connections):
            connection.abort()
        while self._connections:
            await asyncio.sleep(0)

    def begin_outage(self, kind: Kind, seconds: float) -> None:
        """Refuse or reset new connections for that long, and close those that are idle; what is being answered goes on.

        During an outage nothing happens: it is not prolonged.
        """
        if self._outage is not None and not self._outage.done():
            return
        for connection in list(self._connections):
            if connection.is_idle:
                connection.close()
        self._resets = kind is Kind.RESET_AT_ACCEPT
        if not self._resets:
            self._stop_listening()
        self._outage = asyncio.get_running_loop().create_task(self._end_outage(seconds))

    async def _end_outage(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._resets = False
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=self._socket, backlog=_BACKLOG)

    def _stop_listening(self) -> None:
        """Refuse connections, those in the backlog included."""
        assert self._server is not None
        self._server.close()
        self._server = None
        self._socket = _bound_socket(self._port)

    def _connection(self) -> Connection:
        return Connection(self._serve, self._opened, self._connections.discard)

    def _opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._resets:
            connection.reset()

    async def _serve(self, exchange: Exchange) -> None:
        serve = self._control.serve if self._control.owns(exchange.target) else self._service.serve
        await serve(exchange)


def _bound_socket(port: int) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    with boundary(UserError, f"cannot listen at {HOST}:{port}", "choose another --port", catch=OSError):
        bound.bind((HOST, port))
    return bound
