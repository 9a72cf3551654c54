"""What the three wire formats of model calls have in common: the `Wire` seam, server-sent events, and `Prompt`.

A wire format is Chat Completions (`wire_chat`), Messages (`wire_messages`) or Responses (`wire_responses`). Invariants:
an event that need not be understood is not parsed; a stream counts as whole only by its format's own final event.
Left out: turning one format into another (`serve.gateway.translation`).
Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html; a lone CR as line end, which no
provider writes, is not taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from krins.domain import Usage
from krins.errors import BrokenReply, ModelFault, Overloaded
from krins.models.providers.faults import BUSY
from serve.web import Dialect

Json = dict[str, Any]
Format = Literal["chat", "messages", "responses"]

MOST_EVENT_BYTES = 16 * 2**20
_BOUNDARY = re.compile(rb"(\r?\n\r?\n)")


class Prompt(NamedTuple):
    """What a request says, as far as routing looks at it."""

    system: str
    first_user: str
    last_user: str
    """Of the last user message that holds more than results of tools."""
    is_first: bool
    """No assistant has spoken yet."""


class Piece(Enum):
    """What an event of a stream is to whoever passes it on."""

    PREAMBLE = auto()
    """Says nothing yet: an answer of another model can still take its place."""
    PART = auto()
    USAGE = auto()
    """Tells usage and nothing else, and is there only for who asked for it."""
    END = auto()
    """The answer is whole."""
    FAILED = auto()


class Watch(Protocol):
    """Follows one stream."""

    @property
    def usage(self) -> Usage | None:
        """None until it is told in full."""
        ...

    @property
    def fault(self) -> ModelFault | None:
        """What the FAILED event stands for."""
        ...

    def take(self, event: bytes) -> Piece: ...


class Failing:
    """What all watches do of a stream that fails."""

    fault: ModelFault | None = None

    def _failed(self, fault: ModelFault) -> Piece:
        self.fault = fault
        return Piece.FAILED


class Wire(Protocol):
    """One wire format."""

    @property
    def name(self) -> Format: ...

    @property
    def dialect(self) -> Dialect: ...

    @property
    def final(self) -> bytes:
        """What ends a stream after its last event."""
        ...

    def prompt(self, body: Json) -> Prompt: ...

    def most_output_tokens(self, body: Json) -> int | None: ...

    def usage(self, answer: Json) -> Usage | None: ...

    def is_whole(self, answer: Json) -> bool:
        """Whether the answer says why it ended."""
        ...

    def watch(self) -> Watch: ...

    def encode(self, event: Json) -> bytes:
        """One event of a stream."""
        ...

    def error_event(self, code: str, message: str) -> bytes:
        """What a stream ends in that failed; the official SDKs raise on it."""
        ...


class Events:
    """Cuts the events out of a stream's chunks. What has come of an event is not looked at again with each chunk."""

    def __init__(self) -> None:
        self._held = [b""]
        """Pieces of the event that has begun."""
        self._n_held = 0
        self._tail = b""
        """Its last bytes, which may be half of an empty line."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are complete, each with the empty line that ends it.

        Raises:
            BrokenReply: an event is larger than any that means something.
        """
        seam = self._tail + chunk
        self._held.append(chunk)
        self._n_held += len(chunk)
        self._tail = seam[-2:]
        events = self._cut() if b"\n\n" in seam or b"\n\r\n" in seam else []
        if self._n_held > MOST_EVENT_BYTES:
            raise BrokenReply(f"an event of the stream exceeds {MOST_EVENT_BYTES // 2**20} MiB")
        return events

    def _cut(self) -> list[bytes]:
        data = b"".join(self._held)
        if b"\r" not in data:
            *events, rest = data.split(b"\n\n")
            events = [event + b"\n\n" for event in events]
        else:
            *events, rest = _BOUNDARY.split(data)
            events = [event + end for event, end in zip(events[::2], events[1::2], strict=True)]
        self._held, self._n_held, self._tail = [rest], len(rest), rest[-2:]
        return events


def name_of(event: bytes) -> bytes:
    """The event's name; where it has none, the type that its data states; empty where that is missing too."""
    for line in event.splitlines():
        if line.startswith(b"event:"):
            return line[6:].strip()
    content = content_of(event)
    return str(content.get("type", "")).encode() if content is not None else b""


def data_of(event: bytes) -> bytes:
    """The event's data; empty for a comment."""
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def content_of(event: bytes) -> Json | None:
    """The JSON object that the event's data is; None where it is none."""
    try:
        content = orjson.loads(data_of(event))
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def named_event(event: Json) -> bytes:
    """As Messages and Responses have it: the type is the event's name too."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def is_cut_off(event: bytes) -> bool:
    """Whether the data, without being parsed, can be seen not to be a whole JSON object."""
    trimmed = event.rstrip()
    is_data = trimmed.startswith(b"data:", trimmed.rfind(b"\n") + 1)
    return is_data and not trimmed.endswith((b"}", b"data: [DONE]", b"data:[DONE]"))


def broken_event() -> BrokenReply:
    return BrokenReply("an event of the stream is cut off, or no JSON object")


def told_fault(error: Any) -> ModelFault:
    """The fault that an error object stands for which came with status 200."""
    said = error if isinstance(error, dict) else {"message": error}
    words = " ".join(str(said.get("message") or said)[:300].split())
    fault = Overloaded(words) if BUSY.search(str(said)) else BrokenReply(words)
    fault.may_be_billed = True
    return fault


def texts_of(content: Any) -> Iterator[str]:
    """The texts of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(texts_of(content))


def prompt_of(system: str, users: list[str], is_first: bool) -> Prompt:
    """`users`: texts of the user's messages."""
    return Prompt(system, users[0] if users else "", users[-1] if users else "", is_first)
