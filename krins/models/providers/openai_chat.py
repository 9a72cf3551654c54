"""OpenAI's Chat Completions, which llama.cpp, vLLM, Ollama and many more speak too.

Invariants: a stream counts only with its finish reason and its last event, [DONE], which the SDK swallows; usage is the
last that was told. Left out: tools.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from krins.domain import Request, Usage
from krins.errors import BrokenReply, ModelFault
from krins.interfaces import Clock, OnText, Reply
from krins.models.providers.choices import (
    N_ALTERNATIVES,
    Alternative,
    Weights,
    grammar,
    messages_of,
    output_limit,
    weigh,
)
from krins.models.providers.faults import attributed, fault_of, sdk_boundary
from krins.models.providers.http import Tail
from krins.models.providers.openai_client import check_models, open_client
from krins.models.providers.replies import count, finished, say
from krins.models.providers.structured import answer_name, answer_schema
from krins.models.spec import ModelSpec

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_DONE = b"[DONE]"


class OpenAIChat:
    """One model behind Chat Completions."""

    def __init__(self, spec: ModelSpec, key: str, clock: Clock) -> None:
        self._spec, self._key, self._clock = spec, key, clock
        self.weighs = True

    @cached_property
    def _client(self) -> AsyncOpenAI:
        """Made at first use: importing the SDK takes long, and a client belongs to one event loop."""
        return open_client(self._spec, self._key)

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        if on_text is None:
            return await self._whole(request)
        return await self._streamed(request, on_text)

    async def check(self) -> None:
        await check_models(self._client, self._spec, self._clock)

    async def close(self) -> None:
        client = self.__dict__.pop("_client", None)
        if client is not None:
            await client.close()

    async def _whole(self, request: Request) -> Reply:
        with sdk_boundary(self._spec, self._clock):
            completion = await self._client.chat.completions.create(**self._arguments(request))
            # The SDK does not validate: a server's web page arrives here as a str, a foreign object without choices.
            choices = getattr(completion, "choices", None) or [None]
            message = getattr(choices[0], "message", None)
            if message is None:
                raise self._no_answer(completion)
            return self._finish(
                message.content or "",
                _usage(completion.usage),
                choices[0].finish_reason,
                completion.id,
                message.refusal,
                weigh(_tokens(choices[0]), request.choices),
            )

    def _no_answer(self, completion: Any) -> ModelFault:
        error = getattr(completion, "error", None)
        if error is not None:
            return fault_of(RuntimeError(str(error)), self._spec, self._clock, has_begun=True)
        return attributed(BrokenReply(f"the reply holds no choices: {str(completion)[:200]!r}"), self._spec)

    async def _streamed(self, request: Request, on_text: OnText) -> Reply:
        tail, heard = Tail(), _Heard()
        with sdk_boundary(self._spec, self._clock, heard):
            arguments = self._arguments(request) | {"stream": True, "stream_options": {"include_usage": True}}
            async with await self._client.chat.completions.create(**arguments) as stream:
                heard.has_begun = True
                async for chunk in stream:
                    heard.take(chunk, on_text)
            if _DONE not in tail.content:
                broken = BrokenReply("the stream ended without its final event [DONE]")
                raise attributed(broken, self._spec, heard.usage)
            weights = weigh(heard.tokens, request.choices)
            text = "".join(heard.texts)
            return self._finish(text, heard.usage, heard.finish_reason, heard.id, heard.refusal, weights)

    def _finish(
        self,
        text: str,
        usage: Usage | None,
        finish_reason: str | None,
        reply_id: str | None,
        refusal: str | None,
        weights: Weights | None,
    ) -> Reply:
        if finish_reason == "content_filter":
            refusal = refusal or "stopped by a content filter"
        return finished(self._spec, text, usage, finish_reason, reply_id, refusal or None, weights)

    def _arguments(self, request: Request) -> dict[str, Any]:
        spec = self._spec
        system = [{"role": "system", "content": request.system}] if request.system else []
        limit = "max_completion_tokens" if spec.base_url is None else "max_tokens"  # servers know the older name
        temperature = spec.settings.temperature
        if temperature is None and spec.base_url is not None:
            temperature = 0.0
        arguments: dict[str, Any] = {
            "model": spec.model,
            "messages": [*system, *({"role": m.role, "content": m.text} for m in messages_of(request))],
            limit: output_limit(request, spec),
            "seed": request.sample,
        }
        if temperature is not None:
            arguments["temperature"] = temperature
        if request.answer_type is not None:
            schema = {
                "name": answer_name(request.answer_type),
                "schema": answer_schema(request.answer_type),
                "strict": True,
            }
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.choices and self.weighs:
            arguments |= {"logprobs": True, "top_logprobs": N_ALTERNATIVES}
            if spec.base_url is not None:
                # llama.cpp holds the answer to it, tells what would have come without, and others pass over it.
                arguments["extra_body"] = {"grammar": grammar(request.choices)}
        return arguments


class _Heard:
    """A stream so far."""

    def __init__(self) -> None:
        self.has_begun = False
        self.texts: list[str] = []
        self.tokens: list[list[Alternative]] = []
        self._told: Usage | None = None
        self.finish_reason: str | None = None
        self.id: str | None = None
        self.refusal: str | None = None

    @property
    def usage(self) -> Usage | None:
        """Some servers tell it in every chunk, of what there was up to it."""
        return self._told if self.finish_reason else None

    def take(self, chunk: Any, on_text: OnText) -> None:
        self.id = chunk.id or self.id
        self._told = _usage(chunk.usage) or self._told
        for choice in chunk.choices or ():
            self.finish_reason = choice.finish_reason or self.finish_reason
            self.tokens += _tokens(choice)
            if choice.delta.refusal:
                self.refusal = (self.refusal or "") + choice.delta.refusal
            if choice.delta.content:
                self.texts.append(choice.delta.content)
                say(on_text, choice.delta.content)


def _tokens(choice: Any) -> list[list[Alternative]]:
    """Of an answer, or of a piece of one."""
    told = getattr(getattr(choice, "logprobs", None), "content", None) or ()
    return [[Alternative(each.token, each.logprob) for each in (token, *token.top_logprobs)] for token in told]


def _usage(told: Any) -> Usage | None:
    if told is None:
        return None
    inputs, outputs = getattr(told, "prompt_tokens_details", None), getattr(told, "completion_tokens_details", None)
    try:
        if told.prompt_tokens is None or told.completion_tokens is None:
            return None
        return Usage(
            input_tokens=count(told.prompt_tokens),
            output_tokens=count(told.completion_tokens),
            cached_tokens=count(getattr(inputs, "cached_tokens", None)),
            cache_write_tokens=count(getattr(inputs, "cache_write_tokens", None)),
            reasoning_tokens=count(getattr(outputs, "reasoning_tokens", None)),
        )
    except (AttributeError, ValueError):
        return None
