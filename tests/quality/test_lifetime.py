"""A sandbox ends with its command, with its closing, or with whoever started it, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from krins.interfaces import Limits, Sandbox
from krins.quality.interpreter import interpreter

Find = Callable[[str], list[int]]

LIMITS = Limits(wall_seconds=60.0)

LEAVE_BEHIND = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        time.sleep(600)
    os._exit(0)
print("left", flush=True)
time.sleep(600 if sys.argv[1] == "stay" else 0)
"""


@pytest.mark.parametrize("first_process", ["stay", "leave"])
def test_nothing_is_left_after_closing(sandbox: Sandbox, processes_named: Find, first_process: str) -> None:
    marker = f"krins-test-{uuid.uuid4()}"
    process = sandbox.start([*interpreter().command, "-c", LEAVE_BEHIND, first_process, marker], {}, LIMITS)
    assert process.stdout.readline() == b"left\n"
    process.close()
    assert processes_named(marker) == []


def test_closing_at_once_leaves_nothing_and_closing_twice_is_harmless(sandbox: Sandbox, processes_named: Find) -> None:
    marker = f"krins-test-{uuid.uuid4()}"
    for _ in range(5):
        process = sandbox.start([*interpreter().command, "-c", "import time; time.sleep(600)", marker], {}, LIMITS)
        process.close()
        process.close()
    assert processes_named(marker) == []


FORK_BOMB = """
import os
print("lit", flush=True)
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


def test_a_fork_bomb_whose_children_fork_too_ends_with_its_sandbox(sandbox: Sandbox, processes_named: Find) -> None:
    marker = f"krins-test-{uuid.uuid4()}"
    limits = LIMITS._replace(processes=16)
    process = sandbox.start([*interpreter().command, "-c", FORK_BOMB, marker], {}, limits)
    assert process.stdout.readline() == b"lit\n"
    most = 0
    give_up = time.monotonic() + 30.0
    while most < 8 and time.monotonic() < give_up:
        most = max(most, len(processes_named(marker)))
    process.close()
    assert most >= 8
    assert processes_named(marker) == []


HOLD_A_SANDBOX = """
import os, signal, sys, time
from krins.interfaces import Limits
from krins.quality.bubblewrap import Bubblewrap
from krins.quality.interpreter import interpreter
from krins.quality.unshare import Unshare
kind = {"bubblewrap": Bubblewrap, "unshare": Unshare}[sys.argv[1]]
sleep = "import time; print('asleep', flush=True); time.sleep(600)"
process = kind().start([*interpreter().command, "-c", sleep, sys.argv[2]], {}, Limits(wall_seconds=300.0))
if len(sys.argv) > 3:
    time.sleep(float(sys.argv[3]))
    os.kill(os.getpid(), signal.SIGKILL)
print(process.stdout.readline(), flush=True)
time.sleep(600)
"""


def _held(sandbox: Sandbox, marker: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that holds a sandbox, in which a process with `marker` in its command line sleeps."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    command = [sys.executable, "-c", HOLD_A_SANDBOX, sandbox.name, marker, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def _all_end(marker: str, processes_named: Find) -> bool:
    give_up = time.monotonic() + 30.0
    while processes_named(marker) and time.monotonic() < give_up:
        time.sleep(0.01)
    return processes_named(marker) == []


def test_a_sandbox_dies_with_whoever_started_it(sandbox: Sandbox, processes_named: Find) -> None:
    marker = f"krins-test-{uuid.uuid4()}"
    with _held(sandbox, marker) as holder:
        assert holder.stdout is not None
        assert b"asleep" in holder.stdout.readline()
        assert len(processes_named(marker)) > 1
        holder.send_signal(signal.SIGKILL)
    assert _all_end(marker, processes_named)


@pytest.mark.parametrize("delay_seconds", ["0", "0.003", "0.006", "0.012", "0.025"])
def test_a_sandbox_whose_starter_dies_while_it_starts_dies_too(
    sandbox: Sandbox, processes_named: Find, delay_seconds: str
) -> None:
    marker = f"krins-test-{uuid.uuid4()}"
    with _held(sandbox, marker, delay_seconds) as holder:
        assert holder.wait() == -signal.SIGKILL
    assert _all_end(marker, processes_named)
