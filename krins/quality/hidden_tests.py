"""Checks a change against tests that it never sees, in a way that it cannot fake.

Two sandboxes: in one the candidate answers calls (candidate_server.py), in the other the tests make them
(test_runner.py), and this side carries each call and each answer between them. The candidate sees what a test passes
to a call, uses as an index, assigns or gives a program to work on, never what it compares a result with: comparing,
computing and converting happen in the tests' sandbox, to plain data alone (remote_object.py). The verdict is read from
there as well, where the candidate cannot reach. So whatever a candidate does, all that it can do is return values. It
imports the changed tree; the tests import the unchanged one, and read the texts of both (changed_project.py).

Invariants: every check ends, at the latest with the wall clock; quality is 1 if all tests pass and 0 otherwise; a
candidate is blamed for what happens while a call or its answer is under way, the tests for the rest.
Evidence quotes lines of the tests: whoever shows it to a model gives the expected values away.
Left out: tests that leave the judgement to the candidate (`assert solution.is_right(5)`: any true value passes, as it
should); what the candidate and the tests may use of the machine (the sandbox's part); and third-party packages, but
for `LIBRARIES`, with which tests, and they alone, may parse a text.
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
import time
import zipfile
from contextlib import closing
from functools import cache
from pathlib import Path

from krins.domain import Change, Verdict
from krins.errors import SandboxFault, TaskError
from krins.interfaces import Limits, Sandbox, SandboxedProcess
from krins.quality.interpreter import interpreter
from krins.quality.plain_data import MAX_MESSAGE_BYTES

LIBRARIES = ("yaml", "markdown_it", "mdurl")
"""Pure Python, as they are installed here."""
_DEFAULT_LIMITS = Limits()
_HERE = Path(__file__).parent
_ENDED_SECONDS = 1.0
"""How long a process whose output has ended may take to report its exit code."""


def _scripts(*names: str) -> dict[str, str | bytes]:
    return {name: (_HERE / name).read_text(encoding="utf-8") for name in names}


@cache
def _libraries() -> bytes:
    """The sources of `LIBRARIES`, zipped, as Python imports them."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in LIBRARIES:
            spec = importlib.util.find_spec(name)
            assert spec is not None and spec.origin is not None, f"{name} is a dependency of krins"
            folder = Path(spec.origin).parent
            for path in sorted(folder.rglob("*.py")):
                archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")
    return zipped.getvalue()


