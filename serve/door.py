"""The ASGI application: from the head of a request to the end of its answer.

    match ─ admit (429) ─ key and scope (401, 403) ─ rate (429) ─ ready (503) ─ body (408, 413, 415)
          ─ JSON (400) and schema (422) ─ handler ─ answer, streamed or not

Each step costs less than the one after it, so what is refused is refused cheaply: under overload before the body is
read, and a body is read only for a caller who may send it. Invariants: whatever happens, the caller gets an answer in
the dialect of the route with a request id, or a stream that does not end as if it were whole; of a fault of our own it
is told nothing but the id, under which it is logged once; an iterator that streams is closed when its caller goes away.
Left out: what routes do, sockets (`serve.listener`), and the answer's shape on errors (`serve.errors_out`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from serve.answering import Send, Visit, send_stream, send_whole, while_connected
from serve.errors_out import dialect_of, refused
from serve.matching import Match, RouteTable
from serve.reading import BodyReader, ClientGone, Message, Receive, is_body_declared, parse_body, parse_query
from serve.security.audit import AuditLog
from serve.security.guard import Guard
from serve.web import Answer, Call, Headers, Refusal, Route, Scope

_LOG = logging.getLogger(__name__)
_SINGLE = (
    b"authorization",
    b"x-api-key",
    b"host",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"idempotency-key",
    b"x-request-id",
)
"""Headers of which a second one would let two readers of a request disagree."""
_CLOSE = (b"connection", b"close")
_DISCARDED_BYTES = 2**16
"""A refused body up to this size is read and thrown away, so that the connection can be used again."""
_GONE = 499
"""nginx's word for a caller who did not wait."""


class Limits(NamedTuple):
    max_in_flight: int = 256
    """Requests in work; beyond them 429."""
    max_body_bytes: int = 8 * 2**20
    """Where a route says nothing else."""
    body_stall_seconds: float = 10.0


class RequestMeter(Protocol):
    """What the door tells of `serve.interfaces.Meters`."""

    def request(self, route: str, status: int, seconds: float) -> None: ...


class Door:
    """The application of one replica."""

    def __init__(
        self,
        routes: Sequence[Route],
        guard: Guard,
        meters: RequestMeter,
        audit: AuditLog,
        unready: Callable[[], str],
        limits: Limits,
    ) -> None:
        """`unready`: why requests cannot be served now; empty where they can."""
        self._table = RouteTable(routes)
        self._guard, self._meters, self._audit = guard, meters, audit
        self._unready = unready
        self._max_in_flight = limits.max_in_flight
        self._bodies = BodyReader(limits.max_body_bytes, limits.body_stall_seconds)
        self.in_flight = 0
        """Requests in work."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1002})

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        visit = Visit(scope)
        try:
            status = await self._serve(visit, receive, send)
        except Refusal as refusal:
            status = await self._refuse(visit, refusal, send)
        except ClientGone:
            status = _GONE
        except Exception:
            # To the log alone: it may quote the request.
            _LOG.exception("request %s of %s failed", visit.request_id, visit.route)
            status = await self._refuse(visit, _internal(visit.request_id), send)
        self._meters.request(visit.route, status, time.perf_counter() - began)

    async def _serve(self, visit: Visit, receive: Receive, send: Send) -> int:
        visit.match = match = self._table.match(visit.scope["method"], visit.scope["path"])
        if match.route.is_always_answered:
            return await self._answer(visit, match, receive, send)
        if self.in_flight >= self._max_in_flight:
            raise Refusal(429, "overloaded", "too many requests are in work", "wait a little", retry_after_seconds=1.0)
        self.in_flight += 1
        try:
            return await self._answer(visit, match, receive, send)
        finally:
            self.in_flight -= 1

    async def _answer(self, visit: Visit, match: Match, receive: Receive, send: Send) -> int:
        route = match.route
        if len(visit.headers) != len(visit.scope["headers"]):
            _require_single(visit.scope["headers"])
        visit.client, rate = self._guard.admit(route, visit.headers)
        if not route.is_always_answered and (why := self._unready()):
            raise Refusal(503, "not_ready", f"not ready: {why}", "wait a little", retry_after_seconds=1.0)
        call = await self._call(visit, match, receive)
        work = self._work(visit, route, call, rate, receive, send)
        return await (while_connected(visit, receive, work) if route.streams else work)

    async def _call(self, visit: Visit, match: Match, receive: Receive) -> Call:
        route, scope = match.route, visit.scope
        query = parse_query(route.query, scope["query_string"])
        body, data = b"", None
        if route.body is not None:
            body = await self._bodies.read(route, visit.headers, receive)
            visit.is_body_read = True
            data = parse_body(route, body)
        assert visit.client is not None
        return Call(
            method=scope["method"],
            path=scope["path"],
            params=match.params,
            query=query,
            headers=visit.headers,
            body=body,
            data=data,
            client=visit.client,
            request_id=visit.request_id,
        )

    async def _work(self, visit: Visit, route: Route, call: Call, rate: Headers, receive: Receive, send: Send) -> int:
        if route.scope is Scope.ADMIN and route.method != "GET":
            answer = await self._audited(visit, route, call)
        else:
            answer = await route.handle(call)
        if rate:
            answer.headers = [*answer.headers, *rate]
        if isinstance(answer.body, bytes):
            await send_whole(visit, answer, answer.body, send)
        elif route.streams:
            await send_stream(visit, answer, send)
        else:
            await while_connected(visit, receive, send_stream(visit, answer, send))
        return answer.status

    async def _audited(self, visit: Visit, route: Route, call: Call) -> Answer:
        """An administrator's action, with its record before and after."""
        what = {**self._who(visit), "path": call.path}
        await self._audit.action("begun", **what)
        outcome = "failed"
        try:
            answer = await route.handle(call)
            outcome = str(answer.status)
        except Refusal as refusal:
            outcome = f"{refusal.status} {refusal.code}"
            raise
        finally:
            await self._audit.action(outcome, **what)
        return answer

    async def _refuse(self, visit: Visit, refusal: Refusal, send: Send) -> int:
        if refusal.status in (401, 403):
            self._audit.turned_away(refusal.status, **self._who(visit), code=refusal.code)
        if not visit.is_begun:
            dialect = visit.match.route.dialect if visit.match else dialect_of(visit.scope["path"])
            answer = refused(dialect, refusal, visit.request_id)
            if not visit.is_body_read and _is_body_large(visit.headers):
                answer.headers.append(_CLOSE)
            assert isinstance(answer.body, bytes)
            await send_whole(visit, answer, answer.body, send)
        return refusal.status

    def _who(self, visit: Visit) -> dict[str, str]:
        remote = visit.scope.get("client")
        return {
            "key_id": visit.client.key_id if visit.client else "",
            "method": visit.scope["method"],
            "route": visit.route,
            "request_id": visit.request_id,
            "remote": str(remote[0]) if remote else "",
        }


def _require_single(headers: Sequence[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise Refusal(400, "duplicate_header", f"the header {name.decode()} was sent twice", "send it once")


def _is_body_large(headers: Mapping[bytes, bytes]) -> bool:
    declared = headers.get(b"content-length", b"0")
    is_small = declared.isdigit() and len(declared) < 10 and int(declared) <= _DISCARDED_BYTES
    return is_body_declared(headers) and not (is_small and b"transfer-encoding" not in headers)


def _internal(request_id: str) -> Refusal:
    return Refusal(500, "internal", f"the service failed (request {request_id})", "try again; tell us the request id")


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan protocol: whoever builds the door starts and stops its parts."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
