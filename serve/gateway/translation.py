"""The seam between wire formats: a request one way, its answer the other way, whole or streamed.

Chat Completions is the hub: `messages_over_chat` and `responses_over_chat` bring callers of the other formats to it,
and `chat_over_messages` brings it to Anthropic; two of them in a row bring Responses there. Invariants: what a request
asks for is translated, or refused with the field's name, or ignored because an answer without it is right all the same,
and then the field is in `ignored`, which the caller is told in `x-krins-ignored`; null means what leaving out does.
Left out: the formats themselves (`serve.gateway.wire`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

from krins.errors import BrokenReply
from krins.models.spec import ModelSpec
from serve.gateway.wire import Json
from serve.web import Refusal


class Untranslatable(Refusal):
    """A request asks for what the wire format of the model's provider has no words for."""

    def __init__(self, field: str, why: str = "") -> None:
        super().__init__(
            400,
            "unsupported_field",
            f"{field}: {why or 'the provider of this model has nothing like it'}",
            f"leave {field} out, or pin a model whose provider speaks this API itself",
            param=field,
        )


class AnswerStream(Protocol):
    """Turns the events of one stream into the caller's."""

    def take(self, event: Json) -> Iterable[Json]: ...

    def end(self) -> Iterable[Json]:
        """What comes after the last event.

        Raises:
            BrokenReply: the answer does not say why it ended.
        """
        ...


class Translation(Protocol):
    """One request on its way there and back."""

    ignored: set[str]

    def request(self, body: Json) -> Json:
        """All but `model` and `stream`, which the gateway sets. Raises Untranslatable."""
        ...

    def answer(self, answer: Json) -> Json: ...

    def stream(self) -> AnswerStream: ...


Maker = Callable[[ModelSpec, float], Translation]
"""Of a translation for a model, at so many seconds since the epoch."""


class Fields:
    """The fields of a request, taken out one by one, so that none is forgotten."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._left = {name: value for name, value in body.items() if value is not None}

    def take(self, name: str, default: Any = None) -> Any:
        return self._left.pop(name, default)

    def copy_to(self, target: Json, names: Collection[str]) -> None:
        """Fields that are the same in both formats."""
        for name in names:
            if name in self._left:
                target[name] = self._left.pop(name)

    def ignore(self, names: Collection[str], ignored: set[str]) -> None:
        for name in [name for name in self._left if name in names]:
            del self._left[name]
            ignored.add(name)

    def finish(self, neutral: Mapping[str, Collection[Any]], where: str = "") -> None:
        """Refuse what is left, unless it has a value that means what leaving it out does."""
        for name, value in self._left.items():
            if value not in neutral.get(name, ()):
                raise Untranslatable(f"{where}{name}")


def limit_name(spec: ModelSpec) -> str:
    """What Chat Completions calls the limit on output tokens: most servers other than OpenAI's know the older name."""
    is_openai = spec.base_url is None and spec.provider != "google"
    return "max_completion_tokens" if is_openai else "max_tokens"


def require_ending(reason: Any) -> str:
    if not isinstance(reason, str):
        raise BrokenReply("the answer does not say why it ended, so it may be cut off")
    return reason


def tool_schema(parameters: Any) -> Any:
    """The schema of a tool's input, which some formats may leave out."""
    return parameters or {"type": "object", "properties": {}}


def bad_answer(error: Exception) -> BrokenReply:
    """An answer of another shape than its format's."""
    return BrokenReply(f"the answer is not of the provider's protocol: {type(error).__name__}: {error}"[:300])
