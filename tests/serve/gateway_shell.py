"""A gateway behind a real HTTP server, with stand-ins in memory for the parts of the service around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
import openai
import orjson
import uvicorn
from pydantic import ValidationError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from krins.clock import SystemClock
from krins.domain import Task
from krins.interfaces import Clock
from krins.models.prices import StatedPrice
from krins.models.spec import ModelSpec, ProviderName
from krins.suite import LiveModel
from serve.gateway.gateway import Gateway
from serve.gateway.routes import routes
from serve.interfaces import Answered, Decided, DecisionMade, Feedback, Receipt, Reservation, Turn
from serve.web import Answer, Call, Client, Refusal, Route, Scope

CLOCK = SystemClock()


def spec(
    name: str,
    provider: ProviderName,
    base_url: str,
    usd: tuple[str, str] | None = ("1", "2"),
    model: str | None = None,
    key_variable: str | None = None,
    context_window: int | None = None,
    **settings: Any,
) -> ModelSpec:
    """`usd`: prices of a million tokens of input and output."""
    return ModelSpec(
        settings=LiveModel(name=name, **settings),
        provider=provider,
        model=model or f"{name}-at-home",
        base_url=base_url,
        api_key_env=key_variable,
        context_window=context_window,
        max_output_tokens=1000,
        price=None if usd is None else StatedPrice(Decimal(usd[0]), Decimal(usd[1])),
    )


@dataclass
class Chooser:
    """Chooses the first arm, always."""

    arm: str
    asked: list[tuple[Task, Turn | None]] = field(default_factory=list)

    def decide(self, task: Task, turn: Turn | None = None) -> Decided:
        self.asked.append((task, turn))
        return Decided(f"id-{len(self.asked)}-{self.arm}", self.arm, 0.5, "router", 1, 7, "test/1")

    def pinned(self, arm: str) -> Decided:
        return Decided("", arm, None, "pinned", 1, 7, "test/1")

    def redirect(self, decided: Decided, arm: str, reason: str, turn: Turn | None = None) -> Decided:
        return replace(decided, decision_id=f"id-for-{arm}", arm=arm, probability=None, reason=reason)


@dataclass
class Notes:
    """What the journal is told."""

    decisions: list[DecisionMade] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)

    async def feedback(self, items: Sequence[Feedback]) -> Sequence[Receipt]:
        raise NotImplementedError

    def note(self, record: DecisionMade | Answered) -> None:
        if isinstance(record, DecisionMade):
            self.decisions.append(record)
        else:
            self.answers.append(record)

    async def ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError


@dataclass
class Purse:
    """A budget."""

    left_usd: Decimal = Decimal(1000)
    reserved: list[Decimal] = field(default_factory=list)
    settled: list[Decimal | None] = field(default_factory=list)

    def reserve(self, client: Client, usd: Decimal) -> Reservation:
        if usd > self.left_usd:
            raise Refusal(429, "budget_exhausted", "the key's budget has no room", "raise it")
        self.reserved.append(usd)
        return Reservation(client.key_id, usd)

    def settle(self, reservation: Reservation, usd: Decimal | None) -> None:
        self.settled.append(usd)


@dataclass
class Told:
    """What the meters are told."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    spent: dict[str, Decimal] = field(default_factory=dict)
    counted: dict[tuple[str, str], int] = field(default_factory=dict)
    breakers: list[tuple[str, str]] = field(default_factory=list)
    decisions: list[tuple[str, str]] = field(default_factory=list)

    def request(self, route: str, status: int, seconds: float) -> None: ...

    def decision(self, arm: str, reason: str) -> None:
        self.decisions.append((arm, reason))

    def upstream(self, arm: str, outcome: str, seconds: float) -> None:
        self.calls.append((arm, outcome))

    def spend(self, arm: str, usd: Decimal) -> None:
        self.spent[arm] = self.spent.get(arm, Decimal(0)) + usd

    def tokens(self, arm: str, kind: str, count: int) -> None:
        self.counted[arm, kind] = self.counted.get((arm, kind), 0) + count

    def breaker(self, endpoint: str, state: str) -> None:
        self.breakers.append((endpoint, state))

    def queue(self, status: str, depth: int) -> None: ...

    def feedback(self, status: str) -> None: ...


