"""The catalogue: what is made of a name, who is asked instead, and what is refused with which hint."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from krins.errors import SuiteError
from krins.models import catalogue
from krins.models.catalogue import check_prices, default_fallback
from krins.models.pool import VENDORS, pool
from krins.models.prices import CataloguePrice, StatedPrice, known_model
from krins.models.spec import ModelSpec
from krins.suite import Budget, Limit, LiveModel

LOCAL = "http://127.0.0.1:8080/v1"
STATED: dict[str, Any] = {"usd_per_million_input_tokens": Decimal(1), "usd_per_million_output_tokens": Decimal(2)}


def resolve(name: str, environ: Mapping[str, str] | None = None, **settings: Any) -> ModelSpec:
    return catalogue.resolve(LiveModel(name=name, **settings), environ or {})


def resolve_all(*models: LiveModel) -> dict[str, ModelSpec]:
    return catalogue.resolve_all(models, {})


def test_the_pool_has_one_model_of_each_vendor_in_each_tier_in_the_order_of_fallbacks() -> None:
    places = [(model.tier, model.provider) for model in pool().values()]

    assert places == [(tier, vendor) for tier in ("large", "medium", "small") for vendor in VENDORS]


@pytest.mark.parametrize("name", sorted(pool()))
def test_a_model_of_the_pool_needs_nothing_but_its_name(name: str) -> None:
    spec, own = resolve(name), pool()[name]

    assert (spec.name, spec.model, spec.provider, spec.base_url) == (name, name, own.provider, None)
    assert spec.price == CataloguePrice(own.provider, name)
    assert spec.context_window is not None and spec.context_window >= 1_000_000
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize("name", sorted(pool()))
def test_a_model_of_the_pool_is_current_and_can_be_cached_as_the_pool_says(name: str) -> None:
    own = pool()[name]
    info = known_model(own.provider, name)

    assert info is not None and not info.deprecated
    prices = [each.prices for each in info.prices] if isinstance(info.prices, list) else [info.prices]
    assert all((price.cache_read_mtok is not None) == ("prompt_caching" in own.capabilities) for price in prices)


def test_another_name_can_be_given_to_a_model_of_the_pool() -> None:
    spec = resolve("judge", model="claude-haiku-5-5")

    assert (spec.name, spec.model, spec.provider) == ("judge", "claude-haiku-5-5", "anthropic")
    assert spec.price == CataloguePrice("anthropic", "claude-haiku-5-5")


def test_a_dated_snapshot_has_the_price_of_its_model() -> None:
    spec = resolve("gpt-6-luna-2026-09-22", provider="openai")

    assert (spec.model, spec.price) == ("gpt-6-luna-2026-09-22", CataloguePrice("openai", "gpt-6-luna"))


def test_a_model_outside_the_pool_needs_its_provider() -> None:
    spec = resolve("claude-fable-5-2", provider="anthropic")

    assert spec.price == CataloguePrice("anthropic", "claude-fable-5-2")
    with pytest.raises(SuiteError, match=r"knows it: add `provider: anthropic`"):
        resolve("claude-fable-5-2")


def test_chat_completions_without_a_base_url_are_openais_own() -> None:
    spec = resolve("gpt-6-luna", provider="openai-chat")

    assert (spec.provider, spec.base_url, spec.api_key_env) == ("openai-chat", None, "OPENAI_API_KEY")
    assert spec.price == CataloguePrice("openai", "gpt-6-luna")


def test_an_unknown_model_with_a_base_url_speaks_chat_completions_there_at_an_unknown_price() -> None:
    spec = resolve("qwen3-8b", base_url=LOCAL)

    assert (spec.provider, spec.base_url, spec.api_key_env) == ("openai-chat", LOCAL, None)
    assert (spec.price, spec.context_window) == (None, None)


def test_only_a_server_of_ones_own_is_taken_to_answer_without_reasoning() -> None:
    assert not resolve("qwen", base_url=LOCAL).reasons
    assert resolve("gpt-6-luna").reasons
    assert resolve("gpt-4o-mini", provider="openai").reasons


def test_a_server_of_ones_own_does_not_bill_as_the_vendor_does() -> None:
    # OpenAI's data has a price for this open model
    assert resolve("gpt-oss-20b", provider="openai-chat", base_url=LOCAL).price is None
    assert resolve("gpt-oss-20b", provider="openai-chat").price is not None


def test_a_model_of_the_pool_keeps_its_price_behind_a_base_url() -> None:
    spec = resolve("claude-opus-5-5", base_url="https://proxy.example")

    assert (spec.provider, spec.api_key_env) == ("anthropic", None)
    assert spec.price == CataloguePrice("anthropic", "claude-opus-5-5")


def test_a_name_of_the_pool_from_somebody_else_is_somebody_elses() -> None:
    spec = resolve("claude-opus-5-5", provider="openai-chat", base_url="https://proxy.example/v1")

    assert (spec.provider, spec.price) == ("openai-chat", None)


def test_what_the_suite_states_goes_before_what_the_catalogue_knows() -> None:
    spec = resolve("gpt-6-luna", context_window=5_000, api_key_env="MY_KEY", **STATED)

    assert spec.price == StatedPrice(Decimal(1), Decimal(2))
    assert (spec.context_window, spec.api_key_env) == (5_000, "MY_KEY")


def test_a_model_that_is_newer_than_the_data_needs_a_stated_price() -> None:
    assert resolve("gpt-9", provider="openai", **STATED).price == StatedPrice(Decimal(1), Decimal(2))
    with pytest.raises(SuiteError, match="no price for a model gpt-9 of openai"):
        resolve("gpt-9", provider="openai")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "claude-opus-55"}, r"did you mean claude-opus-5-5\?"),
        ({"name": "claude-opus-4-9", "provider": "anthropic"}, r"did you mean claude-opus-4-8\?"),
        ({"name": "zzz"}, r"zzz is not of the default pool \(claude-opus-5-5, .*\)\n"),
        ({"name": "claude-opus-5-5", "provider": "openai"}, "no price for a model claude-opus-5-5 of openai"),
        ({"name": "tiny", "base_url": "127.0.0.1:8080"}, "'127.0.0.1:8080' is no base URL"),
        ({"name": "tiny", "base_url": "http://[::1"}, "is no base URL"),
    ],
)
def test_what_nobody_knows_is_refused_with_a_hint(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SuiteError, match=message) as refusal:
        resolve(**settings)  # type: ignore[arg-type]

    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("name", "variable", "key"),
    [
        ("claude-opus-5-5", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        ("gpt-6.1-sol", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
        ("gemini-4-argon", "GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY"),
    ],
)
def test_the_variables_of_the_sdks_redirect_a_vendors_models(name: str, variable: str, key: str) -> None:
    assert resolve(name).api_key_env == key

    here = resolve(name, {variable: LOCAL})
    assert (here.base_url, here.api_key_env, here.price) == (LOCAL, None, resolve(name).price)
    assert resolve(name, {variable: LOCAL, key: "secret"}).api_key_env == key
    assert resolve(name, {variable: "https://proxy.example"}).api_key_env == key
    assert resolve(name, {variable: ""}).base_url is None


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.1.2.3", "http://[::1]:8080/v1"])
def test_no_key_is_asked_for_on_this_machine(url: str) -> None:
    assert resolve("gpt-6-luna", {"OPENAI_BASE_URL": url}).api_key_env is None


def test_a_base_url_in_the_suite_goes_before_the_variable() -> None:
    assert resolve("gpt-6-luna", {"OPENAI_BASE_URL": "https://proxy.example"}, base_url=LOCAL).base_url == LOCAL


@pytest.mark.parametrize(
    ("name", "fallback"),
    [
        ("claude-opus-5-5", ("gpt-6.1-sol", "gemini-4-argon")),
        ("gpt-6.1-terra", ("claude-sonnet-5-5", "gemini-3.8-flash")),
        ("gemini-3.5-flash-lite", ("claude-haiku-5-5", "gpt-6-luna")),
    ],
)
def test_the_default_fallback_is_the_rest_of_the_tier(name: str, fallback: tuple[str, ...]) -> None:
    assert resolve(name, fallback="default").fallback == fallback
    assert tuple(default_fallback(resolve(name))) == fallback
    assert resolve(name).fallback == ()


def test_a_model_outside_the_pool_has_no_default_fallback() -> None:
    with pytest.raises(SuiteError, match="local: it has no default fallback"):
        resolve("local", base_url=LOCAL, fallback="default")


def test_a_fallback_names_each_model_once_and_never_the_model_itself() -> None:
    for fallback in (["gpt-6-luna"], ["claude-haiku-5-5", "claude-haiku-5-5"]):
        with pytest.raises(SuiteError, match="names a model twice, or the model itself"):
            resolve("gpt-6-luna", fallback=fallback)


def test_fallbacks_beyond_the_suite_are_taken_from_the_pool() -> None:
    specs = resolve_all(
        LiveModel(name="claude-opus-5-5", fallback="default"),
        LiveModel(name="local", base_url=LOCAL, fallback=["gpt-6-luna"]),
    )

    assert list(specs) == ["claude-opus-5-5", "local", "gpt-6.1-sol", "gemini-4-argon", "gpt-6-luna"]
    assert specs["gpt-6-luna"].max_output_tokens == pool()["gpt-6-luna"].max_output_tokens
    assert specs["gpt-6-luna"].fallback == ()


def test_a_fallback_of_the_suite_is_asked_as_the_suite_says_and_circles_do_no_harm() -> None:
    specs = resolve_all(
        LiveModel(name="gpt-6-luna", fallback=["local"]),
        LiveModel(name="local", base_url=LOCAL, fallback=["gpt-6-luna"], max_output_tokens=77),
    )

    assert list(specs) == ["gpt-6-luna", "local"]
    assert (specs["gpt-6-luna"].fallback, specs["local"].fallback) == (("local",), ("gpt-6-luna",))
    assert specs["local"].settings.max_output_tokens == 77


def test_a_fallback_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SuiteError, match=r"its fallback gpt-6-lune is neither .* did you mean gpt-6-luna\?"):
        resolve_all(LiveModel(name="local", base_url=LOCAL, fallback=["gpt-6-lune"]))


def test_without_a_limit_in_usd_an_unknown_price_is_a_warning() -> None:
    specs = [resolve("gpt-6-luna"), resolve("local", base_url=LOCAL)]

    assert check_prices(specs[:1], Budget(run=Limit(usd=Decimal(1)))) == []
    (warning,) = check_prices(specs, Budget(run=Limit(tokens=1000)))
    assert warning.startswith("no price is known for local: costs leave them out; state usd_per_million_input_tokens")


@pytest.mark.parametrize("scope", ["run", "suite", "router", "task"])
def test_a_limit_in_usd_is_refused_where_a_price_is_unknown(scope: str) -> None:
    budget = Budget.model_validate({scope: {"usd": 1}})

    with pytest.raises(SuiteError, match=rf"local: the budget's limit in USD \({scope}\) needs one\n"):
        check_prices([resolve("local", base_url=LOCAL)], budget)
