"""A running sandboxed process, held to its wall clock and its output by this side of the wall.

Invariants: past `wall_seconds`, or past `output_bytes` read from it, the process and all that it started are killed.
Standard error never blocks it and never fills memory: a thread drains it and keeps the tail. After `close` no process
of the sandbox is left and every pipe is closed. The thread that starts a process must live as long as the process,
because the kernel kills the sandbox when that thread ends.
The first process of every sandbox greets: when all that ties its life to this process is in place, it writes a zero
byte to standard error, and starts the command only once it has read a newline from standard input. Without that, a
sandbox whose starter is killed at the wrong moment would live on, tied to nobody.
Left out: what the process may do meanwhile; that is what each sandbox sets up.
"""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from krins.errors import SandboxFault
from krins.interfaces import Limits

_STDERR_TAIL_BYTES = 4096
_CHUNK_BYTES = 65536
_GLANCE_SECONDS = 0.1
"""How often to look whether a silent process has ended while something else still holds its standard error."""
_PATIENCE_SECONDS = 5.0
"""How long the kernel may take to end what was killed."""

Killer = Callable[["subprocess.Popen[bytes]"], None]


class _BoundedOutput(io.RawIOBase):
    """Reads a pipe up to `limit_bytes` in all; one byte more, and it calls `over` and reads as ended."""

    def __init__(self, pipe: IO[bytes], limit_bytes: int, over: Callable[[], None]) -> None:
        self._pipe = pipe
        self._left_bytes = limit_bytes
        self._over = over

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = os.readv(self._pipe.fileno(), [buffer])
        self._left_bytes -= count
        if self._left_bytes >= 0:
            return count
        self._over()
        return 0

    def close(self) -> None:
        super().close()
        self._pipe.close()


class ConfinedProcess:
    """Implements `krins.interfaces.SandboxedProcess` over a process whose group `kill` can end as a whole."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, kill: Killer) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self._kill = kill
        self._stdin = process.stdin
        self._stdout = io.BufferedReader(_BoundedOutput(process.stdout, limits.output_bytes, self._end))
        self._stderr = process.stderr
        self._tail = b""
        self._greeted = threading.Event()
        self._deadline = time.monotonic() + limits.wall_seconds
        self._watcher = threading.Thread(target=self._watch, name="krins-sandbox-watch", daemon=True)
        self._watcher.start()

    @property
    def stdin(self) -> IO[bytes]:
        """Waits until the command has started, or never will."""
        self._greeted.wait()
        return self._stdin

    @property
    def stdout(self) -> IO[bytes]:
        return self._stdout

    def stderr_tail(self) -> str:
        if self._process.poll() is not None:
            self._watcher.join(_PATIENCE_SECONDS)
        return self._tail.decode("utf-8", "replace")

    def wait(self, timeout_seconds: float) -> int | None:
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        self._end()
        self._watcher.join(_PATIENCE_SECONDS)
        with suppress(OSError):
            self._stdin.close()
        self._stdout.close()
        self._stderr.close()

    def _end(self) -> None:
        self._kill(self._process)
        self._process.wait()

    def _watch(self) -> None:
        """Watch over the process from its greeting to its end; one that outlives its time is killed."""
        try:
            self._drain()
        finally:
            self._greeted.set()
        if self.wait(max(0.0, self._deadline - time.monotonic())) is None:
            self._end()

    def _drain(self) -> None:
        """Read standard error until it ends or time is up."""
        poller = select.poll()
        poller.register(self._stderr, select.POLLIN)
        while (left := self._deadline - time.monotonic()) > 0:
            if not poller.poll(min(left, _GLANCE_SECONDS) * 1000):
                if self._process.poll() is not None:
                    break
                continue
            chunk = os.read(self._stderr.fileno(), _CHUNK_BYTES)
            if not chunk:
                break
            self._tail = (self._tail + self._without_greeting(chunk))[-_STDERR_TAIL_BYTES:]

    def _without_greeting(self, chunk: bytes) -> bytes:
        if self._greeted.is_set():
            return chunk
        before, greeting, after = chunk.partition(b"\0")
        if greeting:
            with suppress(BrokenPipeError):
                os.write(self._stdin.fileno(), b"\n")
            self._greeted.set()
        return before + after


def spawn(argv: Sequence[str], limits: Limits, kill: Killer, pass_fds: Sequence[int] = ()) -> ConfinedProcess:
    """Start `argv` with an empty environment and three pipes, in a session of its own.

    Raises:
        SandboxFault: the operating system refused to start it.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            cwd="/",
            env={},
            start_new_session=True,
        )
    except OSError as failure:
        raise SandboxFault(f"{argv[0]} did not start: {failure}") from failure
    return ConfinedProcess(process, limits, kill)


def kill_namespace(holder: subprocess.Popen[bytes]) -> None:
    """Kill the first process of the namespace that `holder` waits for, and with it, by the kernel, all others.

    `holder` (bwrap or unshare) ends of itself once its child, the namespace's first process, is gone, and the kernel
    reports that one gone only after everything else in the namespace is: when `holder` has ended, nothing is left.
    Killing `holder` first would leave no one to wait for. It is the last resort, where no child of it can be seen.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while holder.poll() is None and time.monotonic() < give_up:
        for child in _children(holder.pid):
            _kill_child(holder.pid, child)
        with suppress(subprocess.TimeoutExpired):
            holder.wait(0.002)
    with suppress(ProcessLookupError):
        holder.kill()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill_child(parent: int, child: int) -> None:
    """Kill `child` through a descriptor, checked after it was opened, so that a reused number is never hit."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(child)
        try:
            if child in _children(parent):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
