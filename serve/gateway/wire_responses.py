"""OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses and .../responses-streaming.

Invariants: a stream is whole by `response.completed` or `response.incomplete`, whose response says everything. An
`error` event carries its error twice: as the API has it, and as an object, for OpenAI's SDK raises on the latter only.
"""

from __future__ import annotations

from typing import Any

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
    name_of,
    named_event,
    prompt_of,
    text_of,
    told_fault,
)
from serve.web import Dialect

_ENDINGS = (b"response.completed", b"response.incomplete")
_FAILURES = (b"response.failed", b"error")
_BEGINNINGS = (b"response.created", b"response.queued", b"response.in_progress")


class ResponsesWire:
    name: Format = "responses"
    dialect: Dialect = "openai"
    final = b""

    def prompt(self, body: Json) -> Prompt:
        asked = body["input"]
        items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        system = [body.get("instructions") or ""]
        system += [text_of(item.get("content")) for item in items if item.get("role") in ("system", "developer")]
        users = [text_of(item.get("content")) for item in items if item.get("role") == "user"]
        is_first = not body.get("previous_response_id") and not any(map(_is_of_assistant, items))
        return prompt_of("\n".join(system), users, is_first)

    def most_output_tokens(self, body: Json) -> int | None:
        limit: int | None = body.get("max_output_tokens")
        return limit

    def usage(self, answer: Json) -> Usage | None:
        return responses_usage(answer.get("usage"))

    def is_whole(self, answer: Json) -> bool:
        return answer.get("status") in ("completed", "incomplete") and isinstance(answer.get("output"), list)

    def watch(self) -> Watch:
        return _ResponsesWatch()

    def encode(self, event: Json) -> bytes:
        return named_event(event)

    def error_event(self, code: str, message: str) -> bytes:
        error = {"message": message, "type": "server_error", "param": None, "code": code}
        plain = {"code": code, "message": message, "param": None}
        return self.encode({"type": "error", "sequence_number": _LAST_NUMBER, **plain, "error": error})


_LAST_NUMBER = 2**31 - 1
"""Of an event that follows on others which were not counted."""


def _is_of_assistant(item: Json) -> bool:
    return item.get("role") == "assistant" or item.get("type") in ("function_call", "reasoning")


def responses_usage(told: Any) -> Usage | None:
    """None where nothing is told, or nothing that makes sense."""
    try:
        if told["input_tokens"] is None or told["output_tokens"] is None:
            return None
        inputs, outputs = told.get("input_tokens_details") or {}, told.get("output_tokens_details") or {}
        return Usage(
            input_tokens=count(told["input_tokens"]),
            output_tokens=count(told["output_tokens"]),
            cached_tokens=count(inputs.get("cached_tokens")),
            cache_write_tokens=count(inputs.get("cache_write_tokens")),
            reasoning_tokens=count(outputs.get("reasoning_tokens")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


class _ResponsesWatch(Failing):
    def __init__(self) -> None:
        self.usage: Usage | None = None

    def take(self, event: bytes) -> Piece:
        name = name_of(event)
        if name in _ENDINGS or name in _FAILURES:
            return self._look(name, event)
        if is_cut_off(event):
            return self._failed(broken_event())
        return Piece.PREAMBLE if name in _BEGINNINGS or not data_of(event) else Piece.PART

    def _look(self, name: bytes, event: bytes) -> Piece:
        content = content_of(event)
        if content is None:
            return self._failed(broken_event())
        response = content.get("response") or {}
        self.usage = responses_usage(response.get("usage"))
        if name in _ENDINGS:
            return Piece.END
        return self._failed(told_fault(response.get("error") or content.get("error") or content))
