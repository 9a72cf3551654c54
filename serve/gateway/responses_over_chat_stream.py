"""Chunks of Chat Completions as a stream of OpenAI's Responses.

Invariants: events are numbered from 0 on; every item and part is added, filled and done, one after another; the last
event holds the whole response, which is what an answer that is not streamed is (`Draft`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from krins.domain import Usage
from krins.errors import BrokenReply
from serve.gateway.translation import require_ending
from serve.gateway.wire import Json
from serve.gateway.wire_chat import chat_usage

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_KEYS = {"output_text": "text", "refusal": "refusal"}


class Draft:
    """A response that grows."""

    def __init__(self, answer_id: str, model: str, echo: Json, created_at: int) -> None:
        self._id = answer_id
        self.output: list[Json] = []
        self.response: Json = {
            "id": f"resp_{answer_id}",
            "object": "response",
            "created_at": created_at,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": self.output,
            "previous_response_id": None,
            "store": False,
            "truncation": "disabled",
            "usage": None,
        } | echo

    def open_message(self, kind: Literal["output_text", "refusal"]) -> Json:
        """A new part, in the message that is being filled or a new one."""
        if not self.output or self.output[-1]["type"] != "message":
            item = {"id": self._item_id("msg"), "type": "message", "role": "assistant", "status": "in_progress"}
            self.output.append(item | {"content": []})
        more: Json = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
        part: Json = {"type": kind, _KEYS[kind]: ""} | more
        self.output[-1]["content"].append(part)
        return part

    def open_call(self, call_id: str, name: str) -> Json:
        item = {"id": self._item_id("fc"), "type": "function_call", "status": "in_progress", "call_id": call_id}
        self.output.append(item | {"name": name, "arguments": ""})
        return self.output[-1]

    def finished(self, finish_reason: str, usage: Usage | None) -> Json:
        incomplete = _INCOMPLETE.get(finish_reason)
        for item in self.output:
            item["status"] = "completed"
        if incomplete and self.output:
            self.output[-1]["status"] = "incomplete"
        self.response["status"] = "incomplete" if incomplete else "completed"
        self.response["incomplete_details"] = {"reason": incomplete} if incomplete else None
        self.response["usage"] = _usage_of(usage)
        return self.response

    def _item_id(self, prefix: str) -> str:
        return f"{prefix}_{self._id}_{len(self.output)}"


def _usage_of(usage: Usage | None) -> Json | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.tokens,
    }


class ResponseEvents:
    def __init__(self, echo: Json, created_at: int) -> None:
        self._echo, self._created_at = echo, created_at
        self._draft: Draft | None = None
        self._number = -1
        self._open: str | int | None = None
        """What is being filled: a kind of part, or the index of a tool call."""
        self._calls: set[int] = set()
        self._reason: Any = None
        self._usage: Usage | None = None

    def take(self, event: Json) -> Iterator[Json]:
        if self._draft is None:
            self._draft = Draft(event["id"], event["model"], self._echo, self._created_at)
            for kind in ("response.created", "response.in_progress"):
                yield self._event(kind, response=self._draft.response | {"output": []})
        self._usage = chat_usage(event.get("usage")) or self._usage
        for choice in event.get("choices") or ():
            self._reason = choice.get("finish_reason") or self._reason
            yield from self._delta(self._draft, choice.get("delta") or {})

    def end(self) -> Iterator[Json]:
        reason = require_ending(self._reason)
        if self._draft is None:
            raise BrokenReply("the stream holds no answer")
        status = "incomplete" if reason in _INCOMPLETE else "completed"
        yield from self._close_item(self._draft, status)
        yield self._event(f"response.{status}", response=self._draft.finished(reason, self._usage))

    def _delta(self, draft: Draft, delta: Json) -> Iterator[Json]:
        if delta.get("content"):
            yield from self._text(draft, "output_text", delta["content"])
        if delta.get("refusal"):
            yield from self._text(draft, "refusal", delta["refusal"])
        for call in delta.get("tool_calls") or ():
            yield from self._call(draft, call)

    def _text(self, draft: Draft, kind: Literal["output_text", "refusal"], piece: str) -> Iterator[Json]:
        if self._open != kind:
            if isinstance(self._open, int):
                yield from self._close_item(draft, "completed")
            else:
                yield from self._close_part(draft)
            is_new = self._open is None
            self._open = kind
            part = draft.open_message(kind)
            if is_new:
                yield from self._added(draft, {"content": []})
            yield self._event("response.content_part.added", **self._where(draft), part=dict(part))
        part = draft.output[-1]["content"][-1]
        part[_KEYS[kind]] += piece
        more: Json = {"logprobs": []} if kind == "output_text" else {}
        yield self._event(f"response.{kind}.delta", **self._where(draft), delta=piece, **more)

    def _call(self, draft: Draft, call: Json) -> Iterator[Json]:
        number, function = call.get("index", 0), call.get("function") or {}
        if number not in self._calls:
            yield from self._close_item(draft, "completed")
            self._calls.add(number)
            self._open = number
            draft.open_call(call["id"], function["name"])
            yield from self._added(draft, {})
        elif number != self._open:
            raise BrokenReply("pieces of several tool calls come mixed up")
        if function.get("arguments"):
            item = draft.output[-1]
            item["arguments"] += function["arguments"]
            where = {"item_id": item["id"], "output_index": len(draft.output) - 1}
            yield self._event("response.function_call_arguments.delta", **where, delta=function["arguments"])

    def _added(self, draft: Draft, empty: Json) -> Iterator[Json]:
        index = len(draft.output) - 1
        yield self._event("response.output_item.added", output_index=index, item=draft.output[-1] | empty)

    def _close_part(self, draft: Draft) -> Iterator[Json]:
        if not isinstance(self._open, str):
            return
        part, key = draft.output[-1]["content"][-1], _KEYS[self._open]
        more: Json = {"logprobs": []} if self._open == "output_text" else {}
        yield self._event(f"response.{self._open}.done", **self._where(draft), **{key: part[key]}, **more)
        yield self._event("response.content_part.done", **self._where(draft), part=part)

    def _close_item(self, draft: Draft, status: str) -> Iterator[Json]:
        if self._open is None:
            return
        yield from self._close_part(draft)
        item, index = draft.output[-1], len(draft.output) - 1
        if isinstance(self._open, int):
            done = {"item_id": item["id"], "output_index": index, "arguments": item["arguments"], "name": item["name"]}
            yield self._event("response.function_call_arguments.done", **done)
        self._open = None
        item["status"] = status
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _where(self, draft: Draft) -> Json:
        item = draft.output[-1]
        index = len(draft.output) - 1
        return {"item_id": item["id"], "output_index": index, "content_index": len(item["content"]) - 1}

    def _event(self, kind: str, **content: Any) -> Json:
        self._number += 1
        return {"type": kind, "sequence_number": self._number, **content}
