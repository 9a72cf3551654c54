"""What an SDK raised, as a fault of krins: one mapping for all providers, for they say the same things alike.

Invariants: the provider's own words are kept, cut at 300 characters, and a key never stands in them; what was not sent,
or was refused by its status, is not billed; anything after a reply began may be. Left out: answers that are none
(`krins.models.providers.replies`).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx2

from krins.domain import Usage
from krins.errors import (
    AuthRefused,
    BadRequest,
    BrokenReply,
    KrinsError,
    ModelFault,
    Overloaded,
    RateLimited,
    TimedOut,
    TooLong,
    Unreachable,
)
from krins.interfaces import Clock
from krins.models.providers.http import BodyTooLarge
from krins.models.spec import ModelSpec

_REMEDY = "check that the server runs at this address and serves this model (base_url, model, api_key_env)"
_LONGEST_WORDS = 300
_STATUS: Mapping[int, type[ModelFault]] = {
    401: AuthRefused,
    402: AuthRefused,
    403: AuthRefused,
    408: TimedOut,
    429: RateLimited,
}
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|prompt is too long|maximum context length|context window"
    r"|input token count.{0,80}exceeds|input is too long",
    re.IGNORECASE,
)
_NO_KEY = re.compile(
    r"API_KEY_INVALID|API key not valid|insufficient_quota|invalid_api_key|credit balance is too low", re.IGNORECASE
)
BUSY = re.compile(r"overloaded|unavailable|server_error|api_error|internal|exhausted|rate_limit", re.IGNORECASE)
GAVE_UP_WAITING = (408, 504, 524)
"""A gateway's word: the model behind it may have gone on, and is billed then."""


class Heard(Protocol):
    """What has come of a reply so far."""

    @property
    def has_begun(self) -> bool: ...

    @property
    def usage(self) -> Usage | None:
        """None as long as it is not told in full."""
        ...


class ListenerError(Exception):
    """Carries what `on_text` raised, which is no fault of a provider, past `sdk_boundary`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def sdk_boundary(spec: ModelSpec, clock: Clock, heard: Heard | None = None) -> Iterator[None]:
    """Whatever fails in the block as the fault that it is, with the usage that had been told.

    Reading a reply belongs into the block too: the SDKs do not validate what they are given, so a reply of another
    shape than the protocol's shows only as an attribute that is missing.
    """
    try:
        yield
    except KrinsError:
        raise
    except ListenerError as listener:
        raise listener.error from None
    except Exception as error:
        fault = fault_of(error, spec, clock, has_begun=heard is not None and heard.has_begun)
        fault.usage = heard.usage if heard is not None else None
        # A server may quote the key, and then the SDK's own error must not be printed below ours.
        raise fault from (error if str(error) == without_key(str(error), spec) else None)


def fault_of(error: Exception, spec: ModelSpec, clock: Clock, *, has_begun: bool = False) -> ModelFault:
    """The fault that `error`, raised by an SDK, stands for; `has_begun`: a reply had begun to come."""
    fault = _transport_fault(error) or _status_fault(error, clock, has_begun) or BrokenReply(_words(error))
    response = getattr(error, "response", None)
    if has_begun or getattr(response, "status_code", None) == 200:
        fault.may_be_billed = True
    return attributed(fault, spec)


def attributed(fault: ModelFault, spec: ModelSpec, usage: Usage | None = None) -> ModelFault:
    """`fault` with the model and the address in its message, and the usage that the provider told."""
    address = f" at {spec.base_url}" if spec.base_url else ""
    words = without_key(fault.message, spec)[:_LONGEST_WORDS]
    fault.message = f"model {spec.name}{address}: {type(fault).__name__}: {words}"
    fault.remedy = fault.remedy or _REMEDY
    fault.args = fault.message, fault.remedy
    if usage is not None:
        fault.usage = usage
    return fault


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised from; not what happened to be handled meanwhile, such as an earlier failure."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _transport_fault(error: Exception) -> ModelFault | None:
    found = next((e for e in _chain(error) if isinstance(e, httpx2.TransportError | httpx2.StreamError)), None)
    if found is None:
        return None
    words = f"{type(found).__name__}: {found}"
    if isinstance(found, BodyTooLarge):
        return BrokenReply(str(found))
    if isinstance(found, httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return TimedOut(f"no connection in time: {words}")
    if isinstance(found, httpx2.ConnectError | httpx2.UnsupportedProtocol):
        return Unreachable(f"Connection error: {words}")
    fault: ModelFault = TimedOut(words) if isinstance(found, httpx2.TimeoutException) else BrokenReply(words)
    fault.may_be_billed = True
    return fault


def _status_fault(error: Exception, clock: Clock, has_begun: bool) -> ModelFault | None:
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    body, words = str(getattr(error, "body", None) or getattr(error, "details", None) or ""), _words(error)
    if not isinstance(status, int) or status < 300:
        # An error that came in place of an answer, or in the middle of one: there is no status to tell of what kind.
        return Overloaded(words) if BUSY.search(f"{body} {words}") and (has_begun or body) else None
    fault = fault_class(status, f"{body} {words}")(f"{status}: {words}")
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    fault.retry_after_seconds = retry_after_seconds(headers, body, clock)
    fault.may_be_billed = fault.may_be_billed or status in GAVE_UP_WAITING
    fault.request_id = getattr(error, "request_id", None) or headers.get("x-request-id") or headers.get("request-id")
    return fault


def fault_class(status: int, said: str) -> type[ModelFault]:
    """What a reply of that status, 300 or above, stands for; `said`: its body."""
    if status < 500 and _NO_KEY.search(said):
        return AuthRefused
    if status == 413 or (status == 400 and _TOO_LONG.search(said)):
        return TooLong
    return _STATUS.get(status, Overloaded if status >= 500 else BadRequest)


def retry_after_seconds(headers: Mapping[str, str], body: str, clock: Clock) -> float | None:
    """In seconds: from the headers as RFC 9110 (10.2.3) has them, or as Google's RetryInfo says it in the body."""
    milliseconds, stated = _seconds(headers.get("retry-after-ms")), headers.get("retry-after")
    if milliseconds is not None:
        return milliseconds / 1000
    if stated:
        seconds = _seconds(stated)
        return _until(stated, clock) if seconds is None else seconds
    info = re.search(r"retryDelay['\"]?: ?['\"]([0-9.]+)s", body)
    return _seconds(info[1]) if info else None


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _until(date: str, clock: Clock) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - clock.now_seconds())
    except (ValueError, OverflowError):
        return None


def _words(error: Exception) -> str:
    """The provider's own, rather than those that the SDK puts around them."""
    said: Any = getattr(error, "body", None)
    while isinstance(said, dict):
        said = said.get("message") or said.get("error")
    said = said or getattr(error, "message", None) or str(error) or repr(error)
    return " ".join(str(said).split())


def without_key(text: str, spec: ModelSpec) -> str:
    """`text` with the model's key, which a server may quote, starred out."""
    key = os.environ.get(spec.api_key_env) if spec.api_key_env else None
    return text.replace(key, "***") if key else text
