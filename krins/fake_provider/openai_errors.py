"""Errors and models of OpenAI's API, which its two wire formats share.

Source: https://developers.openai.com/api/docs/guides/error-codes, and the words that the API uses.
"""

from __future__ import annotations

from typing import NamedTuple

from krins.fake_provider.faults import Kind
from krins.fake_provider.wire import Json


class _Error(NamedTuple):
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None


_WRONG_KEY = _Error(
    "Incorrect API key provided: fake. You can find your API key at https://platform.openai.com/account/api-keys.",
    code="invalid_api_key",
)
_ERRORS: dict[Kind, _Error] = {
    Kind.SERVER_ERROR: _Error(
        "The server had an error while processing your request. Sorry about that!", "server_error"
    ),
    Kind.OVERLOADED: _Error(
        "Our servers are currently overloaded. Please try again later.", "service_unavailable_error", None, "slow_down"
    ),
    Kind.AUTH: _WRONG_KEY,
    Kind.INVALID_KEY: _WRONG_KEY,
    Kind.BAD_REQUEST: _Error("Invalid value for 'temperature'.", param="temperature", code="invalid_value"),
    Kind.NOT_FOUND: _Error(
        "The model `{model}` does not exist or you do not have access to it.", code="model_not_found"
    ),
}
_TOO_LONG = {
    "messages": "This model's maximum context length is 1050000 tokens. However, your messages resulted in 1208310 "
    "tokens. Please reduce the length of the messages.",
    "input": "Your input exceeds the context window of this model. Please adjust your input and try again.",
}
MODELS = ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna")


def error_body(kind: Kind, model: str, message: str, retry_after_seconds: float, input_key: str) -> Json:
    """`input_key`: what a request calls its messages."""
    if kind is Kind.TOO_LONG:
        error = _Error(_TOO_LONG[input_key], param=input_key, code="context_length_exceeded")
    else:
        error = _ERRORS.get(kind) or _rate_limit(model, retry_after_seconds)
    return {"error": error._asdict() | {"message": message or error.message.format(model=model)}}


def overloaded_in_stream() -> Json:
    return _ERRORS[Kind.OVERLOADED]._asdict()


def models_body() -> Json:
    return {"object": "list", "data": [model_body(name) for name in MODELS]}


def model_body(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "fake"}


def _rate_limit(model: str, retry_after_seconds: float) -> _Error:
    return _Error(
        f"Rate limit reached for {model} in organization org-fake on requests per min (RPM): Limit 500, Used 500, "
        f"Requested 1. Please try again in {retry_after_seconds:g}s.",
        "requests",
        None,
        "rate_limit_exceeded",
    )
