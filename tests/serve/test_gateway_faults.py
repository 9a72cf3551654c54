"""What the gateway makes of upstreams that fail: the next arm before an answer begins, a typed error after."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import anthropic
import openai
import orjson
import pytest

from krins.clock import FakeClock
from krins.fake_provider.wire import Tokens
from krins.models.spec import ModelSpec, ProviderName
from tests.serve.door_app import ADMIN_KEY
from tests.serve.gateway_shell import Purse, Shell, anthropic_sdk, openai_sdk, plain_http, shell, spec
from tests.serve.upstream import Reply, upstream
from tests.support.fake_provider import running, saying

TEXT = "Eleven is one, and so is thirteen; there is no last one."
TOKENS = Tokens(input=1000, output=50)
MESSAGES: Any = [{"role": "user", "content": "Name a prime number above ten."}]
CHUNK: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "El"}, "finish_reason": None}],
}
CALLERS = ["chat", "responses", "messages"]


def arm(name: str, url: str, provider: ProviderName = "openai", **more: Any) -> ModelSpec:
    return spec(name, provider, url if provider == "anthropic" else f"{url}/v1", **more)


async def ask(served: Shell, caller: str = "chat", is_streamed: bool = False, model: str = "krins") -> str:
    """The text of the answer, through the SDK; raises what the SDK raises."""
    if caller == "messages":
        return await _ask_messages(served, is_streamed, model)
    async with openai_sdk(served) as client:
        if caller == "responses":
            if not is_streamed:
                return (await client.responses.create(model=model, input="x")).output_text
            events = await client.responses.create(model=model, input="x", stream=True)
            return "".join([event.delta async for event in events if event.type == "response.output_text.delta"])
        if not is_streamed:
            answer = await client.chat.completions.create(model=model, messages=MESSAGES)
            return answer.choices[0].message.content or ""
        chunks = await client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


async def _ask_messages(served: Shell, is_streamed: bool, model: str) -> str:
    async with anthropic_sdk(served) as client:
        if is_streamed:
            async with client.messages.stream(model=model, max_tokens=99, messages=MESSAGES) as stream:
                return "".join([piece async for piece in stream.text_stream])
        answer = await client.messages.create(model=model, max_tokens=99, messages=MESSAGES)
        return answer.content[0].text  # type: ignore[union-attr]


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(limited())


BEFORE = [
    ("rate_limited", "RateLimited"),
    ("server_error", "Overloaded"),
    ("overloaded", "Overloaded"),
    ("auth", "AuthRefused"),
    ("wrong_content_type", "BrokenReply"),
    ("reset_at_accept", "BrokenReply"),
]
WHOLE = ["truncated_json", "missing_final_event", "error_in_stream", "half_closed", "reset"]


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("caller", CALLERS)
def test_before_an_answer_begins_a_failure_falls_back(caller: str, is_streamed: bool) -> None:
    async def main() -> None:
        for fault, name in BEFORE:
            async with (
                running(f"{fault}=1@*/bad") as bad,
                running(answers=saying(TEXT, TOKENS)) as good,
                shell(arm("first", bad.url, model="bad"), arm("second", good.url, "anthropic")) as served,
            ):
                assert await ask(served, caller, is_streamed) == TEXT
                assert served.told.calls == [("first", name), ("second", "ok")]
                first, second = served.notes.decisions
                assert (second.decision_id, second.arm, second.probability) == ("id-for-second", "second", None)
                assert second.reason == f"fallback: first: {name}"
                assert served.notes.answers[0].decision_id == first.decision_id
                assert (served.notes.answers[0].error or "").startswith(name)
                # All but a reply that broke is known not to be billed.
                assert served.purse.settled == [None if name == "BrokenReply" else 0, Decimal("0.0011")]

    run(main)


@pytest.mark.parametrize("caller", CALLERS)
def test_an_answer_that_is_broken_as_a_whole_falls_back(caller: str) -> None:
    async def main() -> None:
        for fault in WHOLE:
            async with (
                running(f"{fault}=1@*/bad", answers=saying(TEXT, TOKENS)) as bad,
                running(answers=saying(TEXT, TOKENS)) as good,
                shell(arm("first", bad.url, model="bad"), arm("second", good.url)) as served,
            ):
                assert await ask(served, caller) == TEXT
                assert [arm for arm, _ in served.told.calls] == ["first", "second"], fault
                # It was generated and is charged: in full where it told usage, otherwise all that was reserved.
                assert served.purse.settled[0] == (Decimal("0.0011") if fault == "missing_final_event" else None)

    run(main)


@pytest.mark.parametrize("provider", ["openai", "openai-chat", "anthropic"])
@pytest.mark.parametrize("caller", CALLERS)
def test_a_stream_that_fails_after_it_began_ends_in_an_error_that_the_sdk_raises(
    caller: str, provider: ProviderName
) -> None:
    async def main() -> None:
        for fault in ["ends_early", "half_closed", "reset", "missing_final_event"]:
            async with (
                running(f"{fault}=1@*/bad", answers=saying(TEXT, TOKENS)) as bad,
                shell(arm("first", bad.url, provider, model="bad"), arm("second", bad.url, provider)) as served,
            ):
                with pytest.raises((openai.APIError, anthropic.APIError), match="model first") as caught:
                    await ask(served, caller, is_streamed=True)
                assert not isinstance(caught.value, openai.APIConnectionError | anthropic.APIConnectionError), fault
                assert len(served.told.calls) == len(served.notes.answers) == len(served.purse.settled) == 1
                assert served.notes.answers[0].error

    run(main)


FIRST_EVENTS: dict[str, bytes] = {
    "chat": b"data: %b\n\n" % orjson.dumps(CHUNK),
    "messages": b'event: content_block_start\ndata: {"type": "content_block_start", "index": 0, '
    b'"content_block": {"type": "text", "text": ""}}\n\n',
    "responses": b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "delta": "El", '
    b'"sequence_number": 3}\n\n',
}
LAST_EVENTS: dict[str, list[bytes]] = {
    "chat": [b'data: {"error": {"message": "busy", "code": "overloaded"}}\n\n'],
    "messages": [
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}\n\n'
    ],
    "responses": [
        b'event: error\ndata: {"type": "error", "code": "server_error", "message": "busy", "sequence_number": 4}\n\n',
        b'event: response.failed\ndata: {"type": "response.failed", "sequence_number": 4, "response": '
        b'{"status": "failed", "error": {"code": "server_error", "message": "busy"}}}\n\n',
    ],
}


@pytest.mark.parametrize("caller", CALLERS)
def test_an_error_in_the_middle_of_a_stream_is_told_in_the_dialect(caller: str) -> None:
    async def stream(served: Shell, go: asyncio.Event) -> None:
        body: Any = {"model": "krins", "stream": True, "messages": MESSAGES, "input": "x", "max_tokens": 9}
        paths = {"chat": "/chat/completions", "messages": "/v1/messages", "responses": "/responses"}
        sdk: Any = anthropic_sdk if caller == "messages" else openai_sdk
        stream_class: Any = anthropic.AsyncStream if caller == "messages" else openai.AsyncStream
        async with sdk(served) as client:
            events = await client.post(
                paths[caller], body=body, stream=True, stream_cls=stream_class[object], cast_to=object
            )
            async for _ in events:
                go.set()

    async def main() -> None:
        for last in [*LAST_EVENTS[caller], FIRST_EVENTS[caller][:-20] + b"\n\n"]:
            reply = Reply([FIRST_EVENTS[caller], last], content_type="text/event-stream", is_gated=True)
            async with upstream(reply) as bad:
                model = arm("first", bad.url, "anthropic" if caller == "messages" else "openai")
                async with shell(model, arm("second", bad.url)) as served:
                    with pytest.raises((openai.APIError, anthropic.APIError), match="model first"):
                        await stream(served, bad.go)
                    is_cut = last not in LAST_EVENTS[caller]
                    assert served.told.calls == [("first", "BrokenReply" if is_cut else "Overloaded")]

    run(main)


def test_an_error_before_any_text_was_handed_out_falls_back() -> None:
    async def main() -> None:
        start = b'event: message_start\ndata: {"type": "message_start", "message": {"id": "1", "usage": {}}}\n\n'
        ping = b'event: ping\ndata: {"type": "ping"}\n\n'
        reply = Reply([start, ping, LAST_EVENTS["messages"][0]], content_type="text/event-stream", is_gated=True)
        async with upstream(reply) as bad, running(answers=saying(TEXT)) as good:
            bad.go.set()
            async with shell(arm("first", bad.url, "anthropic"), arm("second", good.url)) as served:
                assert await ask(served, "messages", is_streamed=True) == TEXT
                assert served.told.calls == [("first", "Overloaded"), ("second", "ok")]

    run(main)


def test_where_all_fail_the_most_telling_error_is_told() -> None:
    async def main() -> None:
        async with (
            running("rate_limited:7=1@*/limited", "server_error=1@*/broken", "wrong_content_type=1@*/alien") as server,
            shell(arm("a", server.url, model="broken"), arm("b", server.url, model="limited")) as limited,
            shell(arm("a", server.url, model="broken"), arm("b", server.url, model="alien")) as alien,
            shell(arm("a", server.url, model="broken")) as broken,
        ):
            for caller in CALLERS:
                with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)) as caught:
                    await ask(limited, caller)
                limit: Any = caught.value
                assert limit.response.headers["retry-after"] == "7"
                for served, status in ((alien, 502), (broken, 503)):
                    with pytest.raises((openai.InternalServerError, anthropic.APIStatusError)) as other:
                        await ask(served, caller)
                    error: Any = other.value
                    assert error.status_code == status
                    assert server.url not in str(other.value)

    run(main)


def test_a_request_that_is_wrong_goes_back_and_nobody_else_is_asked() -> None:
    async def main() -> None:
        async with (
            running("bad_request=1@*/bad", "not_found=1@*/none") as server,
            shell(arm("first", server.url, model="bad"), arm("second", server.url)) as served,
            shell(arm("first", server.url, model="none"), arm("second", server.url)) as missing,
        ):
            with pytest.raises(openai.BadRequestError, match="Invalid value for 'temperature'") as caught:
                await ask(served)
            assert (caught.value.param, caught.value.code) == ("temperature", "invalid_value")
            with pytest.raises(anthropic.BadRequestError, match="Invalid value for 'temperature'"):
                await ask(served, "messages")
            with pytest.raises(openai.NotFoundError):
                await ask(missing)
            assert served.told.calls == [("first", "BadRequest")] * 2
            assert served.purse.settled == [0, 0]

    run(main)


def test_a_prompt_that_is_too_long_goes_to_a_larger_window_or_back() -> None:
    async def main() -> None:
        async with running("too_long=1@*/small", answers=saying(TEXT)) as server:
            small = arm("small", server.url, model="small", context_window=1000)
            large, smaller = arm("large", server.url, context_window=2000), arm("tiny", server.url, context_window=500)
            async with shell(small, smaller, large) as served, shell(small, smaller) as without:
                assert await ask(served) == TEXT
                assert served.told.calls == [("small", "TooLong"), ("large", "ok")]
                with pytest.raises(openai.BadRequestError) as caught:
                    await ask(without)
                assert caught.value.code == "context_length_exceeded"

    run(main)


def test_a_refused_connection_is_tried_twice_and_a_pinned_arm_has_no_other() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            dead = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with running(answers=saying(TEXT)) as good, shell(arm("dead", dead), arm("good", good.url)) as served:
            assert await ask(served) == TEXT
            assert served.told.calls == [("dead", "Unreachable"), ("good", "ok")]
            assert served.purse.settled[0] == 0
            with pytest.raises(openai.InternalServerError) as caught:
                await ask(served, model="krins/dead")
            assert caught.value.status_code == 502
            assert served.told.calls[2:] == [("dead", "Unreachable")]
        # What is refused once is there the second time.
        async with (
            running("connect_refused:0=#1", answers=saying(TEXT)) as server,
            shell(arm("arm", server.url)) as served,
        ):
            with pytest.raises(openai.InternalServerError):
                await ask(served)
            assert await ask(served) == TEXT

    run(main)


def test_the_breaker_of_a_dead_endpoint_opens_and_its_arms_are_not_asked() -> None:
    async def main() -> None:
        async with (
            upstream(Reply.json({"error": {"message": "down"}}, 500)) as bad,
            running(answers=saying(TEXT)) as good,
            shell(arm("bad", bad.url), arm("good", good.url), clock=FakeClock()) as served,
        ):
            for _ in range(10):
                assert await ask(served) == TEXT
            assert len(bad.seen) == 8
            assert served.told.breakers == [(f"openai {bad.url}/v1", "open")]
            assert served.gateway.health()[f"openai {bad.url}/v1"].state == "open"
            assert served.notes.decisions[-1].reason == "fallback: bad: CircuitOpen"

    run(main)


async def advance_until_done(clock: FakeClock, task: asyncio.Task[Any], is_ready: Callable[[], bool]) -> None:
    while not is_ready():
        await asyncio.sleep(0.002)
    while not task.done():
        clock.advance(1.0)
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_answer_that_does_not_begin_in_time_falls_back(is_streamed: bool) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with (
            upstream(Reply(content_type="text/event-stream" if is_streamed else "application/json", hangs=True)) as bad,
            running(answers=saying(TEXT, TOKENS)) as good,
            shell(
                arm("bad", bad.url, timeout_seconds=60, first_token_timeout_seconds=20),
                arm("good", good.url),
                clock=clock,
            ) as served,
        ):
            task = asyncio.create_task(ask(served, is_streamed=is_streamed))
            await advance_until_done(clock, task, lambda: bool(bad.seen))
            assert task.result() == TEXT
            assert served.told.calls[0] == ("bad", "TimedOut")
            assert served.purse.settled[0] is None
            assert served.notes.answers[0].latency_seconds == pytest.approx(20 if is_streamed else 60, abs=2)
            await bad.gone.wait()

    run(main)


def test_a_stream_that_stalls_ends_in_an_error() -> None:
    async def main() -> None:
        clock = FakeClock()
        async with (
            upstream(Reply.events(CHUNK, CHUNK, done=False, hangs=True)) as bad,
            shell(arm("bad", bad.url, first_token_timeout_seconds=20), clock=clock) as served,
        ):
            task = asyncio.create_task(ask(served, is_streamed=True))
            await advance_until_done(clock, task, lambda: bool(bad.seen))
            with pytest.raises(openai.APIError, match="did not answer in time"):
                task.result()
            await bad.gone.wait()

    run(main)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_when_the_client_goes_the_upstream_is_let_go(is_streamed: bool) -> None:
    async def main() -> None:
        reply = Reply.events(CHUNK, done=False, hangs=True) if is_streamed else Reply(hangs=True)
        async with upstream(reply) as slow, shell(arm("slow", slow.url)) as served:
            task = asyncio.create_task(ask(served, is_streamed=is_streamed))
            while not slow.seen:
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.02 if is_streamed else 0)
            task.cancel()
            await slow.gone.wait()
            while not served.notes.answers:
                await asyncio.sleep(0.002)
            assert served.notes.answers[0].error == "ClientGone"
            assert served.purse.settled == [None]
            assert served.gateway.health()[f"openai {slow.url}/v1"].calls == 0

    run(main)


def test_a_budget_without_room_refuses_before_anything_is_sent() -> None:
    async def main() -> None:
        async with upstream(Reply.json({})) as server:
            # At least 1000 tokens of output at 2 USD a million are set aside.
            async with shell(arm("arm", server.url), purse=Purse(Decimal("0.002"))) as served:
                with pytest.raises(openai.RateLimitError, match="no room"):
                    await ask(served)
            assert not server.seen
            assert not served.purse.settled
            assert not served.told.calls  # the model is not to be blamed

    run(main)


def test_what_the_provider_has_stored_is_part_of_the_worst_case() -> None:
    async def main() -> None:
        async with running(answers=saying(TEXT)) as server:
            model = arm("arm", server.url, context_window=1_000_000)  # of which input costs 1 USD
            async with shell(model, purse=Purse(Decimal("0.5"))) as served, openai_sdk(served) as client:
                await client.responses.create(model="krins", input="x")
                with pytest.raises(openai.RateLimitError, match="no room"):
                    await client.responses.create(model="krins", input="x", previous_response_id="resp_1")
                assert len(served.purse.reserved) == 1

    run(main)


DEEP = f'{{"a": {"[" * 300}{"]" * 300}}}'
"""Deeper than orjson writes, as the text of a call's arguments may be."""


