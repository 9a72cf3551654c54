"""What one question costs and may take, carried through the layers around a call.

A model is a stack of layers, each a `Layer`: it asks the next one and adds one concern. From the outside in: cache,
fallback, retries, hedge, circuit breaker, concurrency, billing, timeouts, and the provider's SDK at the bottom
(`krins.models.stack` puts them together). A `Job` lives for one question. Invariants: only the billing layer appends to
`calls`, one for every request that reaches a provider, so what is charged is what was called; times are the injected
clock's. Left out: the layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from krins.domain import Call, Request, Scope
from krins.interfaces import OnText, Reply


class Answered(NamedTuple):
    """A reply, and whose it is."""

    reply: Reply
    model: str
    provider: str


@dataclass(slots=True)
class Job:
    """One question on its way through the layers."""

    scope: Scope
    deadline_seconds: float
    """Of the clock's monotonic time: when the question must have ended, one way or the other."""
    on_text: OnText | None = None
    has_streamed: bool = False
    """Some text has been handed out: from here on a failure is final, for no other answer can take its place."""
    calls: list[Call] = field(default_factory=list)


class Layer(Protocol):
    """Answers a request, usually by asking the layer below it."""

    async def ask(self, request: Request, job: Job) -> Answered:
        """Raises ModelFault or BudgetExhausted, as `krins.interfaces.Model.answer`."""
        ...
