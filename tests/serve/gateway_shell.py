"""A gateway behind the real door, with stand-ins in memory for the parts of the service around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anthropic
import httpx2
import openai

from krins.clock import SystemClock
from krins.domain import Task
from krins.interfaces import Clock
from krins.models.prices import StatedPrice
from krins.models.spec import ModelSpec, ProviderName
from krins.suite import LiveModel
from serve.gateway.gateway import Gateway
from serve.gateway.routes import routes
from serve.interfaces import Answered, Decided, DecisionMade, Feedback, Receipt, Reservation, Turn
from serve.web import Client, Refusal
from tests.serve.door_app import ADMIN_KEY, listening, make_door

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

    async def reserve(self, client: Client, usd: Decimal) -> Reservation:
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
    url: str


@asynccontextmanager
async def shell(
    *specs: ModelSpec, clock: Clock = CLOCK, purse: Purse | None = None, fallback: Sequence[str] = (), label: str = ""
) -> AsyncIterator[Shell]:
    """The router chooses the first of `specs`."""
    chooser, notes, told = Chooser(specs[0].name), Notes(), Told()
    purse = purse or Purse()
    by_name = {each.name: each for each in specs}
    gateway = Gateway(by_name, chooser, notes, purse, told, clock, fallback, label)
    with TemporaryDirectory() as folder:
        try:
            async with listening(make_door(Path(folder), routes(gateway))) as listener:
                yield Shell(gateway, chooser, notes, purse, told, f"http://127.0.0.1:{listener.port}")
        finally:
            await gateway.close()


@asynccontextmanager
async def openai_sdk(served: Shell) -> AsyncIterator[openai.AsyncOpenAI]:
    async with plain_http() as http:
        yield openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=ADMIN_KEY, max_retries=0, http_client=http)


@asynccontextmanager
async def anthropic_sdk(served: Shell) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with plain_http() as http:
        yield anthropic.AsyncAnthropic(base_url=served.url, api_key=ADMIN_KEY, max_retries=0, http_client=http)


def plain_http() -> httpx2.AsyncClient:
    """As the SDKs make it, without the certificates, which take long to read."""
    return httpx2.AsyncClient(verify=False, timeout=httpx2.Timeout(600))
