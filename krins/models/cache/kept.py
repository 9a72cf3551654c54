"""What is kept of an answer: the attempt with all its calls and prices, or the fault that the model's answer ended in.

Invariants: JSON, never pickle, so reading a cache runs no code of whoever could write it; what comes back is equal to
what was kept, down to the last digit of a price. A refusal is kept like an answer, for asking again would be refused
again; a `ProviderFault` says nothing about the model and is never kept. An answer that took a fallback is not the
model's own, and not kept either: the next question may find the model within reach.
Left out: where it is kept (`krins.models.cache.store`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from krins.domain import Attempt, Call, Usage
from krins.errors import AnswerFault, EmptyAnswer, InvalidAnswer, Refused, TooLong

_FAULTS: dict[str, type[AnswerFault]] = {each.__name__: each for each in (Refused, EmptyAnswer, InvalidAnswer, TooLong)}
_FREE = Decimal(0)


@dataclass(frozen=True, slots=True)
class KeptFault:
    kind: Literal["Refused", "EmptyAnswer", "InvalidAnswer", "TooLong"]
    message: str
    remedy: str
    usage: Usage | None
    request_id: str | None
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    answer: Attempt | KeptFault
    prompt: str | None = None
    """The last message, where questions of the same meaning are to be found as well."""

    def to_json(self) -> bytes:
        text = json.dumps(_adapter().dump_python(self, mode="json"), separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass")

    @classmethod
    def from_json(cls, content: bytes) -> Kept:
        """Raises ValueError for what is none."""
        return _adapter().validate_python(json.loads(content.decode("utf-8", "surrogatepass")))

    def replay(self, model: str) -> Attempt:
        """The answer once more, as `model`'s, which the suite may call otherwise now: at its price, paid by nobody.

        Raises:
            AnswerFault: that is what the answer was.
        """
        if isinstance(self.answer, KeptFault):
            raise _replayed_fault(self.answer, model)
        return replace(self.answer, model=model, calls=_free(self.answer.calls, model), is_cached=True)


@cache
def _adapter() -> TypeAdapter[Kept]:
    return TypeAdapter(Kept)


def kept_attempt(attempt: Attempt, model: str, prompt: str | None) -> Kept | None:
    """None where it is not an answer of `model` alone."""
    return Kept(attempt, prompt) if attempt.model == model and _is_own(attempt.calls, model) else None


def kept_fault(fault: AnswerFault, model: str, prompt: str | None) -> Kept | None:
    """None where others were asked too, or nobody was: what krins itself found depends on settings that may change."""
    kind = type(fault).__name__
    if _FAULTS.get(kind) is not type(fault) or not fault.calls or not _is_own(fault.calls, model):
        return None
    kept = KeptFault(kind, fault.message, fault.remedy, fault.usage, fault.request_id, fault.calls)  # type: ignore[arg-type]
    return Kept(kept, prompt)


def _is_own(calls: Sequence[Call], model: str) -> bool:
    return all(call.model == model for call in calls)


def _free(calls: Sequence[Call], model: str) -> tuple[Call, ...]:
    return tuple(replace(call, model=model, billed_usd=_FREE, billed_tokens=0, is_cached=True) for call in calls)


def _replayed_fault(kept: KeptFault, model: str) -> AnswerFault:
    fault = _FAULTS[kept.kind](kept.message, kept.remedy)
    fault.usage, fault.request_id, fault.calls = kept.usage, kept.request_id, _free(kept.calls, model)
    return fault
