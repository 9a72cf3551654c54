"""Where each arm is asked, in which wire format, and what lies between it and the caller's.

| caller / provider | openai-chat, google | openai | anthropic |
|---|---|---|---|
| chat | as it is | as it is | translated |
| messages | translated | translated | as it is |
| responses | translated | as it is | translated twice |

Google is asked at its endpoint that is compatible with OpenAI's (https://ai.google.dev/gemini-api/docs/openai).
Invariants: a target's headers hold the upstream's key, and nothing of the caller's but what `FORWARDED` names; while
KRINS_NO_PAID_CALLS is set, no target is beyond this machine. Left out: sending (`serve.gateway.upstream`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from krins.models.providers import OWN_URLS, check_provider
from krins.models.spec import ModelSpec
from serve.gateway.chat_over_messages import ChatOverMessages
from serve.gateway.messages_over_chat import MessagesOverChat
from serve.gateway.responses_over_chat import ResponsesOverChat
from serve.gateway.translation import Maker
from serve.gateway.wire import Format, Wire
from serve.gateway.wire_chat import ChatWire
from serve.gateway.wire_messages import MessagesWire
from serve.gateway.wire_responses import ResponsesWire

CHAT, MESSAGES, RESPONSES = ChatWire(), MessagesWire(), ResponsesWire()
WIRES: tuple[Wire, ...] = (CHAT, MESSAGES, RESPONSES)
FORWARDED: Mapping[Format, tuple[str, ...]] = {
    "chat": (),
    "messages": ("anthropic-version", "anthropic-beta"),
    "responses": (),
}
"""Headers of the caller's that go to an upstream of the same wire format."""
_ANTHROPIC_VERSION = "2023-06-01"


@dataclass(frozen=True, slots=True)
class Target:
    """An arm, as a caller of one wire format reaches it."""

    spec: ModelSpec
    wire: Wire
    """The upstream's."""
    url: URL
    headers: Mapping[str, str]
    timeout: aiohttp.ClientTimeout
    """To connect; the others are `serve.gateway.upstream`'s."""
    translations: tuple[Maker, ...]
    """From the caller's format to the upstream's; none where they are the same."""


def target_of(spec: ModelSpec, caller: Format) -> Target:
    """Raises UserError where the model may not be called, or its key is not set or cannot be one."""
    check_provider(spec)
    key = os.environ[spec.api_key_env] if spec.api_key_env is not None else None
    base = (spec.base_url or OWN_URLS[spec.provider]).rstrip("/")
    wire, path, translations = _way(spec, caller)
    headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "krins"}
    if spec.provider == "anthropic":
        headers["anthropic-version"] = _ANTHROPIC_VERSION
        headers |= {"x-api-key": key} if key is not None else {}
    elif key is not None:
        headers["authorization"] = f"Bearer {key}"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=spec.settings.connect_timeout_seconds)
    return Target(spec, wire, URL(f"{base}{path}"), headers, timeout, translations)


def _way(spec: ModelSpec, caller: Format) -> tuple[Wire, str, tuple[Maker, ...]]:
    to_chat: Mapping[Format, tuple[Maker, ...]] = {
        "chat": (),
        "messages": (MessagesOverChat,),
        "responses": (ResponsesOverChat,),
    }
    if spec.provider == "anthropic":
        translations = () if caller == "messages" else (*to_chat[caller], ChatOverMessages)
        return MESSAGES, "/v1/messages", translations
    if spec.provider == "openai" and caller == "responses":
        return RESPONSES, "/responses", ()
    path = "/v1beta/openai/chat/completions" if spec.provider == "google" else "/chat/completions"
    return CHAT, path, to_chat[caller]
