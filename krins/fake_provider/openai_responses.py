"""OpenAI's Responses on the wire: https://developers.openai.com/api/reference/resources/responses.

Invariants: every event of a stream is numbered, from 0 on; the response comes whole in the last one, with its usage.
Left out: tools, conversations, stored responses, background mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from krins.fake_provider.faults import Kind
from krins.fake_provider.openai_errors import error_body, model_body, models_body, overloaded_in_stream
from krins.fake_provider.sampling import token_logprobs
from krins.fake_provider.wire import Ask, Finish, Frame, Json, Reply, Tokens, dump, required, text_of

_INCOMPLETE: dict[Finish, str] = {"length": "max_output_tokens", "blocked": "content_filter"}
_LOGPROBS = "message.output_text.logprobs"


class OpenAIResponses:
    provider: Literal["openai"] = "openai"
    request_id_header = "x-request-id"

    def read(self, body: Json, model: str, is_streamed: bool) -> Ask:
        asked = body.get("input") or required(body, "input", list)
        messages = [{"content": asked}] if isinstance(asked, str) else asked
        texts = [text_of(message.get("content")) for message in messages if message.get("content") is not None]
        wanted = (body.get("text") or {}).get("format") or {}
        return Ask(
            provider=self.provider,
            model=required(body, "model", str),
            prompt=texts[-1] if texts else "",
            earlier=tuple(texts[:-1]),
            n_characters=len(body.get("instructions") or "") + sum(map(len, texts)),
            max_tokens=body.get("max_output_tokens"),
            is_streamed=bool(body.get("stream")),
            schema=wanted.get("schema"),
            n_alternatives=(body.get("top_logprobs") or 0) if _LOGPROBS in (body.get("include") or ()) else None,
            thinks=(body.get("reasoning") or {}).get("effort") != "none",
            caches=True,
        )

    def answer_id(self, digits: str) -> str:
        return f"resp_{digits}"

    def whole(self, reply: Reply) -> Json:
        incomplete = _INCOMPLETE.get(reply.finish)
        status = "in_progress" if reply.finish == "none" else "incomplete" if incomplete else "completed"
        return _response(reply, status, _output(reply)) | {
            "incomplete_details": {"reason": incomplete} if incomplete else None,
            "usage": _usage(reply.tokens) if reply.tells_usage else None,
            "completed_at": int(reply.created_at_seconds) if status == "completed" else None,
        }

    def frames(self, reply: Reply) -> Iterator[Frame]:
        for number, (event, content, mark) in enumerate(_events(reply, self.whole(reply))):
            yield mark._replace(data=_data(event, {"sequence_number": number, **content}))

    def error(self, kind: Kind, model: str, request_id: str, message: str, retry_after_seconds: float) -> Json:
        return error_body(kind, model, message, retry_after_seconds, "input")

    def error_frame(self) -> bytes:
        error = overloaded_in_stream()
        return _data("error", {"sequence_number": 9, **{key: error[key] for key in ("code", "message", "param")}})

    def models(self) -> Json:
        return models_body()

    def model(self, name: str) -> Json:
        return model_body(name)


_Event = tuple[str, Json, Frame]
_PLAIN, _TEXT = Frame(b""), Frame(b"", is_text=True)


def _events(reply: Reply, whole: Json) -> Iterator[_Event]:
    """Name, content and marks of each event."""
    started = _response(reply, "in_progress", [])
    yield "response.created", {"response": started}, _PLAIN
    early = {"usage": whole["usage"]} if reply.repeats_usage else {}
    yield "response.in_progress", {"response": started | early}, Frame(b"", has_usage=reply.repeats_usage)
    for index, item in enumerate(whole["output"]):
        opened = item | {"content": [], "status": "in_progress"} if item["type"] == "message" else item
        yield "response.output_item.added", {"output_index": index, "item": opened}, _PLAIN
        if item["type"] == "message":
            yield from _content(reply, item, index)
        yield "response.output_item.done", {"output_index": index, "item": item}, _PLAIN
    last = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
    yield last, {"response": whole}, Frame(b"", has_usage=reply.tells_usage, is_final=True)


def _content(reply: Reply, item: Json, index: int) -> Iterator[_Event]:
    """The single part of a message as it grows: `response.output_text.*`, or `response.refusal.*`."""
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    for part in item["content"]:
        key = "refusal" if part["type"] == "refusal" else "text"
        event = "response.refusal" if key == "refusal" else "response.output_text"
        more: Json = {} if key == "refusal" else {"logprobs": []}
        yield "response.content_part.added", {**where, "part": part | {key: ""}}, _PLAIN
        for piece in reply.pieces():
            yield f"{event}.delta", {**where, "delta": piece, **more}, _TEXT
        yield f"{event}.done", {**where, key: part[key], **more}, _PLAIN
        yield "response.content_part.done", {**where, "part": part}, _PLAIN


def _output(reply: Reply) -> list[Json]:
    reasoning: list[Json] = []
    if reply.tokens.reasoning:
        reasoning = [{"id": f"rs_{reply.answer_id[5:]}", "type": "reasoning", "summary": []}]
    if reply.finish == "blocked":
        return reasoning
    if reply.finish == "refusal":
        part: Json = {"type": "refusal", "refusal": reply.text}
    else:
        logprobs = token_logprobs(reply)
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": logprobs}
    status = "incomplete" if reply.finish == "length" else "completed"
    message = {"id": f"msg_{reply.answer_id[5:]}", "type": "message", "role": "assistant", "status": status}
    return [*reasoning, message | {"content": [part]}]


def _response(reply: Reply, status: str, output: list[Json]) -> Json:
    return {
        "id": reply.answer_id,
        "object": "response",
        "created_at": int(reply.created_at_seconds),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": reply.ask.max_tokens,
        "model": reply.ask.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": "medium", "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }


def _usage(tokens: Tokens) -> Json:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": tokens.cache_write},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def _data(event: str, content: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), dump({"type": event, **content}))
