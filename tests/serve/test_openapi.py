"""The document of a table of routes of every kind."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any, Literal

import jsonschema_rs
import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve.errors_out import envelope
from serve.openapi import document, with_document
from serve.web import Answer, Call, Client, Dialect, HeaderField, Refusal, Route, Scope, WholeNumber
from tests.serve.openapi_check import check_complete, check_document, unused_schemas


class Note(BaseModel):
    text: str = Field(min_length=1, description="What it says.")
    usd: Decimal | None = None


class Post(BaseModel):
    notes: list[Note]
    kind: Literal["a", "b"] = "a"


class Posted(BaseModel):
    notes: list[Note]


class Page(BaseModel):
    limit: int = Field(10, ge=1, le=100, description="At most so many.")
    kind: Literal["a", "b"]


async def _handle(call: Call) -> Answer:
    return Answer.of({"path": call.path})


def _route(**changes: Any) -> Route:
    given: dict[str, Any] = {
        "method": "GET",
        "path": "/x",
        "handle": _handle,
        "scope": Scope.INFER,
        "summary": "X",
        "tag": "t",
    }
    return Route(**(given | changes))


DIALECTS: tuple[tuple[Dialect, str], ...] = (
    ("openai", "OpenAIError"),
    ("anthropic", "AnthropicError"),
    ("krins", "KrinsError"),
)
ROUTES = [
    _route(
        method="POST",
        path="/v1/chat/completions",
        dialect="openai",
        body=Post,
        answer=Posted,
        streams=True,
        refusals={502: "no provider answered", 429: "a provider limits us"},
        example={"notes": [{"text": "hello"}]},
        example_answer={"notes": [{"text": "hello", "usd": "0.01"}]},
    ),
    _route(method="POST", path="/v1/messages", dialect="anthropic", body=Post, refusals={529: "overloaded"}),
    _route(path="/api/tasks/{task_id}", answer=Posted, refusals={404: "no such task"}),
    _route(path="/api/tasks", query=Page, tag="tasks"),
    _route(
        method="POST",
        path="/api/tasks",
        body=Note,
        status=202,
        scope=Scope.ADMIN,
        tag="tasks",
        headers={"Idempotency-Key": HeaderField("Any name.", "^[!-~]+$"), "Prefer": HeaderField("wait=SECONDS")},
        answer_headers={"location": HeaderField("Where it is.")},
        other_answers={200: Posted},
    ),
    _route(path="/api/tasks/{task_id}/events", content_type="text/event-stream"),
    _route(path="/health/live", scope=None, tag="operations", is_always_answered=True),
]


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document(ROUTES, "1.2.3")


def test_it_is_openapi_and_complete_and_its_examples_hold(made: dict[str, Any]) -> None:
    check_complete(made, ROUTES)
    assert check_document(made) == 2 + len(made["components"]["responses"])
    assert not unused_schemas(made)
    assert orjson.dumps(made) == orjson.dumps(document(ROUTES, "1.2.3"))


def test_a_false_example_would_be_found() -> None:
    wrong = [_route(method="POST", body=Post, example={"notes": [{"text": ""}]})]
    with pytest.raises(jsonschema_rs.ValidationError):
        check_document(document(wrong, "1"))


def test_each_dialect_has_its_envelope_on_every_refusal(made: dict[str, Any]) -> None:
    chat = made["paths"]["/v1/chat/completions"]["post"]["responses"]
    assert set(chat) == {"200", "400", "401", "403", "408", "413", "415", "422", "429", "500", "502", "503"}
    assert chat["429"]["description"].endswith("; a provider limits us")
    assert "budget" in chat["429"]["description"]
    shared = made["components"]["responses"]
    for dialect, schema in DIALECTS:
        content = shared[f"{dialect}_503"]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith(f"/{schema}")
        assert "retry-after" in shared[f"{dialect}_503"]["headers"]
    assert made["paths"]["/v1/messages"]["post"]["responses"]["529"]["$ref"].endswith("/anthropic_529")


@pytest.mark.parametrize("param", [None, "model"])
def test_envelopes_are_those_that_the_door_writes(made: dict[str, Any], param: str | None) -> None:
    schemas = made["components"]["schemas"]
    for dialect, name in DIALECTS:
        validator = jsonschema_rs.Draft202012Validator(schemas[name])
        assert validator.is_valid(envelope(dialect, Refusal(422, "c", "m", "r", param=param), "id"))
        assert not validator.is_valid({"error": {}})


def test_scopes_stand_as_roles_and_open_routes_ask_for_no_key(made: dict[str, Any]) -> None:
    assert made["paths"]["/api/tasks"]["post"]["security"] == [{"bearer": ["admin"]}, {"apiKey": ["admin"]}]
    live = made["paths"]["/health/live"]["get"]
    assert live["security"] == []
    assert set(live["responses"]) == {"200", "400", "500"}


def test_parameters_of_path_and_query(made: dict[str, Any]) -> None:
    (task_id, request_id) = made["paths"]["/api/tasks/{task_id}"]["get"]["parameters"]
    assert (task_id["name"], task_id["in"], task_id["required"]) == ("task_id", "path", True)
    assert request_id == {"$ref": "#/components/parameters/RequestId"}
    limit, kind, _ = made["paths"]["/api/tasks"]["get"]["parameters"]
    assert limit["schema"] == {"default": 10, "maximum": 100, "minimum": 1, "title": "Limit", "type": "integer"}
    assert (limit["required"], kind["required"]) == (False, True)
    assert limit["description"] == "At most so many."


def test_streams_and_events_have_their_media_types(made: dict[str, Any]) -> None:
    chat = made["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]
    assert set(chat["content"]) == {"application/json", "text/event-stream"}
    events = made["paths"]["/api/tasks/{task_id}/events"]["get"]["responses"]["200"]
    assert set(events["content"]) == {"text/event-stream"}
    assert "202" in made["paths"]["/api/tasks"]["post"]["responses"]


def test_headers_of_requests_and_answers_and_other_successes(made: dict[str, Any]) -> None:
    posted = made["paths"]["/api/tasks"]["post"]
    key, prefer, _ = posted["parameters"]
    assert key == {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Any name.",
        "schema": {"type": "string", "pattern": "^[!-~]+$"},
    }
    assert prefer["schema"] == {"type": "string"}
    for status in ("200", "202"):
        assert set(posted["responses"][status]["headers"]) == {"location", "x-request-id"}
    schema = posted["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Posted"}


def test_whole_numbers_are_those_of_json_schema() -> None:
    class Strictly(BaseModel):
        model_config = ConfigDict(strict=True)

        number: WholeNumber = Field(ge=1)

    assert Strictly.model_validate_json('{"number": 2.0}').number == 2
    for wrong in ("true", '"2"', "2.5", "0.0", "1e400"):
        with pytest.raises(ValidationError):
            Strictly.model_validate_json(f'{{"number": {wrong}}}')


def test_two_routes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="GET /x"):
        document([_route(), _route()], "1")


def test_the_document_is_served_and_describes_itself() -> None:
    table = with_document(ROUTES, "1.2.3")
    route = table[-1]
    assert (route.method, route.path, route.scope) == ("GET", "/openapi.json", Scope.ANY)
    call = Call("GET", route.path, {}, None, {}, b"", None, Client("", frozenset()), "r")

    async def ask() -> Answer:
        return await route.handle(call)

    body = asyncio.run(ask()).body
    assert isinstance(body, bytes)
    served = orjson.loads(body)
    check_document(served)
    check_complete(served, table)
    assert served["paths"]["/openapi.json"]["get"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert "/openapi.json" in served["paths"]
