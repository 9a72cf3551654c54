"""No sandbox: a plain process under resource limits, for machines without namespaces and code that is trusted.

Covers: wall clock, output, and CPU time, memory, file size and open files of each process.
Does NOT cover: anything else. The code has this user's files, network, environment variables on disk and processes;
a process that it starts in a session of its own outlives the sandbox; the number of processes is not limited, since
the kernel would count all of this user's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from krins.errors import SandboxFault
from krins.interfaces import Limits
from krins.quality.carried_files import as_bytes
from krins.quality.confined_process import ConfinedProcess, spawn
from krins.quality.interpreter import interpreter
from krins.quality.system_view import ENVIRONMENT, resource_limits

_LAUNCH = """
import json, os, resource, sys
directory, limits, environment = json.loads(sys.argv[1])
for name, value in limits.items():
    try:
        resource.setrlimit(getattr(resource, name), (value, value))
    except (ValueError, OSError):
        pass  # a limit that this system does not know, or that is already lower
os.chdir(directory)
os.write(2, b"\\0")
if not os.read(0, 1):
    sys.exit(1)
os.execvpe(sys.argv[2], sys.argv[2:], environment)
"""


class Unsafe:
    """Implements `krins.interfaces.Sandbox` in form alone."""

    name = "unsafe (no sandbox)"

    def start(self, command: Sequence[str], files: Mapping[str, str | bytes], limits: Limits) -> ConfinedProcess:
        directory = _directory(as_bytes(files))

        def end(process: subprocess.Popen[bytes]) -> None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with suppress(FileNotFoundError):
                directory.chmod(0o700)
            shutil.rmtree(directory.parent, ignore_errors=True)

        bounds = {name: value for name, value in resource_limits(limits).items() if name != "RLIMIT_NPROC"}
        scratch = str(directory.parent)
        settings = json.dumps([str(directory), bounds, {**ENVIRONMENT, "HOME": scratch, "TMPDIR": scratch}])
        return spawn([*interpreter().command, "-c", _LAUNCH, settings, *command], limits, end)


def _directory(files: Mapping[str, bytes]) -> Path:
    try:
        directory = Path(tempfile.mkdtemp(prefix="krins-unsafe-"), "work")
        directory.mkdir()
        for name, content in files.items():
            (directory / name).write_bytes(content)
        directory.chmod(0o500)
    except OSError as failure:
        raise SandboxFault(f"the working directory could not be made: {failure}") from failure
    return directory
