"""A request on its way through the door, and the sending of its answer by ASGI.

Invariants: no control character of a handler's header goes out; every answer bears its request id and what keeps
browsers from guessing its type or keeping it; an iterator is closed whatever becomes of the caller, and one that fails
leaves the answer without its end, which every HTTP client takes for a failure.
Left out: what is answered (`serve.door`).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from serve.matching import Match
from serve.reading import ClientGone, Message, Receive
from serve.web import Answer, Client, Headers

Send = Callable[[Message], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_UNMATCHED = "unmatched"
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
_PAGE: Headers = [(b"x-frame-options", b"DENY"), (b"referrer-policy", b"no-referrer")]
_PAGE_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'")


class Visit:
    """A request, as far as it has come."""

    __slots__ = ("client", "headers", "is_answered", "is_begun", "is_body_read", "match", "request_id", "scope")

    def __init__(self, scope: Message) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        asked = self.headers.get(b"x-request-id", b"")
        self.request_id = asked.decode() if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(16)
        self.match: Match | None = None
        self.client: Client | None = None
        self.is_body_read = False
        self.is_begun = False
        self.is_answered = False

    @property
    def route(self) -> str:
        return self.match.route.path if self.match else _UNMATCHED


async def while_connected(visit: Visit, receive: Receive, work: Coroutine[Any, Any, Any]) -> Any:
    """Await `work`, and cancel it when the caller goes away.

    Raises:
        ClientGone: he went.
    """
    task = asyncio.current_task()
    assert task is not None
    is_gone = False

    async def watch() -> None:
        nonlocal is_gone
        while (await receive())["type"] != "http.disconnect":
            pass
        if not visit.is_answered:
            is_gone = True
            task.cancel()

    watcher = asyncio.get_running_loop().create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if is_gone and task.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        watcher.cancel()


async def send_whole(visit: Visit, answer: Answer, body: bytes, send: Send) -> None:
    headers = _headers(visit, answer)
    headers.append((b"content-length", b"%d" % len(body)))
    visit.is_begun = visit.is_answered = True
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_stream(visit: Visit, answer: Answer, send: Send) -> None:
    """An iterator that fails leaves the answer without its end, which every HTTP client takes for a failure."""
    assert not isinstance(answer.body, bytes)
    body = answer.body
    try:
        visit.is_begun = True
        await send({"type": "http.response.start", "status": answer.status, "headers": _headers(visit, answer)})
        async for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        if close := getattr(body, "aclose", None):
            await close()
    visit.is_answered = True
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _headers(visit: Visit, answer: Answer) -> Headers:
    headers = [(b"content-type", answer.content_type), (b"x-request-id", visit.request_id.encode()), _NO_SNIFFING]
    names = set()
    for name, value in answer.headers:
        names.add(name)
        headers.append((name, _CONTROL.sub(b" ", value)))
    if b"cache-control" not in names:
        headers.append(_NO_STORE)
    if answer.content_type.startswith(b"text/html"):
        headers.extend(_PAGE)
        if _PAGE_POLICY[0] not in names:
            headers.append(_PAGE_POLICY)
    return headers
