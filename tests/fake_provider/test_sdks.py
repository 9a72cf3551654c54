"""The official SDKs against the fake: what they parse is what was scripted, streamed or not, structured or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pydantic import BaseModel

from krins.fake_provider.server import FakeProvider
from krins.fake_provider.wire import Tokens
from tests.support.fake_provider import running, saying

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from google.genai import Client
    from google.genai.types import GenerateContentResponseUsageMetadata
    from openai import AsyncOpenAI

TEXT = "Four is the answer, and it comes in pieces: 1, 2, 3, 4 — ünïcödé."
TOKENS = Tokens(input=1000, output=40, cached=256, cache_write=0, reasoning=7)


class Verdict(BaseModel):
    word: str
    number: int
    tags: list[str]


VERDICT = Verdict(word="yes", number=4, tags=["a", "b"])


class Said(NamedTuple):
    """What an SDK parsed."""

    text: str
    finish: object
    tokens: Tokens
    pieces: int


@dataclass(frozen=True)
class Sdks:
    anthropic: AsyncAnthropic
    openai: AsyncOpenAI
    google: Client


@asynccontextmanager
async def sdks(server: FakeProvider) -> AsyncIterator[Sdks]:
    import httpx2
    from anthropic import AsyncAnthropic
    from google.genai import Client
    from google.genai.types import HttpOptions
    from openai import AsyncOpenAI

    async with (
        httpx2.AsyncClient() as http,
        AsyncAnthropic(base_url=server.url, api_key="k", max_retries=0) as anthropic,
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0) as openai,
    ):
        google = Client(api_key="k", http_options=HttpOptions(base_url=server.url, httpx_async_client=http))
        try:
            yield Sdks(anthropic, openai, google)
        finally:
            await google.aio.aclose()
            google.close()


async def ask_anthropic(clients: Sdks, is_streamed: bool, kind: type[BaseModel] | None) -> Said:
    more: dict[str, Any] = {}
    if kind is not None:
        tool = {"name": "answer", "description": "Answers.", "input_schema": kind.model_json_schema()}
        more = {"tools": [tool], "tool_choice": {"type": "tool", "name": "answer"}}
    pieces = 0
    question: dict[str, Any] = {
        "model": "claude-haiku-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "What?"}],
        **more,
    }
    if is_streamed:
        async with clients.anthropic.messages.stream(**question) as stream:
            async for event in stream:
                pieces += event.type == "content_block_delta"
            message: Any = await stream.get_final_message()
    else:
        message = await clients.anthropic.messages.create(**question)
    [block] = message.content
    text = block.text if block.type == "text" else Verdict.model_validate(block.input).model_dump_json()
    usage = message.usage
    assert is_streamed or message._request_id.startswith("req_")
    written, cached = usage.cache_creation_input_tokens, usage.cache_read_input_tokens
    thought = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else TOKENS.reasoning
    tokens = Tokens(usage.input_tokens + written + cached, usage.output_tokens, cached, written, thought)
    return Said(text, message.stop_reason, tokens, pieces)


async def ask_responses(clients: Sdks, is_streamed: bool, kind: type[BaseModel] | None) -> Said:
    more: dict[str, Any] = {"text_format": kind} if kind else {}
    question: dict[str, Any] = {"model": "gpt-6-luna", "input": "What?", "max_output_tokens": 100, **more}
    pieces = 0
    if is_streamed:
        async with clients.openai.responses.stream(**question) as stream:
            async for event in stream:
                pieces += event.type == "response.output_text.delta"
            response: Any = await stream.get_final_response()
    else:
        response = await clients.openai.responses.parse(**question)
    text = response.output_parsed.model_dump_json() if kind else response.output_text
    usage = response.usage
    details, thought = usage.input_tokens_details, usage.output_tokens_details.reasoning_tokens
    tokens = Tokens(usage.input_tokens, usage.output_tokens, details.cached_tokens, details.cache_write_tokens, thought)
    return Said(text, response.status, tokens, pieces)


async def ask_chat(clients: Sdks, is_streamed: bool, kind: type[BaseModel] | None) -> Said:
    more: dict[str, Any] = {"response_format": kind} if kind else {}
    question: dict[str, Any] = {
        "model": "gpt-6-luna",
        "messages": [{"role": "user", "content": "What?"}],
        "max_completion_tokens": 100,
        **more,
    }
    pieces = 0
    if is_streamed:
        question |= {"stream_options": {"include_usage": True}}
        async with clients.openai.chat.completions.stream(**question) as stream:
            async for event in stream:
                pieces += event.type == "content.delta"
            completion: Any = await stream.get_final_completion()
    else:
        completion = await clients.openai.chat.completions.parse(**question)
    choice, usage = completion.choices[0], completion.usage
    text = choice.message.parsed.model_dump_json() if kind else choice.message.content
    details, thought = usage.prompt_tokens_details, usage.completion_tokens_details.reasoning_tokens
    tokens = Tokens(
        usage.prompt_tokens, usage.completion_tokens, details.cached_tokens, details.cache_write_tokens, thought
    )
    return Said(text, choice.finish_reason, tokens, pieces)


async def ask_google(clients: Sdks, is_streamed: bool, kind: type[BaseModel] | None) -> Said:
    config: dict[str, Any] = {"max_output_tokens": 100}
    if kind is not None:
        config = {**config, "response_mime_type": "application/json", "response_schema": kind}
    models = clients.google.aio.models
    question: dict[str, Any] = {"model": "gemini-3.8-flash", "contents": "What?", "config": config}
    if is_streamed:
        chunks = [chunk async for chunk in await models.generate_content_stream(**question)]
    else:
        chunks = [await models.generate_content(**question)]
        assert kind is None or chunks[0].parsed == VERDICT
    last = chunks[-1]
    assert last.candidates and last.usage_metadata
    text = "".join(chunk.text or "" for chunk in chunks)
    reason = last.candidates[0].finish_reason
    return Said(text, reason.value if reason else None, _google_tokens(last.usage_metadata), len(chunks))


def _google_tokens(usage: GenerateContentResponseUsageMetadata) -> Tokens:
    assert usage.prompt_token_count is not None
    assert usage.candidates_token_count is not None
    thought = usage.thoughts_token_count or 0
    cached = usage.cached_content_token_count or 0
    return Tokens(usage.prompt_token_count, usage.candidates_token_count + thought, cached, 0, thought)


Ask = Callable[[Sdks, bool, type[BaseModel] | None], Coroutine[Any, Any, Said]]
ASKS: dict[Ask, str] = {
    ask_anthropic: "end_turn",
    ask_responses: "completed",
    ask_chat: "stop",
    ask_google: "STOP",
}


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", [None, Verdict], ids=["text", "structured"])
@pytest.mark.parametrize("ask", ASKS)
def test_what_an_sdk_parses_is_what_was_scripted(ask: Ask, is_streamed: bool, kind: type[BaseModel] | None) -> None:
    scripted = TEXT if kind is None else VERDICT.model_dump_json()

    async def once() -> Said:
        async with running(answers=saying(scripted, TOKENS)) as server, sdks(server) as clients:
            return await ask(clients, is_streamed, kind)

    said = asyncio.run(once())
    assert said.text == scripted
    assert said.tokens == TOKENS
    assert said.pieces > 1 or not is_streamed
    assert said.finish == ("tool_use" if ask is ask_anthropic and kind else ASKS[ask])


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("ask", [ask_anthropic, ask_responses, ask_chat])
def test_a_structured_answer_that_nobody_scripted_is_still_of_its_type(ask: Ask, is_streamed: bool) -> None:
    async def once() -> Said:
        async with running() as server, sdks(server) as clients:
            return await ask(clients, is_streamed, Verdict)

    said = Verdict.model_validate_json(asyncio.run(once()).text)
    assert said.word == "[fake answer]"


def test_models_are_listed_and_any_name_is_known() -> None:
    async def all_of_them() -> list[str | None]:
        async with running() as server, sdks(server) as clients:
            return [
                (await clients.anthropic.models.list()).data[0].id,
                (await clients.openai.models.list()).data[0].id,
                (await clients.google.aio.models.list())[0].name,
                (await clients.anthropic.models.retrieve("a")).id,
                (await clients.openai.models.retrieve("b")).id,
                (await clients.google.aio.models.get(model="c")).name,
            ]

    listed = asyncio.run(all_of_them())
    assert listed[:3] == ["claude-opus-5-5", "gpt-6.1-sol", "models/gemini-4-argon"]
    assert listed[3:] == ["a", "b", "models/c"]


def test_tokens_are_counted_without_a_bill() -> None:
    async def both() -> tuple[int | None, int | None, int]:
        async with running() as server, sdks(server) as clients:
            counted = await clients.anthropic.messages.count_tokens(
                model="a", system="1234", messages=[{"role": "user", "content": "12345"}]
            )
            counted_by_google = await clients.google.aio.models.count_tokens(model="b", contents="12345678")
            return counted.input_tokens, counted_by_google.total_tokens, len(server.bill.rows)

    assert asyncio.run(both()) == (3, 2, 0)


def test_errors_are_the_ones_that_the_sdks_know() -> None:
    import anthropic
    import openai
    from google.genai.errors import ClientError, ServerError

    async def errors() -> list[tuple[str, int | None]]:
        async with running() as server, sdks(server) as clients:
            found: list[tuple[str, int | None]] = []
            for model in ("m!rate_limited", "m!overloaded", "m!auth", "m!too_long", "m!not_found"):
                for ask in (_of_anthropic, _of_openai, _of_google):
                    try:
                        await ask(clients, model)
                    except (anthropic.APIStatusError, openai.APIStatusError) as error:
                        found.append((type(error).__name__, error.status_code))
                    except (ClientError, ServerError) as error:
                        found.append((str(error.status), error.code))
            return found

    async def _of_anthropic(clients: Sdks, model: str) -> None:
        await clients.anthropic.messages.create(model=model, max_tokens=9, messages=[{"role": "user", "content": "x"}])

    async def _of_openai(clients: Sdks, model: str) -> None:
        await clients.openai.responses.create(model=model, input="x")

    async def _of_google(clients: Sdks, model: str) -> None:
        await clients.google.aio.models.generate_content(model=model, contents="x")

    assert asyncio.run(errors()) == [
        ("RateLimitError", 429),
        ("RateLimitError", 429),
        ("RESOURCE_EXHAUSTED", 429),
        ("OverloadedError", 529),
        ("InternalServerError", 503),
        ("UNAVAILABLE", 503),
        ("AuthenticationError", 401),
        ("AuthenticationError", 401),
        ("UNAUTHENTICATED", 401),
        ("BadRequestError", 400),
        ("BadRequestError", 400),
        ("INVALID_ARGUMENT", 400),
        ("NotFoundError", 404),
        ("NotFoundError", 404),
        ("NOT_FOUND", 404),
    ]
