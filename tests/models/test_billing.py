"""Billing: whatever becomes of a call, what is settled is what it cost, or the most that it can have cost."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from pydantic import BaseModel

from krins.clock import FakeClock
from krins.domain import Call, Request, Scope, Usage
from krins.errors import BrokenReply, BudgetExhausted, InvalidAnswer, ModelFault, RateLimited, Refused
from krins.interfaces import Reply
from krins.models.billing import Billing
from krins.models.job import Answered, Job
from krins.models.ledger import RUN, Balance
from krins.models.prices import StatedPrice
from krins.models.spec import ModelSpec, Price
from krins.models.waiting_ledger import SharedLedger
from krins.models.worst_case import worst_case
from krins.suite import Budget, Limit, LiveModel

HELLO = Request.of("Hello")
PRICE = StatedPrice(Decimal(1), Decimal(3))


class Colour(BaseModel):
    name: str


class Below:
    """The layer below: answers, fails or hangs."""

    def __init__(self, result: Reply | Exception | None, clock: FakeClock) -> None:
        self.result, self.clock = result, clock
        self.n_asked = 0

    async def ask(self, request: Request, job: Job) -> Answered:
        self.n_asked += 1
        self.clock.advance(2.5)
        if self.result is None:
            await asyncio.Event().wait()
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None
        return Answered(self.result, "m", "openai-chat")


def spec(price: Price | None = PRICE) -> ModelSpec:
    settings = LiveModel(name="m", base_url="http://127.0.0.1:9/v1", max_output_tokens=100)
    return ModelSpec(settings, "openai-chat", "m", settings.base_url, None, None, 100, price)


class Bench:
    """One call through the layer, and what the ledger says after it."""

    def __init__(
        self, result: Reply | Exception | None, budget: Budget = Budget(), price: Price | None = PRICE
    ) -> None:
        self.clock = FakeClock(1000.0)
        self.below, self.ledger = Below(result, self.clock), SharedLedger(budget, {})
        self.layer = Billing(self.below, spec(price), self.ledger, self.clock)
        self.job = Job(Scope("d", "t"), deadline_seconds=1060.0)
        self.worst = worst_case(HELLO, spec(price), 1000.0)

    async def ask(self, request: Request = HELLO) -> Answered:
        return await self.layer.ask(request, self.job)

    async def balance(self) -> Balance:
        return await self.ledger.balance(RUN)

    @property
    def call(self) -> Call:
        [call] = self.job.calls
        return call


def failed(fault: ModelFault) -> Bench:
    bench = Bench(fault)

    async def once() -> Balance:
        with pytest.raises(type(fault)):
            await bench.ask()
        return await bench.balance()

    balance = asyncio.run(once())
    assert balance.reserved.usd == 0
    assert (balance.spent.usd, balance.spent.calls) == (bench.call.cost_usd, 1)
    return bench


def test_an_answer_is_charged_as_the_provider_counted_it() -> None:
    bench = Bench(Reply("Hi", Usage(10, 20), "stop", "r1"))

    async def once() -> Balance:
        await bench.ask()
        return await bench.balance()

    balance = asyncio.run(once())
    call = bench.call
    assert call.cost_usd == call.billed_usd == balance.spent.usd == Decimal("0.00007")
    assert (call.usage, call.billed_tokens, call.is_usage_unknown) == (Usage(10, 20), 30, False)
    assert (call.started_at_seconds, call.latency_seconds) == (1000.0, 2.5)
    assert (call.request_id, call.finish_reason, call.error) == ("r1", "stop", None)
    assert balance.reserved.usd == 0


def test_a_fault_that_nobody_bills_costs_nothing() -> None:
    call = failed(RateLimited("slow down")).call
    assert (call.cost_usd, call.is_usage_unknown, call.error) == (Decimal(0), False, "RateLimited: slow down")


def test_a_fault_with_usage_costs_what_was_used() -> None:
    fault = Refused("I will not")
    fault.usage = Usage(10, 1)
    assert failed(fault).call.cost_usd == Decimal("0.000013")


def test_a_reply_that_broke_off_is_charged_at_its_worst_and_marked() -> None:
    bench = failed(BrokenReply("cut off"))
    assert (bench.call.cost_usd, bench.call.is_usage_unknown) == (bench.worst.usd, True)
    assert bench.call.billed_tokens == bench.worst.tokens


def test_an_answer_without_usage_is_charged_at_its_worst_and_marked() -> None:
    bench = Bench(Reply("Hi", None, "stop", None))
    asyncio.run(bench.ask())
    assert (bench.call.cost_usd, bench.call.is_usage_unknown) == (bench.worst.usd, True)


def test_a_cancelled_call_is_charged_at_its_worst() -> None:
    bench = Bench(None)

    async def once() -> Balance:
        asked = asyncio.create_task(bench.ask())
        await asyncio.sleep(0.01)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return await bench.balance()

    balance = asyncio.run(once())
    assert (balance.spent, balance.reserved.usd) == (bench.worst, Decimal(0))
    assert (bench.call.error, bench.call.is_usage_unknown) == ("cancelled", True)


def test_a_structured_answer_of_another_type_is_paid_for() -> None:
    bench = Bench(Reply('{"nome": 1}', Usage(10, 20), "stop", "r1"))
    with pytest.raises(InvalidAnswer):
        asyncio.run(bench.ask(Request(HELLO.messages, answer_type=Colour)))
    assert (bench.call.cost_usd, bench.call.usage) == (Decimal("0.00007"), Usage(10, 20))


def test_an_answer_that_is_none_of_the_choices_is_paid_for() -> None:
    bench = Bench(Reply("It depends", Usage(10, 20), "stop", "r1"))
    with pytest.raises(InvalidAnswer, match="none of yes, no: 'It depends'"):
        asyncio.run(bench.ask(Request(HELLO.messages, choices=("yes", "no"))))
    assert (bench.call.cost_usd, bench.call.usage) == (Decimal("0.00007"), Usage(10, 20))


@pytest.mark.parametrize(
    ("said", "probabilities", "text"),
    [(" Yes.", None, "yes"), ("NO", {"yes": 0.6, "no": 0.4}, "no"), ("It is", {"yes": 0.6, "no": 0.4}, "It is")],
)
def test_an_answer_is_the_choice_that_it_names_or_what_was_written_where_probabilities_tell(
    said: str, probabilities: dict[str, float] | None, text: str
) -> None:
    bench = Bench(Reply(said, Usage(10, 20), "stop", "r1", probabilities))
    answered = asyncio.run(bench.ask(Request(HELLO.messages, choices=("yes", "no"))))
    assert (answered.reply.text, answered.reply.choice_probabilities) == (text, probabilities)


def test_a_model_without_a_price_is_counted_in_tokens() -> None:
    bench = Bench(Reply("Hi", Usage(10, 20), "stop", "r1"), price=None)
    asyncio.run(bench.ask())
    assert (bench.call.cost_usd, bench.call.billed_tokens) == (None, 30)


def test_nothing_is_sent_without_room_for_the_worst_case() -> None:
    bench = Bench(Reply("Hi", Usage(1, 1), "stop", None), Budget(run=Limit(usd=Decimal("0.0001"))))
    assert bench.worst.usd > Decimal("0.0001")
    with pytest.raises(BudgetExhausted):
        asyncio.run(bench.ask())
    assert (bench.below.n_asked, bench.job.calls) == (0, [])


def test_waiting_for_room_does_not_use_up_the_time_of_the_question() -> None:
    worst = worst_case(HELLO, spec(), 1000.0)
    bench = Bench(Reply("Hi", Usage(1, 1), "stop", None), Budget(run=Limit(usd=worst.usd)))

    async def once() -> None:
        other = await bench.ledger.reserve("other", worst)
        asked = asyncio.create_task(bench.ask())
        await asyncio.sleep(0)
        bench.clock.advance(30)
        await bench.ledger.settle(other, worst_case(HELLO, spec(None), 1000.0))
        await asked

    asyncio.run(once())
    assert bench.job.deadline_seconds == 1090.0
