"""Paths: which wire format a request is in, and what it wants.

All three vendors list their models under /v1/models (Gemini under /v1beta too, as its versions of the API go): who is
meant is told by the headers that the SDKs of Anthropic and Google send. Left out: paths of the fake's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from krins.fake_provider.anthropic_messages import AnthropicMessages
from krins.fake_provider.gemini import Gemini
from krins.fake_provider.openai_chat import OpenAIChat
from krins.fake_provider.openai_responses import OpenAIResponses
from krins.fake_provider.wire import Wire

Purpose = Literal["answer", "count", "models", "model"]

_ANTHROPIC, _CHAT, _RESPONSES, _GEMINI = AnthropicMessages(), OpenAIChat(), OpenAIResponses(), Gemini()


class Route(NamedTuple):
    wire: Wire
    purpose: Purpose
    model: str = ""
    """Where the path names it."""
    is_streamed: bool = False
    """Where the path says it."""


_POSTS: Mapping[str, Route] = {
    "/v1/messages": Route(_ANTHROPIC, "answer"),
    "/v1/messages/count_tokens": Route(_ANTHROPIC, "count"),
    "/v1/chat/completions": Route(_CHAT, "answer"),
    "/v1/responses": Route(_RESPONSES, "answer"),
}
_GEMINI_PATH = re.compile(r"/v1(?:alpha|beta)?/models/(.+):(generateContent|streamGenerateContent|countTokens)")
_MODEL_PATH = re.compile(r"/(v1|v1alpha|v1beta)/models(?:/(.+))?")


def find_route(method: str, target: str, headers: Mapping[str, str]) -> Route | None:
    path = unquote(urlsplit(target).path)
    if method == "POST":
        if path in _POSTS:
            return _POSTS[path]
        found = _GEMINI_PATH.fullmatch(path)
        return _gemini_route(*found.groups()) if found else None
    found = _MODEL_PATH.fullmatch(path)
    if method != "GET" or found is None:
        return None
    version, model = found.groups()
    return Route(_vendor(version, headers), "model" if model else "models", model or "")


def _vendor(version: str, headers: Mapping[str, str]) -> Wire:
    if version != "v1" or "x-goog-api-key" in headers or "x-goog-api-client" in headers:
        return _GEMINI
    return _ANTHROPIC if "anthropic-version" in headers else _CHAT


def _gemini_route(model: str, action: str) -> Route:
    if action == "countTokens":
        return Route(_GEMINI, "count", model)
    return Route(_GEMINI, "answer", model, is_streamed=action == "streamGenerateContent")
