"""How tests call the running service: one connection at a time, each replica by itself, and with the official SDKs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import anthropic
import openai
import psutil  # type: ignore[import-untyped]
import yaml

from krins.pipeline.tasks import load_tree
from tests.serve.conftest import RunningService, free_port
from tests.support.fake_provider import TASKS

TASK = TASKS / "backend-easy-clear-field"
PROMPT = yaml.safe_load((TASK / "task.yaml").read_text())["prompt"]
CHAT: dict[str, Any] = {"model": "krins", "messages": [{"role": "user", "content": PROMPT}]}
ARMS = {"smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"}
PARTS = {"disk", "store", "memory", "learner", "keeper", "breakers", "keys", "ray"}
HIDDEN = (TASK / "tests.py").read_text()
PATIENCE_SECONDS = 60.0
_T = TypeVar("_T")


def task(**more: Any) -> dict[str, Any]:
    return {
        "prompt": PROMPT,
        "tree": load_tree(TASK / "tree"),
        "visible_tests": ["tests/test_profile.py"],
        "pipeline": {"mode": "direct"},
        **more,
    }


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


class Api:
    """One connection, and so one replica."""

    def __init__(self, session: aiohttp.ClientSession, key: str) -> None:
        self.session, self._key = session, key

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        named = {**bearer(self._key), **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.request(method, path, json=body, headers=named) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text


@asynccontextmanager
async def connection(service: RunningService, key: str = "", port: int = 0) -> AsyncIterator[Api]:
    """`port`: where it comes from; by default any."""
    connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=600, local_addr=("127.0.0.1", port))
    timeout = aiohttp.ClientTimeout(120)
    async with aiohttp.ClientSession(service.url, connector=connector, timeout=timeout) as session:
        yield Api(session, key or service.admin_key)


@asynccontextmanager
async def both_replicas(service: RunningService) -> AsyncIterator[tuple[Api, Api]]:
    """A connection to each: the kernel deals them out, and knows which process has one."""
    async with AsyncExitStack() as open_:
        found: dict[int, Api] = {}
        for _ in range(200):
            port = free_port()
            api = await open_.enter_async_context(connection(service, port=port))
            assert (await api("GET", "/health/live"))[0] == 200
            found.setdefault(_process_at(port), api)
            if len(found) == 2:
                yield tuple(found.values())  # type: ignore[misc]
                return
    raise AssertionError("all connections went to one replica")


def _process_at(port: int) -> int:
    """Who holds the other end of the connection that comes from this port."""
    [pid] = {one.pid for one in psutil.net_connections("tcp") if one.raddr and one.raddr.port == port and one.pid}
    return int(pid)


async def until(look_again: Callable[[], Awaitable[_T | None]]) -> _T:
    """What comes in the end."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await look_again()) is None:
            await asyncio.sleep(0.05)
        return found


def openai_sdk(service: RunningService, key: str = "", **options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key=key or service.admin_key, **options)


def anthropic_sdk(service: RunningService) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=service.url, api_key=service.admin_key)


async def operations(service: RunningService) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path with something in each parameter, and the operation, of all that the document names."""
    async with connection(service) as api:
        status, document = await api("GET", "/openapi.json")
    assert status == 200
    return [
        (method.upper(), re.sub(r"\{\w+\}", "x", path), operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


async def is_known(api: Api) -> bool | None:
    return True if (await api("GET", "/api/router"))[0] == 200 else None


async def routed(api: Api, **more: Any) -> str:
    """The id of a decision."""
    status, told = await api("POST", "/v1/route", {"prompt": PROMPT, **more})
    assert status == 200
    return str(told["decision_id"])


def outcome(decision_id: str, quality: float = 1.0) -> dict[str, Any]:
    return {"decision_id": decision_id, "quality": quality, "cost_usd": "0.0001"}