class HiddenTests:
    """Implements `krins.interfaces.Verifier`. May be used from several threads at once."""

    def __init__(self, sandbox: Sandbox, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._sandbox = sandbox
        self._limits = limits
        shared = _scripts("plain_data.py", "tree_files.py")
        runner = _scripts("remote_object.py", "changed_project.py", "test_runner.py")
        self._runner_files = {**shared, **runner, "libraries.zip": _libraries()}
        self._server_files = {**shared, **_scripts("candidate_server.py")}

    def verify(self, change: Change, tests: str) -> Verdict:
        """Run the functions `test_*` of `tests` against the tree after `change`.

        Raises:
            TaskError: the tests cannot be run: they do not import, or hold no test.
            SandboxFault: no verdict, and not by the candidate's doing.
        """
        started = time.monotonic()
        limits = self._limits
        before, after = json.dumps(dict(change.before)), json.dumps(dict(change.after))
        tests_side = {**self._runner_files, "before.json": before, "after.json": after, "tests.py": tests}
        candidate_side = {**self._server_files, "tree.json": after}
        with (
            self._started("test_runner.py", tests_side, _runner_limits(limits)) as runner,
            self._started("candidate_server.py", candidate_side, limits) as candidate,
        ):
            return _Exchange(runner, candidate, limits.wall_seconds, started).run()

    def _started(self, script: str, files: dict[str, str | bytes], limits: Limits) -> closing[SandboxedProcess]:
        return closing(self._sandbox.start([*interpreter().command, script], files, limits))


def _runner_limits(limits: Limits) -> Limits:
    """Wide enough that a candidate which keeps the tests busy meets a limit of its own before they meet theirs."""
    return limits._replace(cpu_seconds=math.ceil(limits.wall_seconds) + 1, output_bytes=4 * limits.output_bytes)


class _Ended(Exception):
    """A process has no more to say, or nothing that can be listened to; in words, if they are known."""


class _Exchange:
    """One check: carries calls and answers until the verdict, and knows at any time whom it is waiting for."""

    def __init__(
        self, runner: SandboxedProcess, candidate: SandboxedProcess, wall_seconds: float, started: float
    ) -> None:
        self._runner = runner
        self._candidate = candidate
        self._wall_seconds = wall_seconds
        self._started = self._last_call = self._last_answer = started
        self._candidate_seconds = 0.0
        self._candidate_is_ready = False
        self._answering = False
        """From a call until the runner has understood its answer."""
        self._total = 0

    def run(self) -> Verdict:
        _await_ready(self._runner, "the tests' sandbox")
        try:
            while True:
                match self._message():
                    case ["call"]:
                        self._carry()
                    case ["received"]:
                        self._receive()
                    case ["tests", int(total)]:
                        self._total = total
                    case ["verdict", int(passed), str(evidence)]:
                        return Verdict(float(passed == self._total), passed, self._total, evidence)
                    case ["unusable", str(why)]:
                        raise TaskError(f"the tests cannot be run: {why}", "mend the task's tests")
                    case other:
                        raise SandboxFault(f"the tests' sandbox sent {other!r:.100}")
        except _Ended:
            return self._without_verdict()

    def _message(self) -> object:
        try:
            return json.loads(_line(self._runner))
        except ValueError as failure:
            raise SandboxFault(f"the tests wrote into their runner's output: {failure}") from failure

    def _carry(self) -> None:
        """Take one call to the candidate and its answer back; where it ended, an answer that says so."""
        request = _line(self._runner)
        if not self._candidate_is_ready:
            _await_ready(self._candidate, "the candidate's sandbox")
            self._candidate_is_ready = True
        self._answering, self._last_call = True, time.monotonic()
        try:
            _write(self._candidate, request)
            answer = _line(self._candidate)
        except _Ended as ended:
            if self._time_is_up():
                raise
            answer = json.dumps(["ended", str(ended) or self._how_candidate_ended()]).encode() + b"\n"
            self._candidate.close()
        _write(self._runner, answer)

    def _receive(self) -> None:
        self._answering, self._last_answer = False, time.monotonic()
        self._candidate_seconds += self._last_answer - self._last_call

    def _time_is_up(self) -> bool:
        return time.monotonic() - self._started >= self._wall_seconds

    def _how_candidate_ended(self) -> str:
        code = self._candidate.wait(_ENDED_SECONDS)
        if code is None:
            return "the solution's process closed its output"
        last_words = self._candidate.stderr_tail().strip().rpartition("\n")[2]
        return f"the solution's process ended with exit code {code}{': ' if last_words else ''}{last_words[-200:]}"

    def _without_verdict(self) -> Verdict:
        """The runner ended early: the candidate's doing, or that of the tests?

        At the time limit, the tests are to blame if they have been busy since the last answer for longer than all
        answers took together.
        """
        if self._time_is_up():
            if self._answering or time.monotonic() - self._last_answer < self._candidate_seconds:
                return Verdict(0.0, 0, self._total, f"time limit: {self._wall_seconds:g} s passed without a verdict")
            raise SandboxFault(f"the tests did not end within {self._wall_seconds:g} s, without a call to the solution")
        if self._answering:
            return Verdict(0.0, 0, self._total, "the tests' process ended over an answer of the solution")
        tail = self._runner.stderr_tail().strip().rpartition("\n")[2]
        raise SandboxFault(
            f"the tests ended their own process, without a call to the solution: {tail or 'it said nothing'}",
            "look for os._exit, threads or memory in the task's tests",
        )


def _await_ready(process: SandboxedProcess, whose: str) -> None:
    """Read the first line, which is written before any code from outside runs: without it, the sandbox is at fault."""
    try:
        if json.loads(_line(process)) == ["ready"]:
            return
    except (_Ended, ValueError):
        process.wait(_ENDED_SECONDS)
    raise SandboxFault(f"{whose} did not start: {process.stderr_tail().strip() or 'it said nothing'}")


def _line(process: SandboxedProcess) -> bytes:
    """The next whole line.

    Raises:
        _Ended: the output ended, or the line is longer than a message may be.
    """
    line = process.stdout.readline(MAX_MESSAGE_BYTES + 1)
    if line.endswith(b"\n"):
        return line
    raise _Ended(f"a message of more than {MAX_MESSAGE_BYTES} bytes" if len(line) > MAX_MESSAGE_BYTES else "")


def _write(process: SandboxedProcess, line: bytes) -> None:
    try:
        process.stdin.write(line)
        process.stdin.flush()
    except OSError:
        raise _Ended from None
