"""The official SDKs through our providers: what is sent, what is understood, and what a foreign fault comes out as."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal

import pytest
from pydantic import BaseModel

from krins.clock import FakeClock, SystemClock
from krins.domain import Message, Request, Usage
from krins.errors import AuthRefused, ModelFault, RateLimited, TooLong, Unreachable, UserError
from krins.fake_provider.wire import Tokens
from krins.interfaces import Reply
from krins.models.prices import StatedPrice
from krins.models.providers import build_provider, check_provider
from krins.models.providers.structured import answer_schema
from krins.models.spec import ModelSpec, ProviderName
from krins.models.stack import ModelPool
from krins.models.waiting_ledger import SharedLedger
from krins.suite import Budget, LiveModel
from tests.support.fake_provider import running, saying
from tests.support.fault_matrix import PROVIDERS, base_url, spec_for

TOLD = Tokens(input=100, cached=40, cache_write=10, output=50, reasoning=20)


class Point(BaseModel):
    """A point."""

    x: int
    label: str = "none"


async def ask(provider: ProviderName, request: Request, is_streamed: bool, model: str = "m") -> tuple[Reply, list[str]]:
    answer = '{"x": 3, "label": "a"}' if request.answer_type else "Hello there"
    pieces: list[str] = []
    async with running(answers=saying(answer, TOLD)) as server:
        asked = build_provider(spec_for(provider, model, base_url(server.url, provider)), SystemClock())
        try:
            await asked.check()
            return await asked.reply(request, pieces.append if is_streamed else None), pieces
        finally:
            await asked.close()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("answer_type", [None, Point])
def test_an_answer_and_its_usage_arrive_whole(
    provider: ProviderName, is_streamed: bool, answer_type: type[BaseModel] | None
) -> None:
    messages = (Message("user", "Say hello"), Message("assistant", "Hm"), Message("user", "Say it"))
    request = Request(messages, system="Be brief.", answer_type=answer_type)
    reply, pieces = asyncio.run(ask(provider, request, is_streamed))
    if answer_type is None:
        assert reply.text.endswith("Hello there")
    else:
        assert answer_type.model_validate_json(reply.text) == Point(x=3, label="a")
    assert "".join(pieces) == (reply.text if is_streamed else "")
    assert reply.finish_reason == "stop"
    assert reply.request_id
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_tokens) == (100, 50, 40)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_was_cut_says_so(provider: ProviderName) -> None:
    reply, _ = asyncio.run(ask(provider, Request.of("Hi"), False, "m!length"))
    assert reply.finish_reason == "length"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_that_is_not_there_is_unreachable_and_costs_nothing(provider: ProviderName) -> None:
    async def once() -> None:
        async with running() as server:
            url = server.url
        asked = build_provider(spec_for(provider, "m", base_url(url, provider)), SystemClock())
        try:
            with pytest.raises(Unreachable, match="model m at http") as caught:
                await asked.check()
            assert not caught.value.may_be_billed
        finally:
            await asked.close()

    asyncio.run(once())


@pytest.mark.parametrize(
    ("fault", "kind", "seconds"),
    [
        ("rate_limited:7.5", RateLimited, 7.5),
        ("rate_limited_silent", RateLimited, None),
        ("invalid_key", AuthRefused, None),
        ("too_long", TooLong, None),
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_provider_says_of_a_fault_is_understood(
    provider: ProviderName, fault: str, kind: type[ModelFault], seconds: float | None
) -> None:
    with pytest.raises(kind) as caught:
        asyncio.run(ask(provider, Request.of("Hi"), False, f"m!{fault}"))
    assert caught.value.retry_after_seconds == seconds
    assert not caught.value.may_be_billed


def test_a_key_that_is_not_set_is_found_before_anything_is_asked() -> None:
    spec = spec_for("anthropic", "m", "http://127.0.0.1:9")
    with_key = ModelSpec(spec.settings, spec.provider, "m", spec.base_url, "KRINS_TEST_NO_SUCH_KEY", None, 64, None)
    with pytest.raises(UserError, match="KRINS_TEST_NO_SUCH_KEY is not set"):
        check_provider(with_key)


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1", "http://127.0.0.1.example.org/v1", "http://10.0.0.1/v1", None]
)
def test_tests_cannot_call_servers_that_may_cost_money(url: str | None) -> None:
    settings = LiveModel(name="m", base_url=url)
    with pytest.raises(UserError, match="KRINS_NO_PAID_CALLS is set"):
        build_provider(ModelSpec(settings, "openai-chat", "m", url, None, None, 64, None), FakeClock())


def test_a_schema_is_strict_to_its_leaves() -> None:
    class Line(BaseModel):
        start: Point
        ends: list[Point]

    schema = answer_schema(Line)
    point = schema["$defs"]["Point"]
    assert (schema["required"], point["required"]) == (["start", "ends"], ["x", "label"])
    assert schema["additionalProperties"] is point["additionalProperties"] is False
    assert "default" not in point["properties"]["label"]


def test_through_all_layers_a_fallback_answers_at_its_own_price() -> None:
    async def once(fault: str, on_text: Callable[[str], None] | None) -> None:
        async with running(answers=saying("Hello", Tokens(input=10, output=2))) as server:
            ill = spec_for("anthropic", f"a!{fault}", server.url, max_tries=1)
            well = spec_for("openai-chat", "b", base_url(server.url, "openai-chat"))
            dear = StatedPrice(Decimal(1000), Decimal(1000))
            asked = ModelSpec(ill.settings, "anthropic", ill.model, ill.base_url, None, None, 64, dear, ("b",))
            pool = ModelPool(
                {asked.name: asked, "b": well}, SharedLedger(Budget(), {}), None, SystemClock(), random.Random(0), 4
            )
            attempt = await pool.models[asked.name].answer(Request.of("Hi"), on_text=on_text)
            await pool.close()
            assert (attempt.model, attempt.provider, attempt.usage) == ("b", "openai-chat", Usage(10, 2))
            failed, answered = attempt.calls
            assert (failed.model, answered.cost_usd) == (asked.name, Decimal("0.00006"))
            assert failed.cost_usd == (0 if fault == "overloaded" else failed.billed_usd)

    asyncio.run(once("overloaded", None))
    asyncio.run(once("refusal", None))
