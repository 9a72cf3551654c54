"""How a refusal is told: the error envelope of the dialect that the caller speaks, and its headers.

| dialect | body |
|---|---|
| openai | `{"error": {"message", "type", "param", "code"}}` (OpenAI's API reference, errors) |
| anthropic | `{"type": "error", "error": {"type", "message"}, "request_id"}` (Anthropic's API reference, errors) |
| krins | `{"error": {"code", "message", "remedy"}}` |

Invariant: nothing but the refusal's own words goes out. Left out: who refuses, and when (`serve.door`).
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from serve.web import Answer, Dialect, Headers, Refusal

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def dialect_of(path: str) -> Dialect:
    """In which dialect to tell that there is no such route."""
    if path.startswith("/v1/messages"):
        return "anthropic"
    return "openai" if path.startswith(("/v1/chat", "/v1/responses", "/v1/models")) else "krins"


def envelope(dialect: Dialect, refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The JSON body; also what a stream that has begun ends in."""
    if dialect == "krins":
        return {"error": {"code": refusal.code, "message": refusal.message, "remedy": refusal.remedy}}
    message = f"{refusal.message}; {refusal.remedy}" if refusal.remedy else refusal.message
    if dialect == "openai":
        kind = _kind(_OPENAI_TYPES, refusal.status, "server_error")
        return {"error": {"message": message, "type": kind, "param": refusal.param, "code": refusal.code}}
    kind = _kind(_ANTHROPIC_TYPES, refusal.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def refused(dialect: Dialect, refusal: Refusal, request_id: str) -> Answer:
    headers: Headers = list(refusal.headers)
    if refusal.retry_after_seconds is not None:
        # Whole seconds (RFC 9110, section 10.2.3), and never "at once".
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(refusal.retry_after_seconds))))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="krins"'))
    content = envelope(dialect, refusal, request_id)
    try:
        body = orjson.dumps(content)
    except TypeError:  # a lone surrogate, which JSON can name and UTF-8 cannot hold, is quoted from the request
        body = json.dumps(content).encode()
    return Answer(body, refusal.status, headers)


def _kind(kinds: dict[int, str], status: int, server: str) -> str:
    return kinds.get(status) or (server if status >= 500 else "invalid_request_error")
