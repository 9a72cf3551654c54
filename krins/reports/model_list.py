"""The models that can be asked by name alone, or by name and provider, and what they cost.

Invariants: prices and context windows are those of the genai-prices data at one moment, which is said; of a key only
whether it is set is told. Left out: models on servers of one's own, which only a suite knows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from krins.models.pool import KEY_VARIABLES, VENDORS, pool
from krins.models.prices import Vendor, price_source, priced_models
from krins.reports.columns import Column, Rows, definitions, tables
from krins.reports.notation import UNKNOWN

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, TieredPrices

_CAPABILITIES = ("streaming", "structured", "prompt_caching", "reasoning")


class UsdPerMillion(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True)

    input: Decimal
    cached_input: Decimal | None
    """None: no price of its own, so the same as `input`."""
    output: Decimal
    is_dearer_for_long_prompts: bool


class ListedModel(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    provider: Vendor
    tier: str | None
    """None for a model outside the default pool, and so for the next one."""
    capabilities: tuple[str, ...] | None
    context_window: int | None
    """Tokens."""
    usd_per_million_tokens: UsdPerMillion
    is_deprecated: bool
    """By its provider, as the data has it."""
    is_key_set: bool


class ModelList(BaseModel):
    model_config = ConfigDict(frozen=True)

    models: tuple[ListedModel, ...]
    price_source: str
    at: datetime
    """When these prices hold: some change on a day that is known beforehand."""


def list_models(
    at_seconds: float, vendor: Vendor | None = None, everything: bool = False, environ: Mapping[str, str] = os.environ
) -> ModelList:
    """The default pool, or everything that genai-prices has a price for at the three vendors, or at `vendor` alone.

    `at_seconds` since the epoch: when the prices shall hold. `environ` tells which keys are set.
    """
    at = datetime.fromtimestamp(at_seconds, UTC)
    wanted = VENDORS if vendor is None else (vendor,)
    if everything:
        names = [(each, name) for each in wanted for name in sorted(priced_models(each))]
    else:
        names = [(model.provider, model.name) for model in pool().values() if model.provider in wanted]
    return ModelList(
        models=tuple(_listed(owner, priced_models(owner)[name], at, environ) for owner, name in names),
        price_source=price_source(),
        at=at,
    )


def render_models(listing: ModelList, console: Console) -> None:
    """A line a model, dealt to as many tables as the console's width takes, and what the columns mean."""
    rows = Rows("model", [model.name for model in listing.models])
    for table in tables(rows, list(_groups(listing)), console):
        console.print(table, crop=False)
        console.print()
    console.print(definitions(_legend(listing), console))


def _listed(vendor: Vendor, info: ModelInfo, at: datetime, environ: Mapping[str, str]) -> ListedModel:
    own = pool().get(info.id)
    return ListedModel(
        name=info.id,
        provider=vendor,
        tier=own.tier if own else None,
        capabilities=own.capabilities if own else None,
        context_window=info.context_window,
        usd_per_million_tokens=_prices(info, at),
        is_deprecated=bool(info.deprecated),
        is_key_set=bool(environ.get(KEY_VARIABLES[vendor])),
    )


def _prices(info: ModelInfo, at: datetime) -> UsdPerMillion:
    price = info.get_prices(at)
    values = [price.input_mtok, price.cache_read_mtok, price.output_mtok]
    input_usd, cached_usd, output_usd = (_for_short_prompts(value) for value in values)
    return UsdPerMillion(
        input=input_usd,
        cached_input=cached_usd,
        output=output_usd,
        is_dearer_for_long_prompts=any(hasattr(value, "tiers") for value in values),
    )


def _for_short_prompts(value: Decimal | TieredPrices | None) -> Decimal | None:
    return value if value is None or isinstance(value, Decimal) else value.base


def _groups(listing: ModelList) -> Iterator[list[Column]]:
    models = listing.models
    yield [
        Column("provider", [[model.provider] for model in models]),
        Column("tier", [[model.tier or UNKNOWN] for model in models]),
        Column("key set", [["yes" if model.is_key_set else "no"] for model in models]),
        *_deprecation(listing),
    ]
    prices = [model.usd_per_million_tokens for model in models]
    yield [
        Column("context\nwindow", [[_tokens(model.context_window)] for model in models]),
        Column("USD/M\ninput", [[_usd(price.input, price)] for price in prices]),
        Column("USD/M\ncached", [[_usd(price.cached_input, price)] for price in prices]),
        Column("USD/M\noutput", [[_usd(price.output, price)] for price in prices]),
    ]
    yield [
        Column(
            capability.replace("_", "\n"),
            [[] if model.capabilities is None else [_yes(capability in model.capabilities)] for model in models],
        )
        for capability in _CAPABILITIES
    ]


def _deprecation(listing: ModelList) -> Iterator[Column]:
    if any(model.is_deprecated for model in listing.models):
        yield Column("deprecated", [["yes"] if model.is_deprecated else [""] for model in listing.models])


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _usd(value: Decimal | None, price: UsdPerMillion) -> str:
    if value is None:
        return UNKNOWN
    return f"{value.normalize():f}{'+' if price.is_dearer_for_long_prompts else ''}"


def _tokens(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def _legend(listing: ModelList) -> Iterator[tuple[str, str]]:
    prices = [model.usd_per_million_tokens for model in listing.models]
    yield "USD/M", f"US dollars for a million tokens on {listing.at:%Y-%m-%d}, from {listing.price_source}"
    if any(price.is_dearer_for_long_prompts for price in prices):
        yield "+", "dearer where the prompt is long"
    yield "cached", "input that the provider has in its prompt cache; - where it costs what other input does"
    variables = ", ".join(KEY_VARIABLES[vendor] for vendor in VENDORS)
    yield "key set", f"whether the provider's environment variable is: {variables}"
