"""Refusals in the OpenAPI document: the envelope of each dialect, and what the door may refuse on every route.

Invariants: a status that the handler refuses with, and the door too, is described by both. Left out: writing an
envelope (`serve.errors_out`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from serve.errors_out import envelope
from serve.web import Dialect, Refusal, Route

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


ENVELOPES: Mapping[str, Mapping[str, Any]] = {
    "KrinsError": _object(error=_object(code=_TEXT, message=_TEXT, remedy=_TEXT)),
    "OpenAIError": _object(error=_object(message=_TEXT, type=_TEXT, param=_MAYBE_TEXT, code=_MAYBE_TEXT)),
    "AnthropicError": _object(
        type={"const": "error"}, error=_object(type=_TEXT, message=_TEXT), request_id=_MAYBE_TEXT
    ),
}
_SCHEMA_OF: Mapping[Dialect, str] = {"krins": "KrinsError", "openai": "OpenAIError", "anthropic": "AnthropicError"}

_OF_EVERY_ROUTE = {
    400: "the request is not one that can be read",
    500: "a fault of the service; it is logged under the request id",
}
_OF_LOAD = {
    429: "too many requests are in work, or the key's rate or budget is used up",
    503: "the service is not ready",
}
_OF_KEYS = {401: "no key, or none that is known", 403: "the key lacks the scope"}
_OF_BODIES = {
    400: "the body is not JSON",
    408: "the body did not come in time",
    413: "the body is too large",
    415: "the body is compressed, or not application/json",
    422: "the body is not what the schema asks for",
}
_OF_QUERIES = {422: "the query is not what its parameters ask for"}
_RETRYABLE = (429, 503)


def phrase(status: int) -> str:
    """What HTTP calls a status; providers have some of their own, such as 529."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else f"Status {status}"


def refusals(route: Route) -> dict[str, Any]:
    """Responses by status: the door's and the handler's own."""
    reasons: dict[int, list[str]] = {}
    for part in (*_of_the_door(route), route.refusals):
        for status, reason in part.items():
            reasons.setdefault(status, []).append(reason)
    return {
        str(status): {
            "$ref": f"#/components/responses/{_name(route.dialect, status)}",
            "description": "; ".join(dict.fromkeys(reasons[status])),
        }
        for status in sorted(reasons)
    }


def shared_responses(routes: Sequence[Route]) -> dict[str, Any]:
    """What `refusals` of the routes refers to, by name."""
    used = sorted({(route.dialect, int(status)) for route in routes for status in refusals(route)})
    return {_name(dialect, status): _response(dialect, status) for dialect, status in used}


def _of_the_door(route: Route) -> Iterable[Mapping[int, str]]:
    yield _OF_EVERY_ROUTE
    if not route.is_always_answered:
        yield _OF_LOAD
    if route.scope:
        yield _OF_KEYS
    if route.query:
        yield _OF_QUERIES
    if route.body:
        yield _OF_BODIES


def _name(dialect: Dialect, status: int) -> str:
    return f"{dialect}_{status}"


def _response(dialect: Dialect, status: int) -> dict[str, Any]:
    headers = {"x-request-id": {"$ref": "#/components/headers/RequestId"}}
    if status in _RETRYABLE:
        headers["retry-after"] = {"$ref": "#/components/headers/RetryAfter"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = {"$ref": "#/components/headers/Challenge"}
    schema = {"$ref": f"#/components/schemas/{_SCHEMA_OF[dialect]}"}
    return {
        "description": phrase(status),
        "headers": headers,
        "content": {"application/json": {"schema": schema, "example": _example(dialect, status)}},
    }


def _example(dialect: Dialect, status: int) -> dict[str, Any]:
    code = phrase(status).lower().replace(" ", "_").replace("-", "_")
    return envelope(dialect, Refusal(status, code, "what is the matter", "what to do about it"), "3f1c9a")
