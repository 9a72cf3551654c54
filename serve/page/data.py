"""What the status page says, gathered from the learner, the breakers, the queue and the health checks.

Invariants: a part that is out of reach, late, or not what it should be is named on the page and keeps no other part
from being shown; nothing here is longer than a page bears. Left out: how it looks (`serve.page.page`), the saving,
which takes longer (`serve.page.saving`), and computing any figure: the learner does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from krins.errors import KrinsError
from krins.interfaces import Clock
from krins.models.breaker import BreakerHealth
from serve.interfaces import Learning

_PATIENCE_SECONDS = 2.0
_MAX_ARMS, _MAX_DECISIONS, _MAX_ENDPOINTS = 40, 20, 20


class _Part(BaseModel):
    """Of what somebody else tells, only what the page shows."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Serving(_Part):
    """The learner's `state`."""

    router: str | None
    """None where the learner has none yet."""
    version: int
    """Outcomes that it has learnt."""
    epoch: int
    """Grows by one with each take-over and rollback."""
    frozen: bool


class ArmRow(_Part):
    """One of the learner's `arms`; intervals are of 95%."""

    arm: str
    decisions: int = Field(ge=0)
    outcomes: int = Field(ge=0)
    mean_quality: float | None = None
    quality_interval: tuple[float, float] | None = None
    mean_reward: float | None = None
    reward_interval: tuple[float, float] | None = None
    spend_usd: Decimal = Decimal(0)


class Saving(_Part):
    """What the router saves against always asking the reference arm: `saving` of the learner's `report`."""

    reference: str
    ratio: float | None
    """Of the reference's cost; negative where the router costs more."""
    interval: tuple[float, float] | None
    """Of 95%."""
    is_claimed: bool
    words: str
    """What may be said of it, or why nothing may."""


class DecisionRow(_Part):
    """One of the learner's `decisions`."""

    at_seconds: float
    """Since the epoch."""
    arm: str
    probability: float | None
    reason: str


class BreakerRow(_Part):
    endpoint: str
    state: Literal["closed", "open", "half-open"]
    failure_rate: float | None
    calls: int
    next_probe_in_seconds: float | None


class Check(_Part):
    """One line of /health."""

    name: str
    status: Literal["ok", "degraded", "failed"]
    figure: str


class PageData(_Part):
    """Everything on the page."""

    at_seconds: float
    label: str
    """What the models are, such as `fake provider`; empty: what they say they are."""
    serving: Serving | None = None
    arms: tuple[ArmRow, ...] = ()
    headline: str = ""
    """What may be said of the saving, or why nothing may."""
    saving: Saving | None = None
    decisions: tuple[DecisionRow, ...] = ()
    """The latest first."""
    breakers: tuple[BreakerRow, ...] = ()
    queue: dict[str, int] = Field(default_factory=dict)
    """Jobs by state."""
    health: tuple[Check, ...] = ()
    missing: tuple[str, ...] = ()
    """Parts that could not be had, and why."""

    @property
    def spend_usd(self) -> Decimal:
        return sum((row.spend_usd for row in self.arms), Decimal(0))

    @property
    def all_decisions(self) -> int:
        return sum(row.decisions for row in self.arms)


@dataclass(frozen=True)
class Sources:
    """Whom the page asks."""

    learning: Learning
    breakers: Callable[[], Mapping[str, BreakerHealth]]
    """By endpoint, as this replica sees them."""
    queue: Callable[[], Awaitable[Mapping[str, int]]]
    """Jobs by state."""
    health: Callable[[], Awaitable[Sequence[Check]]]
    clock: Clock
    label: str


async def gather(sources: Sources, patience_seconds: float = _PATIENCE_SECONDS) -> PageData:
    """Ask everybody at once; whoever does not answer in time is said to be missing."""
    parts: dict[str, Callable[[], Awaitable[Any]]] = {
        "serving": lambda: _serving(sources),
        "arms": lambda: _arms(sources),
        "decisions": lambda: _decisions(sources),
        "breakers": lambda: _breakers(sources),
        "queue": lambda: _queue(sources),
        "health": lambda: _health(sources),
    }
    found = await asyncio.gather(*(_within(part, patience_seconds) for part in parts.values()))
    answers = dict(zip(parts, found, strict=True))
    return PageData(
        at_seconds=sources.clock.now_seconds(),
        label=sources.label,
        missing=tuple(f"{name}: {answer.why}" for name, answer in answers.items() if isinstance(answer, _Missing)),
        **{name: answer for name, answer in answers.items() if not isinstance(answer, _Missing)},
    )


@dataclass(frozen=True)
class _Missing:
    why: str


async def _within(part: Callable[[], Awaitable[Any]], patience_seconds: float) -> Any:
    try:
        async with asyncio.timeout(patience_seconds):
            return await part()
    except TimeoutError:
        return _Missing(f"no answer within {patience_seconds:g} s")
    except KrinsError as error:
        return _Missing(error.message)
    except (ValidationError, LookupError, TypeError, AttributeError):
        return _Missing("the answer is not one that this page understands")


async def _serving(sources: Sources) -> Serving:
    return Serving.model_validate(await sources.learning.ask("state", {}))


async def _arms(sources: Sources) -> tuple[ArmRow, ...]:
    rows = (await sources.learning.ask("arms", {}))["arms"]
    return tuple(ArmRow.model_validate(row) for row in rows[:_MAX_ARMS])


async def _decisions(sources: Sources) -> tuple[DecisionRow, ...]:
    rows = (await sources.learning.ask("decisions", {"limit": _MAX_DECISIONS}))["decisions"]
    latest_first = sorted(map(DecisionRow.model_validate, rows), key=lambda row: -row.at_seconds)
    return tuple(latest_first[:_MAX_DECISIONS])


async def _breakers(sources: Sources) -> tuple[BreakerRow, ...]:
    rows = (BreakerRow(endpoint=endpoint, **health._asdict()) for endpoint, health in sources.breakers().items())
    return tuple(sorted(rows, key=lambda row: (row.state == "closed", row.endpoint))[:_MAX_ENDPOINTS])


async def _queue(sources: Sources) -> dict[str, int]:
    return dict(await sources.queue())


async def _health(sources: Sources) -> tuple[Check, ...]:
    return tuple(await sources.health())
