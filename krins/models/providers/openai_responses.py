"""OpenAI's Responses API.

Invariants: a stream counts only with `response.completed` or `response.incomplete`, whose response says everything; the
API takes no seed, so `sample` only tells answers apart here. Nothing is stored at OpenAI. Left out: tools.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from krins.domain import Request, Usage
from krins.errors import BrokenReply
from krins.interfaces import Clock, OnText, Reply
from krins.models.providers.choices import N_ALTERNATIVES, Alternative, messages_of, output_limit, weigh
from krins.models.providers.faults import attributed, fault_of, sdk_boundary
from krins.models.providers.openai_client import check_models, open_client
from krins.models.providers.replies import count, finished, say
from krins.models.providers.structured import answer_name, answer_schema
from krins.models.spec import ModelSpec

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_FINAL = {"response.completed", "response.incomplete", "response.failed"}
_REASONS = {"max_output_tokens": "length"}


class OpenAIResponses:
    """One model behind the Responses API."""

    def __init__(self, spec: ModelSpec, key: str, clock: Clock) -> None:
        self._spec, self._key, self._clock = spec, key, clock
        self.weighs = True

    @cached_property
    def _client(self) -> AsyncOpenAI:
        """Made at first use: importing the SDK takes long, and a client belongs to one event loop."""
        return open_client(self._spec, self._key)

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        heard = _Heard()
        with sdk_boundary(self._spec, self._clock, heard):
            if on_text is None:
                heard.final = await self._client.responses.create(**self._arguments(request))
            else:
                await self._stream(request, heard, on_text)
            return self._finish(heard.final, request)

    async def check(self) -> None:
        await check_models(self._client, self._spec, self._clock)

    async def close(self) -> None:
        client = self.__dict__.pop("_client", None)
        if client is not None:
            await client.close()

    async def _stream(self, request: Request, heard: _Heard, on_text: OnText) -> None:
        async with await self._client.responses.create(**self._arguments(request), stream=True) as stream:
            heard.has_begun = True
            async for event in stream:
                if event.type == "response.output_text.delta" and event.delta:
                    say(on_text, event.delta)
                elif event.type in _FINAL:
                    heard.final = event.response
                elif event.type == "error":
                    raise RuntimeError(f"server_error: {event.code}: {event.message}")
        if heard.final is None:
            raise attributed(BrokenReply("the stream ended without its final event response.completed"), self._spec)

    def _finish(self, response: Any, request: Request) -> Reply:
        output, status = getattr(response, "output", None), getattr(response, "status", None)
        error = getattr(response, "error", None)
        if error is not None:
            said = RuntimeError(f"server_error: {error}")
            fault = fault_of(said, self._spec, self._clock, has_begun=True)
            fault.usage = _usage(getattr(response, "usage", None))
            raise fault
        if not isinstance(output, list):
            raise attributed(BrokenReply(f"the reply holds no output: {str(response)[:200]!r}"), self._spec)
        refusals = [part.refusal for part in _parts(output) if part.type == "refusal"]
        text = "".join(part.text for part in _parts(output) if part.type == "output_text" and part.text)
        reason = "stop" if status == "completed" else None
        if status == "incomplete" and response.incomplete_details is not None:
            reason = response.incomplete_details.reason
        if reason == "content_filter":
            refusals = refusals or ["stopped by a content filter"]
        refusal = " ".join(refusals) if refusals else None
        reason = _REASONS.get(reason or "", reason)
        weights = weigh(_tokens(output), request.choices)
        return finished(self._spec, text, _usage(response.usage), reason, response.id, refusal, weights)

    def _arguments(self, request: Request) -> dict[str, Any]:
        spec = self._spec
        arguments: dict[str, Any] = {
            "model": spec.model,
            "input": [{"role": message.role, "content": message.text} for message in messages_of(request)],
            "max_output_tokens": output_limit(request, spec),
            "store": False,
        }
        if request.system:
            arguments["instructions"] = request.system
        if spec.settings.temperature is not None:
            arguments["temperature"] = spec.settings.temperature
        if request.answer_type is not None:
            schema = answer_schema(request.answer_type)
            name = answer_name(request.answer_type)
            arguments["text"] = {
                "format": {"type": "json_schema", "name": name, "schema": schema, "strict": True},
            }
        if request.choices and self.weighs:
            arguments |= {"include": ["message.output_text.logprobs"], "top_logprobs": N_ALTERNATIVES}
        return arguments


class _Heard:
    """A reply so far: nothing of it counts before its last event, which holds all."""

    def __init__(self) -> None:
        self.has_begun = False
        self.final: Any = None

    @property
    def usage(self) -> Usage | None:
        return _usage(getattr(self.final, "usage", None))


def _parts(output: list[Any]) -> list[Any]:
    return [part for item in output if item.type == "message" for part in item.content or ()]


def _tokens(output: list[Any]) -> list[list[Alternative]]:
    told = [token for part in _parts(output) for token in getattr(part, "logprobs", None) or ()]
    return [[Alternative(each.token, each.logprob) for each in (token, *token.top_logprobs)] for token in told]


def _usage(told: Any) -> Usage | None:
    try:
        if told is None or told.input_tokens is None or told.output_tokens is None:
            return None
        inputs, outputs = told.input_tokens_details, told.output_tokens_details
        return Usage(
            input_tokens=count(told.input_tokens),
            output_tokens=count(told.output_tokens),
            cached_tokens=count(getattr(inputs, "cached_tokens", None)),
            cache_write_tokens=count(getattr(inputs, "cache_write_tokens", None)),
            reasoning_tokens=count(getattr(outputs, "reasoning_tokens", None)),
        )
    except (AttributeError, ValueError):
        return None
