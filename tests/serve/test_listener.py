"""The port that replicas share: bounds on connections, kill -9 of one process, and a graceful stop, under load."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import openai
import pytest

from krins.clock import SystemClock
from krins.errors import UserError
from serve.connection import ConnectionLimits
from serve.listener import Listener
from tests.serve.door_app import ADMIN_KEY, QUICK, Streams, listening, make_door, sample_routes
from tests.serve.door_processes import Replicas

KEY = {"authorization": f"Bearer {ADMIN_KEY}"}
FAST = QUICK._replace(connection=ConnectionLimits(head_seconds=0.5, linger_seconds=0.5))


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    running = Replicas(tmp_path)
    yield running
    running.kill()


def test_heads_that_are_half_sent_are_closed(tmp_path: Path) -> None:
    async def half_sent(port: int, count: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"GET /empty HTTP/1.1\r\nhost: a\r\nx-slow: " if count % 2 else b""
        writer.write(head)
        answer = await reader.read()
        writer.close()
        return answer

    async def run() -> None:
        async with listening(make_door(tmp_path, sample_routes(Streams())), FAST) as listener:
            answers = await asyncio.gather(*(half_sent(listener.port, count) for count in range(500)))
            assert set(answers) == {b""}
            # And the port is as good as before.
            url = f"http://127.0.0.1:{listener.port}/empty"
            async with aiohttp.ClientSession() as session, session.get(url, headers=KEY) as answer:
                assert answer.status == 200

    asyncio.run(run())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: a\r\nx-long: " + b"a" * 100_000, b"431"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx-long: " + b"a" * 100_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"a" * 100_000, b"431"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x-one: 1\r\n" * 10_000 + b"\r\n", b"431"),
        (b"hello\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nbad header: x\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    ],
)
def test_what_is_not_http_or_too_much_of_it_is_refused(tmp_path: Path, request_bytes: bytes, status: bytes) -> None:
    async def run() -> None:
        async with listening(make_door(tmp_path, sample_routes(Streams())), FAST) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(request_bytes)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 " + status)
            writer.close()

    asyncio.run(run())


def test_a_refused_body_is_not_read_on_and_yet_the_caller_hears_why(tmp_path: Path) -> None:
    async def run() -> None:
        async with listening(make_door(tmp_path, sample_routes(Streams())), FAST) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            head = f"POST /echo HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN_KEY}\r\n"
            writer.write(f"{head}content-type: application/json\r\ncontent-length: {2**40}\r\n\r\n".encode())
            for _ in range(100):
                writer.write(b"x" * 100_000)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 413") and b"connection: close" in answer
            writer.close()

    asyncio.run(run())


def test_connections_beyond_the_limit_are_told_so(tmp_path: Path) -> None:
    async def run() -> None:
        limits = QUICK._replace(max_connections=2)
        async with listening(make_door(tmp_path, sample_routes(Streams())), limits) as listener:
            held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
            await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            assert (await reader.readline()).startswith(b"HTTP/1.1 503")
            for _, other in [*held, (reader, writer)]:
                other.close()

    asyncio.run(run())


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async def run() -> None:
        async with listening(make_door(tmp_path, sample_routes(Streams()))) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            for number in range(3):
                head = f"GET /empty HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN_KEY}\r\n"
                writer.write(f"{head}x-request-id: r{number}\r\n\r\n".encode())
            for number in range(3):
                answer = await reader.readuntil(b"{}")
                assert f"x-request-id: r{number}\r\n".encode() in answer
            writer.close()

    asyncio.run(run())


def test_an_address_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    async def run(port: int) -> None:
        await Listener(make_door(tmp_path, []), "127.0.0.1", port, SystemClock()).start()

    with closing(socket.socket()) as taken:  # without SO_REUSEPORT
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="cannot listen on"):
            asyncio.run(run(taken.getsockname()[1]))


class Load:
    """Threads that call a chat completion again and again, and what failed."""

    def __init__(self, port: int, retries: int, reuse: bool = True) -> None:
        self.done, self.failures = 0, []  # type: ignore[var-annotated]
        self._stopped = threading.Event()
        self._arguments = (port, retries, reuse)
        self._threads = [threading.Thread(target=self._call) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _client(self) -> openai.OpenAI:
        port, retries, _ = self._arguments
        return openai.OpenAI(api_key=ADMIN_KEY, base_url=f"http://127.0.0.1:{port}/v1", max_retries=retries)

    def _call(self) -> None:
        client = self._client()
        while not self._stopped.is_set():
            if not self._arguments[2]:
                client.close()
                client = self._client()
            try:
                client.chat.completions.create(model="krins", messages=[{"role": "user", "content": "hello"}])
                self.done += 1
            except openai.OpenAIError as failure:
                self.failures.append(repr(failure))
        client.close()

    def until(self, more: int) -> None:
        """Wait until so many more calls are done or failed."""
        goal = self.done + len(self.failures) + more
        while self.done + len(self.failures) < goal:
            self._stopped.wait(0.01)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def test_a_replica_killed_under_load_is_noticed_by_no_client_that_retries(replicas: Replicas) -> None:
    first, _ = replicas.start(), replicas.start()
    load = Load(replicas.port, retries=openai.DEFAULT_MAX_RETRIES)
    load.until(40)
    os.kill(first.pid, signal.SIGKILL)
    load.until(80)
    load.stop()
    assert load.failures == []


@pytest.mark.parametrize("reuse", [True, False])
def test_a_graceful_stop_under_load_is_noticed_by_nobody(replicas: Replicas, reuse: bool) -> None:
    first, _ = replicas.start(), replicas.start()
    load = Load(replicas.port, retries=0, reuse=reuse)
    load.until(20)
    first.terminate()
    first.wait()
    load.until(20)
    load.stop()
    assert load.failures == []
    assert first.returncode == 0
