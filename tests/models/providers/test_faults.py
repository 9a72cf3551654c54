"""What a provider's failure becomes: its class, when to come back, what may be billed, and that no key is in it."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.clock import FakeClock
from krins.errors import AuthRefused, BadRequest, ModelFault, Overloaded, RateLimited, TimedOut, TooLong
from krins.models.providers.faults import fault_of
from krins.models.spec import ProviderName
from tests.models.providers.servers import JSON, canned, fault_of_asking, ignore, run, spec
from tests.support.fault_matrix import PROVIDERS

NOW_SECONDS = 1_800_000_000.0


def error(message: str, **keys: object) -> bytes:
    return json.dumps({"type": "error", "error": {"message": message, **keys}}).encode()


STATUSES: list[tuple[int, bytes, type[ModelFault]]] = [
    (400, error("no such parameter"), BadRequest),
    (400, error("prompt is too long: 3 tokens > 2 maximum"), TooLong),
    (400, error("This model's maximum context length is 2 tokens.", code="context_length_exceeded"), TooLong),
    (400, error("The input token count (3) exceeds the maximum number of tokens allowed (2)."), TooLong),
    (400, error("request exceeds the available context size", type="exceed_context_size_error"), TooLong),
    (413, error("Request exceeds the maximum size", type="request_too_large"), TooLong),
    (400, error("Your credit balance is too low to access the Anthropic API."), AuthRefused),
    (401, error("wrong key"), AuthRefused),
    (402, error("pay first"), AuthRefused),
    (403, error("not yours"), AuthRefused),
    (404, error("no such model"), BadRequest),
    (408, error("too slow"), TimedOut),
    (422, error("unprocessable"), BadRequest),
    (429, error("slow down"), RateLimited),
    (429, error("no credit", code="insufficient_quota"), AuthRefused),
    (500, error("out of order"), Overloaded),
    (502, b"<html>bad gateway</html>", Overloaded),
    (503, error("busy"), Overloaded),
    (504, b"gateway timeout", Overloaded),
    (529, error("Overloaded", type="overloaded_error"), Overloaded),
]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("status", "body", "expected"), STATUSES)
def test_a_status_is_a_fault_with_the_providers_own_words(
    provider: ProviderName, status: int, body: bytes, expected: type[ModelFault]
) -> None:
    async def play() -> ModelFault:
        async with canned(body, status) as server:
            of = spec(provider, server.url)
            streamed, whole = await fault_of_asking(of, ignore), await fault_of_asking(of)
            assert (type(streamed), streamed.may_be_billed) == (type(whole), whole.may_be_billed)
            assert f"model m at {of.base_url}" in whole.message
            return whole

    fault = run(play())
    assert type(fault) is expected
    words = json.loads(body)["error"]["message"] if body.startswith(b"{") else body.decode()
    assert words in fault.message
    assert fault.may_be_billed is (status in (408, 504))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": formatdate(NOW_SECONDS + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW_SECONDS - 30, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back_is_told_by_headers(headers: dict[str, str], seconds: float | None) -> None:
    async def play() -> None:
        async with canned(error("slow down"), 429, JSON | headers) as server:
            fault = await fault_of_asking(spec("openai-chat", server.url), clock=FakeClock(NOW_SECONDS))
        assert fault.retry_after_seconds == seconds

    run(play())


def test_google_tells_in_the_body_when_to_come_back() -> None:
    async def play() -> None:
        info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}
        body = error("quota", code=429, status="RESOURCE_EXHAUSTED", details=[info])
        async with canned(body, 429) as server:
            fault = await fault_of_asking(spec("google", server.url))
        assert fault.retry_after_seconds == 12.5

    run(play())


class Refusal(Exception):
    """What an SDK raises for a status."""

    status_code = 429

    def __init__(self, headers: dict[str, Any]) -> None:
        super().__init__("slow down")
        self.response = httpx2.Response(429, headers=headers)


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), st.sampled_from(["retry-after", "retry-after-ms"])
)
def test_no_header_makes_anyone_wait_for_ever_or_raises(text: str, name: str) -> None:
    fault = fault_of(Refusal({name: text}), spec("openai", "http://127.0.0.1:9"), FakeClock())
    seconds = fault.retry_after_seconds
    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_that_quotes_the_key_does_not_put_it_into_any_error(
    provider: ProviderName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret")

    async def play() -> None:
        async with canned(error("the key sk-secret is wrong"), 401) as server:
            fault = await fault_of_asking(replace(spec(provider, server.url), api_key_env="SOME_KEY"))
        assert "the key *** is wrong" in fault.message
        assert "sk-secret" not in "".join(traceback.format_exception(fault))

    run(play())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_failure_that_is_being_handled_meanwhile_is_not_taken_for_this_one(provider: ProviderName) -> None:
    async def play() -> None:
        async with canned(error("no such parameter"), 400) as server:
            try:
                raise httpx2.ConnectError("of another provider")
            except httpx2.ConnectError:
                assert isinstance(await fault_of_asking(spec(provider, server.url)), BadRequest)

    run(play())
