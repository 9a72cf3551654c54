"""Runs of a project's tests for impact_safety.py: which of them pass, and which functions they run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_PLUGIN = """
import json, os, signal, sys, threading, pytest

_REPORT, _SECONDS = os.environ["TEST_REPORT"], float(os.environ["TEST_SECONDS"])  # tests may change the environment
_RAN = os.environ.get("TEST_FUNCTIONS")
_codes = {}

def _profile(frame, event, argument):
    if event == "call":
        _codes[id(frame.f_code)] = frame.f_code

def _out_of_time(number, frame):
    raise TimeoutError("test took too long")

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    if _RAN:
        _codes.clear()
        threading.setprofile(_profile)
        sys.setprofile(_profile)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    if _RAN:
        sys.setprofile(None)
        with open(_RAN, "a") as file:
            places = {(os.path.realpath(code.co_filename), code.co_firstlineno) for code in list(_codes.values())}
            file.write(json.dumps([item.nodeid, sorted(places)]) + "\\n")

def pytest_runtest_logreport(report):
    with open(_REPORT, "a") as file:
        file.write(json.dumps([report.nodeid, report.outcome]) + "\\n")
"""


class Suite(NamedTuple):
    """How to run a project's tests in a folder; `scratch` holds what runs leave."""

    python: str
    folder: Path
    scratch: Path
    test_seconds: float
    run_seconds: float

    def run(self, tests: Sequence[str] = (), ran: Path | None = None) -> tuple[dict[str, bool], bool]:
        """Whether each test that ran to an end passed, by node id; and whether the run came to its own end.

        Args:
            ran: file for what each test ran: lines of JSON, node id and places of functions.
        """
        (self.scratch / "suite_report.py").write_text(_PLUGIN)
        report = self.scratch / "report.jsonl"
        report.unlink(missing_ok=True)
        command = [self.python, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "suite_report", *tests]
        environment = {**os.environ, **_paths(self.folder, self.scratch), "TEST_REPORT": str(report)}
        environment["TEST_SECONDS"] = str(self.test_seconds)
        environment |= {"TEST_FUNCTIONS": str(ran)} if ran else {}
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                process.wait(self.run_seconds)
                has_ended = True
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                has_ended = False
        passed: dict[str, bool] = {}
        for line in report.read_text().splitlines() if report.exists() else ():
            test, outcome = json.loads(line)
            passed[test] = passed.get(test, True) and outcome != "failed"
        return passed, has_ended


def _paths(folder: Path, scratch: Path) -> dict[str, str]:
    """So that the copy is imported, not what is installed."""
    return {"PYTHONPATH": os.pathsep.join(map(str, (folder / "src", folder, scratch)))}


def base(test: str) -> str:
    """A test's node id without its parameters."""
    path, separator, name = test.partition("::")
    return path + separator + name.partition("[")[0]


def functions_of(suite: Suite) -> dict[tuple[str, int], frozenset[str]]:
    """Tests that ran a function, without their parameters, by its file and first line.

    What tests share counts for the first that needs it: fixtures of a module or session, and caches.
    """
    output, root = suite.scratch / "ran.jsonl", suite.folder.resolve()
    suite.run(ran=output)
    found: dict[tuple[str, int], set[str]] = {}
    for test, places in map(json.loads, output.read_text().splitlines()):
        for path, line in places:
            if Path(path).is_relative_to(root):
                found.setdefault((Path(path).relative_to(root).as_posix(), line), set()).add(base(test))
    return {place: frozenset(tests) for place, tests in found.items()}
