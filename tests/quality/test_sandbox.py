"""Choosing a sandbox, and what the unsafe one still does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing

import pytest

from krins.errors import SandboxFault, SandboxMissing
from krins.interfaces import Limits, Sandbox, SandboxedProcess
from krins.quality.interpreter import interpreter
from krins.quality.sandbox import choose_sandbox, why_not
from krins.quality.unsafe import Unsafe

LIMITS = Limits(wall_seconds=60.0)


class Broken:
    """A sandbox that cannot be set up."""

    name = "broken"

    def start(self, command: Sequence[str], files: Mapping[str, str | bytes], limits: Limits) -> SandboxedProcess:
        raise SandboxFault("no namespaces here")


class Silent:
    """A sandbox that starts something else than it was told to."""

    name = "silent"

    def start(self, command: Sequence[str], files: Mapping[str, str | bytes], limits: Limits) -> SandboxedProcess:
        return Unsafe().start(["sh", "-c", "echo operation not permitted >&2; exit 1"], files, limits)


def test_a_working_sandbox_has_nothing_against_it(sandbox: Sandbox) -> None:
    assert why_not(sandbox) == ""


def test_the_first_that_works_is_chosen(sandbox: Sandbox) -> None:
    assert choose_sandbox(allow_unsafe=False, among=[Broken(), sandbox, Unsafe()]) is sandbox


def test_without_leave_there_is_no_going_without() -> None:
    with pytest.raises(SandboxMissing) as missing:
        choose_sandbox(allow_unsafe=False, among=[Broken(), Silent()])
    assert "broken: no namespaces here; silent: operation not permitted" in missing.value.message
    assert "bubblewrap" in missing.value.remedy
    assert "--unsafe-local" in missing.value.remedy


def test_with_leave_the_unsafe_one_says_what_it_is() -> None:
    chosen = choose_sandbox(allow_unsafe=True, among=[Broken()])
    assert isinstance(chosen, Unsafe)
    assert "unsafe" in chosen.name


def test_leave_does_not_displace_a_sandbox_that_works(sandbox: Sandbox) -> None:
    assert choose_sandbox(allow_unsafe=True, among=[sandbox]) is sandbox


def test_unsafe_runs_with_files_and_limits_and_without_our_environment() -> None:
    code = """
import os, resource
print(open("a.txt").read(), "PYTEST_CURRENT_TEST" in os.environ, resource.getrlimit(resource.RLIMIT_CPU))
"""
    assert "PYTEST_CURRENT_TEST" in os.environ
    with closing(Unsafe().start([*interpreter().command, "-c", code], {"a.txt": "text"}, LIMITS)) as process:
        assert process.stdout.read() == b"text False (10, 10)\n"
        assert process.wait(60.0) == 0


def test_unsafe_ends_at_the_wall_clock_though_a_child_holds_its_pipes() -> None:
    code = "import os, time\nif os.fork(): time.sleep(600)\ntime.sleep(600)"
    with closing(Unsafe().start([*interpreter().command, "-c", code], {}, Limits(wall_seconds=1.0))) as process:
        assert process.stdout.read() == b""
        assert process.wait(60.0) not in (0, None)


def test_unsafe_removes_its_working_directory() -> None:
    code = "import os; print(os.getcwd(), flush=True); input()"
    with closing(Unsafe().start([*interpreter().command, "-c", code], {"a": "b"}, LIMITS)) as process:
        directory = process.stdout.readline().strip()
        assert os.path.isdir(directory)  # noqa: PTH112 -- bytes
    assert not os.path.exists(directory)  # noqa: PTH110 -- bytes
