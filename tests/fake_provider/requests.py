"""Requests in each wire format, sent without an SDK, and what is read out of the replies: text and usage."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from krins.fake_provider.wire import Json, ProviderName, Tokens

PROVIDERS: tuple[ProviderName, ...] = ("anthropic", "openai", "openai-chat", "google")
MAX_TOKENS = 64


def path_of(provider: ProviderName, model: str, is_streamed: bool) -> str:
    if provider == "google":
        return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if is_streamed else "generateContent")
    return {"anthropic": "/v1/messages", "openai": "/v1/responses", "openai-chat": "/v1/chat/completions"}[provider]


def body_of(provider: ProviderName, model: str, prompt: str, is_streamed: bool) -> Json:
    stream = {"stream": True} if is_streamed else {}
    messages = [{"role": "user", "content": prompt}]
    match provider:
        case "anthropic":
            return {"model": model, "max_tokens": MAX_TOKENS, "messages": messages, **stream}
        case "openai":
            return {"model": model, "max_output_tokens": MAX_TOKENS, "input": prompt, **stream}
        case "openai-chat":
            options = {"stream_options": {"include_usage": True}} if is_streamed else {}
            return {"model": model, "max_tokens": MAX_TOKENS, "messages": messages, **stream, **options}
        case "google":
            contents = [{"role": "user", "parts": [{"text": prompt}]}]
            return {"contents": contents, "generationConfig": {"maxOutputTokens": MAX_TOKENS}}


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
        yield client


async def post(
    client: httpx2.AsyncClient,
    provider: ProviderName,
    model: str = "m",
    is_streamed: bool = False,
    prompt: str = "What?",
    **headers: str,
) -> httpx2.Response:
    """Send and read all; header names are given with _ for -."""
    return await client.post(
        path_of(provider, model, is_streamed),
        json=body_of(provider, model, prompt, is_streamed),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def events_of(body: bytes) -> list[Json]:
    """The JSON of each server-sent event; `[DONE]` comes as {"done": True}."""
    lines = [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data: ")]
    return [{"done": True} if line == "[DONE]" else json.loads(line) for line in lines]


def usages_of(provider: ProviderName, replies: list[Json]) -> list[Tokens]:
    """What a reply, or the events of a stream, say of all that is billed: in krins's words, each time it is said."""
    found = [_usage(provider, reply) for reply in replies]
    return [usage for usage in found if usage is not None]


def _usage(provider: ProviderName, reply: Json) -> Tokens | None:
    match provider:
        case "anthropic":
            return None if reply["type"] == "message_start" else _of_anthropic(reply.get("usage"))
        case "openai":
            usage = (reply.get("response") or reply).get("usage")
            return usage and _of_responses(usage)
        case "openai-chat":
            usage = reply.get("usage")
            return usage and _of_chat(usage)
        case "google":
            said = "promptFeedback" in reply or any("finishReason" in c for c in reply.get("candidates", ()))
            return _of_google(reply["usageMetadata"]) if said and "usageMetadata" in reply else None


def _of_anthropic(usage: Any) -> Tokens | None:
    if usage is None:
        return None
    written, cached = usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]
    thought = usage["output_tokens_details"]["thinking_tokens"]
    return Tokens(usage["input_tokens"] + written + cached, usage["output_tokens"], cached, written, thought)


def _of_responses(usage: Any) -> Tokens:
    details, thought = usage["input_tokens_details"], usage["output_tokens_details"]["reasoning_tokens"]
    cached, written = details["cached_tokens"], details["cache_write_tokens"]
    return Tokens(usage["input_tokens"], usage["output_tokens"], cached, written, thought)


def _of_chat(usage: Any) -> Tokens:
    details, thought = usage["prompt_tokens_details"], usage["completion_tokens_details"]["reasoning_tokens"]
    cached, written = details["cached_tokens"], details["cache_write_tokens"]
    return Tokens(usage["prompt_tokens"], usage["completion_tokens"], cached, written, thought)


def _of_google(usage: Any) -> Tokens:
    thought = usage.get("thoughtsTokenCount", 0)
    output = usage.get("candidatesTokenCount", 0) + thought
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + output
    return Tokens(usage["promptTokenCount"], output, usage.get("cachedContentTokenCount", 0), 0, thought)
