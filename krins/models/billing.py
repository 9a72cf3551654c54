"""The layer that keeps the books: the worst case is reserved before a call is sent, and what it was is settled after.

Invariants: nothing reaches a provider without a reservation, and every reservation is settled, also when the call is
cancelled; every call that was sent is in `Job.calls`, with the usage that the provider reported or, where it may have
been billed and nobody knows for how much, at its worst case and marked `is_usage_unknown`. So the ledger is never below
the bill. Waiting for room in the budget does not use up the time that the question has.
Left out: how room is found (`krins.models.ledger`), and what the worst case of a call is (`krins.models.worst_case`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from krins.domain import Call, Request, Usage
from krins.errors import InvalidAnswer, ModelFault
from krins.interfaces import Clock, Reply
from krins.models.job import Answered, Job, Layer
from krins.models.ledger import Amount, Ledger
from krins.models.providers.choices import chosen
from krins.models.providers.structured import validate
from krins.models.spec import ModelSpec
from krins.models.tracing import Span, call_span
from krins.models.worst_case import worst_case

_NOTHING = Decimal(0)
_LONGEST_WORDS = 80


class Billing:
    """Charges what `inner`, the call itself, costs."""

    def __init__(self, inner: Layer, spec: ModelSpec, ledger: Ledger, clock: Clock) -> None:
        self._inner, self._spec, self._ledger, self._clock = inner, spec, ledger, clock

    async def ask(self, request: Request, job: Job) -> Answered:
        worst = worst_case(request, self._spec, self._clock.now_seconds())
        reservation = await self._reserve(job, worst)
        books = _Books(self._spec, self._clock, worst)
        try:
            with call_span(self._spec, request) as span:
                return await self._call(request, job, books, span)
        finally:
            await self._ledger.settle(reservation, books.actual)

    async def _call(self, request: Request, job: Job, books: _Books, span: Span[Call]) -> Answered:
        try:
            answered = await self._inner.ask(request, job)
            answered = answered._replace(reply=_checked(request, answered.reply))
            call = books.answered(answered.reply)
            return answered
        except ModelFault as fault:
            call = books.failed(fault)
            raise
        except BaseException:
            call = books.abandoned()
            raise
        finally:
            job.calls.append(call)
            span.end(call)

    async def _reserve(self, job: Job, worst: Amount) -> int:
        asked = self._clock.monotonic_seconds()
        reservation = await self._ledger.reserve(job.scope.decision_id, worst)
        job.deadline_seconds += self._clock.monotonic_seconds() - asked
        return reservation


class _Books:
    """One call's entry: what it was, and what is settled for it."""

    def __init__(self, spec: ModelSpec, clock: Clock, worst: Amount) -> None:
        self._spec, self._clock, self._worst = spec, clock, worst
        self._started_at_seconds = clock.now_seconds()
        self._started = clock.monotonic_seconds()
        self.actual = worst

    def answered(self, reply: Reply) -> Call:
        return self._entry(reply.usage, reply.usage is None, None, reply.finish_reason, reply.request_id)

    def failed(self, fault: ModelFault) -> Call:
        error = f"{type(fault).__name__}: {fault.message}"
        is_unknown = fault.usage is None and fault.may_be_billed
        return self._entry(fault.usage, is_unknown, error, None, fault.request_id)

    def abandoned(self) -> Call:
        """The call was cancelled, as a hedge is when the other answers first: the provider may go on and bill it."""
        return self._entry(None, True, "cancelled", None, None)

    def _entry(
        self,
        usage: Usage | None,
        is_unknown: bool,
        error: str | None,
        finish_reason: str | None,
        request_id: str | None,
    ) -> Call:
        cost_usd = self._cost_usd(usage, is_unknown)
        self._settle(usage, is_unknown, cost_usd)
        return Call(
            model=self._spec.name,
            provider=self._spec.provider,
            started_at_seconds=self._started_at_seconds,
            latency_seconds=self._clock.monotonic_seconds() - self._started,
            usage=usage,
            cost_usd=cost_usd,
            billed_usd=cost_usd,
            billed_tokens=self.actual.tokens,
            is_usage_unknown=is_unknown,
            error=error,
            finish_reason=finish_reason,
            request_id=request_id,
        )

    def _cost_usd(self, usage: Usage | None, is_unknown: bool) -> Decimal | None:
        price = self._spec.price
        if usage is None and not is_unknown:
            return _NOTHING
        if price is None:
            return None
        return self._worst.usd if usage is None else price.cost_usd(usage, self._started_at_seconds)

    def _settle(self, usage: Usage | None, is_unknown: bool, cost_usd: Decimal | None) -> None:
        if not is_unknown:
            self.actual = Amount(cost_usd or _NOTHING, usage.tokens if usage else 0, 1)


def _checked(request: Request, reply: Reply) -> Reply:
    """A structured answer of another type, or none of the choices, is a fault of the model, and is paid for."""
    try:
        if request.answer_type is not None:
            validate(reply.text, request.answer_type)
        return _as_choice(reply, request.choices) if request.choices else reply
    except InvalidAnswer as fault:
        fault.usage, fault.request_id = reply.usage, reply.request_id
        raise


def _as_choice(reply: Reply, choices: Sequence[str]) -> Reply:
    """Where the choices' probabilities are known, it does not matter which word was written, or whether any was."""
    choice = chosen(reply.text, choices)
    if choice is None and reply.choice_probabilities is None:
        raise InvalidAnswer(
            f"the answer is none of {', '.join(choices)}: {reply.text[:_LONGEST_WORDS]!r}",
            "ask a model that follows instructions, or allow more output tokens if it was cut off",
        )
    return reply if choice is None else reply._replace(text=choice)
