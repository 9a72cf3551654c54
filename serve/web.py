"""One HTTP request on its way through the service: the route that it takes, the call, the answer, the refusal.

Every route of the service stands in one table of `Route`s. The door (`serve.door`) reads from it who may call what and
how large a body may be, and the OpenAPI document (`serve.openapi`) is made from it, so neither can forget one.
Invariants: a handler is called only after its route's scope, limits and schema were checked; a handler answers or
raises, and only a `Refusal` reaches the caller in its own words. No web framework: FastAPI takes five times the
processor time of this for each request, and its middleware would see a body before its size is judged.
Left out: reading and writing HTTP (`serve.door`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, BeforeValidator

from krins.errors import KrinsError


def _without_fraction(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WholeNumber = Annotated[int, BeforeValidator(_without_fraction)]
"""An integer as JSON Schema means it, in strict models too: 2.0 is one (JSON Schema 2020-12, Core, 4.2.3)."""
Dialect = Literal["krins", "openai", "anthropic"]
"""Whose shape the errors of a route have."""
Headers = list[tuple[bytes, bytes]]


class Scope(StrEnum):
    """What an API key may do."""

    INFER = "infer"
    FEEDBACK = "feedback"
    ADMIN = "admin"
    """Everything, the other scopes included."""
    ANY = "any"
    """Asked for by routes that every key may call; no key has it."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whose call it is."""

    key_id: str
    """Public: never the key. Empty where the service asks for none."""
    scopes: frozenset[Scope]


@dataclass(slots=True)
class Call:
    """A request that was let in."""

    method: str
    path: str
    params: Mapping[str, str]
    """Of the path."""
    query: Any
    """An instance of the route's `query` model, or None."""
    headers: Mapping[bytes, bytes]
    """Names in lower case."""
    body: bytes
    data: Any
    """An instance of the route's `body` model, or None."""
    client: Client
    request_id: str


@dataclass(slots=True)
class Answer:
    """What goes back. A `body` that is an iterator is streamed and closed, whatever becomes of the caller."""

    body: bytes | AsyncIterator[bytes]
    status: int = 200
    headers: Headers = field(default_factory=list)
    content_type: bytes = b"application/json"

    @classmethod
    def of(cls, content: BaseModel | Mapping[str, Any] | list[Any], status: int = 200) -> Answer:
        if isinstance(content, BaseModel):
            return cls(content.model_dump_json().encode(), status)
        return cls(orjson.dumps(content, default=str), status)


class Refusal(KrinsError):
    """The service does not do what was asked; it is told to the caller in these words.

    Args:
        status: of HTTP.
        code: for programs, such as `unknown_decision`.
        headers: of the answer, besides those that every refusal has.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        remedy: str = "",
        *,
        retry_after_seconds: float | None = None,
        param: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message, remedy)
        self.status, self.code, self.param = status, code, param
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers or []

    def __reduce__(self) -> tuple[type[Refusal], tuple[int, str, str, str], dict[str, Any]]:
        """It crosses from actors to replicas."""
        return type(self), (self.status, self.code, self.message, self.remedy), self.__dict__


Handler = Callable[[Call], Awaitable[Answer]]


class HeaderField(NamedTuple):
    """A header that a caller may send, or gets, as the OpenAPI document tells it."""

    description: str
    pattern: str = ""
    """A regular expression (ECMA 262) that the handler holds it to; empty where anything is taken."""


@dataclass(frozen=True)
class Route:
    """One operation of the API."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    """May hold parameters: /api/tasks/{task_id}."""
    handle: Handler
    scope: Scope | None
    """None: open to everybody. Only health is."""
    summary: str
    tag: str
    dialect: Dialect = "krins"
    body: type[BaseModel] | None = None
    """The request's JSON must be one; it is the call's `data`."""
    query: type[BaseModel] | None = None
    headers: Mapping[str, HeaderField] = field(default_factory=dict)
    """Of the request, by name; those that every route knows (keys, x-request-id) are added."""
    answer: type[BaseModel] | None = None
    """The JSON body of a success."""
    status: int = 200
    """Of a success."""
    content_type: str = "application/json"
    """Of a success."""
    answer_headers: Mapping[str, HeaderField] = field(default_factory=dict)
    """Of a success, by name, where they are worth a caller's while."""
    other_answers: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    """The JSON bodies of successes that have another status."""
    streams: bool = False
    """A success may also be text/event-stream."""
    refusals: Mapping[int, str] = field(default_factory=dict)
    """Statuses that the handler itself may refuse with, and what they mean; the door's own are added."""
    example: Mapping[str, Any] | None = None
    """Of the request's body."""
    example_answer: Any = None
    max_body_bytes: int | None = None
    """By default the service's."""
    is_always_answered: bool = False
    """Also where the service is not ready, or has too much to do: health and metrics."""
