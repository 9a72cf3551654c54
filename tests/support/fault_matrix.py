"""Every fault of the fake provider, met by every provider's SDK through all layers: how the call ends, and who is
charged.

`CASES` is what is documented; `meet` plays one case. The fake's own bill is the truth that calls and ledger are held
against.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from krins.clock import SystemClock
from krins.domain import Call, Request, Scope
from krins.errors import (
    AuthRefused,
    BadRequest,
    BrokenReply,
    EmptyAnswer,
    ModelFault,
    Overloaded,
    RateLimited,
    Refused,
    TimedOut,
    TooLong,
    Unreachable,
)
from krins.fake_provider.bill import Row
from krins.fake_provider.faults import Kind
from krins.models.ledger import RUN, Balance
from krins.models.prices import StatedPrice
from krins.models.spec import ModelSpec, ProviderName
from krins.models.stack import ModelPool
from krins.models.waiting_ledger import SharedLedger
from krins.suite import Budget, LiveModel

PROVIDERS: tuple[ProviderName, ...] = ("anthropic", "openai", "openai-chat", "google")
PRICE = StatedPrice(Decimal(3), Decimal(15))
GRACE_SECONDS = 10.0
"""How much later than its deadline a call may end on a busy machine before it counts as a hang."""

SLOW = {Kind.SLOW_FIRST_BYTE: 3600.0, Kind.STALL: 3600.0}
"""What would otherwise end by itself."""


class Limits(NamedTuple):
    """In seconds."""

    whole: float
    first_token: float


TIGHT = Limits(8.0, 1.0)
"""For the kinds that end by them."""
WIDE = Limits(120.0, 60.0)
"""For all others: no machine may be too busy to meet them."""

ENDS: dict[Kind, tuple[type[ModelFault], ...]] = {
    Kind.RATE_LIMITED: (RateLimited,),
    Kind.RATE_LIMITED_DATE: (RateLimited,),
    Kind.RATE_LIMITED_SILENT: (RateLimited,),
    Kind.SERVER_ERROR: (Overloaded,),
    Kind.OVERLOADED: (Overloaded,),
    Kind.AUTH: (AuthRefused,),
    Kind.INVALID_KEY: (AuthRefused,),
    Kind.BAD_REQUEST: (BadRequest,),
    Kind.TOO_LONG: (TooLong,),
    Kind.NOT_FOUND: (BadRequest,),
    Kind.WRONG_CONTENT_TYPE: (BrokenReply,),
    Kind.CONNECT_REFUSED: (Unreachable, BrokenReply),
    Kind.RESET_AT_ACCEPT: (Unreachable, BrokenReply),
    Kind.SLOW_FIRST_BYTE: (TimedOut,),
    Kind.STALL: (TimedOut,),
    Kind.HALF_CLOSED: (BrokenReply,),
    Kind.RESET: (BrokenReply,),
    Kind.ENDS_EARLY: (BrokenReply,),
    Kind.TRUNCATED_JSON: (BrokenReply,),
    Kind.MISSING_FINAL_EVENT: (BrokenReply,),
    Kind.ERROR_IN_STREAM: (Overloaded, BrokenReply),
    Kind.REFUSAL: (Refused,),
    Kind.BLOCKED: (Refused, EmptyAnswer),
    Kind.EMPTY_ANSWER: (EmptyAnswer,),
    Kind.HUGE_ANSWER: (BrokenReply,),
}
"""Kinds that are not here are answered."""


class Case(NamedTuple):
    provider: ProviderName
    kind: Kind
    is_streamed: bool

    @property
    def fault(self) -> str:
        return f"{self.kind}:{SLOW[self.kind]:g}" if self.kind in SLOW else str(self.kind)

    @property
    def limits(self) -> Limits:
        return TIGHT if self.kind in SLOW else WIDE

    @property
    def model(self) -> str:
        return f"m{'s' if self.is_streamed else 'u'}!{self.fault}"


CASES = [Case(provider, kind, streamed) for provider in PROVIDERS for kind in Kind for streamed in (False, True)]


@dataclass(frozen=True)
class Met:
    """How a case went."""

    case: Case
    error: ModelFault | None
    text: str
    call: Call
    ledger: Balance
    is_hung: bool = False


def spec_for(provider: ProviderName, model: str, base_url: str, **keys: object) -> ModelSpec:
    settings = LiveModel.model_validate({"name": model, "provider": provider, "base_url": base_url, **keys})
    return ModelSpec(settings, provider, model, base_url, None, None, settings.max_output_tokens or 256, PRICE)


async def meet(case: Case, base_url: str) -> Met:
    """Ask once, with one try, through all layers."""
    limits = case.limits
    spec = spec_for(
        case.provider,
        case.model,
        base_url,
        max_tries=1,
        timeout_seconds=limits.whole,
        first_token_timeout_seconds=limits.first_token if case.is_streamed else None,
    )
    ledger = SharedLedger(Budget(), {})
    pool = ModelPool({spec.name: spec}, ledger, None, SystemClock(), random.Random(0), 8)
    error: ModelFault | None = None
    text, calls, is_hung = "", tuple[Call, ...](), False
    try:
        request, model = Request.of(f"Say something about {case}."), pool.models[spec.name]
        async with asyncio.timeout(limits.whole + GRACE_SECONDS):
            answered = await model.answer(request, Scope("d", "t"))
        text, calls = answered.text, answered.calls
    except ModelFault as fault:
        error, calls = fault, fault.calls
    except TimeoutError:
        is_hung = True
    finally:
        await pool.close()
    [call] = calls
    return Met(case, error, text, call, await ledger.balance(RUN), is_hung)


def faults_of(met: Met, row: Row | None) -> list[str]:
    """What is not as documented; nothing where all is well. `row`: the fake's bill of the call, where it has one."""
    wrong = []
    expected = ENDS.get(met.case.kind, ())
    if met.is_hung:
        wrong.append("hung")
    if expected and not isinstance(met.error, expected):
        wrong.append(f"ended in {type(met.error).__name__}, not in {expected[0].__name__}")
    if not expected and met.error is not None:
        wrong.append(f"ended in {type(met.error).__name__}: {met.error.message}")
    if met.ledger.spent.usd != met.call.billed_usd or met.ledger.reserved.usd:
        wrong.append(f"the ledger has {met.ledger}, the call {met.call.billed_usd}")
    return [*wrong, *_wrong_charge(met, row)]


def _wrong_charge(met: Met, row: Row | None) -> list[str]:
    truth = billed_usd(row)
    charged = met.call.billed_usd or Decimal(0)
    if met.call.is_usage_unknown:
        return [] if charged >= truth else [f"charged {charged}, billed {truth}"]
    return [] if charged == truth else [f"charged {charged}, billed {truth}, and the usage is said to be known"]


def billed_usd(row: Row | None) -> Decimal:
    if row is None or not row.billed:
        return Decimal(0)
    return (row.input_tokens * Decimal(3) + row.output_tokens * Decimal(15)) / 1_000_000


def base_url(url: str, provider: ProviderName) -> str:
    """OpenAI's SDK wants the version in it, the others add their own."""
    return f"{url}/v1" if provider.startswith("openai") else url


def row_of(case: Case, rows: Sequence[Row]) -> Row | None:
    """The fake's bill of the case's only call; None where the call never came so far."""
    return next((row for row in rows if row.provider == case.provider and row.model == case.model), None)
