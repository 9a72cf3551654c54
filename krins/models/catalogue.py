"""The catalogue: what a suite leaves unsaid about a model, from the default pool and the price data.

A model is looked up by what its provider calls it. In order: one of the pool (`krins.models.pool`) needs nothing else;
any other that genai-prices knows needs its `provider`; and any at all will do with a `base_url`, where it speaks
OpenAI's chat completions unless the suite says otherwise. Invariants: a price is the suite's, else the data's, else
none; the data's holds for what the vendor itself bills, so not for a server of one's own that speaks chat completions,
unless the model is of the pool; the value of a key is never in a spec. The variables from which the SDKs take a base
URL redirect a vendor's models, so that any suite can be run against a local server.
Left out: prices themselves (`krins.models.prices`), and whether a model answers (`Provider.check`).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from krins.errors import SuiteError
from krins.models.pool import KEY_VARIABLES, URL_VARIABLES, VENDORS, PoolModel, pool
from krins.models.prices import CataloguePrice, StatedPrice, Vendor, known_model, price_source, priced_models
from krins.models.spec import ModelSpec, Price, ProviderName
from krins.suite import Budget, LiveModel

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

_MAX_OUTPUT_TOKENS = 1024
_VENDORS: Mapping[ProviderName, Vendor] = {
    "anthropic": "anthropic",
    "openai": "openai",
    "openai-chat": "openai",
    "google": "google",
}


def resolve(settings: LiveModel, environ: Mapping[str, str] = os.environ) -> ModelSpec:
    """Complete what a suite says of a model; `environ` tells of base URLs, and whether keys are set.

    Raises:
        SuiteError: nobody knows the model, nobody knows its price and it is not on a server of one's own, its base URL
            is none, or its fallback names it again.
    """
    model = settings.model or settings.name
    provider = _provider(settings, model)
    base_url = settings.base_url or environ.get(URL_VARIABLES[_VENDORS[provider]]) or None
    if base_url is not None:
        _check_url(settings.name, base_url)
    info = _known(settings, model, provider)
    price = _price(settings, _VENDORS[provider], info)
    if price is None and base_url is None:
        raise _no_price(settings, model, provider)
    spec = ModelSpec(
        settings=settings,
        provider=provider,
        model=model,
        base_url=base_url,
        api_key_env=_key_variable(settings, _VENDORS[provider], base_url, environ),
        context_window=settings.context_window or (info.context_window if info else None),
        max_output_tokens=_max_output_tokens(settings, model),
        price=price,
        reasons=_reasons(settings, model, provider),
    )
    return replace(spec, fallback=_fallback(spec))


def resolve_all(models: Sequence[LiveModel], environ: Mapping[str, str] = os.environ) -> dict[str, ModelSpec]:
    """All models of a suite by name, in its order, then those that only fallbacks name.

    Fallbacks go one step: what a fallback itself falls back to is not asked in its place, so circles do no harm.

    Raises:
        SuiteError: as `resolve`; or a fallback is neither a model of the suite nor of the pool.
    """
    specs = {model.name: resolve(model, environ) for model in models}
    for spec in list(specs.values()):
        for target in spec.fallback:
            if target not in specs:
                specs[target] = resolve(_fallback_settings(spec, target, list(specs)), environ)
    return specs


def default_fallback(spec: ModelSpec) -> list[str]:
    """The pool's other models of the same tier: Anthropic's, then OpenAI's, then Google's.

    Raises:
        SuiteError: the model is not of the pool, so nobody knows its tier.
    """
    own = _pool_model(spec.settings, spec.model)
    if own is None:
        raise SuiteError(
            f"model {spec.name}: it has no default fallback, for it is not of the default pool ({', '.join(pool())})",
            "name the models to ask instead: `fallback: [MODEL, ...]`",
        )
    same_tier = [model.name for model in pool().values() if model.tier == own.tier]
    return [name for name in same_tier if name not in (own.name, spec.name)]


def check_prices(specs: Iterable[ModelSpec], budget: Budget) -> list[str]:
    """What a user should know about models without a price.

    Raises:
        SuiteError: there are some, and `budget` limits US dollars, which could then not be kept.
    """
    names = [spec.name for spec in specs if spec.price is None]
    if not names:
        return []
    limited = [scope for scope in ("run", "suite", "router", "task") if getattr(budget, scope).usd is not None]
    remedy = "state usd_per_million_input_tokens and usd_per_million_output_tokens (0 where answers cost nothing)"
    if limited:
        raise SuiteError(
            f"no price is known for {', '.join(names)}: the budget's limit in USD ({', '.join(limited)}) needs one",
            f"{remedy}, or limit tokens or calls instead of usd",
        )
    return [f"no price is known for {', '.join(names)}: costs leave them out; {remedy}"]


def _pool_model(settings: LiveModel, model: str) -> PoolModel | None:
    """The pool's model, unless the suite wants one of that name from somebody else."""
    found = pool().get(model)
    return found if found and settings.provider in (None, *_spoken_by(found.provider)) else None


