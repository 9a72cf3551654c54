"""Clients in a closed loop, for experiments/serving_faults.py: what each saw of its requests, retries included.

Left out: who is asked (`serving_rig`), and what happens to it meanwhile (`serving_faults`).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import httptools
import uvloop
from serving_rig import CHAT, Service, chat


class Refused(NamedTuple):
    """One that was turned away."""

    seconds: float
    says_when: bool
    """Whether there was a Retry-After."""


class Flood(NamedTuple):
    answered: int
    refused: list[Refused]


class _Insistent(asyncio.Protocol):
    """One connection that asks again at once when it was answered, and after a pause when it was refused."""

    def __init__(self, request: bytes, pause: float, flood: list[Any]) -> None:
        self._request, self._pause, self._flood = request, pause, flood

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        if self._transport.is_closing():
            return
        self._parser, self._says_when = httptools.HttpResponseParser(self), False
        self._began = time.monotonic()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, _value: bytes) -> None:
        self._says_when |= name.lower() == b"retry-after"

    def on_message_complete(self) -> None:
        loop = asyncio.get_running_loop()
        if self._parser.get_status_code() == 200:
            self._flood.append(None)
            loop.call_soon(self._ask)
        else:
            self._flood.append(Refused(time.monotonic() - self._began, self._says_when))
            loop.call_later(self._pause, self._ask)


def flood(service: Service, seconds: float, clients: int, pause: float) -> Flood:
    """More chats than can be served, from clients that cost next to nothing themselves."""
    body = json.dumps(chat("flood")).encode()
    headers = {"host": "x", "content-type": "application/json", "content-length": str(len(body)), **service.headers}
    lines = [f"POST {CHAT} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode() + body
    seen: list[Refused | None] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_connection(lambda: _Insistent(request, pause, seen), "127.0.0.1", service.port)
            for _ in range(clients)
        ]
        await asyncio.sleep(1.0)  # until all are at it
        seen.clear()
        await asyncio.sleep(seconds)
        for transport, _ in opened:
            transport.close()

    uvloop.run(run())
    refused = [one for one in seen if one is not None]
    return Flood(len(seen) - len(refused), refused)


class Sent(NamedTuple):
    """One request as its client saw it, retries included."""

    id: str
    client: int
    began_seconds: float
    seconds: float
    status: int | str
    """The last one, or the name of what was raised."""
    tries: int
    headers: Mapping[str, str]

    @property
    def ended_seconds(self) -> float:
        return self.began_seconds + self.seconds

    @property
    def is_ok(self) -> bool:
        return self.status == 200


def load(
    service: Service,
    seconds: float,
    clients: int = 8,
    retries: bool = False,
    act: Callable[[], object] | None = None,
    act_at: float = 2.0,
    pause: float = 0.02,
    name: str = "r",
    then: Callable[[Any, Sent], Any] | None = None,
) -> list[Sent]:
    """Chats in a closed loop.

    Args:
        retries: with an idempotency key, until there is an answer, at most 30 s.
        act: is called in a thread after `act_at` seconds.
        pause: of a client whose request failed, in seconds.
        then: a coroutine function of the session and each answer.
    """
    return asyncio.run(_load(service, seconds, clients, retries, act, act_at, pause, name, then))


async def _load(
    service: Service,
    seconds: float,
    clients: int,
    retries: bool,
    act: Callable[[], object] | None,
    act_at: float,
    pause: float,
    name: str,
    then: Callable[[Any, Sent], Any] | None,
) -> list[Sent]:
    import aiohttp

    sent: list[Sent] = []
    began = time.monotonic()

    async def client(number: int, session: aiohttp.ClientSession) -> None:
        count = 0
        while (at := time.monotonic() - began) < seconds:
            count += 1
            one = f"{name}{number}.{count}"
            status, tries, headers = await _ask(session, service, one, retries)
            seen = Sent(one, number, at, time.monotonic() - began - at, status, tries, headers)
            sent.append(seen)
            if not seen.is_ok:
                await asyncio.sleep(pause)
            elif then is not None:
                await then(session, seen)

    async def fault() -> None:
        if act is not None:
            await asyncio.sleep(act_at)
            await asyncio.to_thread(act)

    timeout = aiohttp.ClientTimeout(total=30.0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        await asyncio.gather(fault(), *(client(number, session) for number in range(clients)))
    return sent


async def _ask(session: Any, service: Service, one: str, retries: bool) -> tuple[int | str, int, Mapping[str, str]]:
    headers = {**service.headers, "X-Request-Id": one, **({"Idempotency-Key": one} if retries else {})}
    gives_up_at = time.monotonic() + 30.0
    wait_seconds = 0.1
    for tries in range(1, 1000):
        status, seen = await post(session, service.url + CHAT, chat(one), headers)
        is_final = isinstance(status, int) and status < 500 and status not in (409, 429)
        if is_final or not retries or time.monotonic() > gives_up_at:
            return status, tries, seen
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, 1.0)
    raise AssertionError("it gives up earlier")


async def post(session: Any, url: str, body: Any, headers: Mapping[str, str]) -> tuple[int | str, Mapping[str, str]]:
    """Status, or what was raised; and headers."""
    import aiohttp

    try:
        async with session.post(url, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status, answer.headers
    except (aiohttp.ClientError, TimeoutError, OSError) as failure:
        return type(failure).__name__, {}


def again(service: Service, sent: list[Sent]) -> list[Sent]:
    """Each that was answered, once more under its key."""

    async def ask() -> list[Sent]:
        import aiohttp

        async with aiohttp.ClientSession() as session:
            found = []
            for one in sent:
                headers = {**service.headers, "Idempotency-Key": one.id}
                status, seen = await post(session, service.url + CHAT, chat(one.id), headers)
                found.append(one._replace(status=status, headers=seen))
            return found

    return asyncio.run(ask())


async def race(service: Service, key: str, n: int, body: Any, path: str) -> Counter[int | str]:
    import aiohttp

    headers = {**service.headers, "Idempotency-Key": key}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(post(session, service.url + path, body, headers) for _ in range(n)))
    return Counter(status for status, _ in answers)


def longest_gap(sent: list[Sent]) -> float:
    """Between two answers, in seconds."""
    ends = sorted(one.ended_seconds for one in sent if one.is_ok)
    return max((b - a for a, b in pairwise(ends)), default=float("inf"))


def p50(sent: list[Sent]) -> float:
    return statistics.median(one.seconds for one in sent if one.is_ok)


def failed_of(sent: list[Sent]) -> str:
    failures = Counter(one.status for one in sent if not one.is_ok)
    told = f" ({counts(failures)})" if failures else ""
    return f"{sum(failures.values())} of {len(sent)}{told}"


def counts(found: Counter[Any]) -> str:
    return ", ".join(f"{n} x {what}" for what, n in found.most_common())