@pytest.mark.parametrize(
    "extra",
    [
        '"seed": NaN',
        '"seed": 1e999',
        '"messages": [{"role": "assistant", "content": null, "tool_calls": '
        f'[{{"id": "c", "type": "function", "function": {{"name": "f", "arguments": {json.dumps(DEEP)}}}}}]}}]',
    ],
)
def test_json_that_cannot_be_sent_on_is_the_callers_fault(extra: str) -> None:
    async def main() -> None:
        async with upstream(Reply.json({})) as server, shell(arm("arm", server.url, "anthropic")) as served:
            body = f'{{"model": "krins", "messages": [{{"role": "user", "content": "x"}}], {extra}}}'
            headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
            async with plain_http() as http:
                refused = await http.post(f"{served.url}/v1/chat/completions", content=body, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
            assert not server.seen

    run(main)


def test_an_answer_that_cannot_be_written_in_the_callers_format_is_broken() -> None:
    async def main() -> None:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": DEEP}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        async with (
            upstream(Reply.json({"id": "1", "model": "m", "choices": [choice]})) as bad,
            running(answers=saying(TEXT)) as good,
            shell(arm("bad", bad.url), arm("good", good.url)) as served,
        ):
            assert await ask(served, "messages") == TEXT
            assert served.told.calls == [("bad", "BrokenReply"), ("good", "ok")]

    run(main)


