"""A model as it will be asked: what the suite says of it, completed from the catalogue.

Invariant: everything that a provider or a layer needs is in here, so a spec sent to another machine asks the same.
Left out: completing it (`krins.models.catalogue`), and keys, which only the environment holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from krins.domain import Usage
from krins.suite import LiveModel

ProviderName = Literal["anthropic", "openai", "openai-chat", "google"]


class Price(Protocol):
    """What a model's tokens cost."""

    def cost_usd(self, usage: Usage, at_seconds: float) -> Decimal:
        """The price of one call made at `at_seconds` since the epoch."""
        ...


@dataclass(frozen=True)
class ModelSpec:
    settings: LiveModel
    provider: ProviderName
    model: str
    """What the provider calls it."""
    base_url: str | None
    """None: the SDK's own."""
    api_key_env: str | None
    """None: no key is sent."""
    context_window: int | None
    """Tokens; None where nobody knows."""
    max_output_tokens: int
    """Of one call, reasoning included."""
    price: Price | None
    """None where nobody knows: such a model is refused under a budget in USD."""
    fallback: tuple[str, ...] = ()
    """Names of the models to ask instead, in this order."""
    reasons: bool = True
    """It may think before it answers, which takes output tokens: nobody says that it does not."""

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def endpoint(self) -> str:
        """What fails and recovers together, and shares one breaker and one limit of concurrency."""
        return f"{self.provider} {self.base_url}" if self.base_url else self.provider
