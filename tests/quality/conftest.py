"""Sandboxes to test, one after the other, and a short way to run a program in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from krins.domain import Change
from krins.interfaces import Limits, Sandbox
from krins.quality.bubblewrap import Bubblewrap
from krins.quality.hidden_tests import HiddenTests
from krins.quality.interpreter import interpreter
from krins.quality.sandbox import why_not
from krins.quality.unshare import Unshare

LIMITS = Limits(wall_seconds=60.0)


class Ran(NamedTuple):
    """What came of a program."""

    output: str
    errors: str
    exit_code: int | None


Run = Callable[..., Ran]


SANDBOXES: dict[str, Sandbox] = {"bubblewrap": Bubblewrap(), "unshare": Unshare()}


@cache
def _reason_against(name: str) -> str:
    return why_not(SANDBOXES[name])


@pytest.fixture(params=SANDBOXES)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    name: str = request.param
    if reason := _reason_against(name):
        pytest.skip(f"{name} does not work on this machine: {reason}")
    return SANDBOXES[name]


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    """Run a Python program to its end: `run(code, limits=..., files=..., arguments=...)`."""

    def run_program(
        code: str, limits: Limits = LIMITS, files: Mapping[str, str] | None = None, arguments: tuple[str, ...] = ()
    ) -> Ran:
        command = [*interpreter().command, "-c", code, *arguments]
        with closing(sandbox.start(command, files or {}, limits)) as process:
            output = process.stdout.read().decode()
            exit_code = process.wait(60.0)
            return Ran(output, process.stderr_tail(), exit_code)

    return run_program


def of(code: str, tree: Mapping[str, str] = MappingProxyType({})) -> Change:
    """Adds `solution.py` to a tree."""
    return Change(tree, {**tree, "solution.py": code}, "")


@pytest.fixture
def hidden_tests(sandbox: Sandbox) -> HiddenTests:
    return HiddenTests(sandbox, LIMITS)


@pytest.fixture
def hasty_hidden_tests(sandbox: Sandbox) -> HiddenTests:
    """With a short wall clock, for what would never end."""
    return HiddenTests(sandbox, Limits(wall_seconds=3.0))


@pytest.fixture
def processes_named() -> Callable[[str], list[int]]:
    """Numbers of all processes on this machine that have a text in their command line."""

    def find(marker: str) -> list[int]:
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                if marker.encode() in (directory / "cmdline").read_bytes():
                    found.append(int(directory.name))
            except OSError:
                continue  # it ended meanwhile
        return found

    return find
