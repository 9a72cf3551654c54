"""A replica's own port: all replicas of a node listen on the same one, and the kernel shares connections out.

SO_REUSEPORT (socket(7)) leaves no proxy between callers and replicas that could be killed, or that would take
milliseconds. HTTP is uvicorn's httptools protocol on the running loop (`serve.connection`). Invariants: it binds
loopback unless told otherwise; the number of connections is bounded; a killed process takes its own connections with it
and no others.

A graceful stop refuses nobody. A listening socket that closes resets the connections that the kernel has queued for it,
so new ones are first kept away by a packet filter on the socket that drops SYNs and nothing else (SO_ATTACH_FILTER):
handshakes under way end, all that is queued is accepted, and a caller whose SYN was dropped sends it again after a
second, to a replica that is still there. Connections that are open are answered once more with `Connection: close`.
Where there is no such filter (not Linux), connections of that instant may be reset.
Left out: starting processes, and TLS, which ends before it.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, NamedTuple

from uvicorn.config import Config
from uvicorn.server import ServerState

from krins.errors import UserError
from krins.interfaces import Clock
from serve.connection import Connection, ConnectionLimits

_LOG = logging.getLogger(__name__)
_BACKLOG = 2048
TICK_SECONDS = 1.0
"""How often slow connections are looked for."""

# (opcode, jump if true, jump if false, operand) of classic BPF: load the TCP flags; SYN without ACK: drop; else: keep.
_DROP_SYN = ((0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
_SO_ATTACH_FILTER = 26


class ListenerLimits(NamedTuple):
    max_connections: int = 4096
    handshake_seconds: float = 0.25
    """How long a stop waits for handshakes that are under way: more than a round trip around the earth."""
    idle_grace_seconds: float = 2.0
    """How long a stop leaves idle connections open for one more request."""
    connection: ConnectionLimits = ConnectionLimits()


_LIMITS = ListenerLimits()


class Listener:
    """Serves one application at one port, from one event loop."""

    def __init__(
        self,
        app: Callable[..., Any],
        host: str,
        port: int,
        clock: Clock,
        limits: ListenerLimits = _LIMITS,
    ) -> None:
        """`port`: 0 for any."""
        self._host, self.port, self._clock, self._limits = host, port, clock, limits
        self._config = Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_keep_alive=limits.connection.keep_alive_seconds,
        )
        self._state = ServerState()
        self._is_draining = False
        self._listening: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def is_listening(self) -> bool:
        return self._server is not None and self._server.is_serving()

    async def start(self) -> None:
        """Listen; `port` is then the one that it is.

        Raises:
            UserError: the address cannot be bound.
        """
        self._config.load()
        self._listening = listening = _bind(self._host, self.port)
        self.port = listening.getsockname()[1]
        self._tick()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listening, backlog=_BACKLOG)
        self._ticking = loop.create_task(self._tick_forever())

    async def stop(self, grace_seconds: float) -> None:
        """Take no new connections, finish what is in flight for at most so long, then close."""
        if self._server is None or self._ticking is None:
            return
        await self._close_door(self._server)
        self._server = None
        await self._until(lambda: not self._busy(), grace_seconds)
        # The idle ones last: whoever uses one meanwhile is told to come back elsewhere.
        await self._until(lambda: not self._state.connections, min(grace_seconds, self._limits.idle_grace_seconds))
        await self._until(lambda: not self._busy(), 1.0)
        for connection in self._connections():
            connection.close_now()
        for task in list(self._state.tasks):
            task.cancel()
        await self._until(lambda: not self._state.connections, 1.0)
        self._ticking.cancel()

    async def _close_door(self, server: asyncio.Server) -> None:
        if self._listening is not None and _drop_new_connections(self._listening):
            await self._clock.sleep(self._limits.handshake_seconds)  # the loop accepts what is queued meanwhile
        self._is_draining = True
        for connection in self._connections():
            connection.close_after_answer()
        server.close()

    async def _until(self, is_so: Callable[[], bool], seconds: float) -> None:
        deadline = self._clock.monotonic_seconds() + seconds
        while not is_so() and self._clock.monotonic_seconds() < deadline:
            await self._clock.sleep(0.02)

    def _connections(self) -> list[Connection]:
        return [connection for connection in self._state.connections if isinstance(connection, Connection)]

    def _busy(self) -> bool:
        return bool(self._state.tasks)

    def _connection(self) -> Connection:
        is_full = len(self._state.connections) >= self._limits.max_connections
        return Connection(self._config, self._state, self._limits.connection, lambda: self._is_draining, is_full)

    async def _tick_forever(self) -> None:
        while True:
            await self._clock.sleep(TICK_SECONDS)
            self._tick()

    def _tick(self) -> None:
        self._state.default_headers = [(b"date", formatdate(self._clock.now_seconds(), usegmt=True).encode())]
        now = self._clock.monotonic_seconds()
        for connection in self._connections():
            connection.close_if_slow(now)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as failure:
        raise UserError(f"{host}: {failure.strerror}", "set host to an address of this machine") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
    except OSError as failure:
        listening.close()
        raise UserError(f"cannot listen on {host}:{port}: {failure.strerror}", "set another host or port") from None
    listening.setblocking(False)
    return listening


def _drop_new_connections(listening: socket.socket) -> bool:
    """Whether the kernel took the filter."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    try:
        described = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(program))
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
    except OSError as failure:
        _LOG.warning("no packet filter on the port: %s; connections of this instant may be reset", failure)
        return False
    return True
