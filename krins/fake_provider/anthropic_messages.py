"""Anthropic's Messages API on the wire: https://platform.claude.com/docs/en/api/messages and .../messages-streaming.

Invariants: `input_tokens` leaves out what the cache gave or took; a forced tool is called with input of its schema;
usage in `message_delta` is a running total. Left out: tools that are not forced, images, server tools, batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from krins.fake_provider.faults import Kind
from krins.fake_provider.wire import Ask, Finish, Frame, Json, Malformed, Reply, Tokens, dump, required, text_of

_STOP_REASONS: dict[Finish, str | None] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "refusal": "refusal",
    "blocked": "refusal",
    "none": None,
}
_ERRORS: dict[Kind, tuple[str, str]] = {
    Kind.SERVER_ERROR: ("api_error", "Internal server error"),
    Kind.OVERLOADED: ("overloaded_error", "Overloaded"),
    Kind.AUTH: ("authentication_error", "invalid x-api-key"),
    Kind.INVALID_KEY: ("authentication_error", "invalid x-api-key"),
    Kind.BAD_REQUEST: ("invalid_request_error", "messages: at least one message is required"),
    Kind.TOO_LONG: ("invalid_request_error", "prompt is too long: 1208310 tokens > 1000000 maximum"),
    Kind.NOT_FOUND: ("not_found_error", "model: {model}"),
}
_RATE_LIMIT = (
    "rate_limit_error",
    "This request would exceed your organization's rate limit of 50 requests per minute. Please reduce your usage.",
)
_MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")


class AnthropicMessages:
    provider: Literal["anthropic"] = "anthropic"
    request_id_header = "request-id"

    def read(self, body: Json, model: str, is_streamed: bool) -> Ask:
        messages: list[Any] = required(body, "messages", list)
        texts = [text_of(message.get("content")) for message in messages]
        tool = _forced_tool(body)
        output_format = (body.get("output_config") or {}).get("format") or {}
        return Ask(
            provider=self.provider,
            model=required(body, "model", str),
            prompt=texts[-1],
            earlier=tuple(texts[:-1]),
            n_characters=len(text_of(body.get("system") or "")) + sum(map(len, texts)),
            max_tokens=required(body, "max_tokens", int),
            is_streamed=bool(body.get("stream")),
            schema=tool["input_schema"] if tool else output_format.get("schema"),
            tool=tool["name"] if tool else None,
            thinks=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
            caches="'cache_control'" in str(body),
        )

    def answer_id(self, digits: str) -> str:
        return f"msg_01{digits[:22]}"

    def whole(self, reply: Reply) -> Json:
        content = [block for block, _ in _blocks(reply)]
        return _message(reply, content, reply.tokens.output) | _ending(reply)

    def frames(self, reply: Reply) -> Iterator[Frame]:
        yield _frame("message_start", message=_message(reply, [], min(1, reply.tokens.output)))
        for index, (block, pieces) in enumerate(_blocks(reply)):
            yield _frame("content_block_start", index=index, content_block=block | _EMPTY[block["type"]])
            if index == 0:
                yield _frame("ping")
            for delta in pieces:
                is_text = delta["type"] in ("text_delta", "input_json_delta")
                yield _frame("content_block_delta", index=index, delta=delta)._replace(is_text=is_text)
            yield _frame("content_block_stop", index=index)
        end = {"delta": _ending(reply)} | ({"usage": _usage(reply.tokens)} if reply.tells_usage else {})
        for _ in range(2 if reply.repeats_usage else 1):
            yield _frame("message_delta", **end)._replace(has_usage=reply.tells_usage)
        yield _frame("message_stop")._replace(is_final=True)

    def error(self, kind: Kind, model: str, request_id: str, message: str, retry_after_seconds: float) -> Json:
        name, usual = _ERRORS.get(kind, _RATE_LIMIT)
        error = {"type": name, "message": message or usual.format(model=model)}
        return {"type": "error", "error": error, "request_id": request_id}

    def error_frame(self) -> bytes:
        return _frame("error", error={"type": "overloaded_error", "message": "Overloaded"}).data

    def models(self) -> Json:
        listed = [self.model(name) for name in _MODELS]
        return {"data": listed, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]}

    def model(self, name: str) -> Json:
        return {
            "type": "model",
            "id": name,
            "display_name": f"{name} (fake)",
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
            "max_input_tokens": 1_000_000,
            "max_tokens": 64_000,
        }


_EMPTY: dict[str, Json] = {
    "text": {"text": ""},
    "tool_use": {"input": {}},
    "thinking": {"thinking": "", "signature": ""},
}
"""What a block of that type has not yet when a stream announces it."""
_SIGNATURE = "ZmFrZSBzaWduYXR1cmU="


def _forced_tool(body: Json) -> Json | None:
    choice, tools = body.get("tool_choice") or {}, body.get("tools") or []
    if choice.get("type") == "any" and tools:
        return dict(tools[0])
    if choice.get("type") != "tool":
        return None
    for tool in tools:
        if tool.get("name") == choice.get("name"):
            return dict(tool)
    raise Malformed(f"tool_choice.name: Tool '{choice.get('name')}' not found in provided tools")


def _blocks(reply: Reply) -> Iterator[tuple[Json, list[Json]]]:
    """Each content block, and the deltas that it comes in."""
    if reply.ask.thinks and reply.tokens.reasoning:
        thought = "[fake thought]"
        deltas = [{"type": "thinking_delta", "thinking": thought}, {"type": "signature_delta", "signature": _SIGNATURE}]
        yield {"type": "thinking", "thinking": thought, "signature": _SIGNATURE}, deltas
    if reply.ask.tool is not None and reply.finish in ("stop", "length", "none"):
        yield _tool_use(reply), [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *reply.pieces()]]
    elif reply.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in reply.pieces()]
        yield {"type": "text", "text": reply.text, "citations": None}, deltas


def _tool_use(reply: Reply) -> Json:
    try:
        content = json.loads(reply.text)
    except ValueError:  # cut at max tokens, where the real thing leaves out what it could not end
        content = {}
    return {"type": "tool_use", "id": f"toolu_01{reply.answer_id[-22:]}", "name": reply.ask.tool, "input": content}


def _message(reply: Reply, content: list[Json], output_tokens: int) -> Json:
    usage = _usage(reply.tokens) | {"output_tokens": output_tokens, "service_tier": "standard"}
    return {
        "id": reply.answer_id,
        "type": "message",
        "role": "assistant",
        "model": reply.ask.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    } | ({"usage": usage} if reply.tells_usage else {})


def _ending(reply: Reply) -> Json:
    reason = _STOP_REASONS[reply.finish]
    if reason == "end_turn" and reply.ask.tool is not None:
        reason = "tool_use"
    details = {"type": "refusal", "category": None, "explanation": "[fake] It is against the usage policy."}
    return {"stop_reason": reason, "stop_sequence": None, "stop_details": details if reason == "refusal" else None}


def _usage(tokens: Tokens) -> Json:
    return {
        "input_tokens": tokens.input - tokens.cached - tokens.cache_write,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning},
    }


def _frame(event: str, **content: Any) -> Frame:
    return Frame(b"event: %b\ndata: %b\n\n" % (event.encode(), dump({"type": event, **content})))
