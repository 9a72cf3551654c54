"""Other models to ask when no answer of the one that was asked for can be had.

Which faults move on: all of them. A `ProviderFault` says nothing about the next provider; a model that refused, said
nothing or took too long a prompt for its window says nothing about the next model; and a call that the budget has no
room for may be followed by a cheaper one. Only once text has been handed out a failure is final.
What is raised when all fail: `BudgetExhausted` if any link met it, for more budget might have led to an answer;
otherwise the fault of the model that was asked for. Notes on it tell what became of the others.
Time: a link gets half of what is left, the last one all of it, so that a link that hangs leaves time for the others and
all end within the question's deadline. A stream that has begun gets all, since nothing can take its place any more.
Cool-down: a link whose provider failed, its retries included, comes last for a while, so that not every question pays
for it. An open circuit costs nothing to ask, and a `BadRequest` is the request's own fault: these cool nothing down.
No library: tenacity and its kin repeat one call; LiteLLM's router, which does this, brings its own stack of everything.
Left out: which models these are (`krins.models.catalogue`), and trying one again (`krins.models.retries`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from krins.domain import Request
from krins.errors import BadRequest, BudgetExhausted, CircuitOpen, ModelFault, ProviderFault
from krins.interfaces import Clock
from krins.models.job import Answered, Job, Layer

_COSTS_NOTHING_TO_ASK = (BadRequest, CircuitOpen)


class Link(NamedTuple):
    name: str
    layer: Layer


class Fallback:
    """Asks `links` in order, the first being the model that was asked for, until one answers."""

    def __init__(self, links: Sequence[Link], clock: Clock, cool_down_seconds: float = 10.0) -> None:
        self._links, self._clock, self._cool_down_seconds = links, clock, cool_down_seconds
        self._warm_from_seconds = [0.0] * len(links)

    async def ask(self, request: Request, job: Job) -> Answered:
        faults: dict[int, ModelFault | BudgetExhausted] = {}
        order = self._order()
        for index in order:
            try:
                answered = await self._ask(index, index == order[-1], request, job)
            except (ModelFault, BudgetExhausted) as fault:
                if job.has_streamed:
                    raise
                self._cool_down(index, fault)
                faults[index] = fault
            else:
                self._warm_from_seconds[index] = 0.0
                return answered
        raise self._verdict(faults)

    def _order(self) -> list[int]:
        """Links that are cooling down last, otherwise as given."""
        now = self._clock.monotonic_seconds()
        return sorted(range(len(self._links)), key=lambda index: self._warm_from_seconds[index] > now)

    async def _ask(self, index: int, is_last: bool, request: Request, job: Job) -> Answered:
        layer = self._links[index].layer
        if is_last:
            return await layer.ask(request, job)
        share = _Share(job, self._clock.monotonic_seconds())
        try:
            return await layer.ask(request, share.job)
        finally:
            share.give_back()

    def _cool_down(self, index: int, fault: ModelFault | BudgetExhausted) -> None:
        if isinstance(fault, ProviderFault) and not isinstance(fault, _COSTS_NOTHING_TO_ASK):
            wait_seconds = max(self._cool_down_seconds, fault.retry_after_seconds or 0.0)
            self._warm_from_seconds[index] = self._clock.monotonic_seconds() + wait_seconds

    def _verdict(self, faults: dict[int, ModelFault | BudgetExhausted]) -> ModelFault | BudgetExhausted:
        budget = [index for index in sorted(faults) if isinstance(faults[index], BudgetExhausted)]
        chosen = budget[0] if budget else 0
        for index in sorted(faults.keys() - {chosen}):
            fault = faults[index]
            faults[chosen].add_note(f"{self._links[index].name}: {type(fault).__name__}: {fault.message}")
        return faults[chosen]


class _Share:
    """A link's part of the job: the same calls, half of the time."""

    def __init__(self, job: Job, now: float) -> None:
        self._whole = job
        self._deadline_seconds = now + (job.deadline_seconds - now) / 2.0
        on_text = None if job.on_text is None else self._hand_out
        self.job = replace(job, deadline_seconds=self._deadline_seconds, on_text=on_text)

    def _hand_out(self, text: str) -> None:
        if not self._whole.has_streamed:
            self._whole.has_streamed = True
            self.job.deadline_seconds += self._whole.deadline_seconds - self._deadline_seconds
        if self._whole.on_text is not None:
            self._whole.on_text(text)

    def give_back(self) -> None:
        """Time that was spent waiting for room in the budget is not the question's, whichever link waited."""
        if not self._whole.has_streamed:
            self._whole.deadline_seconds += self.job.deadline_seconds - self._deadline_seconds
