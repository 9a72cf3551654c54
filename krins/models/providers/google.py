"""Google's Gemini API.

Invariants: a stream counts only once a candidate says why it finished; usage is the last that was told, and tokens of
thought, which Google counts beside those of the answer, are among the output. Safety filters are off as far as they can
be: code that handles passwords or processes is no danger, and a filter that strikes at random would pass for a refusal
of the model. Left out: tools, Vertex AI.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from krins.domain import Request, Usage
from krins.errors import BrokenReply
from krins.interfaces import Clock, OnText, Reply
from krins.models.providers.choices import N_ALTERNATIVES, Alternative, messages_of, output_limit, weigh
from krins.models.providers.faults import attributed, sdk_boundary
from krins.models.providers.http import http_client
from krins.models.providers.replies import count, finished, say
from krins.models.providers.structured import answer_schema
from krins.models.spec import ModelSpec

if TYPE_CHECKING:
    import httpx2
    from google.genai import Client
    from google.genai.types import GenerateContentConfig, GenerateContentResponse, LogprobsResult

_CATEGORIES = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
_CHECK_MILLISECONDS = 20_000
_STOP = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"}
_REFUSALS = {"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII", "IMAGE_SAFETY"}


class GoogleGenAI:
    """One model behind the Gemini API."""

    def __init__(self, spec: ModelSpec, key: str, clock: Clock) -> None:
        self._spec, self._key, self._clock = spec, key, clock
        self.weighs = True

    @cached_property
    def _http(self) -> httpx2.AsyncClient:
        return http_client(self._spec.settings.connect_timeout_seconds)

    @cached_property
    def _client(self) -> Client:
        """Made at first use: importing the SDK takes long, and a client belongs to one event loop."""
        from google.genai import Client
        from google.genai.types import HttpOptions, HttpRetryOptions

        options = HttpOptions(
            base_url=self._spec.base_url, httpx_async_client=self._http, retry_options=HttpRetryOptions(attempts=1)
        )
        return Client(api_key=self._key, vertexai=False, http_options=options)

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        heard = _Heard()
        contents: Any = [
            {"role": "model" if message.role == "assistant" else "user", "parts": [{"text": message.text}]}
            for message in messages_of(request)
        ]
        arguments: dict[str, Any] = {
            "model": self._spec.model,
            "contents": contents,
            "config": self._config(request),
        }
        with sdk_boundary(self._spec, self._clock, heard):
            models = self._client.aio.models
            if on_text is None:
                heard.take(await models.generate_content(**arguments), None)
            else:
                chunks: Any = await models.generate_content_stream(**arguments)
                async with aclosing(chunks) as stream:
                    async for chunk in stream:
                        heard.take(chunk, on_text)
            return self._finish(heard, request)

    async def check(self) -> None:
        """Ask for one model of the list, which costs nothing; a server without one passes."""
        from google.genai.errors import APIError

        with sdk_boundary(self._spec, self._clock):
            try:
                await self._client.aio.models.list(
                    config={"page_size": 1, "http_options": {"timeout": _CHECK_MILLISECONDS}}
                )
            except APIError as error:
                if error.code != 404:
                    raise

    async def close(self) -> None:
        client, http = self.__dict__.pop("_client", None), self.__dict__.pop("_http", None)
        if client is not None:
            await client.aio.aclose()
            client.close()
        if http is not None:
            await http.aclose()

    def _finish(self, heard: _Heard, request: Request) -> Reply:
        if not heard.is_one:
            raise attributed(BrokenReply("the reply holds no candidates"), self._spec, heard.usage)
        reason = heard.finish_reason
        refusal = heard.block_reason or (heard.finish_message or reason if reason in _REFUSALS else None)
        finish = _STOP.get(reason or "", reason)
        weights = weigh(heard.tokens, request.choices)
        return finished(self._spec, "".join(heard.texts), heard.usage, finish, heard.id, refusal, weights)

    def _config(self, request: Request) -> GenerateContentConfig:
        from google.genai.types import (
            AutomaticFunctionCallingConfig,
            GenerateContentConfig,
            HarmBlockThreshold,
            HarmCategory,
            SafetySetting,
        )

        config = GenerateContentConfig(
            max_output_tokens=output_limit(request, self._spec),
            temperature=self._spec.settings.temperature,
            seed=request.sample,
            system_instruction=request.system or None,
            automatic_function_calling=AutomaticFunctionCallingConfig(disable=True),
            automatic_continuation=False,  # else one call becomes many, for none of which money is reserved
            safety_settings=[
                SafetySetting(category=HarmCategory(f"HARM_CATEGORY_{name}"), threshold=HarmBlockThreshold.OFF)
                for name in _CATEGORIES
            ],
        )
        if request.answer_type is not None:
            config.response_mime_type = "application/json"
            config.response_json_schema = json.loads(json.dumps(answer_schema(request.answer_type)))
        if request.choices:
            config.response_mime_type = "text/x.enum"
            config.response_schema = {"type": "STRING", "enum": list(request.choices)}
            if self.weighs:
                config.response_logprobs, config.logprobs = True, N_ALTERNATIVES
        return config


class _Heard:
    """What came so far."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.tokens: list[list[Alternative]] = []
        self._told: Usage | None = None
        self.finish_reason: str | None = None
        self.finish_message: str | None = None
        self.block_reason: str | None = None
        self.id: str | None = None
        self.is_one = False
        """Whether anything that came was an answer at all."""

    @property
    def has_begun(self) -> bool:
        return self.is_one

    @property
    def usage(self) -> Usage | None:
        """Each chunk tells what there was up to it, so it is known only at the end."""
        return self._told if self.finish_reason or self.block_reason else None

    def take(self, response: GenerateContentResponse, on_text: OnText | None) -> None:
        self.id = response.response_id or self.id
        self._told = _usage(response.usage_metadata) or self._told
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason is not None:
            self.block_reason = feedback.block_reason_message or feedback.block_reason.name
            self.is_one = True
        for candidate in response.candidates or ():
            self.is_one = True
            if candidate.finish_reason is not None:
                self.finish_reason = candidate.finish_reason.name
                self.finish_message = candidate.finish_message
            self.tokens += _tokens(candidate.logprobs_result)
            parts = (candidate.content.parts if candidate.content else None) or ()
            for piece in (part.text for part in parts if part.text and not part.thought):
                self.texts.append(piece)
                say(on_text, piece)


def _tokens(told: LogprobsResult | None) -> list[list[Alternative]]:
    """One that came need not be among the most probable ones."""
    if told is None or told.chosen_candidates is None:
        return []
    steps = zip_longest(told.chosen_candidates, told.top_candidates or ())
    alternatives = [(came, *((step.candidates if step else None) or ())) for came, step in steps if came]
    return [[Alternative(each.token or "", each.log_probability) for each in token] for token in alternatives]


def _usage(told: Any) -> Usage | None:
    try:
        if told is None or told.prompt_token_count is None:
            return None
        thoughts = count(told.thoughts_token_count)
        return Usage(
            input_tokens=count(told.prompt_token_count) + count(told.tool_use_prompt_token_count),
            output_tokens=count(told.candidates_token_count) + thoughts,
            cached_tokens=count(told.cached_content_token_count),
            reasoning_tokens=thoughts,
        )
    except (AttributeError, ValueError):
        return None
