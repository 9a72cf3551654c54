"""From what a provider said to a `Reply`, or to the fault that it is.

Invariants: a reply that does not say why it ended is broken, never a result; a refusal and an empty answer are faults
of the model that carry their usage; usage that makes no sense is no usage. Left out: each provider's own words.
"""

from __future__ import annotations

from typing import Any

from krins.domain import Usage
from krins.errors import BrokenReply, EmptyAnswer, Refused
from krins.interfaces import OnText, Reply
from krins.models.providers.choices import Weights
from krins.models.providers.faults import ListenerError, attributed
from krins.models.spec import ModelSpec


def finished(
    spec: ModelSpec,
    text: str,
    usage: Usage | None,
    finish_reason: str | None,
    request_id: str | None,
    refusal: str | None = None,
    weights: Weights | None = None,
) -> Reply:
    """The reply; `weights` are those of the request's choices.

    Raises:
        Refused: `refusal` says why. BrokenReply: it does not say why it ended. EmptyAnswer: there is no text.
    """
    if refusal is not None:
        fault: Refused | EmptyAnswer = Refused(refusal or "the model declined", "ask another model, or otherwise")
    elif not isinstance(finish_reason, str):
        raise attributed(BrokenReply("the answer does not say why it ended, so it may be cut off"), spec, usage)
    elif not text.strip():
        cut = ": the limit on output tokens was reached first" if finish_reason == "length" else ""
        fault = EmptyAnswer(f"the answer holds no text{cut}", "raise max_output_tokens, or ask another model")
    else:
        probabilities, mass = weights or (None, None)
        return Reply(text, usage, finish_reason, request_id, probabilities, mass)
    fault.request_id = request_id
    raise attributed(fault, spec, usage)


def say(on_text: OnText | None, piece: str) -> None:
    """Hand out a piece of text.

    Raises:
        ListenerError: `on_text` failed.
    """
    if on_text is None:
        return
    try:
        on_text(piece)
    except Exception as error:
        raise ListenerError(error) from error


def count(value: Any) -> int:
    """A number of tokens; None, which SDKs have for what is not there, is 0.

    Raises:
        ValueError: it is no number of tokens.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(value)
    return value