def _spoken_by(vendor: Vendor) -> list[ProviderName]:
    return [provider for provider, owner in _VENDORS.items() if owner == vendor]


def _provider(settings: LiveModel, model: str) -> ProviderName:
    found = _pool_model(settings, model)
    if settings.provider is not None:
        return settings.provider
    if found is not None:
        return found.provider
    if settings.base_url is not None:
        return "openai-chat"
    raise _unknown(settings, model)


def _known(settings: LiveModel, model: str, provider: ProviderName) -> ModelInfo | None:
    """What the data says of the model, where it is the vendor's own that is asked."""
    if _is_own_server(settings, provider) and _pool_model(settings, model) is None:
        return None
    return known_model(_VENDORS[provider], model)


def _is_own_server(settings: LiveModel, provider: ProviderName) -> bool:
    return provider == "openai-chat" and settings.base_url is not None


def _reasons(settings: LiveModel, model: str, provider: ProviderName) -> bool:
    found = _pool_model(settings, model)
    return "reasoning" in found.capabilities if found else not _is_own_server(settings, provider)


def _price(settings: LiveModel, vendor: Vendor, info: ModelInfo | None) -> Price | None:
    input_usd, output_usd = settings.usd_per_million_input_tokens, settings.usd_per_million_output_tokens
    if input_usd is not None and output_usd is not None:
        return StatedPrice(input_usd, output_usd)
    return CataloguePrice(vendor, info.id) if info else None


def _key_variable(settings: LiveModel, vendor: Vendor, base_url: str | None, environ: Mapping[str, str]) -> str | None:
    if settings.api_key_env is not None or settings.base_url is not None:
        return settings.api_key_env
    variable = KEY_VARIABLES[vendor]
    is_local = base_url is not None and _is_loopback(base_url)
    return None if is_local and not environ.get(variable) else variable


def _max_output_tokens(settings: LiveModel, model: str) -> int:
    found = _pool_model(settings, model)
    return settings.max_output_tokens or (found.max_output_tokens if found else _MAX_OUTPUT_TOKENS)


def _fallback(spec: ModelSpec) -> tuple[str, ...]:
    stated = spec.settings.fallback
    names = default_fallback(spec) if stated == "default" else [*stated]
    if len({spec.name, *names}) <= len(names):
        raise SuiteError(
            f"model {spec.name}: its fallback ({', '.join(names)}) names a model twice, or the model itself",
            "name each model once: trying the same one again is what max_tries is for",
        )
    return tuple(names)


def _fallback_settings(spec: ModelSpec, target: str, others: Sequence[str]) -> LiveModel:
    found = pool().get(target)
    if found is None:
        raise SuiteError(
            f"model {spec.name}: its fallback {target} is neither a model of the suite nor of the default pool"
            f"{_closest(target, [*others, *pool()])}",
            f"add {target} to the suite's models, or name one of the pool: {', '.join(pool())}",
        )
    return LiveModel(name=found.name)


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SuiteError(f"model {name}: {url!r} is no base URL", "give one such as http://127.0.0.1:8080/v1")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unknown(settings: LiveModel, model: str) -> SuiteError:
    owners = [vendor for vendor in VENDORS if known_model(vendor, model)]
    hint = f"; {price_source()} knows it: add `provider: {owners[0]}`" if owners else _closest(model, pool())
    return SuiteError(
        f"model {settings.name}: {model} is not of the default pool ({', '.join(pool())}){hint}",
        "take one of the pool, or say where the model is: `provider` for another model of Anthropic, OpenAI or Google, "
        "`base_url` for a server that speaks OpenAI's chat completions",
    )


def _no_price(settings: LiveModel, model: str, provider: ProviderName) -> SuiteError:
    vendor = _VENDORS[provider]
    hint = _closest(model, priced_models(vendor))
    return SuiteError(
        f"model {settings.name}: {price_source()} has no price for a model {model} of {vendor}{hint}",
        "mend the name (`krins-eval models --all` lists them), or state usd_per_million_input_tokens and "
        "usd_per_million_output_tokens for a model that is newer than that data",
    )


def _closest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""
