"""Worker processes: the same facts as without them, whatever becomes of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from krins.context import parallel
from krins.context.parallel import Source, parse_all
from tests.context.graphs import assert_same_facts

PYTHON = [("python", f"def f{number}():\n    return g({number})\n".encode()) for number in range(40)]
BROKEN: Source = ("python", b"\xff\xfe")
NO_LANGUAGE: Source = ("no such language", b"x")


@pytest.fixture(autouse=True)
def _always_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_MIN_BYTES", 0)
    monkeypatch.setattr(parallel, "_BATCH_BYTES", 200)


def assert_same_apart(sources: list[Source], workers: int = 2) -> None:
    apart, here = parse_all(sources, workers), parse_all(sources, 1)
    assert len(apart) == len(sources)
    for one, other in zip(apart, here, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert_same_facts(one, other)


def test_facts_are_those_of_one_process() -> None:
    assert_same_apart([*PYTHON, BROKEN, NO_LANGUAGE, ("javascript", b"function f() {}")])
    assert parse_all([], 2) == []


def test_from_a_thread() -> None:
    found: list[bool] = []

    def work() -> None:
        found.extend(facts is None for facts in parse_all([BROKEN, PYTHON[0], NO_LANGUAGE], 2))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True, False, True]


DEADLY = """
import os, sys
sys.path[:] = {path!r}
from krins.context import parallel, parsing
parse = parsing.parse
def parse_or_die(source, language):
    if b"deadly" in source and not os.path.exists(source.split()[1]):
        open(source.split()[1], "w").close() if b"once" in source else None
        os.kill(os.getpid(), 9)
    return parse(source, language)
parsing.parse = parse_or_die
parallel.serve()
"""


def test_a_source_that_kills_its_worker_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a memory fault of a grammar would."""
    monkeypatch.setattr(parallel, "_PROGRAM", DEADLY)
    deadly: Source = ("python", b"deadly /no/such/file")
    found = parse_all([*PYTHON[:20], deadly, *PYTHON[20:]], 2)
    assert [at for at, facts in enumerate(found) if facts is None] == [20]


def test_a_worker_that_is_killed_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(parallel, "_PROGRAM", DEADLY)
    found = parse_all([*PYTHON, ("python", f"deadly {tmp_path}/marker once".encode())], 2)
    assert None not in found


def children(pid: int) -> list[str]:
    """Process numbers. A thread may end while it is looked at."""
    found: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += (task / "children").read_text().split()
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_an_interrupt_ends_the_workers() -> None:
    program = """
from krins.context import parallel
parallel._MIN_BYTES = 0
parallel.parse_all([("python", b"x = 1\\n" * 4000 + str(n).encode()) for n in range(4000)], 2)
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as process:
        while len(workers := children(process.pid)) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for executable in ("/no/such/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", executable)
        assert_same_apart(PYTHON)
