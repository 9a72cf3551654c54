"""What is broken under the running service, and what hostile callers send it, is seen by nobody else."""

from __future__ import annotations

import asyncio
import gzip
import os
import select
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import aiohttp
import psutil  # type: ignore[import-untyped]
import pytest

from serve.listener import TICK_SECONDS, ListenerLimits
from tests.serve.conftest import RunningService

CHAT = "/v1/chat/completions"
LARGE_BYTES = 200 * 10**6
PIECE = b"x" * 2**16
MOST_GROWTH_BYTES = 10 * 10**6


@contextmanager
def connected(service: RunningService) -> Iterator[socket.socket]:
    host, _, port = service.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 30.0) as connection:
        yield connection


def head(service: RunningService, *lines: str) -> bytes:
    named = [f"POST {CHAT} HTTP/1.1", "host: x", "content-type: application/json"]
    return "\r\n".join([*named, f"authorization: Bearer {service.admin_key}", *lines, "", ""]).encode()


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(4096).split()[1])


def chat(name: str) -> dict[str, Any]:
    return {"model": "krins", "messages": [{"role": "user", "content": f"Say hi to {name}."}]}


def headers(service: RunningService, key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {service.admin_key}", "idempotency-key": key}


def replicas() -> list[psutil.Process]:
    """Of this test's own Ray."""
    family = psutil.Process().children(recursive=True)
    return [each for each in family if "ray::ServeReplica:krins" in " ".join(each.cmdline())]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_200_megabytes_are_refused_and_not_held(service: RunningService, is_chunked: bool) -> None:
    watched = replicas()
    assert len(watched) == 2
    before = sum(each.memory_info().rss for each in watched)
    frame = b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if is_chunked else PIECE
    declared = "transfer-encoding: chunked" if is_chunked else f"content-length: {LARGE_BYTES}"
    status, grown = 0, 0
    with connected(service) as connection, suppress(OSError):  # it may be closed upon us once we were told
        connection.sendall(head(service, declared))
        for _ in range(LARGE_BYTES // len(PIECE) + 1):
            connection.sendall(frame)
            grown = max(grown, sum(each.memory_info().rss for each in watched) - before)
            if not status and select.select([connection], [], [], 0.0)[0]:
                status = status_of(connection)
    assert status == 413
    assert grown < MOST_GROWTH_BYTES


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (b'{"model":"krins","messages":' + b"[" * 10**5 + b"]" * 10**5 + b"}", "identity", 400),
        (gzip.compress(b" " * 10**8), "gzip", 415),
    ],
    ids=["nested 10^5 deep", "bomb"],
)
def test_what_is_small_and_costly_is_refused(service: RunningService, body: bytes, coding: str, status: int) -> None:
    with connected(service) as connection:
        connection.sendall(head(service, f"content-length: {len(body)}", f"content-encoding: {coding}") + body)
        assert status_of(connection) == status


def test_by_default_a_half_sent_head_is_closed_within_10_seconds() -> None:
    assert ListenerLimits().connection.head_seconds + TICK_SECONDS < 10.0


def test_half_sent_heads_keep_nobody_out(service: RunningService) -> None:
    """That they are closed is for the listener's tests, with shorter limits."""
    with ExitStack() as open_:
        for _ in range(500):
            open_.enter_context(connected(service)).sendall(f"POST {CHAT} HTTP/1.1\r\nx-a: ".encode())

        async def ask() -> Counter[int]:
            async with aiohttp.ClientSession(service.url) as session:
                return Counter([await _status(session, chat("others"), headers(service, f"o{n}")) for n in range(20)])

        assert asyncio.run(ask()) == {200: 20}


def test_of_duplicates_that_race_one_is_executed(service: RunningService) -> None:
    before = len(service.provider.calls)

    async def race() -> Counter[int]:
        async with aiohttp.ClientSession(service.url, connector=aiohttp.TCPConnector(limit=0)) as session:
            racing = (_status(session, chat("one"), headers(service, "race")) for _ in range(200))
            answers = Counter(await asyncio.gather(*racing))
            assert await _status(session, chat("one"), headers(service, "race")) == 200
            assert await _status(session, chat("two"), headers(service, "race")) == 422
            return answers

    answers = asyncio.run(race())
    assert answers[200] >= 1
    assert answers.keys() <= {200, 409}
    assert len(service.provider.calls) == before + 1


def test_a_replica_killed_under_load_fails_nobody_who_sends_again(service: RunningService) -> None:
    """Each request under a key until it is answered; the key then has one answer for ever."""
    killed = replicas()
    assert len(killed) == 2

    async def client(session: aiohttp.ClientSession, number: int, done: asyncio.Event) -> dict[str, str]:
        decided: dict[str, str] = {}
        while not done.is_set():
            key = f"kill-{number}.{len(decided)}"
            decided[key] = await _decided(session, chat(key), headers(service, key))
        return decided

    async def run() -> None:
        done = asyncio.Event()
        async with aiohttp.ClientSession(service.url, connector=aiohttp.TCPConnector(limit=0)) as session:
            clients = [asyncio.create_task(client(session, number, done)) for number in range(4)]
            await asyncio.sleep(0.2)
            os.kill(killed[0].pid, 9)
            await asyncio.to_thread(killed[0].wait, 30)
            await asyncio.sleep(0.2)
            done.set()
            decided = {key: each for one in await asyncio.gather(*clients) for key, each in one.items()}
            again = {key: await _decided(session, chat(key), headers(service, key)) for key in decided}
        assert again == decided
        assert len(set(decided.values())) == len(decided)

    asyncio.run(run())


async def _status(session: aiohttp.ClientSession, body: Mapping[str, Any], named: Mapping[str, str]) -> int:
    async with session.post(CHAT, json=body, headers=named) as answer:
        await answer.read()
        return answer.status


async def _decided(session: aiohttp.ClientSession, body: Mapping[str, Any], named: Mapping[str, str]) -> str:
    """The answer's decision id, however often that must be asked for."""
    async with asyncio.timeout(60.0):
        while True:
            try:
                async with session.post(CHAT, json=body, headers=named) as answer:
                    await answer.read()
                    if answer.status == 200:
                        return answer.headers["x-krins-decision-id"]
                    assert answer.status in (409, 503), await answer.text()
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
