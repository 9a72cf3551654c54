"""Providers: one file for each API, each through the provider's own SDK, which is imported at the first call.

Invariant: an SDK never tries again by itself. Left out: everything around a call (`krins.models.stack`).
"""

from __future__ import annotations

import os
import re

from krins.errors import UserError
from krins.interfaces import Clock, Provider
from krins.models.providers.choices import Unweighed
from krins.models.providers.http import NO_PAID_CALLS_VARIABLE, refuse_paid
from krins.models.spec import ModelSpec

OWN_URLS = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com/v1",
    "openai-chat": "https://api.openai.com/v1",
    "google": "https://generativelanguage.googleapis.com",
}
"""Where a vendor is asked that a suite gives no base URL for."""


def check_provider(spec: ModelSpec) -> None:
    """Raises UserError where the model may not be called, or its key is not set or cannot be one."""
    refuse_paid(spec.name, spec.base_url or OWN_URLS[spec.provider])
    if spec.api_key_env is not None and not os.environ.get(spec.api_key_env):
        raise UserError(
            f"model {spec.name}: the environment variable {spec.api_key_env} is not set",
            f"export {spec.api_key_env}=..., or leave api_key_env out where the server asks for no key",
        )
    # It would be refused as a header, in an error that quotes it.
    if spec.api_key_env is not None and not re.fullmatch(r"[!-~]+", os.environ[spec.api_key_env]):
        raise UserError(
            f"model {spec.name}: the environment variable {spec.api_key_env} holds characters that no key has",
            f"set {spec.api_key_env} again, without spaces, line ends or quotation marks of a text editor",
        )


def build_provider(spec: ModelSpec, clock: Clock) -> Provider:
    """The provider that `spec` names. Raises UserError as `check_provider`."""
    check_provider(spec)
    key = os.environ[spec.api_key_env] if spec.api_key_env is not None else "none"
    if spec.provider == "anthropic":
        from krins.models.providers.anthropic import AnthropicMessages

        return AnthropicMessages(spec, key, clock)
    if spec.provider == "google":
        from krins.models.providers.google import GoogleGenAI

        return Unweighed(GoogleGenAI(spec, key, clock))
    if spec.provider == "openai":
        from krins.models.providers.openai_responses import OpenAIResponses

        return Unweighed(OpenAIResponses(spec, key, clock))
    from krins.models.providers.openai_chat import OpenAIChat

    return Unweighed(OpenAIChat(spec, key, clock))


__all__ = ["NO_PAID_CALLS_VARIABLE", "OWN_URLS", "build_provider", "check_provider"]
