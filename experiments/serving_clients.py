"""Clients in a closed loop, for experiments/serving_faults.py: what each saw of its requests, retries included.

Left out: who is asked (`serving_rig`), and what happens to it meanwhile (`serving_faults`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from serving_rig import CHAT, Service, chat


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
