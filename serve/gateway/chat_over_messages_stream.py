"""A stream of Anthropic's Messages as chunks of Chat Completions.

Invariants: pieces of a tool's input come under the call's own index; usage comes alone and last, as `include_usage`
has it (the gateway takes it out where nobody asked). Thoughts, their signatures and citations have no place there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krins.domain import Usage
from serve.gateway.translation import require_ending
from serve.gateway.wire import Json
from serve.gateway.wire_messages import RunningUsage

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def finish_reason(stop_reason: Any) -> str:
    """Raises BrokenReply where the answer does not say why it ended."""
    return _FINISH_REASONS.get(require_ending(stop_reason), "stop")


class ChatChunks:
    def __init__(self, created: int) -> None:
        self._head: Json = {"id": "", "object": "chat.completion.chunk", "created": created, "model": ""}
        self._usage = RunningUsage()
        self._reason: Any = None
        self._calls: dict[int, int] = {}
        """From a content block's index to the tool call's."""
        self._empty: set[int] = set()
        """Blocks of tool calls of whose input nothing has come."""

    def take(self, event: Json) -> Iterator[Json]:
        kind = event["type"]
        if kind == "message_start":
            message = event["message"]
            self._head |= {"id": message["id"], "model": message["model"]}
            self._usage.start(message.get("usage"))
            yield self._chunk({"role": "assistant", "content": "", "refusal": None})
        elif kind == "content_block_start":
            yield from self._start(event["index"], event["content_block"])
        elif kind == "content_block_delta":
            yield from self._delta(event["index"], event["delta"])
        elif kind == "content_block_stop" and event["index"] in self._empty:
            yield self._arguments(event["index"], "{}")
        elif kind == "message_delta":
            self._usage.add(event.get("usage"))
            self._reason = event["delta"].get("stop_reason") or self._reason

    def end(self) -> Iterator[Json]:
        yield self._chunk({}, finish_reason(self._reason))
        usage = usage_of(self._usage.usage)
        if usage:
            yield self._head | {"choices": []} | usage

    def _start(self, index: int, block: Json) -> Iterator[Json]:
        if block["type"] == "tool_use":
            number = self._calls[index] = len(self._calls)
            self._empty.add(index)
            function = {"name": block["name"], "arguments": ""}
            call = {"index": number, "id": block["id"], "type": "function", "function": function}
            yield self._chunk({"tool_calls": [call]})
        elif block["type"] == "text" and block.get("text"):
            yield self._chunk({"content": block["text"]})

    def _delta(self, index: int, delta: Json) -> Iterator[Json]:
        if delta["type"] == "text_delta":
            yield self._chunk({"content": delta["text"]})
        elif delta["type"] == "input_json_delta" and delta["partial_json"]:
            self._empty.discard(index)
            yield self._arguments(index, delta["partial_json"])

    def _arguments(self, index: int, text: str) -> Json:
        return self._chunk({"tool_calls": [{"index": self._calls[index], "function": {"arguments": text}}]})

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._head | {"choices": [choice]}


def usage_of(usage: Usage | None) -> Json:
    """Usage as Chat Completions has it; nothing where it is unknown."""
    if usage is None:
        return {}
    return {
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.tokens,
            "prompt_tokens_details": {
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
            },
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }
    }
