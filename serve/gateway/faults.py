"""From what an upstream did, seen through aiohttp, to the fault that it is, and from faults to what a caller is told.

The mapping of statuses is that of `krins.models.providers.faults`. Invariants: what was not sent, or was refused by its
status, is not billed; a caller learns neither an upstream's address nor its key; where one of several arms was rate
limited, the caller is told so, for that is what waiting mends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import aiohttp
import orjson

from krins.errors import BrokenReply, CircuitOpen, ModelFault, Overloaded, RateLimited, TimedOut, TooLong, Unreachable
from krins.interfaces import Clock
from krins.models.providers.faults import GAVE_UP_WAITING, fault_class, retry_after_seconds, without_key
from krins.models.spec import ModelSpec
from serve.web import Refusal

_CALLERS_OWN = (400, 404, 413, 422)
_MOST_WORDS = 300
_DEFAULT_RETRY_SECONDS = 1.0


class Rejected(Exception):
    """The upstream says that the request itself is wrong: no other arm is asked, and the caller hears it."""

    def __init__(self, status: int, content: bytes, content_type: str, fault: ModelFault) -> None:
        super().__init__(fault.message)
        self.status, self.content, self.content_type, self.fault = status, content, content_type, fault


def transport_fault(error: Exception) -> ModelFault:
    """What `error`, raised by aiohttp, stands for."""
    words = f"{type(error).__name__}: {error}"[:_MOST_WORDS]
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TimedOut(f"no connection in time: {words}")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        return Unreachable(f"connection error: {words}")
    fault: ModelFault = TimedOut(words) if isinstance(error, TimeoutError) else BrokenReply(words)
    fault.may_be_billed = True
    return fault


def status_fault(
    status: int, headers: Mapping[str, str], content: bytes, spec: ModelSpec, clock: Clock
) -> ModelFault | Rejected:
    """What a reply of that status, other than 200, stands for."""
    said = without_key(content.decode(errors="replace"), spec)
    if 300 <= status < 400:
        return BrokenReply(f"{status}: the upstream redirects, which is not followed")
    kind = fault_class(status, said) if status >= 300 else BrokenReply
    fault = kind(f"{status}: {_words(said)}")
    fault.retry_after_seconds = retry_after_seconds(headers, said, clock)
    fault.may_be_billed = status < 300 or status in GAVE_UP_WAITING
    if status in _CALLERS_OWN and not fault.trips_breaker:
        return Rejected(status, said.encode(), headers.get("content-type", ""), fault)
    return fault


def _words(said: str) -> str:
    """The provider's own, out of its JSON."""
    try:
        error = orjson.loads(said)["error"]
        said = error["message"] if isinstance(error, dict) else error
    except (KeyError, TypeError, ValueError):
        pass
    return " ".join(str(said).split())[:_MOST_WORDS]


def code_of(fault: ModelFault) -> str:
    """What programs are told of the fault."""
    codes: tuple[tuple[type[ModelFault], str], ...] = (
        (RateLimited, "rate_limited"),
        (TimedOut, "timed_out"),
        (Overloaded, "overloaded"),
        (CircuitOpen, "overloaded"),
        (TooLong, "context_length_exceeded"),
    )
    return next((code for kind, code in codes if isinstance(fault, kind)), "upstream_error")


def words_for_caller(arm: str, fault: ModelFault) -> str:
    """Neither address nor key of the upstream stands in it."""
    said = {
        "rate_limited": "is rate limited by its provider",
        "timed_out": "did not answer in time",
        "overloaded": "is overloaded or out of order at its provider",
        "context_length_exceeded": "has a context window too small for this prompt",
    }
    return f"model {arm} {said.get(code_of(fault), 'gave no usable answer')} ({type(fault).__name__})"


def refusal_of(failures: Sequence[tuple[str, ModelFault]]) -> Refusal:
    """What a caller is told for whom no arm had an answer; `failures` by arm, in the order in which they were asked."""
    limited = [fault for _, fault in failures if isinstance(fault, RateLimited)]
    tried = "; ".join(words_for_caller(arm, fault) for arm, fault in failures)
    message = f"no model could answer: {tried}"
    if limited:
        waits = [fault.retry_after_seconds for fault in limited if fault.retry_after_seconds is not None]
        seconds = max(_DEFAULT_RETRY_SECONDS, math.ceil(min(waits, default=_DEFAULT_RETRY_SECONDS)))
        return Refusal(429, "rate_limited", message, "try again later", retry_after_seconds=seconds)
    fault = failures[-1][1]
    if isinstance(fault, TooLong):
        return Refusal(400, code_of(fault), message, "shorten the prompt")
    status = 504 if isinstance(fault, TimedOut) else 503 if isinstance(fault, Overloaded | CircuitOpen) else 502
    wait = fault.retry_after_seconds or _DEFAULT_RETRY_SECONDS
    return Refusal(
        status, code_of(fault), message, "try again later", retry_after_seconds=wait if status == 503 else None
    )
