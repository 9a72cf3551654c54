"""Chunks of Chat Completions as a stream of Anthropic's Messages.

Invariants: content blocks follow one another, each started, filled and stopped, as Anthropic's readers expect; as Chat
Completions tells usage last, so does `message_delta`, for prompt and answer, and `message_start` has zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krins.domain import Usage
from krins.errors import BrokenReply
from serve.gateway.translation import require_ending
from serve.gateway.wire import Json
from serve.gateway.wire_chat import chat_usage

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def stop_reason(finish_reason: str, has_calls: bool) -> str:
    """Some servers say `stop` where they call a tool."""
    reason = _STOP_REASONS.get(finish_reason, "end_turn")
    return "tool_use" if has_calls and reason == "end_turn" else reason


def message_head(answer_id: str, model: str) -> Json:
    head: Json = {"id": answer_id, "type": "message", "role": "assistant", "model": model}
    return head | {"content": [], "stop_reason": None, "stop_sequence": None}


def usage_of(usage: Usage | None) -> Json:
    """Usage as Anthropic has it; zeros where it is unknown, for its readers take nothing else."""
    told = usage or Usage(0, 0)
    return {
        "input_tokens": max(0, told.input_tokens - told.cached_tokens - told.cache_write_tokens),
        "cache_read_input_tokens": told.cached_tokens,
        "cache_creation_input_tokens": told.cache_write_tokens,
        "output_tokens": told.output_tokens,
    }


class MessageEvents:
    def __init__(self) -> None:
        self._has_begun = False
        self._index = -1
        """Of the last content block that was started."""
        self._open: str | int | None = None
        """What the block that is being filled holds: `text`, or the index of a tool call."""
        self._calls: set[int] = set()
        self._reason: Any = None
        self._has_refused = False
        self._usage: Usage | None = None

    def take(self, event: Json) -> Iterator[Json]:
        if not self._has_begun:
            self._has_begun = True
            message = message_head(event["id"], event["model"]) | {"usage": usage_of(None)}
            yield {"type": "message_start", "message": message}
        self._usage = chat_usage(event.get("usage")) or self._usage
        for choice in event.get("choices") or ():
            self._reason = choice.get("finish_reason") or self._reason
            yield from self._delta(choice.get("delta") or {})

    def end(self) -> Iterator[Json]:
        reason = "content_filter" if self._has_refused else require_ending(self._reason)
        yield from self._close()
        delta = {"stop_reason": stop_reason(reason, bool(self._calls)), "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": usage_of(self._usage)}
        yield {"type": "message_stop"}

    def _delta(self, delta: Json) -> Iterator[Json]:
        for key in ("content", "refusal"):
            if delta.get(key):
                self._has_refused = self._has_refused or key == "refusal"
                yield from self._opened("text", {"type": "text", "text": ""})
                yield self._piece({"type": "text_delta", "text": delta[key]})
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)

    def _call(self, call: Json) -> Iterator[Json]:
        number, function = call.get("index", 0), call.get("function") or {}
        if number not in self._calls:
            self._calls.add(number)
            block = {"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}}
            yield from self._opened(number, block)
        elif number != self._open:
            raise BrokenReply("pieces of several tool calls come mixed up")
        if function.get("arguments"):
            yield self._piece({"type": "input_json_delta", "partial_json": function["arguments"]})

    def _opened(self, what: str | int, block: Json) -> Iterator[Json]:
        if self._open == what:
            return
        yield from self._close()
        self._open, self._index = what, self._index + 1
        yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def _close(self) -> Iterator[Json]:
        if self._open is not None:
            self._open = None
            yield {"type": "content_block_stop", "index": self._index}

    def _piece(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}
