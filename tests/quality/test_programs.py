from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from krins.interfaces import Limits, Sandbox
from krins.quality.programs import ROOM, is_there, with_room


def test_limits_are_raised_and_never_lowered() -> None:
    limits = Limits(memory_bytes=5, processes=64)
    assert with_room(limits, []) == limits
    roomy = with_room(limits, ["node", "bash"])
    assert (roomy.memory_bytes, roomy.processes) == (ROOM["node"].memory_bytes, 64)
    assert roomy._replace(memory_bytes=5) == limits


def test_what_is_not_installed_is_not_there() -> None:
    assert is_there("sh") and not is_there("no-such-program")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_runs_in_its_room(sandbox: Sandbox) -> None:
    command = ["node", "-e", "import('node:fs').then(() => console.log([1, 2].map((x) => 2 * x).join()))"]
    with closing(sandbox.start(command, {}, with_room(Limits(), ["node"]))) as process:
        assert (process.stdout.read(), process.wait(10)) == (b"2,4\n", 0), process.stderr_tail()
