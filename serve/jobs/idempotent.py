"""A handler that executes a request with an `Idempotency-Key` once, however often it is sent.

Invariants: a key is one client's own, and for one operation; a request that was begun is carried to its end and its
answer kept, even if the client is gone: it comes back for the answer. What failed with 429 or 5xx, was refused, or was
streamed leaves no answer and gives the key back; a stream that nobody is left to read is closed. Left out: where
answers are kept (`serve.jobs.claims`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from serve.interfaces import Claims
from serve.web import Answer, Call, Handler, HeaderField, Refusal, Route

T = TypeVar("T")
_HEADER = b"idempotency-key"
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
REPLAYED = (b"idempotent-replayed", b"true")
REQUEST_HEADERS: Mapping[str, HeaderField] = {
    "Idempotency-Key": HeaderField(
        "Any name: a request whose answer is not streamed is executed once under it, however often it is sent "
        "(draft-ietf-httpapi-idempotency-key-header); it is the key's own, for this operation, and kept for a day.",
        "^[!-~]{1,255}$",
    )
}
ANSWER_HEADERS: Mapping[str, HeaderField] = {
    "idempotent-replayed": HeaderField("`true`: nothing was executed; this is the answer of the first request.")
}
_REFUSALS: Mapping[int, str] = {
    409: "A request with this Idempotency-Key is being executed.",
    422: "The Idempotency-Key came before with another payload.",
    503: "The keeper of Idempotency-Keys is out of reach.",
}
_log = logging.getLogger(__name__)


def key_of(call: Call) -> bytes | None:
    """The caller's idempotency key.

    Raises:
        Refusal: 400 it is no key.
    """
    key = call.headers.get(_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise Refusal(
            400,
            "bad_idempotency_key",
            "an idempotency key has 1 to 255 visible ASCII characters",
            "take a UUID",
            param="Idempotency-Key",
        )
    return key


def executed_once(route: Route, claims: Claims) -> Route:
    """The route, with an idempotent handler, and a word of it in the document."""
    own = route.refusals
    return replace(
        route,
        handle=idempotent(route.handle, claims),
        headers={**route.headers, **REQUEST_HEADERS},
        answer_headers={**route.answer_headers, **ANSWER_HEADERS},
        refusals={
            **own,
            **{status: " ".join(filter(None, (own.get(status), _REFUSALS[status]))) for status in _REFUSALS},
        },
    )


def idempotent(handle: Handler, claims: Claims) -> Handler:
    """`handle`, executed once for each key that a client gives to an operation."""
    under_way: set[asyncio.Task[Any]] = set()

    def begun(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        under_way.add(task)
        task.add_done_callback(_forget(under_way))
        return task

    async def once(call: Call) -> Answer:
        key = key_of(call)
        if key is None:
            return await handle(call)
        execution = begun(_execute(handle, claims, _scoped(call, key), call))
        try:
            return await asyncio.shield(execution)
        except asyncio.CancelledError:
            begun(_close_unread(execution))
            raise

    return once


async def _execute(handle: Handler, claims: Claims, key: str, call: Call) -> Answer:
    kept = await claims.begin(key, hashlib.sha256(call.body).hexdigest())
    if kept is not None:
        kept.headers.append(REPLAYED)
        return kept
    try:
        answer = await handle(call)
    except BaseException:
        await _end(claims, key, None)
        raise
    is_final = isinstance(answer.body, bytes) and answer.status < 500 and answer.status != 429
    await _end(claims, key, answer if is_final else None)
    return answer


async def _close_unread(execution: asyncio.Task[Answer]) -> None:
    answer = await execution
    if close := getattr(answer.body, "aclose", None):
        await close()


async def _end(claims: Claims, key: str, answer: Answer | None) -> None:
    try:
        await claims.end(key, answer)
    except Refusal as refusal:  # the caller has a right to the answer all the same
        _log.warning("the answer to a request with an idempotency key was not kept: %s", refusal.message)


def _scoped(call: Call, key: bytes) -> str:
    parts = (call.client.key_id.encode(), call.method.encode(), call.path.encode(), key)
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


def _forget(under_way: set[asyncio.Task[Any]]) -> Callable[[asyncio.Task[Any]], None]:
    def forget(execution: asyncio.Task[Any]) -> None:
        under_way.discard(execution)
        if not execution.cancelled():
            execution.exception()  # whoever is still there was told

    return forget
