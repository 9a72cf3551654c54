"""What hostile callers send, and official SDKs, for experiments/serving_faults.py.

Left out: who is asked (`serving_rig`), and what is required of the answers (`serving_faults`).
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import psutil
from serving_rig import CHAT, Service, chat

_PIECE = b"x" * 2**16
_LARGE_BYTES = 200 * 10**6


class Taken(NamedTuple):
    """What became of a request."""

    status: int
    """0: the connection ended without an answer."""
    seconds: float
    growth_mb: float = 0.0
    """Of the memory of the processes that might have taken it, at its worst."""

    @property
    def is_refused(self) -> bool:
        return 400 <= self.status < 500 and self.seconds < 10.0

    def __str__(self) -> str:
        return f"{self.status}, {self.seconds:.2f} s, +{self.growth_mb:.0f} MB"


class SdkSeen(NamedTuple):
    sent: int
    failed: int
    example: str

    def __str__(self) -> str:
        return f"{self.failed} of {self.sent}{f' ({self.example})' if self.example else ''}"


def send_large(service: Service, pattern: str, is_chunked: bool) -> Taken:
    """200 MB to the chat route; `pattern` of the processes whose memory is watched."""
    length = b"transfer-encoding: chunked" if is_chunked else b"content-length: %d" % _LARGE_BYTES
    frame = b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE) if is_chunked else _PIECE

    def body() -> Iterator[bytes]:
        for _ in range(_LARGE_BYTES // len(_PIECE)):
            yield frame
        yield b"0\r\n\r\n" if is_chunked else _PIECE[: _LARGE_BYTES % len(_PIECE)]

    with _growth(service.processes(pattern)) as growth:
        status, seconds = _send(service, length, body())
        time.sleep(0.3)
    return Taken(status, seconds, growth())


def send_nested(service: Service) -> Taken:
    deep = b'{"model":"krins","messages":' + b"[" * 10**5 + b"]" * 10**5 + b"}"
    return Taken(*_send(service, b"content-length: %d" % len(deep), [deep]))


def send_bomb(service: Service) -> Taken:
    """100 KB that are 100 MB."""
    bomb = gzip.compress(b" " * 10**8)
    with _growth(service.processes("ray::(ServeReplica|ProxyActor)")) as growth:
        status, seconds = _send(service, b"content-encoding: gzip\r\ncontent-length: %d" % len(bomb), [bomb])
    return Taken(status, seconds, growth())


class HalfSent:
    """Connections whose head never ends."""

    def __init__(self, service: Service, n: int) -> None:
        self._open = []
        for _ in range(n):
            connection = socket.create_connection(("127.0.0.1", service.port), 5)
            connection.sendall(b"POST %s HTTP/1.1\r\nhost: x\r\nx-a: " % CHAT.encode())
            connection.setblocking(False)
            self._open.append(connection)
        self._n, self._began = n, time.monotonic()
        self.last_seconds = float("inf")
        """When the last was closed by the other side."""

    def wait(self, seconds: float) -> None:
        """Until all are closed, or so many seconds after they were opened."""
        while self._open and time.monotonic() - self._began < seconds:
            self._open = [connection for connection in self._open if not _is_over(connection)]
            if not self._open:
                self.last_seconds = time.monotonic() - self._began
            time.sleep(0.02)
        self.left = len(self._open)
        for connection in self._open:
            connection.close()

    def __str__(self) -> str:
        return f"{self.left} open after 12 s" if self.left else f"closed after {self.last_seconds:.1f} s"


def through_sdk(service: Service, seconds: float, act: Callable[[], object]) -> SdkSeen:
    """8 clients of `openai.AsyncOpenAI` with its default retries; `act` is called after two seconds."""
    return asyncio.run(_through_sdk(service, seconds, act))


async def _through_sdk(service: Service, seconds: float, act: Callable[[], object]) -> SdkSeen:
    import openai

    key = service.headers.get("Authorization", "Bearer none").removeprefix("Bearer ")
    sent, failures = 0, []
    until = time.monotonic() + seconds

    async def client(sdk: openai.AsyncOpenAI) -> None:
        nonlocal sent
        while time.monotonic() < until:
            sent += 1
            try:
                await sdk.chat.completions.create(**chat("sdk"))
            except openai.OpenAIError as failure:
                failures.append(f"{type(failure).__name__}: {str(failure)[:80]}")

    async def fault() -> None:
        await asyncio.sleep(2.0)
        await asyncio.to_thread(act)

    async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key=key) as sdk:
        await asyncio.gather(fault(), *(client(sdk) for _ in range(8)))
    return SdkSeen(sent, len(failures), failures[0] if failures else "")


def _send(service: Service, headers: bytes, body: Any) -> tuple[int, float]:
    """Status and seconds to it. Whoever answers before the end of the body need not read it."""
    began = time.monotonic()
    lines = [b"POST %s HTTP/1.1" % CHAT.encode(), b"host: x", b"content-type: application/json", headers]
    lines += [b"%s: %s" % (name.encode(), value.encode()) for name, value in service.headers.items()]
    with socket.create_connection(("127.0.0.1", service.port), 60) as connection:

        def send() -> None:
            with suppress(OSError):
                connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
                for piece in body:
                    connection.sendall(piece)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            answer = connection.recv(4096)
        except OSError:
            answer = b""
        seconds = time.monotonic() - began
        sender.join(10)
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0, seconds


@contextmanager
def _growth(watched: list[psutil.Process]) -> Iterator[Callable[[], float]]:
    """How much more memory the processes together held at the worst, in MB."""

    def held() -> float:
        return sum(each.memory_info().rss for each in watched) / 1e6

    before = worst = held()
    over = threading.Event()

    def watch() -> None:
        nonlocal worst
        while not over.wait(0.01):
            worst = max(worst, held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: worst - before
    finally:
        over.set()
        watcher.join()


def _is_over(connection: socket.socket) -> bool:
    try:
        is_over = connection.recv(1024) == b""
    except BlockingIOError:
        return False
    except OSError:
        is_over = True
    if is_over:
        connection.close()
    return is_over
