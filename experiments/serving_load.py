"""What the serving experiments share: an upstream that answers at once, a closed-loop client, and who uses how much.

The client speaks HTTP/1.1 on keep-alive connections with httptools, in a process of its own; each connection sends its
next request when the last answer is complete, so its latencies leave out what would have queued (coordinated omission):
medians are shown, never tails. Left out: what is measured (the experiments).

    python experiments/serving_load.py upstream --port N
    python experiments/serving_load.py client --url URL --concurrency N --seconds S   (the request as JSON on stdin)
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click
import psutil

CHAT = {
    "model": "krins",
    "messages": [{"role": "user", "content": "Say hi. " + "x" * 400}],
    "max_tokens": 16,
}
_COMPLETION = {
    "id": "chatcmpl-stub",
    "object": "chat.completion",
    "created": 1,
    "model": "stub",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 110, "completion_tokens": 1, "total_tokens": 111},
}


class Load(NamedTuple):
    """What one closed-loop run saw."""

    n: int
    seconds: float
    p50_ms: float
    failures: int
    """Answers other than 200, and broken connections."""

    @property
    def per_second(self) -> float:
        return self.n / self.seconds


class _Upstream(asyncio.Protocol):
    """Answers every request at once with the same completion."""

    answer = b""

    def connection_made(self, transport: Any) -> None:
        import httptools

        self.transport, self.parser = transport, httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(self.answer)


class _Client(asyncio.Protocol):
    """One connection: asks, waits, asks again."""

    def __init__(self, request: bytes, until: float, times: list[float], failures: list[int], done: Any) -> None:
        self.request, self.until, self.times, self.failures, self.done = request, until, times, failures, done

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        import httptools

        self.parser = httptools.HttpResponseParser(self)
        self.began = time.perf_counter()
        if self.began >= self.until:
            self.transport.close()
            return
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.times.append(time.perf_counter() - self.began)
        if self.parser.get_status_code() != 200:
            self.failures.append(self.parser.get_status_code())
        asyncio.get_running_loop().call_soon(self._ask)

    def connection_lost(self, _error: Exception | None) -> None:
        if time.perf_counter() < self.until:
            self.failures.append(0)
        if not self.done.done():
            self.done.set_result(None)


@click.group()
def main() -> None:
    """Parts of the serving experiments, as processes."""


@main.command()
@click.option("--port", type=int, required=True)
def upstream(port: int) -> None:
    """Answer every request at once."""
    import uvloop

    body = json.dumps(_COMPLETION).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    _Upstream.answer = head.encode() + body

    async def listen() -> None:
        server = await asyncio.get_running_loop().create_server(_Upstream, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()

    uvloop.run(listen())


@main.command()
@click.option("--url", required=True)
@click.option("--concurrency", type=int, required=True)
@click.option("--seconds", type=float, required=True)
def client(url: str, concurrency: int, seconds: float) -> None:
    """Ask in a closed loop and print a `Load` as JSON."""
    import uvloop

    asked = json.load(sys.stdin)
    parts = urlsplit(url)
    body = b"" if asked["body"] is None else json.dumps(asked["body"]).encode()
    headers = {"host": parts.netloc, "content-type": "application/json", **asked["headers"]}
    method = "GET" if asked["body"] is None else "POST"
    lines = [f"{method} {parts.path or '/'} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items())]
    request = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body

    async def ask() -> Load:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        failures: list[int] = []
        began = time.perf_counter()
        ends = [loop.create_future() for _ in range(concurrency)]
        for end in ends:
            await loop.create_connection(
                lambda end=end: _Client(request, began + seconds, times, failures, end), parts.hostname, parts.port
            )
        await asyncio.gather(*ends)
        median = statistics.median(times) if times else float("nan")
        return Load(len(times), time.perf_counter() - began, median * 1e3, len(failures))

    print(json.dumps(uvloop.run(ask())))


def load(url: str, concurrency: int, seconds: float, body: Any = None, headers: Mapping[str, str] = {}) -> Load:
    """Run a client process to its end."""
    command = [sys.executable, __file__, "client", "--url", url, "--concurrency", str(concurrency)]
    done = subprocess.run(
        [*command, "--seconds", str(seconds)],
        input=json.dumps({"body": body, "headers": dict(headers)}),
        capture_output=True,
        text=True,
        check=True,
    )
    return Load(*json.loads(done.stdout))


@contextmanager
def process(command: list[str], env: Mapping[str, str] | None = None, log: Any = subprocess.DEVNULL) -> Iterator[int]:
    """A process and all that it started, ended with the block; its id."""
    started = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield started.pid
    finally:
        family = tree(started.pid)
        started.terminate()
        with suppress(subprocess.TimeoutExpired):
            started.wait(40)
        for each in family:
            with suppress(psutil.Error):
                each.kill()


def tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children so far."""
    total = 0.0
    for each in tree(pid):
        with suppress(psutil.Error):
            spent = each.cpu_times()
            total += spent.user + spent.system
    return total


def memory_mb(pid: int) -> float:
    """Proportional set size of a process and its children: shared pages count once."""
    total = 0
    for each in tree(pid):
        with suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total / 1e6


def wait_until_answers(url: str, body: Any = None, headers: Mapping[str, str] = {}, seconds: float = 180.0) -> None:
    """
    Raises:
        TimeoutError: no 200 came in that time.
    """
    data = None if body is None else json.dumps(body).encode()
    until, last = time.monotonic() + seconds, ""
    while time.monotonic() < until:
        request = urllib.request.Request(url, data, {"content-type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as failure:
            last = f"{failure.code} {failure.read()[:300]!r}"
        except OSError as failure:
            last = str(failure)
        time.sleep(0.2)
    raise TimeoutError(f"{url} does not answer: {last}")


if __name__ == "__main__":
    main()
