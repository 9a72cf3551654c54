"""Anthropic's Messages: https://platform.claude.com/docs/en/api/messages and .../messages-streaming.

Invariants: a stream is whole by `message_stop`; `input_tokens` leaves out what the prompt cache gave or took, which
`krins.domain.Usage` counts in; usage in `message_delta` is a running total.
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
    texts_of,
    told_fault,
)
from serve.web import Dialect


class MessagesWire:
    name: Format = "messages"
    dialect: Dialect = "anthropic"
    final = b""

    def prompt(self, body: Json) -> Prompt:
        messages = body["messages"]
        texts = [(m["role"], list(texts_of(m.get("content")))) for m in messages]
        users = ["\n".join(parts) for role, parts in texts if role == "user" and parts]
        return prompt_of(text_of(body.get("system")), users, all(role != "assistant" for role, _ in texts))

    def most_output_tokens(self, body: Json) -> int | None:
        limit: int | None = body.get("max_tokens")
        return limit

    def usage(self, answer: Json) -> Usage | None:
        return messages_usage(answer.get("usage"))

    def is_whole(self, answer: Json) -> bool:
        return isinstance(answer.get("stop_reason"), str) and isinstance(answer.get("content"), list)

    def watch(self) -> Watch:
        return _MessagesWatch()

    def encode(self, event: Json) -> bytes:
        return named_event(event)

    def error_event(self, code: str, message: str) -> bytes:
        kind = {"rate_limited": "rate_limit_error", "overloaded": "overloaded_error", "timed_out": "timeout_error"}
        return self.encode({"type": "error", "error": {"type": kind.get(code, "api_error"), "message": message}})


def messages_usage(told: Any) -> Usage | None:
    """None where nothing is told, or nothing that makes sense."""
    try:
        if told["input_tokens"] is None or told["output_tokens"] is None:
            return None
        read, written = count(told.get("cache_read_input_tokens")), count(told.get("cache_creation_input_tokens"))
        return Usage(
            input_tokens=count(told["input_tokens"]) + read + written,
            output_tokens=count(told["output_tokens"]),
            cached_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=count((told.get("output_tokens_details") or {}).get("thinking_tokens")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


class RunningUsage:
    """Usage as a stream tells it: the prompt's at its beginning, the answer's at its end."""

    def __init__(self) -> None:
        self._told: Json = {}
        self._is_complete = False

    def start(self, told: Any) -> None:
        self._told = dict(told) if isinstance(told, dict) else {}

    def add(self, told: Any) -> None:
        if isinstance(told, dict):
            self._told |= {key: value for key, value in told.items() if value is not None}
            self._is_complete = True

    @property
    def usage(self) -> Usage | None:
        """None until it is told in full."""
        return messages_usage(self._told) if self._is_complete else None


class _MessagesWatch(Failing):
    def __init__(self) -> None:
        self._running = RunningUsage()

    @property
    def usage(self) -> Usage | None:
        return self._running.usage

    def take(self, event: bytes) -> Piece:
        name = name_of(event)
        if name in (b"message_start", b"message_delta", b"error"):
            return self._look(name, event)
        if is_cut_off(event):
            return self._failed(broken_event())
        if name == b"message_stop":
            return Piece.END
        return Piece.PREAMBLE if name == b"ping" or not data_of(event) else Piece.PART

    def _look(self, name: bytes, event: bytes) -> Piece:
        content = content_of(event)
        if content is None:
            return self._failed(broken_event())
        if name == b"error":
            return self._failed(told_fault(content.get("error")))
        if name == b"message_delta":
            self._running.add(content.get("usage"))
            return Piece.PART
        self._running.start((content.get("message") or {}).get("usage"))
        return Piece.PREAMBLE
