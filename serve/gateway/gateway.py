"""The gateway itself: decide, ask the arm, and where it fails the next one, until an answer has begun.

Invariants: nobody waits for a decision; one attempt is one decision with an id that credits the arm which answers; a
pinned arm has no other in its place; a request that is wrong goes back to the caller as the upstream refused it, only a
prompt that is too long goes on to an arm with a larger window; once a byte of an answer has gone out, there is no
falling back. An upstream's Retry-After is honoured by asking another arm. Left out: HTTP (`serve.door`), and the limits
of time (`serve.gateway.upstream`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import orjson

from krins.domain import Usage
from krins.errors import BrokenReply, ModelFault, TooLong
from krins.interfaces import Clock
from krins.models.breaker import BreakerHealth
from krins.models.spec import ModelSpec
from serve.gateway.asked import Asked, Message, asked_of, message_for
from serve.gateway.attempt import Attempt, Books, Breakers
from serve.gateway.faults import Rejected, refusal_of
from serve.gateway.relay import Relay, whole_answer
from serve.gateway.targets import WIRES, Target, target_of
from serve.gateway.translation import Untranslatable
from serve.gateway.upstream import Upstreams
from serve.gateway.wire import Format, Json, Wire, told_fault
from serve.interfaces import Allowances, Decided, Deciding, Learning, Meters
from serve.web import Answer, Call, Headers, Refusal

ROUTED = "krins"
_TYPICAL = Usage(input_tokens=2000, output_tokens=500)
"""By the price of which arms are put in order."""


class Gateway:
    """For one event loop."""

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        deciding: Deciding,
        learning: Learning,
        allowances: Allowances,
        meters: Meters,
        clock: Clock,
        fallback: Sequence[str] = (),
        label: str = "",
    ) -> None:
        """`specs` by arm; `fallback`: arms to ask in this order, by default all, cheapest first.

        Raises:
            UserError: a model may not be called, or its key is not set or cannot be one.
        """
        self._specs: dict[str, ModelSpec] = {}
        self._deciding, self._clock, self._label = deciding, clock, label
        self._books = Books(Breakers(clock, meters), allowances, learning, meters, clock)
        self._upstreams = Upstreams(clock)
        self._stated_fallback = list(fallback)
        self._fallback: list[str] = []
        self._targets: dict[tuple[str, Format], Target] = {}
        self.add(specs)

    def add(self, specs: Mapping[str, ModelSpec]) -> None:
        """Arms that can be asked from now on, besides those that can already. Raises UserError, and adds none."""
        targets = {(arm, wire.name): target_of(spec, wire.name) for arm, spec in specs.items() for wire in WIRES}
        self._books.breakers.add(specs.values())
        self._targets |= targets
        self._specs |= specs
        in_order = self._stated_fallback or _cheapest_first(self._specs, self._clock.now_seconds())
        self._fallback = [arm for arm in in_order if arm in self._specs]

    @property
    def models(self) -> list[str]:
        """What a caller may name."""
        return [ROUTED, *(f"{ROUTED}/{arm}" for arm in self._specs)]

    def health(self) -> dict[str, BreakerHealth]:
        """Of every circuit breaker, by endpoint."""
        return self._books.breakers.health()

    async def close(self) -> None:
        await self._upstreams.close()

    async def answer(self, wire: Wire, call: Call) -> Answer:
        """Raises Refusal: 404 for a model that there is none of, 400 for what cannot be asked of any arm, 429 where the
        key's budget has no room or all providers say so, and 502, 503 or 504 where no arm had an answer."""
        asked = asked_of(wire, call)
        arm = self._named_arm(asked)
        decided = self._deciding.pinned(arm) if arm else self._deciding.decide(asked.task, asked.turn)
        failures: dict[str, ModelFault | Refusal] = {}
        while True:
            try:
                return await self._ask(asked, decided)
            except Rejected as rejected:
                next_arm = None if arm else self._larger(decided.arm, failures, rejected.fault)
                if next_arm is None:
                    return _rejection(asked, self._target(decided.arm, wire), rejected)
                failures[decided.arm] = rejected.fault
            except (ModelFault, Untranslatable) as failure:
                failures[decided.arm] = failure
                next_arm = None if arm else self._next(failures)
                if next_arm is None:
                    raise _told(failures) from failure
            reason = f"fallback: {decided.arm}: {type(failures[decided.arm]).__name__}"
            decided = self._deciding.redirect(decided, next_arm, reason, asked.turn)

    async def _ask(self, asked: Asked, decided: Decided) -> Answer:
        """Raises ModelFault, Rejected, or Refusal."""
        target = self._target(decided.arm, asked.wire)
        attempt = Attempt(self._books, asked, decided, target.spec)
        try:
            message = message_for(target, asked, self._clock.now_seconds())
            await attempt.begin()
            if asked.is_streamed:
                streamed = await self._upstreams.stream(target, message.content, message.headers)
                headers = self._headers(decided, message)
                relay = Relay(streamed, message.translations, asked, attempt)
                return Answer(relay, headers=headers, content_type=b"text/event-stream; charset=utf-8")
            return await self._whole(asked, target, message, attempt)
        except Rejected as rejected:
            attempt.end(None, rejected.fault)
            raise
        except BaseException as failure:
            attempt.end(failure.usage if isinstance(failure, ModelFault) else None, failure)
            raise

    async def _whole(self, asked: Asked, target: Target, message: Message, attempt: Attempt) -> Answer:
        content = await self._upstreams.whole(target, message.content, message.headers)
        answer = _checked(content, target.wire)
        usage = target.wire.usage(answer)
        if message.translations:
            try:
                content = whole_answer(answer, message.translations)
            except ModelFault as fault:
                fault.usage = usage
                raise
        cost_usd = attempt.end(usage)
        return Answer(content, headers=self._headers(attempt.decided, message, cost_usd))

    def _target(self, arm: str, wire: Wire) -> Target:
        return self._targets[arm, wire.name]

    def _named_arm(self, asked: Asked) -> str | None:
        """The arm that the caller pinned; None: the router is to choose."""
        model: str = asked.body["model"]
        if model == ROUTED or (asked.wire.name == "messages" and model.startswith("claude")):
            return None
        arm = model.removeprefix(f"{ROUTED}/")
        if arm == model or arm not in self._specs:
            message = f"there is no model {model!r}; there is {', '.join(self.models)}"
            raise Refusal(404, "model_not_found", message, "take one of these", param="model")
        return arm

    def _next(self, failures: Mapping[str, object]) -> str | None:
        return next((arm for arm in self._fallback if arm not in failures), None)

    def _larger(self, arm: str, failures: Mapping[str, object], fault: ModelFault) -> str | None:
        """An arm with a larger context window, where that is what was wanting."""
        window = self._specs[arm].context_window
        if not isinstance(fault, TooLong) or window is None:
            return None
        windows = {name: self._specs[name].context_window or 0 for name in self._fallback}
        return next((name for name in windows if name not in failures and windows[name] > window), None)

    def _headers(self, decided: Decided, message: Message, cost_usd: Decimal | None = None) -> Headers:
        named = {
            b"x-krins-decision-id": decided.decision_id,
            b"x-krins-model": decided.arm,
            b"x-krins-reason": decided.reason,
            b"x-krins-label": self._label,
            b"x-krins-ignored": ", ".join(message.ignored),
            b"x-krins-cost-usd": "" if cost_usd is None else f"{cost_usd:f}",
        }
        return [(name, _header_value(value)) for name, value in named.items() if value]


