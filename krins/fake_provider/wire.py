"""What all wire formats have in common: a question read from a request, an answer to put into one, and the `Wire` seam.

Invariants: `Tokens` count as krins does (input with what came out of the cache, output with what was thought), and each
wire splits them as its vendor does; a streamed answer is a sequence of frames, cut only between them. Left out: HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from krins.fake_provider.faults import Kind

ProviderName = Literal["anthropic", "openai", "openai-chat", "google"]
Finish = Literal["stop", "length", "refusal", "blocked", "none"]
"""Why an answer ends; `none`: it does not say."""
Json = dict[str, Any]

FAKE_HEADERS = {"x-krins-fake": "1"}
CHARACTERS_PER_TOKEN = 4
_MOST_PIECES = 64
_PIECE_CHARACTERS = 16


class Token(NamedTuple):
    """A token of an answer."""

    text: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...]
    """What is most probable in its place, with log-probabilities, as much as was asked for; it need not be there."""


class Malformed(Exception):
    """A request is not what this wire format allows."""


class Tokens(NamedTuple):
    input: int
    """All of the prompt."""
    output: int
    """All that was generated."""
    cached: int = 0
    """Of `input`."""
    cache_write: int = 0
    """Of `input`."""
    reasoning: int = 0
    """Of `output`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, whatever wire format it came in."""

    provider: ProviderName
    model: str
    prompt: str
    """Text of the last message."""
    n_characters: int
    """Of all texts: system, messages, whoever wrote them."""
    max_tokens: int | None
    is_streamed: bool
    earlier: tuple[str, ...] = ()
    """Texts of the messages before it."""
    seed: int = 0
    schema: Mapping[str, Any] | None = None
    """Answer with JSON of this schema."""
    tool: str | None = None
    """Answer by calling this tool."""
    words: tuple[str, ...] = ()
    """Answer with one of these."""
    n_alternatives: int | None = None
    """Tell log-probabilities, and those of so many alternatives to each token."""
    thinks: bool = False
    """Some output tokens go into thought."""
    caches: bool = False
    """A long prompt is read from the cache in part."""
    streams_usage: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to `ask`, whatever wire format it goes out in."""

    ask: Ask
    text: str
    finish: Finish
    tokens: Tokens
    answer_id: str
    """32 hexadecimal digits that ids are made of."""
    sampled: tuple[Token, ...]
    """What the text begins with; empty where nobody asks for log-probabilities."""
    created_at_seconds: float
    tells_usage: bool = True
    repeats_usage: bool = False
    """Usage is told twice in a stream: the second time in place of the first, not in addition."""

    def pieces(self) -> Iterator[str]:
        """The text as a stream hands it out: two pieces at least where there are two characters."""
        length = max(_PIECE_CHARACTERS, -(-len(self.text) // _MOST_PIECES))
        length = min(length, max(1, len(self.text) // 2))
        return (self.text[start : start + length] for start in range(0, len(self.text), length))


class Frame(NamedTuple):
    """One event of a stream, as its bytes."""

    data: bytes
    is_text: bool = False
    has_usage: bool = False
    """It tells all that is billed."""
    is_final: bool = False
    """A reader knows by it that the answer is whole."""


class Wire(Protocol):
    """One vendor's JSON."""

    @property
    def provider(self) -> ProviderName: ...

    @property
    def request_id_header(self) -> str: ...

    def read(self, body: Json, model: str, is_streamed: bool) -> Ask:
        """`model` and `is_streamed` are what the path says, for whoever puts them there.

        Raises:
            Malformed: the request lacks something, or has something of a wrong type.
        """
        ...

    def answer_id(self, digits: str) -> str:
        """The answer's id, made of 32 hexadecimal digits."""
        ...

    def whole(self, reply: Reply) -> Json: ...

    def frames(self, reply: Reply) -> Iterator[Frame]: ...

    def error(self, kind: Kind, model: str, request_id: str, message: str, retry_after_seconds: float) -> Json:
        """The body of an error reply; `message` in place of the usual one unless empty."""
        ...

    def error_frame(self) -> bytes:
        """What a stream says when it fails in the middle."""
        ...

    def models(self) -> Json: ...

    def model(self, name: str) -> Json: ...


def count(n_characters: int) -> int:
    """Tokens that many characters take."""
    return -(-n_characters // CHARACTERS_PER_TOKEN)


def dump(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def text_of(content: Any, key: str = "text") -> str:
    """The text of a message, which is a string or a list of parts.

    Raises:
        Malformed: it is neither.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "\n".join(str(part[key]) for part in content if key in part)
    raise Malformed("content must be a string or a list of parts")


def required(body: Json, key: str, kind: type) -> Any:
    """Raises Malformed where `key` is missing, empty or of another type."""
    value = body.get(key)
    if not value or not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(
            f"{key}: Field required" if value is None else f"{key}: Input should be a valid {kind.__name__}"
        )
    return value
