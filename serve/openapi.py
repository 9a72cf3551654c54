"""The OpenAPI 3.1 document of the service, made from the table of routes that the door itself obeys.

Every route is in it, with what the door adds: keys and their scopes, the request id, and its own refusals in the
dialect of the route; `x-refusals` lists statuses that even a request after the schema may get. Schemas are those that
pydantic validates with, so the document cannot say something else.
Invariants: the same table gives the same document; every schema of a model stands once, under components. Left out:
a viewer (the document is for tools, and a viewer would load assets from elsewhere).
Source: OpenAPI Specification 3.1.1; scopes of a key stand as roles in the security requirement (4.8.30 there).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from serve.openapi_errors import ENVELOPES, phrase, refusals, shared_responses
from serve.web import Answer, Call, HeaderField, Route, Scope

_MODELS = "#/components/schemas/"
_JSON, _EVENTS, _EVENT = "application/json", "text/event-stream", "ServerSentEvent"
_ONE_EVENT = {
    "type": "object",
    "description": "Each event of the stream (HTML Living Standard, 9.2).",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "description": "JSON, but for the [DONE] that ends a stream of Chat Completions."},
        "id": {"type": "string"},
    },
    "required": ["data"],
}
"""OpenAPI before 3.2 has no `itemSchema`; tools take the schema of such a media type as one event's."""
_PARAMETER = re.compile(r"\{(\w+)\}")
_DESCRIPTION = (
    "krins learns which model to use for a coding task. It speaks OpenAI's and Anthropic's APIs (`model: krins` lets it"
    " choose, `krins/ARM` does not), tells decisions alone (`/v1/route`), and learns from `/v1/feedback`."
)
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY, as OpenAI's clients do."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "As Anthropic's clients do."},
}
_REQUEST_ID = {
    "name": "x-request-id",
    "in": "header",
    "description": "Comes back in the answer; the service makes one where there is none, or none that is fit.",
    "schema": {"type": "string"},
}


def with_document(routes: Sequence[Route], version: str) -> list[Route]:
    """The table, and the route of its document: GET /openapi.json, itself included."""
    made: list[bytes] = []

    async def handle(call: Call) -> Answer:
        if not made:
            made.append(orjson.dumps(document(table, version)))
        return Answer(made[0])

    table = [
        *routes,
        Route(
            method="GET",
            path="/openapi.json",
            handle=handle,
            scope=Scope.ANY,
            summary="This document",
            tag="operations",
        ),
    ]
    return table


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The document as JSON-able data.

    Raises:
        ValueError: two routes share a method and a path.
    """
    schemas = _Schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = paths.setdefault(route.path, {})
        if route.method.lower() in operations:
            raise ValueError(f"two routes are {route.method} {route.path}")
        operations[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.1",
        "info": {"title": "krins", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "responses": shared_responses(routes),
            "headers": _headers(),
            "parameters": {"RequestId": _REQUEST_ID},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


class _Schemas:
    """The schemas of all models of the table, made together so that names stay apart."""

    def __init__(self, routes: Sequence[Route]) -> None:
        from pydantic.json_schema import models_json_schema

        accepted = [(model, _IN) for route in routes for model in (route.body, route.query) if model]
        returned = [
            (model, _OUT) for route in routes for model in (route.answer, *route.other_answers.values()) if model
        ]
        made, definitions = models_json_schema([*accepted, *returned], ref_template=_MODELS + "{model}")
        self._names = {key: schema["$ref"].removeprefix(_MODELS) for key, schema in made.items()}
        self._definitions: dict[str, Any] = definitions.get("$defs", {})
        self._events = {_EVENT: _ONE_EVENT} if any(map(_has_events, routes)) else {}
        self._queries = {self._names[route.query, _IN] for route in routes if route.query}

    def accepted(self, model: type[BaseModel]) -> dict[str, Any]:
        return {"$ref": _MODELS + self._names[model, _IN]}

    def returned(self, model: type[BaseModel]) -> dict[str, Any]:
        return {"$ref": _MODELS + self._names[model, _OUT]}

    def parameters(self, query: type[BaseModel]) -> list[dict[str, Any]]:
        """Each field of the model is one parameter."""
        schema = self._definitions[self._names[query, _IN]]
        required = schema.get("required", [])
        return [
            {"name": name, "in": "query", "required": name in required}
            | ({"description": field["description"]} if "description" in field else {})
            | {"schema": {key: value for key, value in field.items() if key != "description"}}
            for name, field in schema.get("properties", {}).items()
        ]

    def components(self) -> dict[str, Any]:
        own = {name: schema for name, schema in self._definitions.items() if name not in self._queries}
        if clash := own.keys() & {*ENVELOPES, _EVENT}:
            raise ValueError(f"a model has a name that is taken: {', '.join(sorted(clash))}")
        return own | dict(ENVELOPES) | self._events


_IN: Literal["validation"] = "validation"
_OUT: Literal["serialization"] = "serialization"


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *re.findall(r"\w+", route.path.replace("-", "_"))]),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_parameters(route, schemas), {"$ref": "#/components/parameters/RequestId"}],
        "responses": _successes(route, schemas) | refusals(route),
        "security": [{scheme: _roles(route.scope)} for scheme in _SECURITY_SCHEMES] if route.scope else [],
    }
    if route.refusals:
        operation["x-refusals"] = sorted(route.refusals)
    if route.body:
        content = {"schema": schemas.accepted(route.body)} | _example(route.example)
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _roles(scope: Scope) -> list[str]:
    return [] if scope is Scope.ANY else [scope.value]


def _parameters(route: Route, schemas: _Schemas) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(route.path):
        schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if route.query:
        yield from schemas.parameters(route.query)
    for name, header in route.headers.items():
        yield {"name": name, "in": "header", "required": False} | _header(header)


def _successes(route: Route, schemas: _Schemas) -> dict[str, Any]:
    headers = {name: _header(header) for name, header in route.answer_headers.items()}
    headers["x-request-id"] = {"$ref": "#/components/headers/RequestId"}
    contents = {route.status: _content(route, schemas)}
    for status, model in route.other_answers.items():
        contents[status] = {"application/json": {"schema": schemas.returned(model)}}
    return {
        str(status): {"description": phrase(status), "headers": headers, "content": content}
        for status, content in contents.items()
    }


def _content(route: Route, schemas: _Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    media_type = route.content_type.partition(";")[0]
    if media_type != _EVENTS:
        schema = schemas.returned(route.answer) if route.answer else {} if media_type == _JSON else {"type": "string"}
        content[media_type] = {"schema": schema} | _example(route.example_answer)
    if _has_events(route):
        content[_EVENTS] = {"schema": {"$ref": _MODELS + _EVENT}}
    return content


def _has_events(route: Route) -> bool:
    return route.streams or route.content_type.startswith(_EVENTS)


def _header(header: HeaderField) -> dict[str, Any]:
    pattern = {"pattern": header.pattern} if header.pattern else {}
    return {"description": header.description, "schema": {"type": "string", **pattern}}


def _example(value: Any) -> dict[str, Any]:
    return {} if value is None else {"example": value}


def _headers() -> dict[str, Any]:
    return {
        "RequestId": {"description": "Names this request in the logs.", "schema": {"type": "string"}},
        "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
        "Challenge": {"description": "How to authenticate.", "schema": {"type": "string"}},
    }
