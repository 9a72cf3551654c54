"""OpenAI's Chat Completions: https://platform.openai.com/docs/api-reference/chat, as many others speak it too.

Invariants: a stream is whole by `data: [DONE]`; usage comes in a chunk without choices before it, or with the last
choice. Tokens of thought that a server counts in the total only (Gemini's compatible endpoint) are output.
"""

from __future__ import annotations

from typing import Any

import orjson

from krins.domain import Usage
from krins.models.providers.replies import count
from serve.gateway.wire import (
    Failing,
    Format,
    Json,
    Piece,
    Prompt,
    Watch,
    broken_event,
    content_of,
    data_of,
    is_cut_off,
    prompt_of,
    text_of,
    told_fault,
)
from serve.web import Dialect


class ChatWire:
    name: Format = "chat"
    dialect: Dialect = "openai"
    final = b"data: [DONE]\n\n"

    def prompt(self, body: Json) -> Prompt:
        messages = body["messages"]
        system = "\n".join(text_of(m.get("content")) for m in messages if m["role"] in ("system", "developer"))
        users = [text_of(m.get("content")) for m in messages if m["role"] == "user"]
        return prompt_of(system, users, all(m["role"] != "assistant" for m in messages))

    def most_output_tokens(self, body: Json) -> int | None:
        return body.get("max_completion_tokens") or body.get("max_tokens")

    def usage(self, answer: Json) -> Usage | None:
        return chat_usage(answer.get("usage"))

    def is_whole(self, answer: Json) -> bool:
        choices = answer.get("choices")
        return isinstance(choices, list) and bool(choices) and all(_ends(choice) for choice in choices)

    def watch(self) -> Watch:
        return _ChatWatch()

    def encode(self, event: Json) -> bytes:
        return b"data: %b\n\n" % orjson.dumps(event)

    def error_event(self, code: str, message: str) -> bytes:
        return self.encode({"error": {"message": message, "type": "server_error", "param": None, "code": code}})


def chat_usage(told: Any) -> Usage | None:
    """None where nothing is told, or nothing that makes sense."""
    try:
        if told["prompt_tokens"] is None or told["completion_tokens"] is None:
            return None
        inputs, outputs = told.get("prompt_tokens_details") or {}, told.get("completion_tokens_details") or {}
        prompt, completion = count(told["prompt_tokens"]), count(told["completion_tokens"])
        return Usage(
            input_tokens=prompt,
            output_tokens=max(completion, count(told.get("total_tokens")) - prompt),
            cached_tokens=count(inputs.get("cached_tokens")),
            cache_write_tokens=count(inputs.get("cache_write_tokens")),
            reasoning_tokens=count(outputs.get("reasoning_tokens")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def is_usage_alone(chunk: Json) -> bool:
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


def _ends(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str)


class _ChatWatch(Failing):
    def __init__(self) -> None:
        self.usage: Usage | None = None

    def take(self, event: bytes) -> Piece:
        # As JSON strings have their quotation marks escaped, an answer that speaks of "usage" does not look like this.
        if (b'"usage"' in event and b'"usage":null' not in event) or b'"error"' in event:
            return self._look(event)
        if event.startswith((b"data: {", b"data:{")):
            return self._failed(broken_event()) if is_cut_off(event) else Piece.PART
        data = data_of(event)
        if data.strip() == b"[DONE]":
            return Piece.END
        return self._look(event) if data else Piece.PREAMBLE

    def _look(self, event: bytes) -> Piece:
        chunk = content_of(event)
        if chunk is None:
            return self._failed(broken_event())
        if chunk.get("error"):
            return self._failed(told_fault(chunk["error"]))
        self.usage = chat_usage(chunk.get("usage")) or self.usage
        return Piece.USAGE if is_usage_alone(chunk) else Piece.PART
