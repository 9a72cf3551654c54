"""A model whose answers are kept: the outermost layer around a call.

Invariants: a question whose answer is kept reaches neither budget nor provider, and its calls come back at the price
that they had, billed at nothing; questions that are the same and in flight at once make one call, and if that brings
nothing to keep, the next one asks. What comes out of the cache streams in one piece, and takes as long as the original
did. Left out: what is the same (`krins.models.cache.fingerprint`), and the disk (`krins.models.cache.store`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krins.domain import Attempt, Request, Scope
from krins.errors import AnswerFault
from krins.interfaces import Clock, Model, OnText
from krins.models.cache.fingerprint import fingerprint
from krins.models.cache.flight import Flight
from krins.models.cache.kept import Kept, kept_attempt, kept_fault
from krins.models.cache.meaning import meaning_of
from krins.models.cache.store import AnswerStore

if TYPE_CHECKING:
    from krins.models.spec import ModelSpec


class Cached:
    """`inner`, the stack of the model that `spec` describes, asked only for what `store` does not hold."""

    def __init__(self, inner: Model, store: AnswerStore, spec: ModelSpec, clock: Clock) -> None:
        self._inner, self._store, self._spec, self._clock = inner, store, spec, clock

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        key = fingerprint(request, self._spec)
        flights = self._store.flights
        while (under_way := flights.get(key)) is not None:
            kept = await under_way.result()
            if kept is not None:
                return self._replay(kept, on_text)
        meaning = None if self._store.settings.semantic_similarity is None else meaning_of(request, self._spec)
        kept = self._find(request, key, meaning)
        if kept is not None:
            return self._replay(kept, on_text)
        self._store.misses += 1
        flight = flights[key] = Flight()
        try:
            return await self._ask(request, scope, on_text, key, meaning, flight)
        finally:
            del flights[key]
            flight.land()

    def _find(self, request: Request, key: str, meaning: str | None) -> Kept | None:
        now = self._clock.now_seconds()
        kept = self._store.find(key, now)
        if kept is None and meaning is not None:
            kept = self._store.find_similar(meaning, request.messages[-1].text, now)
        return kept

    def _replay(self, kept: Kept, on_text: OnText | None) -> Attempt:
        self._store.hits += 1
        attempt = kept.replay(self._spec.name)
        if on_text is not None:
            on_text(attempt.text)
        return attempt

    async def _ask(
        self,
        request: Request,
        scope: Scope,
        on_text: OnText | None,
        key: str,
        meaning: str | None,
        flight: Flight,
    ) -> Attempt:
        prompt = None if meaning is None else request.messages[-1].text
        try:
            attempt = await self._inner.answer(request, scope, on_text)
        except AnswerFault as fault:
            await self._keep(key, meaning, kept_fault(fault, self._spec.name, prompt), flight)
            raise
        await self._keep(key, meaning, kept_attempt(attempt, self._spec.name, prompt), flight)
        return attempt

    async def _keep(self, key: str, meaning: str | None, kept: Kept | None, flight: Flight) -> None:
        if kept is not None:
            flight.kept = kept
            await self._store.keep(key, meaning, kept, self._clock.now_seconds())
