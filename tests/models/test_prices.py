"""Prices: worked out by hand from the vendors' price lists, and against the library's own sum for any usage."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from hypothesis import given
from hypothesis import strategies as st

from krins.domain import Usage
from krins.errors import SuiteError
from krins.models.pool import VENDORS, pool
from krins.models.prices import CataloguePrice, StatedPrice, Vendor, known_model, price_source, priced_models


def at(*day: int) -> float:
    return datetime(*day, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


NOW = at(2026, 11, 24)
PARTLY_CACHED = Usage(
    input_tokens=10_000, output_tokens=2_000, cached_tokens=6_000, cache_write_tokens=3_000, reasoning_tokens=500
)


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        # 1,000 at $2, 6,000 read at $0.10, 3,000 written at $2.50, 2,000 out at $10
        (CataloguePrice("anthropic", "claude-sonnet-5-5"), "0.0301"),
        # 1,000 at $1, 6,000 read at $0.05, 3,000 written at $1.25, 2,000 out at $5
        (CataloguePrice("openai", "gpt-6.1-terra"), "0.01505"),
        # no price for writing: 4,000 at $0.30, 6,000 read at $0.03, 2,000 out at $2.50
        (CataloguePrice("google", "gemini-3.5-flash-lite"), "0.00638"),
        # 10,000 at $2, 2,000 out at $10
        (StatedPrice(Decimal(2), Decimal(10)), "0.04"),
    ],
)
def test_cached_tokens_are_part_of_the_input_and_reasoning_is_part_of_the_output(
    price: CataloguePrice | StatedPrice, usd: str
) -> None:
    assert price.cost_usd(PARTLY_CACHED, NOW) == Decimal(usd)


@pytest.mark.parametrize(
    ("input_tokens", "usd"),
    [
        (272_000, "0.554"),  # 272,000 at $2, 1,000 out at $10
        (272_001, "1.103004"),  # 272,001 at $4, 1,000 out at $15
    ],
)
def test_a_prompt_beyond_the_threshold_makes_all_tokens_dearer(input_tokens: int, usd: str) -> None:
    price = CataloguePrice("openai", "gpt-6.1-sol")

    assert price.cost_usd(Usage(input_tokens, 1_000), NOW) == Decimal(usd)


def test_cached_tokens_count_towards_the_threshold() -> None:
    price = CataloguePrice("anthropic", "claude-haiku-5-5")

    # 100,001 read at $0.05 instead of $0.01, 10 out at $2.50 instead of $0.50
    assert price.cost_usd(Usage(100_001, 10, cached_tokens=100_001), NOW) == Decimal("0.00502505")


def test_an_introductory_price_ends_on_its_day() -> None:
    price, usage = CataloguePrice("google", "gemini-4-argon"), Usage(1_000_000, 1_000_000)

    assert price.cost_usd(usage, at(2026, 12, 1) - 1) == 2 + 10
    assert price.cost_usd(usage, at(2026, 12, 1)) == 4 + 20


def test_a_server_that_leaves_cached_tokens_out_of_the_input_is_charged_for_them() -> None:
    price = CataloguePrice("anthropic", "claude-opus-5-5")

    # 1,000 read at $0.20, 500 written at $5, 10 out at $20
    assert price.cost_usd(Usage(100, 10, cached_tokens=1_000, cache_write_tokens=500), NOW) == Decimal("0.0029")


def test_a_model_that_the_data_lacks_has_no_cost() -> None:
    with pytest.raises(SuiteError, match="no price for it"):
        CataloguePrice("openai", "gpt-0").cost_usd(PARTLY_CACHED, NOW)


@pytest.mark.parametrize("price", [CataloguePrice("openai", "gpt-6-luna"), StatedPrice(Decimal("0.1"), Decimal(3))])
def test_prices_travel(price: CataloguePrice | StatedPrice) -> None:
    assert pickle.loads(pickle.dumps(price)) == price


def test_prices_of_the_installed_version_hold_whatever_else_updates_them() -> None:
    before = CataloguePrice("openai", "gpt-6-luna").cost_usd(PARTLY_CACHED, NOW)

    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert CataloguePrice("openai", "gpt-6-luna").cost_usd(PARTLY_CACHED, NOW) == before
    finally:
        set_custom_snapshot(None)


def test_nothing_is_fetched() -> None:
    CataloguePrice("openai", "gpt-6-luna").cost_usd(PARTLY_CACHED, NOW)

    assert not genai_prices.wait_prices_updated_sync(timeout=0), "an update of the prices is under way"


tokens = st.integers(0, 400_000)


@given(st.sampled_from(sorted(pool())), tokens, tokens, tokens, tokens, st.floats(at(2020, 1, 1), at(2030, 1, 1)))
def test_a_cost_is_what_the_library_says_to_the_last_digit(
    name: str, plain: int, read: int, written: int, output: int, at_seconds: float
) -> None:
    vendor = pool()[name].provider
    usage = Usage(plain + read + written, output, cached_tokens=read, cache_write_tokens=written)

    expected = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.input_tokens,
            cache_read_tokens=read,
            cache_write_tokens=written,
            output_tokens=output,
        ),
        name,
        provider_id=vendor,
        genai_request_timestamp=datetime.fromtimestamp(at_seconds, UTC),
    )

    assert CataloguePrice(vendor, name).cost_usd(usage, at_seconds) == expected.total_price


@given(tokens, tokens, st.decimals(0, 1000, places=4), st.decimals(0, 1000, places=4))
def test_a_stated_price_is_linear(
    input_tokens: int, output_tokens: int, input_usd: Decimal, output_usd: Decimal
) -> None:
    price = StatedPrice(input_usd, output_usd)

    together = price.cost_usd(Usage(input_tokens, output_tokens), NOW)

    apart = price.cost_usd(Usage(input_tokens, 0), NOW) + price.cost_usd(Usage(0, output_tokens), NOW)
    assert together == apart
    assert price.cost_usd(Usage(1_000_000, 0), NOW) == input_usd


@pytest.mark.parametrize(
    ("vendor", "name", "known"),
    [
        ("openai", "gpt-6-luna-2026-09-22", "gpt-6-luna"),
        ("anthropic", "claude-opus-5-5-20260901", "claude-opus-5-5"),
        ("google", "gemini-flash-latest", "gemini-3.8-flash"),
        ("openai", "text-embedding-3-small", None),  # has no output to pay for
        ("google", "claude-opus-5-5", None),  # sold by Vertex, which is not the Gemini API
        ("anthropic", "gpt-6-luna", None),
    ],
)
def test_models_are_known_by_their_vendors_names(vendor: Vendor, name: str, known: str | None) -> None:
    found = known_model(vendor, name)

    assert (None if found is None else found.id) == known


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_listed_model_has_a_price(vendor: Vendor) -> None:
    models = priced_models(vendor)

    assert len(models) > 20
    assert all(CataloguePrice(vendor, name).cost_usd(Usage(1_000, 1_000), NOW) > 0 for name in models)


def test_the_source_of_prices_is_named_with_its_version() -> None:
    assert price_source() == f"genai-prices {genai_prices.__version__}"
