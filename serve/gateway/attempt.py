"""One call of one arm for one decision: what it may cost, what it cost, and who is told.

Invariants: an attempt ends exactly once, whatever becomes of it, and then its money is settled, its circuit breaker,
the meters and the journal know; what a failed call was charged is charged too. Worst case of a call: the body's bytes,
or the context window if that is less or the provider adds what it has stored, as input tokens, all of them written to
the prompt cache where that is dearer; the caller's limit on output or the model's, once for each choice. Left out: the
call (`serve.gateway.upstream`); from the worst case, images and files by reference and tools that the provider runs,
which are charged once they are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, cast

from krins.domain import Usage
from krins.errors import ModelFault
from krins.interfaces import Clock
from krins.models.breaker import BreakerHealth, CircuitBreaker
from krins.models.spec import ModelSpec
from serve.gateway.asked import Asked
from serve.interfaces import Allowances, Answered, Decided, DecisionMade, Learning, Meters, Reservation

_ROUNDED_TOKENS = 256
_DAY_SECONDS = 86_400


class Breakers:
    """Circuit breakers by endpoint; the meters are told when one changes."""

    def __init__(self, clock: Clock, meters: Meters) -> None:
        self._breakers: dict[str, CircuitBreaker] = {}
        self._states: dict[str, str] = {}
        self._clock, self._meters = clock, meters

    def add(self, specs: Iterable[ModelSpec]) -> None:
        """Those of endpoints that are known stay as they are."""
        for spec in specs:
            self._breakers.setdefault(spec.endpoint, CircuitBreaker(self._clock))
            self._states.setdefault(spec.endpoint, "closed")

    def admit(self, endpoint: str) -> int:
        """Raises CircuitOpen."""
        return self._breakers[endpoint].admit()

    def report(self, endpoint: str, permit: int, fault: BaseException | None) -> None:
        """How the call ended: None, or what it failed by."""
        self._breakers[endpoint].ended(permit, fault)
        if fault is not None or self._states[endpoint] != "closed":
            self._tell(endpoint)

    def health(self) -> dict[str, BreakerHealth]:
        return {endpoint: breaker.health() for endpoint, breaker in self._breakers.items()}

    def _tell(self, endpoint: str) -> None:
        state = self._breakers[endpoint].health().state
        if state != self._states[endpoint]:
            self._states[endpoint] = state
            self._meters.breaker(endpoint, state)


class Books(NamedTuple):
    """Who is told of attempts."""

    breakers: Breakers
    allowances: Allowances
    learning: Learning
    meters: Meters
    clock: Clock


class Attempt:
    def __init__(self, books: Books, asked: Asked, decided: Decided, spec: ModelSpec) -> None:
        self._books, self._asked, self._spec = books, asked, spec
        self.decided = decided
        self._permit: int | None = None
        self._reservation: Reservation | None = None
        self._has_ended = False
        self._started = books.clock.monotonic_seconds()
        self._note_decision()

    async def begin(self) -> None:
        """Raises CircuitOpen, or Refusal 429 where the key's budget has no room."""
        self._reservation = await self._books.allowances.reserve(self._asked.call.client, self._worst_usd())
        self._permit = self._books.breakers.admit(self._spec.endpoint)

    def end(self, usage: Usage | None, failure: BaseException | None = None) -> Decimal | None:
        """Return what it cost in USD, None where nobody knows. `failure`: a fault, or that the caller is gone."""
        cost_usd = self._cost_usd(usage, failure)
        if self._has_ended:
            return cost_usd
        self._has_ended = True
        books = self._books
        if self._permit is not None:
            books.breakers.report(self._spec.endpoint, self._permit, failure)
        if self._reservation is not None:
            books.allowances.settle(self._reservation, cost_usd)
        if self._permit is None and not isinstance(failure, ModelFault):
            return cost_usd  # our own refusal: the model was never asked, and is not to be blamed
        self._measure(usage, cost_usd, failure)
        self._note_answer(usage, cost_usd, failure)
        return cost_usd

    def _cost_usd(self, usage: Usage | None, failure: BaseException | None) -> Decimal | None:
        if usage is not None:
            price = self._spec.price
            return None if price is None else price.cost_usd(usage, self._books.clock.now_seconds())
        return Decimal(0) if failure is not None and not self._may_be_billed(failure) else None

    def _may_be_billed(self, failure: BaseException) -> bool:
        if isinstance(failure, ModelFault):
            return failure.may_be_billed
        # Whoever went away while the upstream worked leaves its bill behind.
        return self._permit is not None and isinstance(failure, asyncio.CancelledError | GeneratorExit)

    def _worst_usd(self) -> Decimal:
        spec, asked = self._spec, self._asked
        if spec.price is None:
            return Decimal(0)
        window = spec.context_window or asked.most_input_tokens
        n_input = window if asked.has_stored_prompt else min(asked.most_input_tokens, window)
        n_output = (asked.turn.max_output_tokens or spec.max_output_tokens) * asked.n_choices
        day = int(self._books.clock.now_seconds()) // _DAY_SECONDS
        return _most_usd(cast("Hashable", spec.price), -(-n_input // _ROUNDED_TOKENS) * _ROUNDED_TOKENS, n_output, day)

    def _measure(self, usage: Usage | None, cost_usd: Decimal | None, failure: BaseException | None) -> None:
        meters, arm = self._books.meters, self.decided.arm
        outcome = "ok" if failure is None else _class_of(failure)
        meters.upstream(arm, outcome, self._books.clock.monotonic_seconds() - self._started)
        if cost_usd:
            meters.spend(arm, cost_usd)
        if usage is not None:
            meters.tokens(arm, "input", usage.input_tokens)
            meters.tokens(arm, "output", usage.output_tokens)
            if usage.cached_tokens:
                meters.tokens(arm, "cached", usage.cached_tokens)

    def _note_decision(self) -> None:
        decided, asked, books = self.decided, self._asked, self._books
        books.meters.decision(decided.arm, decided.reason.partition(":")[0])
        books.learning.note(
            DecisionMade(
                at_seconds=books.clock.now_seconds(),
                decision_id=decided.decision_id,
                request_id=asked.call.request_id,
                key_id=asked.call.client.key_id,
                arm=decided.arm,
                probability=decided.probability,
                reason=decided.reason,
                epoch=decided.epoch,
                version=decided.version,
                conversation=asked.turn.conversation,
                route=asked.wire.name,
            )
        )

    def _note_answer(self, usage: Usage | None, cost_usd: Decimal | None, failure: BaseException | None) -> None:
        books = self._books
        books.learning.note(
            Answered(
                at_seconds=books.clock.now_seconds(),
                decision_id=self.decided.decision_id,
                key_id=self._asked.call.client.key_id,
                arm=self.decided.arm,
                cost_usd=cost_usd,
                input_tokens=usage.input_tokens if usage else None,
                cached_tokens=usage.cached_tokens if usage else None,
                output_tokens=usage.output_tokens if usage else None,
                latency_seconds=books.clock.monotonic_seconds() - self._started,
                error=None if failure is None else _error_of(failure),
            )
        )


def _class_of(failure: BaseException) -> str:
    return "ClientGone" if isinstance(failure, asyncio.CancelledError | GeneratorExit) else type(failure).__name__


def _error_of(failure: BaseException) -> str:
    words = getattr(failure, "message", "")
    return f"{_class_of(failure)}: {words}" if words else _class_of(failure)


@lru_cache(maxsize=4096)
def _most_usd(price: Any, n_input: int, n_output: int, day: int) -> Decimal:
    """Kept, for prices out of the catalogue take long to look up and change from one day to another at most."""
    plain, written = Usage(n_input, n_output), Usage(n_input, n_output, cache_write_tokens=n_input)
    most: Decimal = max(price.cost_usd(usage, day * _DAY_SECONDS) for usage in (plain, written))
    return most
