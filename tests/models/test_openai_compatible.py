"""The official SDK against a server that speaks the real protocol: what is billed, retried and refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from krins.clock import FakeClock
from krins.domain import Attempt, Usage
from krins.errors import ModelFault, UserError
from krins.models.openai_compatible import OpenAICompatible
from krins.suite import LiveModel
from tests.conftest import FakeServer


def model(base_url: str, name: str, **keys: Any) -> OpenAICompatible:
    prices = {"usd_per_million_input_tokens": "1.5", "usd_per_million_output_tokens": "3"}
    spec = LiveModel.model_validate({"name": name, "base_url": base_url, "timeout_seconds": 1, **prices, **keys})
    return OpenAICompatible(spec, FakeClock())


def answer(of: OpenAICompatible) -> Attempt:
    async def once() -> Attempt:
        try:
            return await of.answer("What?", 7)
        finally:
            await of.close()

    return asyncio.run(once())


def test_an_answer_is_priced_to_the_last_digit(start_server: Callable[..., FakeServer]) -> None:
    attempt = answer(model(start_server().base_url, "p-0"))
    assert attempt.usage is not None
    assert attempt.usage.input_tokens == 100
    assert attempt.cost_usd == (100 * Decimal("1.5") + attempt.usage.output_tokens * 3) / Decimal(1_000_000)
    assert (attempt.finish_reason, attempt.request_id) == ("stop", "fake-7")


def test_what_nobody_bills_is_tried_again(start_server: Callable[..., FakeServer]) -> None:
    server = start_server()
    assert answer(model(server.base_url, "flaky")).text
    assert len(server.calls) == 2
    with pytest.raises(ModelFault, match="out of order"):
        answer(model(server.base_url, "down"))
    assert len(server.calls) == 2 + 3


def test_a_request_that_timed_out_is_not_repeated_for_it_may_be_billed(start_server: Callable[..., FakeServer]) -> None:
    server = start_server()
    with pytest.raises(ModelFault, match="APITimeoutError"):
        answer(model(server.base_url, "hang"))
    assert len(server.calls) == 1


def test_no_usage_is_unknown_not_free(start_server: Callable[..., FakeServer]) -> None:
    attempt = answer(model(start_server().base_url, "no-usage"))
    assert (attempt.usage, attempt.cost_usd) == (None, None)


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://127.0.0.1.example.org/v1", "http://10.0.0.1/v1"])
def test_tests_cannot_call_servers_that_may_cost_money(url: str) -> None:
    with pytest.raises(UserError, match="KRINS_NO_PAID_CALLS is set"):
        model(url, "any")


def test_tokens_add_up() -> None:
    assert Usage(3, 4).tokens == 7
