"""How a sandbox is used: files go in by plain names, input and exit codes pass, and what cannot start says so."""

from __future__ import annotations

from contextlib import closing

import pytest

from krins.errors import SandboxFault
from krins.interfaces import Limits, Sandbox
from krins.quality.bubblewrap import Bubblewrap

LIMITS = Limits(wall_seconds=60.0)


@pytest.mark.parametrize("name", ["../a", "a/b", "/etc/x", "", ".."])
def test_a_file_outside_the_working_directory_is_refused(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(SandboxFault, match="no plain file name"):
        sandbox.start(["true"], {name: ""}, LIMITS)


def test_standard_input_arrives(sandbox: Sandbox) -> None:
    with closing(sandbox.start(["cat"], {}, LIMITS)) as process:
        process.stdin.write(b"hello")
        process.stdin.close()
        assert process.stdout.read() == b"hello"
        assert process.wait(60.0) == 0


def test_a_command_that_does_not_exist_says_so(sandbox: Sandbox) -> None:
    with closing(sandbox.start(["krins-no-such-command"], {}, LIMITS)) as process:
        assert process.stdout.read() == b""
        assert process.wait(60.0) not in (0, None)
        assert "krins-no-such-command" in process.stderr_tail()


def test_waiting_for_a_running_process_gives_none(sandbox: Sandbox) -> None:
    with closing(sandbox.start(["sleep", "600"], {}, LIMITS)) as process:
        assert process.wait(0.0) is None


def test_bubblewrap_is_named() -> None:
    assert Bubblewrap().name == "bubblewrap"
