"""What spans tell: names, ids and attributes, the same for live spans and for those that a journal gives again.

Names are those of OpenTelemetry's semantic conventions for generative AI, as of opentelemetry-semantic-conventions
0.66b2 (they move: the package marks its constants as experimental, so they are spelt out here); what these have no name
for begins with `krins.`. An arm is an agent in the sense of the conventions: something that is given a task and may ask
models several times; so a decision is the internal span `invoke_agent ARM`.
Invariants: what is unknown is left out; ids follow from the correlation id alone, so a span that is exported live and
again from the journal is one span. Left out: texts of prompts and answers, and recording
(`krins.models.tracing.recorder`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from krins.domain import Call, Outcome, Scope

Attributes = dict[str, str | bool | int | float | list[str]]

_PROVIDERS = {"google": "gcp.gemini", "openai-chat": "openai"}
"""krins's name of an API to the conventions', where they differ."""
_HOSTS = {
    "anthropic": "api.anthropic.com",
    "openai": "api.openai.com",
    "openai-chat": "api.openai.com",
    "google": "generativelanguage.googleapis.com",
}
_TAKES_SEED = frozenset({"openai-chat", "google"})


def trace_id(correlation_id: str) -> int | None:
    """A correlation id as a trace id; None where it is none: not 32 hexadecimal digits, or all zero."""
    try:
        number = int(correlation_id, 16)
    except ValueError:
        return None
    return number if len(correlation_id) == 32 and number > 0 else None


def span_id(correlation_id: str, number: int) -> int:
    """Of the decision (0), or of the call that was the `number`-th to begin in it."""
    digest = hashlib.sha256(f"{correlation_id}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") or 1


def decision_name(arm: str) -> str:
    return f"invoke_agent {arm}"


def decision_attributes(scope: Scope, arm: str, sample: int) -> Attributes:
    """What is known when it begins."""
    return _known(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": arm,
            "krins.correlation_id": scope.decision_id or None,
            "krins.task_id": scope.task_id,
            "krins.arm": arm,
            "krins.sample": sample,
        }
    )


def outcome_attributes(outcome: Outcome) -> Attributes:
    """What is known when it has ended. The type of an error is the kind of failure."""
    return _known(
        {
            "krins.quality": outcome.quality,
            "krins.cost_usd": None if outcome.cost_usd is None else float(outcome.cost_usd),
            "krins.billed_usd": float(outcome.billed_usd),
            "krins.is_cached": is_cached(outcome),
            "error.type": outcome.failure.kind.value if outcome.failure else None,
        }
    )


def is_cached(outcome: Outcome) -> bool:
    """Whether the answer came out of krins's cache, so that the calls in the outcome were made another time."""
    return any(attempt.is_cached for attempt in outcome.attempts)


def call_name(model: str) -> str:
    """`model`: what the provider calls it."""
    return f"chat {model}"


def model_attributes(name: str, model: str, provider: str, correlation_id: str) -> Attributes:
    """Who is asked: `name` in krins, `model` at the provider."""
    return _known(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
            "gen_ai.request.model": model,
            "krins.model": name,
            "krins.correlation_id": correlation_id or None,
        }
    )


def settings_attributes(
    provider: str, sample: int, max_output_tokens: int | None, temperature: float | None
) -> Attributes:
    """How it is asked. Only some APIs take a seed, which is the number of the sample."""
    default_temperature = 0.0 if provider == "openai-chat" else None
    return _known(
        {
            "gen_ai.request.max_tokens": max_output_tokens,
            "gen_ai.request.temperature": default_temperature if temperature is None else temperature,
            "gen_ai.request.seed": sample if provider in _TAKES_SEED else None,
        }
    )


def server_attributes(base_url: str | None, provider: str) -> Attributes:
    """Where it is asked; without a base URL at the provider's own address."""
    if base_url is None:
        return _known({"server.address": _HOSTS.get(provider), "server.port": 443 if provider in _HOSTS else None})
    parts = urlsplit(base_url)
    return _known({"server.address": parts.hostname, "server.port": parts.port or _default_port(parts.scheme)})


def call_attributes(call: Call) -> Attributes:
    """What came of a call."""
    return _known(
        {
            "gen_ai.response.finish_reasons": [call.finish_reason] if call.finish_reason else None,
            "gen_ai.response.id": call.request_id,
            "krins.cost_usd": None if call.cost_usd is None else float(call.cost_usd),
            "krins.billed_usd": None if call.billed_usd is None else float(call.billed_usd),
            "krins.usage_unknown": call.is_usage_unknown,
            "error.type": error_type(call.error) if call.error else None,
        }
    ) | _usage_attributes(call)


def error_type(error: str) -> str:
    """The class in `Call.error`."""
    return error.partition(":")[0]


def _usage_attributes(call: Call) -> Attributes:
    usage = call.usage
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }


def _default_port(scheme: str) -> int:
    return 80 if scheme == "http" else 443


def _known(attributes: Mapping[str, str | bool | int | float | list[str] | None]) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}
