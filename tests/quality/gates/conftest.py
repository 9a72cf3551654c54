"""A short way to ask a gate about a change, and tokens that are put together when tests run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from types import MappingProxyType

from krins.domain import Change, GateResult
from krins.interfaces import Gate, Limits, Sandbox, SandboxedProcess

NOTHING: Mapping[str, str] = MappingProxyType({})


def ask(gate: Gate, after: Mapping[str, str], before: Mapping[str, str] = NOTHING) -> GateResult:
    return gate.check(Change(before, after, ""))


def said(result: GateResult) -> tuple[str, str]:
    return str(result.status), result.evidence


def token(start: str, length: int) -> str:
    """Looks like a token and is none; never whole in a file, so that no scanner takes this one for a leak."""
    return start + "".join(islice(cycle("aB3dEf9hK2mNpQ7rS"), length))


class NeverAsked(Sandbox):
    """Fails a test that starts it."""

    name = "never asked"

    def start(self, command: object, files: object, limits: Limits) -> SandboxedProcess:
        raise AssertionError("the sandbox was started")
