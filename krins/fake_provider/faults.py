"""What can go wrong, and when: named faults, and a plan of which call meets which.

Invariants: whether call number n meets a fault depends on the plan's seed, the provider, the model and n alone; the
first rule that has something for a call wins. Left out: how a fault looks on the wire (`krins.fake_provider.service`,
`krins.fake_provider.delivery` and each wire format).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from krins.errors import UserError


class Kind(StrEnum):
    """The number after a kind, as in `stall:3`, is in seconds unless stated otherwise."""

    # Not answered, and not billed.
    RATE_LIMITED = "rate_limited"
    """429 with Retry-After in seconds, by default 1, fractions allowed; Gemini says it in a RetryInfo instead."""
    RATE_LIMITED_DATE = "rate_limited_date"
    """429 with Retry-After as an HTTP date, which has no fractions."""
    RATE_LIMITED_SILENT = "rate_limited_silent"
    """429 that does not say when to try again."""
    SERVER_ERROR = "server_error"
    """500."""
    OVERLOADED = "overloaded"
    """529 at Anthropic, otherwise 503."""
    AUTH = "auth"
    """401."""
    INVALID_KEY = "invalid_key"
    """What a wrong key gets: 401, but 400 with reason API_KEY_INVALID at Gemini."""
    BAD_REQUEST = "bad_request"
    """400."""
    TOO_LONG = "too_long"
    """400 in the vendor's words for a prompt beyond the context window."""
    NOT_FOUND = "not_found"
    """404, no such model."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    """200 with a page of HTML, as of somebody else's server."""
    CONNECT_REFUSED = "connect_refused"
    """This connection is reset unanswered, idle ones are closed, and the listening socket is closed for that long
    (0.25 by default): new connections are refused."""
    RESET_AT_ACCEPT = "reset_at_accept"
    """The same with an open listening socket: new connections are made and reset at once."""

    # Generated, billed, and not delivered as it should be.
    SLOW_FIRST_BYTE = "slow_first_byte"
    """Nothing comes for that long (2 by default); then all is well."""
    STALL = "stall"
    """Nothing comes for that long (an hour by default) from the middle on; then all is well."""
    HALF_CLOSED = "half_closed"
    """The server's side is closed (FIN) in the middle of a body, be it chunked or shorter than its Content-Length."""
    RESET = "reset"
    """The connection is reset (RST) in the middle."""
    ENDS_EARLY = "ends_early"
    """A stream stops in the middle, correct HTTP to its end; unstreamed: as truncated_json."""
    TRUNCATED_JSON = "truncated_json"
    """Half of the JSON, under a Content-Length that is right; in a stream: half of an event in the middle, the last."""
    MISSING_FINAL_EVENT = "missing_final_event"
    """A stream ends without its last event ([DONE], message_stop, response.completed, the chunk with finishReason);
    unstreamed: an answer that does not say why it ended."""
    ERROR_IN_STREAM = "error_in_stream"
    """An error event in the middle, the last; unstreamed: status 200 with the vendor's error as its body."""

    # Generated, billed, and delivered; the answer is of no use, or the bill needs care.
    REFUSAL = "refusal"
    """The model declines."""
    BLOCKED = "blocked"
    """A filter stops prompt or answer: no text. At Gemini the prompt is, and there are no candidates."""
    EMPTY_ANSWER = "empty_answer"
    """No text, and nothing is said to be wrong."""
    LENGTH = "length"
    """The answer is cut at max tokens."""
    HUGE_ANSWER = "huge_answer"
    """That many MiB of text (32 by default), billed as max tokens."""
    NO_USAGE = "no_usage"
    """Usage is not told."""
    DUPLICATE_USAGE = "duplicate_usage"
    """A stream tells usage twice, the second time in place of the first; unstreamed: nothing unusual."""


UNBILLED = frozenset(list(Kind)[: list(Kind).index(Kind.SLOW_FIRST_BYTE)])
"""Nothing is generated under these."""

_DEFAULTS: Mapping[Kind, float] = {
    Kind.RATE_LIMITED: 1,
    Kind.RATE_LIMITED_DATE: 1,
    Kind.CONNECT_REFUSED: 0.25,
    Kind.RESET_AT_ACCEPT: 0.25,
    Kind.SLOW_FIRST_BYTE: 2,
    Kind.STALL: 3600,
    Kind.HUGE_ANSWER: 32,
}


