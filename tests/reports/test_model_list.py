"""The list of models: what stands in it, and that it reads well on narrow and wide terminals."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from krins.models.pool import pool
from krins.models.prices import price_source
from krins.reports.model_list import ModelList, list_models, render_models

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


def text_of(listing: ModelList, width: int) -> str:
    output = io.StringIO()
    render_models(listing, Console(file=output, width=width))
    return output.getvalue()


def test_the_list_is_the_pool_with_prices_and_keys() -> None:
    listing = list_models(NOW, environ={"OPENAI_API_KEY": "secret", "GEMINI_API_KEY": ""})

    assert [model.name for model in listing.models] == list(pool())
    assert {model.provider for model in listing.models if model.is_key_set} == {"openai"}
    sol = next(model for model in listing.models if model.name == "gpt-6.1-sol")
    prices = sol.usd_per_million_tokens
    assert (prices.input, prices.cached_input, prices.output) == (Decimal(2), Decimal("0.1"), Decimal(10))
    assert prices.is_dearer_for_long_prompts
    assert (sol.tier, sol.context_window, sol.is_deprecated) == ("large", 1_050_000, False)


def test_prices_are_those_of_the_day() -> None:
    argon = {
        day: next(model for model in list_models(day).models if model.name == "gemini-4-argon")
        for day in (NOW, datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    }

    assert [model.usd_per_million_tokens.output for model in argon.values()] == [10, 20]


def test_everything_is_sorted_by_provider_and_marks_what_is_deprecated() -> None:
    listing = list_models(NOW, "google", everything=True, environ={})

    names = [model.name for model in listing.models]
    assert names == sorted(names) and {"gemini-4-argon", "gemini-2.5-pro"} <= set(names)
    assert "gemini-2.0-flash" in {model.name for model in listing.models if model.is_deprecated}
    (outside,) = (model for model in listing.models if model.name == "gemini-2.5-pro")
    assert (outside.tier, outside.capabilities) == (None, None)


def test_one_provider_alone_can_be_listed() -> None:
    assert {model.provider for model in list_models(NOW, "anthropic").models} == {"anthropic"}


def test_as_json_it_keeps_every_digit_and_no_key() -> None:
    listing = list_models(NOW, environ={"OPENAI_API_KEY": "secret"})

    content = json.loads(listing.model_dump_json())
    luna = next(model for model in content["models"] if model["name"] == "gpt-6-luna")
    assert luna["usd_per_million_tokens"]["input"] == "0.1"
    assert "secret" not in listing.model_dump_json()
    assert ModelList.model_validate(content) == listing


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_lost(width: int, everything: bool) -> None:
    text = text_of(list_models(NOW, everything=everything, environ={}), width)

    assert max(map(len, text.splitlines())) <= width
    assert all(name in text for name in pool() if len(name) < 19)
    assert "1,050,000" in text and "0.05+" in text


def test_the_list_reads_as_a_table() -> None:
    lines = text_of(list_models(NOW, "openai", environ={"OPENAI_API_KEY": "secret"}), 80).splitlines()

    assert lines[:13] == [
        "                                            context  USD/M   USD/M   USD/M",
        "model          provider    tier  key set     window  input  cached  output",
        "--------------------------------------------------------------------------",
        "gpt-6.1-sol      openai   large      yes  1,050,000     2+    0.1+     10+",
        "gpt-6.1-terra    openai  medium      yes  1,050,000     1+   0.05+      5+",
        "gpt-6-luna       openai   small      yes  1,050,000   0.1+   0.01+    0.5+",
        "",
        "                                       prompt",
        "model          streaming  structured  caching  reasoning",
        "--------------------------------------------------------",
        "gpt-6.1-sol          yes         yes      yes        yes",
        "gpt-6.1-terra        yes         yes      yes        yes",
        "gpt-6-luna           yes         yes      yes        yes",
    ]
    assert lines[14] == "USD/M    US dollars for a million tokens on 2026-11-24, from " + price_source()
