"""Replies of all providers alike: what is asked of them on the wire, and what is made of what they say."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from krins.clock import FakeClock
from krins.domain import Message, Request, Usage
from krins.errors import BrokenReply, EmptyAnswer, ModelFault, Refused
from krins.fake_provider.wire import Tokens
from krins.interfaces import Reply
from krins.models.providers import build_provider
from krins.models.providers.structured import validate
from krins.models.spec import ProviderName
from tests.models.providers.servers import PROMPT, ask, canned, fault_of_asking, ignore, run, spec
from tests.support.fake_provider import running, saying
from tests.support.fault_matrix import PROVIDERS

TOKENS = Tokens(input=1000, output=40, cached=256, reasoning=7)
USAGE = Usage(1000, 40, cached_tokens=256, reasoning_tokens=7)
TEXT = "Four is the answer, and it comes in pieces: 1, 2, 3, 4."


class Verdict(BaseModel):
    word: str
    number: int


VERDICT = Verdict(word="yes", number=4)
STRUCTURED = Request((Message("user", "Judge."),), answer_type=Verdict)


class Whole(NamedTuple):
    """A provider's reply as JSON, and where in it text, usage and the reason to end stand."""

    reply: dict[str, Any]
    usage: dict[str, Any]


def whole(provider: ProviderName) -> Whole:
    """The least that is an answer `said`, at 5 tokens of input and 1 of output."""
    match provider:
        case "anthropic":
            usage = {"input_tokens": 5, "output_tokens": 1}
            content = [{"type": "text", "text": "said"}]
            return Whole({"id": "r", "content": content, "stop_reason": "end_turn", "usage": usage}, usage)
        case "openai":
            usage = {"input_tokens": 5, "output_tokens": 1}
            message = {"type": "message", "content": [{"type": "output_text", "text": "said"}]}
            return Whole({"id": "r", "status": "completed", "output": [message], "usage": usage}, usage)
        case "openai-chat":
            usage = {"prompt_tokens": 5, "completion_tokens": 1}
            choice = {"message": {"role": "assistant", "content": "said"}, "finish_reason": "stop"}
            return Whole({"id": "r", "choices": [choice], "usage": usage}, usage)
        case "google":
            usage = {"promptTokenCount": 5, "candidatesTokenCount": 1}
            candidate = {"content": {"role": "model", "parts": [{"text": "said"}]}, "finishReason": "STOP"}
            return Whole({"responseId": "r", "candidates": [candidate], "usageMetadata": usage}, usage)


async def reply_to(provider: ProviderName, content: Any) -> Reply:
    async with canned(json.dumps(content).encode()) as server:
        return await ask(spec(provider, server.url))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_answer_comes_with_all_that_it_used(provider: ProviderName, is_streamed: bool) -> None:
    pieces: list[str] = []

    async def play() -> Reply:
        async with running(answers=saying(TEXT, TOKENS)) as server:
            return await ask(spec(provider, server.url), on_text=pieces.append if is_streamed else None)

    reply = run(play())
    assert (reply.text, reply.usage, reply.finish_reason) == (TEXT, USAGE, "stop")
    assert reply.request_id
    assert not is_streamed or (len(pieces) > 1 and "".join(pieces) == TEXT)


def test_what_anthropic_reads_from_and_writes_to_its_cache_is_input() -> None:
    tokens = Tokens(input=1000, output=40, cached=256, cache_write=128, reasoning=7)

    async def play(is_streamed: bool) -> Reply:
        async with running(answers=saying(TEXT, tokens)) as server:
            return await ask(spec("anthropic", server.url), on_text=ignore if is_streamed else None)

    for is_streamed in (False, True):
        assert run(play(is_streamed)).usage == Usage(1000, 40, 1, 256, 128, 7)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_structured_answer_is_raw_json_of_the_type(provider: ProviderName, is_streamed: bool) -> None:
    pieces: list[str] = []

    async def play() -> Reply:
        async with running(answers=saying(VERDICT.model_dump_json(), TOKENS)) as server:
            return await ask(spec(provider, server.url), STRUCTURED, pieces.append if is_streamed else None)

    reply = run(play())
    assert validate(reply.text, Verdict) == VERDICT
    assert (reply.usage, reply.finish_reason) == (USAGE, "stop")
    assert not is_streamed or "".join(pieces) == reply.text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_settings_of_a_model_and_the_request_go_out(provider: ProviderName) -> None:
    async def play() -> dict[str, Any]:
        request = Request(
            (Message("user", "A"), Message("assistant", "B"), Message("user", "C")), "Be brief.", sample=7
        )
        async with canned(json.dumps(whole(provider).reply).encode()) as server:
            await ask(spec(provider, server.url, temperature=0.5, max_output_tokens=33), request)
        [asked] = server.requests
        return asked

    asked = run(play())
    if provider == "google":
        settings_of = asked["generationConfig"]
        assert (settings_of["temperature"], settings_of["maxOutputTokens"], settings_of["seed"]) == (0.5, 33, 7)
        assert [content["role"] for content in asked["contents"]] == ["user", "model", "user"]
        assert {setting["threshold"] for setting in asked["safetySettings"]} == {"OFF"}
    else:
        limit = {"anthropic": "max_tokens", "openai": "max_output_tokens", "openai-chat": "max_tokens"}[provider]
        assert (asked["model"], asked["temperature"], asked[limit]) == ("m", 0.5, 33)
        assert ("seed" in asked) is (provider == "openai-chat")
    assert "Be brief." in json.dumps(asked)


