"""The official SDKs of OpenAI and Anthropic against the gateway, over every kind of upstream, streamed and not."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest

from krins.fake_provider.wire import Tokens
from krins.models.spec import ModelSpec, ProviderName
from tests.serve.door_app import ADMIN_KEY
from tests.serve.gateway_shell import Shell, anthropic_sdk, openai_sdk, shell, spec
from tests.serve.upstream import Reply, upstream
from tests.support.fake_provider import running, saying

QUESTION = "Name a prime number above ten."
TEXT = "Eleven is one, and so is thirteen; there is no last one."
TOKENS = Tokens(input=1000, output=50, cached=400)
PROVIDERS: list[ProviderName] = ["openai-chat", "openai", "anthropic"]


def arm(provider: ProviderName, url: str, name: str = "arm") -> ModelSpec:
    return spec(name, provider, url if provider == "anthropic" else f"{url}/v1")


async def ask_chat(served: Shell, is_streamed: bool) -> tuple[str, str, int, int, int]:
    """Text, why it ended, and tokens of input, cached and output."""
    async with openai_sdk(served) as client:
        messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
        if is_streamed:
            stream = await client.chat.completions.create(
                model="krins", messages=messages, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            reason = next(c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason)
            usage = chunks[-1].usage
        else:
            answer = await client.chat.completions.create(model="krins", messages=messages)
            text, reason = answer.choices[0].message.content or "", answer.choices[0].finish_reason
            usage = answer.usage
    assert usage and usage.prompt_tokens_details
    return text, reason, usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens or 0, usage.completion_tokens


async def ask_responses(served: Shell, is_streamed: bool) -> tuple[str, str, int, int, int]:
    async with openai_sdk(served) as client:
        if is_streamed:
            async with client.responses.stream(model="krins", input=QUESTION, instructions="Be brief.") as stream:
                pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
                answer: Any = await stream.get_final_response()
            assert "".join(pieces) == answer.output_text
        else:
            answer = await client.responses.create(model="krins", input=QUESTION, instructions="Be brief.")
    usage = answer.usage
    reason = {"completed": "stop"}.get(answer.status, answer.status)
    return answer.output_text, reason, usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens


async def ask_messages(served: Shell, is_streamed: bool) -> tuple[str, str, int, int, int]:
    async with anthropic_sdk(served) as client:
        asked: Any = {
            "model": "claude-of-the-agent",
            "max_tokens": 500,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": QUESTION}],
        }
        if is_streamed:
            async with client.messages.stream(**asked) as stream:
                text = "".join([piece async for piece in stream.text_stream])
                answer = await stream.get_final_message()
        else:
            answer = await client.messages.create(**asked)
            text = answer.content[0].text
    usage = answer.usage
    cached = usage.cache_read_input_tokens or 0
    reason = {"end_turn": "stop"}.get(answer.stop_reason or "", "")
    return text, reason, usage.input_tokens + cached, cached, usage.output_tokens


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("ask", [ask_chat, ask_responses, ask_messages])
def test_every_sdk_gets_the_answer_of_every_upstream(ask: Any, provider: ProviderName, is_streamed: bool) -> None:
    async def main() -> None:
        async with running(answers=saying(TEXT, TOKENS)) as server, shell(arm(provider, server.url)) as served:
            assert await ask(served, is_streamed) == (TEXT, "stop", 1000, 400, 50)
            # 1000 tokens at 1 USD and 50 at 2 USD a million, and the worst case was set aside before.
            assert served.purse.settled == [Decimal("0.0011")]
            assert served.purse.reserved[0] >= Decimal("0.0011")
            answered = served.notes.answers[0]
            assert (answered.input_tokens, answered.cached_tokens, answered.output_tokens) == (1000, 400, 50)
            assert (answered.cost_usd, answered.error) == (Decimal("0.0011"), None)
            assert answered.decision_id == served.notes.decisions[0].decision_id == "id-1-arm"
            assert served.told.calls == [("arm", "ok")]
            assert served.told.counted == {("arm", "input"): 1000, ("arm", "cached"): 400, ("arm", "output"): 50}
            task, turn = served.chooser.asked[0]
            assert task.prompt == QUESTION
            assert turn and turn.is_first

    asyncio.run(main())


def test_usage_is_asked_for_in_streams_and_taken_out_where_nobody_asked() -> None:
    async def main() -> None:
        async with running(answers=saying(TEXT, TOKENS)) as server:
            for provider in PROVIDERS:
                async with shell(arm(provider, server.url)) as served, openai_sdk(served) as client:
                    stream = await client.chat.completions.create(
                        model="krins", messages=[{"role": "user", "content": QUESTION}], stream=True
                    )
                    chunks = [chunk async for chunk in stream]
                    assert all(chunk.choices and not chunk.usage for chunk in chunks)
                    assert served.notes.answers[0].output_tokens == 50

    asyncio.run(main())


def test_headers_say_who_answered_why_and_for_how_much() -> None:
    async def main() -> None:
        async with (
            running(answers=saying(TEXT, TOKENS)) as server,
            shell(arm("anthropic", server.url), label="fake\r\nprovider ✓") as served,
            openai_sdk(served) as client,
        ):
            raw = await client.chat.completions.with_raw_response.create(
                model="krins", messages=[{"role": "user", "content": QUESTION}], seed=4
            )
            headers = {name: value for name, value in raw.headers.items() if name.startswith("x-krins")}
            assert headers == {
                "x-krins-decision-id": "id-1-arm",
                "x-krins-model": "arm",
                "x-krins-reason": "router",
                "x-krins-cost-usd": "0.0011",
                "x-krins-label": "fake  provider ?",
                "x-krins-ignored": "seed",
            }

    asyncio.run(main())


def test_models_are_listed_for_both_sdks() -> None:
    async def main() -> None:
        async with shell(arm("openai", "http://127.0.0.1:9"), arm("openai", "http://127.0.0.1:9", "other")) as served:
            names = ["krins", "krins/arm", "krins/other"]
            async with openai_sdk(served) as client:
                assert [model.id async for model in client.models.list()] == names
            async with anthropic_sdk(served) as other:
                assert [model.id async for model in other.models.list()] == names
                # A champion that takes over may bring an arm with it.
                served.gateway.add({"late": arm("openai", "http://127.0.0.1:9", "late")})
                assert [model.id async for model in other.models.list()] == [*names, "krins/late"]

    asyncio.run(main())


def test_a_model_is_pinned_or_unknown() -> None:
    async def main() -> None:
        async with running(answers=saying(TEXT)) as server:
            specs = arm("openai", server.url), arm("openai", server.url, "other")
            async with shell(*specs) as served, openai_sdk(served) as client:
                messages: Any = [{"role": "user", "content": QUESTION}]
                raw = await client.chat.completions.with_raw_response.create(model="krins/other", messages=messages)
                assert raw.headers["x-krins-model"] == "other"
                assert raw.headers["x-krins-reason"] == "pinned"
                assert "x-krins-decision-id" not in raw.headers
                for name in ("gpt-6-luna", "krins/none", "claude-opus"):
                    with pytest.raises(openai.NotFoundError, match="krins, krins/arm, krins/other") as caught:
                        await client.chat.completions.create(model=name, messages=messages)
                    assert caught.value.code == "model_not_found"

    asyncio.run(main())


def test_where_formats_agree_the_body_goes_through_but_for_the_model() -> None:
    answer = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m", "new": [1.50, "ü"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    }  # fmt: skip
    sent = {"model": "krins", "messages": [{"role": "user", "content": "x", "new": 1}], "temperature": 0.25, "top_k": 3}

    async def main() -> None:
        async with upstream(Reply.json(answer)) as server, shell(arm("openai-chat", server.url)) as served:
            async with openai_sdk(served) as client:
                got = await client.post("/chat/completions", cast_to=object, body=sent)
            assert got == answer
            assert server.seen[0].body == sent | {"model": "arm-at-home"}

    asyncio.run(main())


def test_keys_stay_on_their_own_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "upstreams-secret")
    refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": "no: upstreams-secret"}}

    async def main() -> None:
        async with upstream(Reply.json(refusal, 400, **{"x-secret": "upstreams-secret"})) as server:
            model = spec("arm", "anthropic", server.url, key_variable="UPSTREAM_KEY")
            async with shell(model) as served, anthropic_sdk(served) as client:
                with pytest.raises(anthropic.BadRequestError) as caught:
                    await client.messages.create(
                        model="krins",
                        max_tokens=5,
                        messages=[{"role": "user", "content": "x"}],
                        extra_headers={"anthropic-beta": "some-beta", "cookie": "a=b", "x-other": "c"},
                    )
                assert caught.value.body == {"type": "error", "error": refusal["error"] | {"message": "no: ***"}}  # type: ignore[operator]
                assert "upstreams-secret" not in str(caught.value.response.headers)
                assert "upstreams-secret" not in str(served.notes)
            seen = server.seen[0].headers
            assert seen["x-api-key"] == "upstreams-secret"
            assert seen["anthropic-beta"] == "some-beta"
            assert ADMIN_KEY not in str(seen)
            assert not {"cookie", "x-other", "authorization"} & set(seen)

    asyncio.run(main())


def test_google_is_asked_at_its_endpoint_for_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_KEY", "secret")
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}
    answer = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "gemini", "usage": usage,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    }  # fmt: skip

    async def main() -> None:
        async with upstream(Reply.json(answer)) as server:
            model = spec("arm", "google", server.url, key_variable="GOOGLE_KEY")
            async with shell(model) as served:
                for ask in (ask_responses, ask_messages):
                    # Thoughts are counted in the total alone.
                    assert await ask(served, is_streamed=False) == (TEXT, "stop", 10, 0, 30)
            assert {seen.path for seen in server.seen} == {"/v1beta/openai/chat/completions"}
            assert server.seen[0].headers["authorization"] == "Bearer secret"

    asyncio.run(main())