def test_a_token_limit_beyond_reason_is_the_callers_fault() -> None:
    async def main() -> None:
        async with upstream(Reply.json({})) as server, shell(arm("arm", server.url)) as served:
            body = {"model": "krins", "messages": [{"role": "user", "content": "x"}], "max_tokens": 2**64}
            async with openai_sdk(served) as client:
                with pytest.raises(openai.APIStatusError) as refused:
                    await client.post("/chat/completions", body=body, cast_to=object)
            assert 400 <= refused.value.status_code < 500
            assert not server.seen

    run(main)


def test_an_answer_beyond_all_bounds_is_not_kept() -> None:
    async def main() -> None:
        async with running("huge_answer:33=1", answers=saying(TEXT)) as server, shell(arm("a", server.url)) as served:
            with pytest.raises(openai.InternalServerError):
                await ask(served)
            assert served.told.calls == [("a", "BrokenReply")]

    run(main)


def test_nobody_is_redirected() -> None:
    async def main() -> None:
        async with (
            upstream(Reply(status=307, headers={"location": "http://127.0.0.1:9/v1/chat/completions"})) as server,
            running(answers=saying(TEXT)) as good,
            shell(arm("a", server.url), arm("b", good.url)) as served,
        ):
            assert await ask(served) == TEXT
            assert served.told.calls == [("a", "BrokenReply"), ("b", "ok")]

    run(main)


def test_what_one_arm_cannot_be_asked_another_is() -> None:
    async def main() -> None:
        async with (
            running(answers=saying(TEXT)) as server,
            shell(arm("claude", server.url, "anthropic"), arm("gpt", server.url)) as served,
            openai_sdk(served) as client,
        ):
            raw = await client.chat.completions.with_raw_response.create(
                model="krins", messages=MESSAGES, presence_penalty=0.5
            )
            assert raw.headers["x-krins-model"] == "gpt"
            assert raw.headers["x-krins-reason"] == "fallback: claude: Untranslatable"
            with pytest.raises(openai.BadRequestError, match="presence_penalty") as caught:
                await client.chat.completions.create(model="krins/claude", messages=MESSAGES, presence_penalty=0.5)
            assert (caught.value.code, caught.value.param) == ("unsupported_field", "presence_penalty")

    run(main)