class Fault(NamedTuple):
    kind: Kind
    number: float = 0
    """Seconds, or MiB; see `Kind`."""

    @classmethod
    def parse(cls, text: str) -> Fault:
        """`KIND` or `KIND:NUMBER`.

        Raises:
            UserError: there is no such kind, or it takes no such number.
        """
        name, _, number = text.partition(":")
        try:
            kind = Kind(name)
            fault = cls(kind, float(number) if number else _DEFAULTS.get(kind, 0))
        except ValueError:
            raise UserError(f"{text!r} is no fault", f"there is {', '.join(Kind)}") from None
        if number and (kind not in _DEFAULTS or not 0 <= fault.number < float("inf")):
            raise UserError(f"{text!r}: that number makes no sense there", f"write {kind}")
        return fault


class Rule(NamedTuple):
    """Faults for some calls: `calls` by their number, from 1 on, and `shares` of all others at random."""

    provider: str = "*"
    model: str = "*"
    calls: Mapping[int, Fault] = {}
    shares: Mapping[Fault, float] = {}
    """Fault to probability; together at most 1."""

    @classmethod
    def parse(cls, text: str) -> Rule:
        """`KIND[:NUMBER]=SHARE` or `KIND[:NUMBER]=#N,N`, and `@PROVIDER` or `@PROVIDER/MODEL` after it to limit it.

        Raises:
            UserError: the text is not like that.
        """
        name, is_given, rest = text.partition("=")
        when, _, scope = rest.partition("@")
        provider, _, model = scope.partition("/")
        fault, where = Fault.parse(name), (provider or "*", model or "*")
        try:
            if when.startswith("#"):
                return cls(*where, calls={int(number): fault for number in when[1:].split(",")})
            share = float(when)
        except ValueError:
            share = -1.0
        if not is_given or not 0 <= share <= 1:
            raise UserError(
                f"{text!r} does not say when", "write KIND=0.2 for a share of calls, KIND=#1,3 for the first and third"
            )
        return cls(*where, shares={fault: share})

    def fits(self, provider: str, model: str) -> bool:
        return self.provider in ("*", provider) and self.model in ("*", model)


@dataclass(frozen=True)
class FaultPlan:
    """Which call of a (provider, model) meets which fault."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0

    def fault(self, provider: str, model: str, number: int) -> Fault | None:
        """Of call `number`, counted from 1 for each (provider, model)."""
        draw = self._draw(provider, model, number) if self.rules else 1.0
        for rule in self.rules:
            if not rule.fits(provider, model):
                continue
            if number in rule.calls:
                return rule.calls[number]
            for fault, share in rule.shares.items():
                if draw < share:
                    return fault
                draw -= share
        return None

    def _draw(self, provider: str, model: str, number: int) -> float:
        digest = hashlib.sha256(f"{self.seed} {provider} {model} {number}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64


MODEL_FAULTS: Mapping[str, Fault] = {
    "garbage": Fault(Kind.TRUNCATED_JSON),
    "html": Fault(Kind.WRONG_CONTENT_TYPE),
    "empty": Fault(Kind.EMPTY_ANSWER),
    "no-usage": Fault(Kind.NO_USAGE),
    "hang": Fault(Kind.SLOW_FIRST_BYTE, 3600),
    "down": Fault(Kind.SERVER_ERROR),
}
"""Models that misbehave as they are called."""
FLAKY = "flaky"
"""This one is rate-limited at the first sight of each (prompt, seed)."""


def plain_name(model: str) -> str:
    """Without the fault that a name may end in: `gpt-6-luna!stall:3` is gpt-6-luna."""
    return model.partition("!")[0]


@dataclass
class FaultSchedule:
    """A plan on its way: it counts calls. A header beats the model's name, which beats the plan."""

    plan: FaultPlan
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _seen: set[tuple[str, str, int]] = field(default_factory=set)

    def next(self, provider: str, model: str, prompt: str, seed: int, header: str) -> Fault | None:
        """Raises UserError where header or name ask for a fault that there is not."""
        name, _, suffix = model.partition("!")
        self._counts[provider, name] += 1
        if header or suffix:
            return Fault.parse(header or suffix)
        if name == FLAKY and (name, prompt, seed) not in self._seen:
            self._seen.add((name, prompt, seed))
            return Fault(Kind.RATE_LIMITED_SILENT)
        return MODEL_FAULTS.get(name) or self.plan.fault(provider, name, self._counts[provider, name])

    def reset(self) -> None:
        self._counts.clear()
        self._seen.clear()
