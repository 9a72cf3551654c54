"""The body of a request, judged before and while it is read, and made into what the route's schema asks for.

Invariants: not a byte is waited for that would not be taken: the declared size, the coding and the type are judged
first; whatever comes, no more than the limit and one chunk of it is held; nothing is decompressed, so there is no bomb;
nesting is bounded by the parser (200 levels). Left out: who may send it (`serve.security.guard`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from serve.web import Refusal, Route

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_MAX_QUERY_FIELDS = 100


class ClientGone(Exception):
    """The caller closed the connection; nobody is there to be answered."""


class BodyReader:
    def __init__(self, max_bytes: int, stall_seconds: float) -> None:
        """
        Args:
            max_bytes: of a body, where its route says nothing else.
            stall_seconds: within which the next piece of a body must come.
        """
        self._max_bytes, self._stall_seconds = max_bytes, stall_seconds

    async def read(self, route: Route, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """
        Raises:
            Refusal: 400, 408, 413 or 415.
            ClientGone: the caller went away while sending.
        """
        limit = route.max_body_bytes or self._max_bytes
        _require_acceptable(headers, limit)
        try:
            async with asyncio.timeout(self._stall_seconds) as time_limit:
                message = await receive()
                if not message.get("more_body", False):
                    return _within(limit, _piece(message))
                pieces = [_piece(message)]
                size = len(pieces[0])
                while message.get("more_body", False):
                    _require_size(size, limit)
                    time_limit.reschedule(asyncio.get_running_loop().time() + self._stall_seconds)
                    message = await receive()
                    pieces.append(_piece(message))
                    size += len(pieces[-1])
        except TimeoutError:
            raise Refusal(
                408, "body_stalled", f"nothing of the body came for {self._stall_seconds:g} s", "send it again"
            ) from None
        _require_size(size, limit)
        return b"".join(pieces)


def parse_body(route: Route, body: bytes) -> Any:
    """An instance of the route's `body` model, or None where it has none.

    Raises:
        Refusal: 400 for what is no JSON, 422 for what is not the schema.
    """
    if route.body is None:
        return None
    try:
        return route.body.model_validate_json(body)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise Refusal(400, "invalid_json", f"the body is not JSON: {first['msg']}", "send a JSON object") from None
        raise _misfit(failure, "the request's body") from None
    except RecursionError:
        raise Refusal(400, "invalid_json", "the body is nested too deeply", "send a flatter object") from None


def parse_query(model: type[BaseModel] | None, query: bytes) -> Any:
    """An instance of `model`, or None.

    Raises:
        Refusal: 422.
    """
    if model is None:
        return None
    try:
        fields = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS))
        return model.model_validate_strings(fields)
    except ValidationError as failure:
        raise _misfit(failure, "the query") from None
    except ValueError:
        raise Refusal(422, "invalid_request", f"the query has over {_MAX_QUERY_FIELDS} fields", "send fewer") from None


def _misfit(failure: ValidationError, where: str) -> Refusal:
    errors = failure.errors(include_url=False, include_context=False, include_input=False)
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Refusal(
        422, "invalid_request", f"{field or where}: {first['msg']}{more}", "see /openapi.json", param=field or None
    )


def is_body_declared(headers: Mapping[bytes, bytes]) -> bool:
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def _require_acceptable(headers: Mapping[bytes, bytes], limit: int) -> None:
    declared = headers.get(b"content-length")
    if declared is not None:
        if not declared.isdigit():
            raise Refusal(400, "invalid_header", "Content-Length is no number", "leave it to an HTTP library")
        if len(declared) > 18 or int(declared) > limit:
            raise _too_large(limit)
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(415, "unsupported_encoding", "compressed bodies are not taken", "send it uncompressed")
    kind = headers.get(b"content-type", b"")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        raise Refusal(
            415, "unsupported_media_type", "the body is not declared as JSON", "set Content-Type: application/json"
        )


def _piece(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone
    piece: bytes = message.get("body", b"")
    return piece


def _within(limit: int, body: bytes) -> bytes:
    _require_size(len(body), limit)
    return body


def _require_size(size: int, limit: int) -> None:
    if size > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "body_too_large", f"the body is larger than {limit:,} bytes", "send less")
