"""Runs a project's tests with pytest, each in a process of its own, and writes down what every one of them ran.

    python recorder.py OUTPUT [PYTEST ARGUMENTS]

Run by the project's own interpreter, so it knows the standard library and pytest alone. pytest collects as ever; then
each test runs in a fork of the process that collected, so that no test leaves anything to another: whatever it needs it
sets up itself, and that is written down too. Functions of the folder that it is started in are written as path and
first line. `unconfined` tests started processes, took the profiler away, or did not pass by themselves: nobody knows
all that they run.
Left out: threads that are not started by `threading`, and systems without `fork`.
"""

from __future__ import annotations

import gc
import json
import linecache
import os
import select
import signal
import sys
import threading
import warnings
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

_SECONDS = 120.0
"""How long a test may take."""
_SPAWN = "spawnv_passfds"
"""How multiprocessing starts processes other than by forking; there is no audit event for it."""
_PROCESSES = ("os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn", "subprocess.Popen")


class _Recorder:
    def __init__(self, root: Path) -> None:
        self._prefix = os.path.realpath(root) + os.sep
        self._paths: dict[str, str] = {}
        self._codes: dict[int, CodeType] = {}
        """By identity: equal functions of two files are equal as code."""
        self._unconfined = ""
        self._reads: set[str] = set()
        self.tests: dict[str, dict[str, Any]] = {}

    def start(self) -> None:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def functions(self) -> list[tuple[str, int]]:
        """What has run so far."""
        found = set()
        for code in list(self._codes.values()):
            path = self._path(code.co_filename)
            if path:
                found.add((path, code.co_firstlineno))
        return sorted(found)

    def pytest_collection_finish(self) -> None:
        gc.collect()
        gc.freeze()  # so that tests collect their own garbage alone, and leave memory shared

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        read_end, write_end = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are threads: plugins may have started some
            child = os.fork()
        if child == 0:
            try:
                os.close(read_end)
                _write(write_end, self._run(item))
            finally:
                os._exit(0)
        os.close(write_end)
        line = _read_line(read_end)
        os.close(read_end)
        if not line:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lost = {"functions": [], "reads": [], "unconfined": "ended early or took too long"}
        self.tests[item.nodeid] = json.loads(line) if line else lost
        return True

    def _run(self, item: pytest.Item) -> dict[str, Any]:
        self._codes.clear()
        linecache.clearcache()  # else what was read before would not be read again
        sys.addaudithook(self._audit)
        own = sys.getprofile()
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
            self._unconfined = "failed"
        gc.collect()  # what destructors do is the doing of the test whose objects they are
        if sys.getprofile() is not own:
            self._unconfined = "took the profiler away"
        sys.setprofile(None)
        if any(code.co_name == _SPAWN for code in self._codes.values()):
            self._unconfined = _SPAWN
        return {
            "functions": self.functions(),
            "reads": sorted(self._reads),
            "unconfined": self._unconfined,
        }

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":  # which has a first line, too
            self._codes[id(frame.f_code)] = frame.f_code

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _PROCESSES:
            self._unconfined = event
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            name = os.fsdecode(arguments[0])
            caller = sys._getframe(1)
            asked_by = caller.f_back.f_code.co_name if caller.f_back else ""
            is_import = (caller.f_code.co_name, asked_by) == ("get_data", "get_code")
            if name.endswith(".py") and not is_import and self._path(name):
                self._reads.add(self._path(name))

    def _path(self, name: str) -> str:
        """Relative to the root, with "/"; empty for what is outside."""
        if name not in self._paths:
            path = os.path.realpath(Path(self._prefix, name))
            is_inside = path.startswith(self._prefix) and not name.startswith("<")
            self._paths[name] = path[len(self._prefix) :].replace(os.sep, "/") if is_inside else ""
        return self._paths[name]


def _write(descriptor: int, record: dict[str, Any]) -> None:
    data = json.dumps(record).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]


def _read_line(descriptor: int) -> bytes:
    """Up to a line break; nothing if it does not come in time, or the other side ends first."""
    data = b""
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], _SECONDS)
        part = os.read(descriptor, 1 << 16) if ready else b""
        if not part:
            return b""
        data += part
    return data


def main() -> None:
    output, arguments = sys.argv[1], sys.argv[2:]
    sys.path[0] = str(Path.cwd())  # as for `python -m pytest`
    recorder = _Recorder(Path.cwd())
    recorder.start()
    code = pytest.main(["-p", "no:cacheprovider", *arguments], plugins=[recorder])
    sys.setprofile(None)
    Path(output).write_text(json.dumps({"tests": recorder.tests, "loading": recorder.functions()}), encoding="utf-8")
    # Without a test run in its own process, pytest says that there were none.
    sys.exit(0 if code == pytest.ExitCode.NO_TESTS_COLLECTED and recorder.tests else code)


if __name__ == "__main__":
    main()
