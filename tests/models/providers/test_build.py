"""What is refused before anything is sent: paid servers while they are switched off, keys that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from krins.clock import FakeClock
from krins.errors import UserError
from krins.models.providers import build_provider, check_provider
from krins.models.spec import ModelSpec, ProviderName
from tests.models.providers.servers import spec
from tests.support.fault_matrix import PROVIDERS

URL = "http://127.0.0.1:9"


def with_key(variable: str) -> ModelSpec:
    return replace(spec("openai-chat", URL), api_key_env=variable)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "url", [None, "https://api.openai.com/v1", "http://127.0.0.1.example.org/v1", "http://10.0.0.1/v1"]
)
def test_tests_cannot_call_servers_that_may_cost_money(provider: ProviderName, url: str | None) -> None:
    of = replace(spec("openai-chat", URL), provider=provider, base_url=url)
    with pytest.raises(UserError, match="KRINS_NO_PAID_CALLS is set"):
        build_provider(of, FakeClock())


def test_a_missing_key_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY_KEY", "")
    for variable in ("NO_SUCH_KEY", "EMPTY_KEY"):
        with pytest.raises(UserError, match=f"{variable} is not set\n  remedy: export {variable}="):
            check_provider(with_key(variable))


@pytest.mark.parametrize("end", ["\r", "\n", " ", "”", "é"])
def test_a_key_with_characters_that_no_key_has_is_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setenv("ODD_KEY", f"sk-secret{end}")
    with pytest.raises(UserError, match="ODD_KEY holds characters that no key has") as raised:
        check_provider(with_key("ODD_KEY"))
    assert "secret" not in str(raised.value)
