"""The default pool: nine models in three tiers, and what is the same for all models of a vendor.

Invariants: the pool is data (`pool.yaml`, where the choices are explained), and holds nothing that genai-prices has:
prices and context windows are looked up there. Left out: completing a suite's models (`krins.models.catalogue`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from krins.models.prices import Vendor

VENDORS: tuple[Vendor, ...] = get_args(Vendor)
"""In the order in which fallbacks ask them."""
KEY_VARIABLES: Mapping[Vendor, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "google": "GEMINI_API_KEY",
}
"""What a vendor's key is taken from by default. GOOGLE_API_KEY, which Google's SDK would prefer, is the key of other
services of Google's too: whoever wants that one says `api_key_env: GOOGLE_API_KEY`."""
URL_VARIABLES: Mapping[Vendor, str] = {
    "anthropic": "ANTHROPIC_BASE_URL",
    "openai": "OPENAI_BASE_URL",
    "google": "GOOGLE_GEMINI_BASE_URL",
}
"""What the vendors' SDKs take a base URL from."""


class PoolModel(BaseModel):
    """A model of the default pool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    provider: Vendor
    tier: Literal["large", "medium", "small"]
    capabilities: tuple[Literal["streaming", "structured", "prompt_caching", "reasoning"], ...]
    max_output_tokens: int
    """For a call, unless the suite says otherwise."""


@cache
def pool() -> Mapping[str, PoolModel]:
    """The default pool by name: tier by tier, and in each in the order of `VENDORS`."""
    content = files("krins.models").joinpath("pool.yaml").read_text(encoding="utf-8")
    models = TypeAdapter(list[PoolModel]).validate_python(yaml.safe_load(content))
    return {model.name: model for model in models}
