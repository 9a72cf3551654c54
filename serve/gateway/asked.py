"""A caller's request as the gateway sees it, and what of it is sent to one target.

Invariants: where the caller's wire format is the upstream's own, the body goes through as it came but for `model` and,
in streams of Chat Completions, `stream_options.include_usage`; what a translation cannot say is refused before anything
is sent. A conversation is what `x-krins-conversation` names (among the calls of one key), else the hash of system
prompt and first user message; one that goes on by `previous_response_id` alone has to be named. Left out: deciding
(`serve.gateway.gateway`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from krins.domain import Task
from serve.gateway.targets import FORWARDED, Target
from serve.gateway.translation import Translation
from serve.gateway.wire import Json, Prompt, Wire
from serve.interfaces import Turn
from serve.web import Call, Refusal

_BYTES_A_TOKEN = 4
_STORED = ("previous_response_id", "conversation", "prompt")
"""Fields of Responses by which OpenAI puts into the prompt what it keeps."""
_MOST_HEADER_CHARACTERS = 256


@dataclass(slots=True)
class Asked:
    wire: Wire
    call: Call
    body: Json
    turn: Turn
    task: Task
    is_streamed: bool
    wants_usage: bool
    """In a stream, as a chunk of its own."""

    @property
    def most_input_tokens(self) -> int:
        """Every token stands for a byte of the prompt at least (`krins.models.worst_case`)."""
        return len(self.call.body)

    @property
    def has_stored_prompt(self) -> bool:
        """The provider puts before the request's own what only it knows."""
        return any(self.body.get(name) for name in _STORED)

    @property
    def n_choices(self) -> int:
        return max(1, self.body.get("n") or 1) if self.wire.name == "chat" else 1


def asked_of(wire: Wire, call: Call) -> Asked:
    """Raises Refusal 400 where the body is not of the wire format in ways that its schema does not show."""
    try:
        body: Json = orjson.loads(call.body)
        prompt, limit = wire.prompt(body), wire.most_output_tokens(body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # ValueError: pydantic, which checked the body, takes NaN and numbers without bounds.
        raise _malformed(error) from None
    turn = Turn(_conversation(call, prompt), prompt.is_first, len(call.body) // _BYTES_A_TOKEN, limit)
    return Asked(
        wire=wire,
        call=call,
        body=body,
        turn=turn,
        task=_task(call, prompt),
        is_streamed=bool(body.get("stream")),
        wants_usage=wire.name != "chat" or bool((body.get("stream_options") or {}).get("include_usage")),
    )


def _malformed(error: Exception) -> Refusal:
    return Refusal(
        400,
        "invalid_request",
        f"the request is not of this API's format: {type(error).__name__}: {error}"[:300],
        "see the API's reference for what stands where",
    )


@dataclass(slots=True)
class Message:
    """What is sent to one target, and the way back."""

    content: bytes
    headers: Mapping[str, str]
    translations: list[Translation]
    """As the request passed them; the answer passes them in reverse."""

    @property
    def ignored(self) -> list[str]:
        """Fields that went without effect."""
        return sorted({field for translation in self.translations for field in translation.ignored})


def message_for(target: Target, asked: Asked, now_seconds: float) -> Message:
    """Raises Untranslatable, or Refusal 400 where the request cannot be understood."""
    translations = [make(target.spec, now_seconds) for make in target.translations]
    body = asked.body
    try:
        for translation in translations:
            body = translation.request(body)
        body = body | {"model": target.spec.model}
        if asked.is_streamed:
            body["stream"] = True
            if target.wire.name == "chat":
                body["stream_options"] = (body.get("stream_options") or {}) | {"include_usage": True}
        content = orjson.dumps(body)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise _malformed(error) from None
    return Message(content, _headers(target, asked), translations)


def _headers(target: Target, asked: Asked) -> Mapping[str, str]:
    if target.translations or not FORWARDED[asked.wire.name]:
        return target.headers
    given = asked.call.headers
    named = {name: given.get(name.encode()) for name in FORWARDED[asked.wire.name]}
    return {**target.headers, **{name: value.decode("latin-1") for name, value in named.items() if value}}


def _conversation(call: Call, prompt: Prompt) -> str:
    named = call.headers.get(b"x-krins-conversation")
    what = (call.client.key_id.encode(), named) if named else (prompt.system.encode(), prompt.first_user.encode())
    return blake2b(b"\0".join(what), digest_size=16).hexdigest()


def _task(call: Call, prompt: Prompt) -> Task:
    return Task(
        task_id=call.request_id,
        prompt=prompt.first_user if prompt.is_first else prompt.last_user,
        category=_header(call.headers, b"x-krins-category"),
        difficulty=_header(call.headers, b"x-krins-difficulty"),
        language=_header(call.headers, b"x-krins-language"),
        repository=_header(call.headers, b"x-krins-repository"),
    )


def _header(headers: Mapping[bytes, bytes], name: bytes) -> Any:
    value = headers.get(name)
    return value.decode("latin-1")[:_MOST_HEADER_CHARACTERS] if value else None
