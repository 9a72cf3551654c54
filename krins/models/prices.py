"""What tokens cost: as the `genai-prices` data has it, or as a suite states it.

Invariants: the sums are the library's own, never worked out a second time here; prices are those that the installed
version ships, whatever else in this process has it fetch newer ones, so that the same installation always counts the
same; a price holds names alone, so it travels between processes and costs nothing to make. Looking a model up takes the
library's import (0.2 s, once a process), and a cost 80 microseconds.
Left out: which model a suite means (`krins.models.catalogue`), and discounts that krins has no request for (batches,
service tiers, caches kept for an hour).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Literal

from krins.domain import Usage
from krins.errors import SuiteError

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

Vendor = Literal["anthropic", "openai", "google"]
"""Whose models the data is asked for."""

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class CataloguePrice:
    """A model's price in the data of genai-prices, where it may depend on the prompt's length and on the day."""

    vendor: Vendor
    model: str
    """What `genai-prices` calls it: the id of what `known_model` returns."""

    def cost_usd(self, usage: Usage, at_seconds: float) -> Decimal:
        """The price of one call at `at_seconds` since the epoch, reasoning included in its output tokens.

        A call whose prompt is longer than the data's threshold is dearer in all its tokens. Where the data has no price
        of its own for tokens read from or written to the prompt cache, they cost what plain input does.

        Raises:
            SuiteError: the data of this process does not hold the model.
        """
        info = priced_models(self.vendor).get(self.model)
        if info is None:
            raise SuiteError(
                f"model {self.model}: {price_source()} has no price for it",
                "install the same version of genai-prices on all machines, or state the model's prices in the suite",
            )
        return _total_usd(info.get_prices(_moment(at_seconds)), usage)


def _total_usd(prices: ModelPrice, usage: Usage) -> Decimal:
    """What the library's own sum over all its units comes to, for the four that krins counts; in a tenth of the
    time."""
    from genai_prices.types import calc_unit_price

    read, written = usage.cached_tokens, usage.cache_write_tokens
    # Servers that do not count cached tokens as input tokens exist; less input than that cannot have been.
    total = max(usage.input_tokens, read + written)
    units = (
        (prices.input_mtok, total - read - written),
        (prices.cache_read_mtok or prices.input_mtok, read),
        (prices.cache_write_mtok or prices.input_mtok, written),
        (prices.output_mtok, usage.output_tokens),
    )
    return sum((calc_unit_price(price, n, total, 1_000_000) for price, n in units if n), Decimal(0))


@dataclass(frozen=True, slots=True)
class StatedPrice:
    """A price that a suite states; input costs the same whether or not it was cached."""

    usd_per_million_input_tokens: Decimal
    usd_per_million_output_tokens: Decimal

    def cost_usd(self, usage: Usage, at_seconds: float) -> Decimal:
        """The price of one call, whenever it is made."""
        input_usd = self.usd_per_million_input_tokens * usage.input_tokens
        output_usd = self.usd_per_million_output_tokens * usage.output_tokens
        return (input_usd + output_usd) / _MILLION


@cache
def priced_models(vendor: Vendor) -> Mapping[str, ModelInfo]:
    """Models that the vendor bills by input and output tokens, by the data's id; some of them make speech or images."""
    return {info.id: info for info in _provider(vendor).models if _is_priced(info) and _is_own(vendor, info)}


@cache
def known_model(vendor: Vendor, name: str) -> ModelInfo | None:
    """The model that the vendor calls `name`, dated snapshots and other spellings included; None if there is none."""
    info = _provider(vendor).find_model(name)
    return None if info is None else priced_models(vendor).get(info.id)


def price_source() -> str:
    """The library and its version, as in `genai-prices 0.2.3`."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


@cache
def _provider(vendor: Vendor) -> Provider:
    from genai_prices.data import providers  # the bundled data itself: a snapshot may have been replaced by an update

    return next(provider for provider in providers if provider.id == vendor)


def _is_own(vendor: Vendor, info: ModelInfo) -> bool:
    """Google's list also holds Claude as Vertex sells it, which is beyond the Gemini API."""
    return vendor != "google" or not info.id.startswith("claude")


def _is_priced(info: ModelInfo) -> bool:
    return all(price.input_mtok is not None and price.output_mtok is not None for price in _all_prices(info))


def _all_prices(info: ModelInfo) -> list[ModelPrice]:
    """The model's prices of all times."""
    return [conditional.prices for conditional in info.prices] if isinstance(info.prices, list) else [info.prices]


def _moment(at_seconds: float) -> datetime:
    return datetime.fromtimestamp(at_seconds, UTC)
