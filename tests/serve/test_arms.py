"""Which arms a replica can ask, and how they grow with the champions that it meets."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from krins.errors import UserError
from krins.models.pool import pool
from krins.models.spec import ModelSpec
from krins.suite import LiveModel
from serve.arms import Arms

STATED = [LiveModel(name=name, base_url="http://127.0.0.1:9/v1") for name in ("small", "large")]


def test_what_is_stated_and_what_the_catalogue_knows_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(iter(pool()))
    told: list[list[str]] = []

    def tell(specs: Mapping[str, ModelSpec]) -> None:
        told.append(list(specs))

    arms = Arms(STATED)
    arms.admit(["large"])
    assert list(arms.specs) == ["large", "small"]
    arms.follow(tell)
    for variable in ("ANTHROPIC_API_KEY", "KRINS_NO_PAID_CALLS"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError, match="ANTHROPIC_API_KEY is not set"):
        arms.admit(["small", name])
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    with pytest.raises(UserError, match="strange"):
        arms.admit([name, "strange"])
    assert (list(arms.specs), told) == (["large", "small"], [])
    arms.admit(["small", name])
    arms.admit([name])
    assert told == [[name]]
    assert list(arms.specs) == ["large", "small", name]
