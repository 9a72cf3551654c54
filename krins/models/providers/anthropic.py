"""Anthropic's Messages API.

Invariants: a stream counts only with `message_stop`; usage in a stream is cumulative, so the last that was told of each
number holds, and it is known once `message_delta` has told the output; a structured answer is the input of a tool that
the model must call. The API takes no seed, so `sample` only tells answers apart here, and gives no
log-probabilities. Left out: other tools, thinking.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from krins.domain import Request, Usage
from krins.errors import BrokenReply
from krins.interfaces import Clock, OnText, Reply
from krins.models.providers.choices import messages_of, output_limit
from krins.models.providers.faults import attributed, fault_of, sdk_boundary
from krins.models.providers.http import http_client
from krins.models.providers.replies import count, finished, say
from krins.models.providers.structured import answer_name, answer_schema
from krins.models.spec import ModelSpec

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_CHECK_SECONDS = 20.0
_STOP = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "stop", "max_tokens": "length"}
_INPUTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class AnthropicMessages:
    """One model behind the Messages API."""

    def __init__(self, spec: ModelSpec, key: str, clock: Clock) -> None:
        self._spec, self._key, self._clock = spec, key, clock

    @cached_property
    def _client(self) -> AsyncAnthropic:
        """Made at first use: importing the SDK takes long, and a client belongs to one event loop."""
        from anthropic import AsyncAnthropic

        client = http_client(self._spec.settings.connect_timeout_seconds)
        return AsyncAnthropic(
            base_url=self._spec.base_url,
            api_key=self._key,
            http_client=client,
            max_retries=0,
            timeout=client.timeout,
            open_telemetry=False,  # calls have krins's own spans
        )

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        if on_text is not None:
            return await self._streamed(request, on_text)
        with sdk_boundary(self._spec, self._clock):
            message: Any = await self._client.messages.create(**self._arguments(request))
            content = getattr(message, "content", None)
            if not isinstance(content, list):
                said = RuntimeError(f"the reply holds no content: {str(message)[:200]!r}")
                raise fault_of(said, self._spec, self._clock, has_begun=True)
            text = "".join(_block_text(block) for block in content)
            usage = _usage(_told(message.usage))
            return self._finish(text, usage, message.stop_reason, message.id, message.stop_details)

    async def check(self) -> None:
        """Ask for the list of models, which costs nothing; a server without one passes."""
        import anthropic

        with sdk_boundary(self._spec, self._clock), suppress(anthropic.NotFoundError):
            await self._client.with_options(timeout=_CHECK_SECONDS).models.list()

    async def close(self) -> None:
        client = self.__dict__.pop("_client", None)
        if client is not None:
            await client.close()

    async def _streamed(self, request: Request, on_text: OnText) -> Reply:
        heard = _Heard()
        with sdk_boundary(self._spec, self._clock, heard):
            async with await self._client.messages.create(**self._arguments(request), stream=True) as stream:
                heard.has_begun = True
                async for event in stream:
                    heard.take(event, on_text)
            if not heard.is_whole:
                broken = BrokenReply("the stream ended without its final event message_stop")
                raise attributed(broken, self._spec, heard.usage)
            return self._finish("".join(heard.texts), heard.usage, heard.stop_reason, heard.id, heard.stop_details)

    def _finish(
        self, text: str, usage: Usage | None, stop_reason: str | None, message_id: str | None, stop_details: Any
    ) -> Reply:
        refusal = None
        if stop_reason == "refusal":
            refusal = getattr(stop_details, "explanation", None) or text or "stop_reason refusal"
        reason = _STOP.get(stop_reason or "", stop_reason)
        return finished(self._spec, text, usage, reason, message_id, refusal)

    def _arguments(self, request: Request) -> dict[str, Any]:
        spec = self._spec
        arguments: dict[str, Any] = {
            "model": spec.model,
            "messages": [{"role": message.role, "content": message.text} for message in messages_of(request)],
            "max_tokens": output_limit(request, spec),
        }
        if request.system:
            arguments["system"] = request.system
        if spec.settings.prompt_caching:
            arguments["cache_control"] = {"type": "ephemeral"}
        if spec.settings.temperature is not None:
            arguments["extra_body"] = {"temperature": spec.settings.temperature}  # the SDK has no argument for it
        if request.answer_type is not None:
            tool = {
                "name": answer_name(request.answer_type),
                "description": request.answer_type.__doc__ or "The answer.",
                "input_schema": answer_schema(request.answer_type),
            }
            arguments |= {"tools": [tool], "tool_choice": {"type": "tool", "name": tool["name"]}}
        return arguments


class _Heard:
    """A stream so far."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.has_begun = False
        self.stop_reason: str | None = None
        self.stop_details: Any = None
        self.id: str | None = None
        self.is_whole = False
        self._told: dict[str, Any] = {}
        self._is_counted = False

    def take(self, event: Any, on_text: OnText) -> None:
        if event.type == "message_start":
            self.id = event.message.id
            self._told |= _told(event.message.usage)
        elif event.type == "content_block_delta":
            piece = getattr(event.delta, "text", None) or getattr(event.delta, "partial_json", None)
            if piece:
                self.texts.append(piece)
                say(on_text, piece)
        elif event.type == "message_delta":
            self.stop_reason = event.delta.stop_reason or self.stop_reason
            self.stop_details = getattr(event.delta, "stop_details", None)
            self._told |= _told(event.usage)
            self._is_counted = True
        elif event.type == "message_stop":
            self.is_whole = True

    @property
    def usage(self) -> Usage | None:
        return _usage(self._told) if self._is_counted else None


def _block_text(block: Any) -> str:
    if block.type == "tool_use":
        return json.dumps(block.input)
    return block.text or "" if block.type == "text" else ""


def _told(usage: Any) -> dict[str, Any]:
    """The numbers that are told; in a stream a later one stands in place of an earlier one."""
    details = getattr(usage, "output_tokens_details", None)
    numbers = {name: getattr(usage, name, None) for name in (*_INPUTS, "output_tokens")}
    numbers["thinking_tokens"] = getattr(details, "thinking_tokens", None)
    return {name: number for name, number in numbers.items() if number is not None}


def _usage(told: dict[str, Any]) -> Usage | None:
    """Anthropic leaves what was read from and written to the cache out of `input_tokens`."""
    try:
        if told.get("input_tokens") is None or told.get("output_tokens") is None:
            return None
        plain, cached, written = (count(told.get(name)) for name in _INPUTS)
        return Usage(
            input_tokens=plain + cached + written,
            output_tokens=count(told["output_tokens"]),
            cached_tokens=cached,
            cache_write_tokens=written,
            reasoning_tokens=count(told.get("thinking_tokens")),
        )
    except ValueError:
        return None
