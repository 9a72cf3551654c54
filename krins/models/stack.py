"""Models put together: a provider's SDK at the bottom, one layer a concern above it.

    cache -> fallback -> retries -> hedge -> breaker -> concurrency -> billing -> timeouts -> provider

Invariants: only `Retries` tries again; what fails and recovers together (`ModelSpec.endpoint`) shares one circuit
breaker and one limit of concurrency, whichever models it serves; whatever a question caused is in its answer's calls,
or in those of the fault it ended in. Left out: what the layers do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from krins.domain import Attempt, Request, Scope
from krins.errors import BudgetExhausted, ModelFault
from krins.interfaces import Clock, Model, OnText, Provider
from krins.models.billing import Billing
from krins.models.breaker import Breaker, BreakerHealth, CircuitBreaker
from krins.models.cache import AnswerStore, Cached
from krins.models.concurrency import AdaptiveConcurrency, Concurrency
from krins.models.fallback import Fallback, Link
from krins.models.hedge import Hedge
from krins.models.job import Job, Layer
from krins.models.ledger import Ledger
from krins.models.providers import build_provider
from krins.models.retries import Retries
from krins.models.spec import ModelSpec
from krins.models.timeouts import ProviderCall, Timeouts


class LayeredModel:
    """A stack of layers as a `krins.interfaces.Model`."""

    def __init__(self, layer: Layer, timeout_seconds: float, clock: Clock) -> None:
        self._layer, self._timeout_seconds, self._clock = layer, timeout_seconds, clock

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        started = self._clock.monotonic_seconds()
        job = Job(scope, started + self._timeout_seconds, on_text)
        try:
            reply, model, provider = await self._layer.ask(request, job)
        except (ModelFault, BudgetExhausted) as fault:
            fault.calls = tuple(job.calls)
            raise
        return Attempt(
            text=reply.text,
            usage=reply.usage,
            latency_seconds=self._clock.monotonic_seconds() - started,
            model=model,
            provider=provider,
            finish_reason=reply.finish_reason,
            request_id=reply.request_id,
            calls=tuple(job.calls),
            choice_probabilities=reply.choice_probabilities,
            choice_mass=reply.choice_mass,
        )


class ModelPool:
    """The models of one process, with what they share."""

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        ledger: Ledger,
        store: AnswerStore | None,
        clock: Clock,
        rng: random.Random,
        max_concurrency: int,
        provider_of: Callable[[ModelSpec, Clock], Provider] = build_provider,
    ) -> None:
        """`specs` by name, those that fallbacks name included; `max_concurrency`: calls in flight at one endpoint."""
        self._specs, self._ledger, self._clock, self._rng = specs, ledger, clock, rng
        self._breakers = {spec.endpoint: CircuitBreaker(clock) for spec in specs.values()}
        self._limiters = {spec.endpoint: AdaptiveConcurrency(clock, max_concurrency) for spec in specs.values()}
        self._providers: dict[str, Provider] = {name: provider_of(spec, clock) for name, spec in specs.items()}
        stacks = {name: self._stack(spec) for name, spec in specs.items()}
        self.models: dict[str, Model] = {name: self._model(spec, stacks, store) for name, spec in specs.items()}

    def _stack(self, spec: ModelSpec) -> Layer:
        settings = spec.settings
        call: Layer = ProviderCall(self._providers[spec.name], spec)
        call = Timeouts(call, settings.first_token_timeout_seconds, self._clock)
        call = Billing(call, spec, self._ledger, self._clock)
        call = Concurrency(call, self._limiters[spec.endpoint])
        call = Breaker(call, self._breakers[spec.endpoint])
        if settings.hedge_after_seconds is not None:
            call = Hedge(call, settings.hedge_after_seconds, self._clock)
        return Retries(call, settings.max_tries, self._clock, self._rng)

    def _model(self, spec: ModelSpec, stacks: Mapping[str, Layer], store: AnswerStore | None) -> Model:
        names = [spec.name, *spec.fallback]
        links = [Link(name, stacks[name]) for name in names]
        layer = links[0].layer if len(links) == 1 else Fallback(links, self._clock)
        model = LayeredModel(layer, spec.settings.timeout_seconds, self._clock)
        return model if store is None else Cached(model, store, spec, self._clock)

    async def check(self, names: Sequence[str]) -> None:
        """Find models that cannot be asked, at no cost.

        Raises:
            ModelFault: what was found first.
        """
        for name in names:
            await self._providers[name].check()

    def health(self) -> dict[str, BreakerHealth]:
        """Of every breaker, by endpoint."""
        return {endpoint: breaker.health() for endpoint, breaker in self._breakers.items()}

    async def close(self) -> None:
        for provider in self._providers.values():
            await provider.close()
