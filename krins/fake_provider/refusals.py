"""Requests that are not answered: error statuses in each vendor's words, a foreign page, a reset connection.

Invariant: none of them is billed. Left out: faults of an answer (`krins.fake_provider.delivery`).
"""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import TYPE_CHECKING

from krins.fake_provider.bill import Row
from krins.fake_provider.connection import Exchange
from krins.fake_provider.faults import Fault, Kind
from krins.fake_provider.wire import FAKE_HEADERS, ProviderName, Wire, dump

if TYPE_CHECKING:
    from krins.interfaces import Clock

_STATUSES = {
    Kind.RATE_LIMITED: 429,
    Kind.RATE_LIMITED_DATE: 429,
    Kind.RATE_LIMITED_SILENT: 429,
    Kind.SERVER_ERROR: 500,
    Kind.OVERLOADED: 503,
    Kind.AUTH: 401,
    Kind.INVALID_KEY: 401,
    Kind.BAD_REQUEST: 400,
    Kind.TOO_LONG: 400,
    Kind.NOT_FOUND: 404,
}
_OWN_STATUSES: dict[tuple[Kind, ProviderName], int] = {
    (Kind.OVERLOADED, "anthropic"): 529,
    (Kind.INVALID_KEY, "google"): 400,
}
_PAGE = b"<!doctype html><html><body>It works! (fake)</body></html>"


async def refuse(exchange: Exchange, wire: Wire, fault: Fault, row: Row, clock: Clock, message: str = "") -> None:
    """Refuse as `fault` says, with `message` in place of the usual one."""
    if fault.kind in (Kind.CONNECT_REFUSED, Kind.RESET_AT_ACCEPT):
        await exchange.reset()
        return
    headers = dict(FAKE_HEADERS)
    if wire.request_id_header:
        headers[wire.request_id_header] = row.request_id
    if fault.kind is Kind.WRONG_CONTENT_TYPE:
        row.status = 200
        await exchange.send(200, {**headers, "content-type": "text/html; charset=utf-8"}, _PAGE)
        return
    row.status = _OWN_STATUSES.get((fault.kind, wire.provider), _STATUSES[fault.kind])
    body = wire.error(fault.kind, row.model, row.request_id, message, fault.number)
    headers |= _retry_after(wire, fault, clock) | {"content-type": "application/json"}
    await exchange.send(row.status, headers, dump(body))


def _retry_after(wire: Wire, fault: Fault, clock: Clock) -> dict[str, str]:
    """Gemini has no such header; it says it in the body."""
    if wire.provider == "google":
        return {}
    if fault.kind is Kind.RATE_LIMITED:
        return {"retry-after": f"{fault.number:g}"}
    if fault.kind is Kind.RATE_LIMITED_DATE:
        return {"retry-after": formatdate(math.ceil(clock.now_seconds() + fault.number), usegmt=True)}
    return {}
