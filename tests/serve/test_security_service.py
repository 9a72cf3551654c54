"""What strangers and overload do to a real process: it refuses, at no cost, and stays up."""

from __future__ import annotations

import asyncio
import gzip
import io
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from krins.clock import FakeClock
from serve.operations.health import Health
from serve.operations.routes import routes as operations_routes
from serve.web import Route
from tests.serve.door_app import ADMIN_KEY, Streams, listening, make_door, sample_routes
from tests.serve.door_processes import Replicas

KEY = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
STRANGE = [
    {},
    {"authorization": ""},
    {"authorization": "Bearer"},
    {"authorization": "Bearer "},
    {"authorization": "Basic YWRtaW46YWRtaW4="},
    {"authorization": "Bearer ' OR 1=1 --"},
    {"authorization": "Bearer krins_' OR ''='_x"},
    {"authorization": "Bearer {{7919*7907}}${7919*7907}<%= 7919*7907 %>"},
    {"authorization": "Bearer ../../../../etc/passwd"},
    {"authorization": "Bearer " + "x" * 10_000},
    {"authorization": "Bearer krins_admin_" + "A" * 43},
    {"authorization": "Bearer \u00e9\u00fc"},
    {"x-api-key": "krins__"},
    {"x-api-key": "null"},
    {"host": "127.0.0.1", "x-forwarded-for": "127.0.0.1", "x-forwarded-host": "localhost"},
    {"host": "localhost"},
    {"host": "evil.example", "authorization": "Bearer undefined"},
]


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    running = Replicas(tmp_path)
    yield running
    running.kill()


def all_routes() -> list[Route]:
    health = Health([], FakeClock(), "", "1")
    operations = operations_routes(health, lambda: b"")
    return [*(route for route in sample_routes(Streams()) if route.tag == "test" and route.scope), *operations]


@pytest.mark.parametrize("headers", STRANGE, ids=lambda headers: str(headers)[:50])
def test_strangers_are_turned_away_from_every_route_but_health(tmp_path: Path, headers: dict[str, str]) -> None:
    async def run() -> None:
        table = all_routes()
        async with (
            listening(make_door(tmp_path, table)) as listener,
            aiohttp.ClientSession(f"http://127.0.0.1:{listener.port}") as session,
        ):
            for route in table:
                path = route.path.replace("{", "").replace("}", "")
                async with session.request(route.method, path, headers=headers, data=b"{") as answer:
                    is_open = route.path.startswith("/health")
                    assert answer.status == (200 if is_open else 401), route.path
                    body = await answer.text()
                    assert "62615533" not in body and "passwd" not in body

    asyncio.run(run())


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_body_of_200_mb_costs_nothing(replicas: Replicas) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 2**20

    async def post(session: aiohttp.ClientSession, headers: dict[str, str], data: object) -> int | None:
        try:
            async with session.post("/echo", headers=headers, data=data) as answer:
                return answer.status
        except aiohttp.ClientConnectionError:
            return None  # it was still sending when the connection was closed

    async def run(pid: int) -> None:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{replicas.port}") as session:
            for _ in range(20):
                assert await post(session, KEY, b'{"text":"x"}') == 200
            before = resident_bytes(pid)
            assert await post(session, KEY, io.BytesIO(b"x" * (200 * 2**20))) in (413, None)
            assert await post(session, KEY, chunks()) in (413, None)
            assert await post(session, {}, io.BytesIO(b"x" * (200 * 2**20))) in (401, None)
            bomb = gzip.compress(b"0" * (64 * 2**20))
            assert await post(session, {**KEY, "content-encoding": "gzip"}, bomb) == 415
            deep = b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
            assert await post(session, KEY, deep) == 400
            assert resident_bytes(pid) - before < 10 * 2**20
            assert await post(session, KEY, b'{"text":"x"}') == 200

    asyncio.run(run(replicas.start().pid))


def test_a_declared_200_mb_is_refused_before_a_byte_of_it_is_sent(replicas: Replicas) -> None:
    async def run() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", replicas.port)
        head = "POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}authorization: Bearer {ADMIN_KEY}\r\ncontent-length: {200 * 2**20}\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 413")
        writer.close()

    replicas.start()
    asyncio.run(run())


def test_under_overload_as_much_is_served_as_without(replicas: Replicas) -> None:
    """16 times as many callers as there are places: those who have one lose little, the others hear so at once."""
    limit = 4

    async def call(session: aiohttp.ClientSession, waits: list[float]) -> int:
        began = time.perf_counter()
        async with session.get("/slow", headers=KEY) as answer:
            await answer.read()
            if answer.status == 429:
                waits.append(time.perf_counter() - began)
                assert answer.headers["retry-after"] == "1"
                await asyncio.sleep(0.1)
            return answer.status

    async def served(session: aiohttp.ClientSession, callers: int, waits: list[float]) -> float:
        done = 0
        began = time.perf_counter()

        async def again() -> None:
            nonlocal done
            while done < 60:
                is_served = await call(session, waits) == 200
                done += is_served

        await asyncio.gather(*(again() for _ in range(callers)))
        return done / (time.perf_counter() - began)

    async def run() -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{replicas.port}", connector=connector) as session:
            waits: list[float] = []
            alone = await served(session, limit, waits)
            assert waits == []
            overloaded = await served(session, 16 * limit, waits)
            assert overloaded >= 0.8 * alone
            assert len(waits) > 16
            print(f"goodput {overloaded / alone:.2f}, median refusal {1000 * sorted(waits)[len(waits) // 2]:.1f} ms")

    replicas.start(max_in_flight=limit)
    asyncio.run(run())
