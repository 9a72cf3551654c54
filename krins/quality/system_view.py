"""What sandboxed code sees of the system, and the limits it runs under; the same whichever tool builds the sandbox.

Invariants: nothing of /home, /root or /etc is in view but the linker's cache, the alternatives' links and the
interpreter; nothing in view can be written to but /tmp and /dev/shm.
Left out: how the view is built (bubblewrap.py, unshare.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from krins.errors import SandboxFault
from krins.interfaces import Limits
from krins.quality.interpreter import Interpreter

WORK_DIRECTORY = "/sandbox"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
SHARED_MEMORY_BYTES = 2**20
"""Size of /dev/shm: room for semaphores, not for data."""
OPEN_FILES = 256

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives")


def read_only_paths(python: Interpreter) -> list[Path]:
    """Paths to bind, in an order in which a later one never hides an earlier one.

    Raises:
        SandboxFault: the interpreter is installed so that its folder holds this user's home.
    """
    paths = [path for path in map(Path, _SYSTEM) if path.is_dir() and not path.is_symlink()]
    for path in (python.prefix, python.executable):
        if any(path.is_relative_to(bound) for bound in paths):
            continue
        if Path(os.environ.get("HOME", "/root")).is_relative_to(path):
            raise SandboxFault(
                f"the interpreter's folder {path} holds the home", "install Python in a folder of its own"
            )
        paths.append(path)
    return paths + [path for path in map(Path, _SETTINGS) if path.exists()]


def links() -> list[tuple[Path, str]]:
    """Top-level symbolic links, as on the host: (link, target)."""
    return [(path, str(path.readlink())) for path in map(Path, _SYSTEM) if path.is_symlink()]


def resource_limits(limits: Limits) -> dict[str, int]:
    """Name of a limit in the module `resource` to its value, soft and hard."""
    return {
        "RLIMIT_AS": limits.memory_bytes,
        "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_FSIZE": limits.output_bytes,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
    }