@dataclass
class Shell:
    gateway: Gateway
    chooser: Chooser
    notes: Notes
    purse: Purse
    told: Told
    url: str = ""


@asynccontextmanager
async def shell(
    *specs: ModelSpec, clock: Clock = CLOCK, purse: Purse | None = None, fallback: Sequence[str] = (), label: str = ""
) -> AsyncIterator[Shell]:
    """The router chooses the first of `specs`."""
    chooser, notes, told = Chooser(specs[0].name), Notes(), Told()
    purse = purse or Purse()
    by_name = {each.name: each for each in specs}
    gateway = Gateway(by_name, chooser, notes, purse, told, clock, fallback, label)
    table: dict[tuple[str, str], Route] = {(route.method, route.path): route for route in routes(gateway)}
    config = uvicorn.Config(_application(table), log_level="error", ws="none")
    config.load()
    state = ServerState()
    # Without uvicorn's own main loop, which looks ten times a second whether it shall end.
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpToolsProtocol(config, state, {}), "127.0.0.1", 0
    )
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield Shell(gateway, chooser, notes, purse, told, url)
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        while state.tasks:
            await asyncio.sleep(0)
        await gateway.close()


@asynccontextmanager
async def openai_sdk(served: Shell) -> AsyncIterator[openai.AsyncOpenAI]:
    async with plain_http() as http:
        yield openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="callers-key", max_retries=0, http_client=http)


@asynccontextmanager
async def anthropic_sdk(served: Shell) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with plain_http() as http:
        yield anthropic.AsyncAnthropic(base_url=served.url, api_key="callers-key", max_retries=0, http_client=http)


def plain_http() -> httpx2.AsyncClient:
    """As the SDKs make it, without the certificates, which take long to read."""
    return httpx2.AsyncClient(verify=False, timeout=httpx2.Timeout(600))


def _application(table: Mapping[tuple[str, str], Route]) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        route = table[scope["method"], scope["path"]]
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        answering = asyncio.create_task(_answer(route, scope, body, send))
        gone = asyncio.create_task(receive())  # the next message is that the client is gone
        await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering

    return application


async def _answer(route: Route, scope: Any, body: bytes, send: Any) -> None:
    answer = await _answered(route, scope, body)
    headers = [(b"content-type", answer.content_type), *answer.headers]
    content = answer.body
    if isinstance(content, bytes):
        headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(content, bytes):
        await send({"type": "http.response.body", "body": content})
        return
    try:
        async for piece in content:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        await content.aclose()  # type: ignore[attr-defined]
    await send({"type": "http.response.body", "body": b""})


async def _answered(route: Route, scope: Any, body: bytes) -> Answer:
    client = Client("key-1", frozenset({Scope.INFER}))
    try:
        data = route.body.model_validate(orjson.loads(body)) if route.body else None
        call = Call("POST", scope["path"], {}, None, dict(scope["headers"]), body, data, client, "request-1")
        return await route.handle(call)
    except ValidationError as error:
        return _refused(route, Refusal(422, "invalid_request", str(error)))
    except Refusal as refusal:
        return _refused(route, refusal)


def _refused(route: Route, refusal: Refusal) -> Answer:
    error: dict[str, Any] = {"type": refusal.code, "message": refusal.message}
    if route.dialect == "anthropic":
        answer = Answer.of({"type": "error", "error": error}, refusal.status)
    else:
        answer = Answer.of({"error": error | {"code": refusal.code, "param": refusal.param}}, refusal.status)
    if refusal.retry_after_seconds is not None:
        answer.headers.append((b"retry-after", f"{refusal.retry_after_seconds:.0f}".encode()))
    return answer