def test_anthropic_is_told_to_cache_only_where_the_suite_says_so() -> None:
    async def play(prompt_caching: bool) -> dict[str, Any]:
        async with canned(json.dumps(whole("anthropic").reply).encode()) as server:
            await ask(spec("anthropic", server.url, prompt_caching=prompt_caching))
        return server.requests[0]

    assert run(play(True))["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in run(play(False))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("wrong", [-1, "many", None, 1.5])
def test_usage_that_makes_no_sense_is_unknown_and_never_a_number(provider: ProviderName, wrong: object) -> None:
    content, usage = whole(provider)
    usage[next(iter(usage))] = wrong
    try:
        told = run(reply_to(provider, content)).usage
    except BrokenReply as fault:  # Google's SDK validates
        told = fault.usage
    assert told is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_usage_is_unknown_not_free(provider: ProviderName) -> None:
    content = whole(provider).reply
    del content["usageMetadata" if provider == "google" else "usage"]
    reply = run(reply_to(provider, content))
    assert (reply.text, reply.usage) == ("said", None)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "stop"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text"]), inner, max_size=2),
    max_leaves=4,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container in `node` with each key in it."""
    keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [(node, key) for key in keys] + [place for key in keys for place in places(node[key])]


@pytest.mark.parametrize("provider", PROVIDERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_reply_of_another_shape_is_broken_and_never_crashes(provider: ProviderName, data: st.DataObject) -> None:
    content = whole(provider).reply
    container, key = data.draw(st.sampled_from(places(content)))
    container[key] = data.draw(ANYTHING)
    try:
        reply = run(reply_to(provider, content))
    except ModelFault as fault:
        assert fault.may_be_billed
    else:
        assert reply.text.strip()
        assert isinstance(reply.finish_reason, str)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_refusal_says_why_and_what_it_used(provider: ProviderName, is_streamed: bool) -> None:
    async def play() -> ModelFault:
        async with running("refusal=1", answers=saying(TEXT, TOKENS)) as server:
            return await fault_of_asking(spec(provider, server.url), ignore if is_streamed else None)

    fault = run(play())
    assert isinstance(fault, Refused)
    assert fault.usage == USAGE
    words = {"google": "SAFETY", "anthropic": "against the usage policy"}.get(provider, "I cannot help with that")
    assert words in fault.message


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_empty_answer_is_paid_for(provider: ProviderName) -> None:
    async def play() -> ModelFault:
        async with running("empty_answer=1", answers=saying(TEXT, TOKENS)) as server:
            return await fault_of_asking(spec(provider, server.url))

    fault = run(play())
    assert isinstance(fault, EmptyAnswer)
    assert fault.usage is not None
    assert fault.usage.input_tokens == 1000


def test_one_answer_of_google_is_one_request_even_where_it_could_be_continued() -> None:
    async def play() -> None:
        content = whole("google").reply
        content["candidates"][0] |= {"finishReason": "CONTINUATION", "continuationToken": b64encode(b"t").decode()}
        async with canned(json.dumps(content).encode()) as server:
            reply = await ask(spec("google", server.url))
        assert len(server.requests) == 1
        assert reply.finish_reason == "length"

    run(play())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_listener_raises_is_no_fault_of_the_provider(provider: ProviderName) -> None:
    def fail(text: str) -> None:
        raise LookupError("mine")

    async def play() -> None:
        async with running() as server:
            with pytest.raises(LookupError, match="mine"):
                await ask(spec(provider, server.url), on_text=fail)

    run(play())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_can_be_asked_again_after_it_was_closed(provider: ProviderName) -> None:
    async def play() -> None:
        async with running(answers=saying(TEXT)) as server:
            of = build_provider(spec(provider, server.url), FakeClock())
            for _ in range(2):
                await of.check()
                assert (await of.reply(PROMPT)).text == TEXT
                await of.close()

    run(play())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_without_a_list_of_models_passes_the_check(provider: ProviderName) -> None:
    async def play() -> None:
        async with canned(b'{"error": {"message": "nothing here"}}', 404) as server:
            of = build_provider(spec(provider, server.url), FakeClock())
            try:
                await of.check()
            finally:
                await of.close()

    run(play())


def test_usage_that_a_chat_stream_tells_before_its_end_is_not_taken_for_the_bill() -> None:
    async def play() -> None:
        delta = {"id": "r", "choices": [{"index": 0, "delta": {"content": "said"}, "finish_reason": None}]}
        chunk = json.dumps(delta | {"usage": {"prompt_tokens": 5, "completion_tokens": 1}})
        async with canned(f"data: {chunk}\n\n".encode(), headers={"content-type": "text/event-stream"}) as server:
            fault = await fault_of_asking(spec("openai-chat", server.url), ignore)
        assert isinstance(fault, BrokenReply)
        assert fault.usage is None

    run(play())
