"""A model behind any server that speaks OpenAI's chat completions, through the official SDK.

Invariants: an answer carries what the server billed for it, priced as the suite states; a reply that does not
follow the protocol is a `ModelFault`, never an empty answer. Only what no provider bills is tried again (429, 5xx, a
connection that was refused): a request that timed out may have been paid for, so it is not. Where KRINS_NO_PAID_CALLS
is set, as in tests, servers beyond this machine are refused. Left out: streaming, tools, and any judgement of the
answer.
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from krins.domain import Attempt, Usage
from krins.errors import ModelFault, UserError
from krins.suite import LiveModel

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion
    from tenacity import AsyncRetrying

    from krins.interfaces import Clock

NO_PAID_CALLS_VARIABLE = "KRINS_NO_PAID_CALLS"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_MILLION = Decimal(1_000_000)


class OpenAICompatible:
    """One model on one server."""

    def __init__(self, spec: LiveModel, clock: Clock) -> None:
        if os.environ.get(NO_PAID_CALLS_VARIABLE) and urlsplit(spec.base_url).hostname not in _LOOPBACK:
            raise UserError(
                f"model {spec.name}: {spec.base_url} is not on this machine, and {NO_PAID_CALLS_VARIABLE} is set",
                f"unset {NO_PAID_CALLS_VARIABLE} to call models that may cost money",
            )
        self._spec = spec
        self._clock = clock
        self._client_or_none: AsyncOpenAI | None = None

    @property
    def _client(self) -> AsyncOpenAI:
        """Made at first use: importing the SDK takes long, and a client belongs to one event loop."""
        if self._client_or_none is None:
            from openai import AsyncOpenAI

            self._client_or_none = AsyncOpenAI(
                base_url=self._spec.base_url,
                api_key=self._api_key(),
                timeout=self._spec.timeout_seconds,
                max_retries=0,
            )
        return self._client_or_none

    def _api_key(self) -> str:
        variable = self._spec.api_key_env
        if variable is None:
            return "none"
        key = os.environ.get(variable)
        if not key:
            raise UserError(
                f"model {self._spec.name}: the environment variable {variable} is not set",
                f"export {variable}=..., or leave api_key_env out where the server asks for no key",
            )
        return key

    async def check(self) -> None:
        """Ask the server for its models, so that a wrong address is found before work begins.

        Raises:
            ModelFault: the server is out of reach. A server without a model list passes.
        """
        import openai

        try:
            await self._client.with_options(timeout=20.0).models.list()
        except openai.NotFoundError:
            return
        except (openai.OpenAIError, ValueError) as failure:
            raise self._fault(failure) from failure

    async def answer(self, prompt: str, sample: int) -> Attempt:
        import openai

        started = self._clock.monotonic_seconds()
        try:
            async for attempt in _retrying():
                with attempt:
                    completion = await self._client.chat.completions.create(
                        model=self._spec.model or self._spec.name,
                        messages=[{"role": "user", "content": prompt}],
                        temperature=self._spec.temperature,
                        max_tokens=self._spec.max_output_tokens,
                        seed=sample,
                    )
        except (openai.OpenAIError, ValueError) as failure:
            raise self._fault(failure) from failure
        return self._attempt(completion, self._clock.monotonic_seconds() - started)

    async def close(self) -> None:
        if self._client_or_none is not None:
            await self._client_or_none.close()
            self._client_or_none = None

    def _attempt(self, completion: ChatCompletion, latency_seconds: float) -> Attempt:
        # The SDK does not validate: a server's web page arrives here as a str, a foreign object without choices.
        choices = getattr(completion, "choices", None)
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            raise self._fault(ValueError(f"the reply holds no choices: {str(completion)[:200]!r}"))
        usage = None
        if completion.usage is not None:
            usage = Usage(completion.usage.prompt_tokens, completion.usage.completion_tokens)
        return Attempt(
            text=message.content or "",
            usage=usage,
            cost_usd=self._price(usage),
            latency_seconds=latency_seconds,
            finish_reason=choices[0].finish_reason if choices else None,
            request_id=completion.id,
        )

    def _price(self, usage: Usage | None) -> Decimal | None:
        if usage is None:
            return None
        spec = self._spec
        inputs = usage.input_tokens * spec.usd_per_million_input_tokens
        return (inputs + usage.output_tokens * spec.usd_per_million_output_tokens) / _MILLION

    def _fault(self, failure: Exception) -> ModelFault:
        cause = failure.__cause__ or failure
        return ModelFault(
            f"model {self._spec.name} at {self._spec.base_url}: {type(failure).__name__}: {str(cause)[:300]}",
            "check that the server runs at this address and serves this model (base_url, model, api_key_env)",
        )


def _retrying() -> AsyncRetrying:
    import openai
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    def is_free_to_repeat(failure: BaseException) -> bool:
        refused = isinstance(failure, openai.APIConnectionError) and not isinstance(failure, openai.APITimeoutError)
        return refused or isinstance(failure, (openai.RateLimitError, openai.InternalServerError))

    return AsyncRetrying(
        retry=retry_if_exception(is_free_to_repeat),
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.5, max=8),
        reraise=True,
    )