def _header_value(text: str) -> bytes:
    """What may stand in a header: printable Latin-1, so no line ends."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else " " for each in text)
    return text.encode("latin-1", "replace")


def _cheapest_first(specs: Mapping[str, ModelSpec], now_seconds: float) -> list[str]:
    """Those without a price last."""

    def price(arm: str) -> Decimal:
        known = specs[arm].price
        return Decimal("Infinity") if known is None else known.cost_usd(_TYPICAL, now_seconds)

    return sorted(specs, key=price)


def _checked(content: bytes, wire: Wire) -> Json:
    """The answer as JSON. Raises ModelFault where it is none, or does not say why it ended."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise BrokenReply("the answer is no JSON, or cut off") from None
    if not isinstance(answer, dict):
        raise BrokenReply("the answer is no JSON object")
    if wire.is_whole(answer):
        return answer
    fault = told_fault(answer["error"]) if answer.get("error") else BrokenReply("the answer does not say why it ended")
    fault.usage = wire.usage(answer)
    raise fault


def _rejection(asked: Asked, target: Target, rejected: Rejected) -> Answer:
    """In the upstream's own words where they are of the caller's dialect, otherwise in ours. Raises Refusal."""
    if target.wire.dialect == asked.wire.dialect and rejected.content_type.startswith("application/json"):
        return Answer(rejected.content, rejected.status)
    raise Refusal(rejected.status, "invalid_request", rejected.fault.message, "mend the request, or pin another model")


def _told(failures: Mapping[str, ModelFault | Refusal]) -> Refusal:
    """That a field cannot be translated says most only where nothing else went wrong."""
    faults = [(arm, failure) for arm, failure in failures.items() if isinstance(failure, ModelFault)]
    refusals = [failure for failure in failures.values() if isinstance(failure, Refusal)]
    return refusal_of(faults) if faults else refusals[0]
