"""OpenAI's Chat Completions on the wire: https://developers.openai.com/api/reference/resources/chat.

llama.cpp, vLLM and Ollama speak it too. Invariants: a streamed answer tells usage only where `stream_options` asks for
it, in a chunk without choices before `[DONE]`. `grammar` is read as llama.cpp does where it
is a choice of words. Left out: tools, several choices, audio, other grammars.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from krins.fake_provider.faults import Kind
from krins.fake_provider.openai_errors import error_body, model_body, models_body, overloaded_in_stream
from krins.fake_provider.sampling import token_logprobs
from krins.fake_provider.wire import Ask, Finish, Frame, Json, Malformed, Reply, Tokens, dump, required, text_of

_FINISH_REASONS: dict[Finish, str | None] = {
    "stop": "stop",
    "length": "length",
    "refusal": "stop",
    "blocked": "content_filter",
    "none": None,
}
_ANY_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


class OpenAIChat:
    provider: Literal["openai-chat"] = "openai-chat"
    request_id_header = "x-request-id"

    def read(self, body: Json, model: str, is_streamed: bool) -> Ask:
        messages: list[Any] = required(body, "messages", list)
        texts = [text_of(message.get("content")) for message in messages]
        wanted = body.get("response_format") or {}
        schema = (wanted.get("json_schema") or {}).get("schema")
        if body.get("top_logprobs") is not None and not body.get("logprobs"):
            raise Malformed("top_logprobs requires logprobs to be set to true")
        return Ask(
            provider=self.provider,
            model=required(body, "model", str),
            prompt=texts[-1],
            earlier=tuple(texts[:-1]),
            n_characters=sum(map(len, texts)),
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            is_streamed=bool(body.get("stream")),
            seed=body.get("seed") or 0,
            schema=_ANY_OBJECT if wanted.get("type") == "json_object" else schema,
            thinks=body.get("reasoning_effort") not in (None, "none"),
            caches=True,
            words=tuple(json.loads(word) for word in re.findall(r'"(?:[^"\\]|\\.)*"', body.get("grammar") or "")),
            n_alternatives=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
            streams_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        )

    def answer_id(self, digits: str) -> str:
        return f"chatcmpl-{digits[:29]}"

    def whole(self, reply: Reply) -> Json:
        is_refusal = reply.finish == "refusal"
        message: Json = {
            "role": "assistant",
            "content": None if is_refusal else reply.text,
            "refusal": reply.text if is_refusal else None,
            "annotations": [],
        }
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs(reply),
            "finish_reason": _FINISH_REASONS[reply.finish],
        }
        body = _head(reply, "chat.completion") | {"choices": [choice]}
        return body | ({"usage": _usage(reply.tokens)} if reply.tells_usage else {})

    def frames(self, reply: Reply) -> Iterator[Frame]:
        key = "refusal" if reply.finish == "refusal" else "content"
        head = _head(reply, "chat.completion.chunk")
        tells_usage = reply.tells_usage and reply.ask.streams_usage
        head |= {"usage": None} if tells_usage else {}
        yield _chunk(head, {"role": "assistant", "content": "", "refusal": None})
        logprobs = _logprobs(reply)
        for piece in reply.pieces():
            yield _chunk(head, {key: piece}, logprobs=logprobs)._replace(is_text=True)
            logprobs = None  # the first piece tells all
        yield _chunk(head, {}, _FINISH_REASONS[reply.finish])
        if tells_usage:
            usage = _frame(head | {"choices": [], "usage": _usage(reply.tokens)})._replace(has_usage=True)
            yield from [usage] * (2 if reply.repeats_usage else 1)
        yield Frame(b"data: [DONE]\n\n", is_final=True)

    def error(self, kind: Kind, model: str, request_id: str, message: str, retry_after_seconds: float) -> Json:
        return error_body(kind, model, message, retry_after_seconds, "messages")

    def error_frame(self) -> bytes:
        return _frame({"error": overloaded_in_stream()}).data

    def models(self) -> Json:
        return models_body()

    def model(self, name: str) -> Json:
        return model_body(name)


def _head(reply: Reply, kind: str) -> Json:
    return {
        "id": reply.answer_id,
        "object": kind,
        "created": int(reply.created_at_seconds),
        "model": reply.ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def _usage(tokens: Tokens) -> Json:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _logprobs(reply: Reply) -> Json | None:
    return {"content": token_logprobs(reply), "refusal": None} if reply.sampled else None


def _chunk(head: Json, delta: Json, finish_reason: str | None = None, logprobs: Json | None = None) -> Frame:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
    return _frame(head | {"choices": [choice]})


def _frame(content: Json) -> Frame:
    return Frame(b"data: %b\n\n" % dump(content))
