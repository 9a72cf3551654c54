"""What sandboxed code sees of the system, and the limits it runs under; the same whichever tool builds the sandbox.

Invariants: of /usr, only programs, libraries and time zones are in view; of the interpreter's own folder, only itself
and its libraries; of /etc, the linker's cache and the alternatives' links; of /home and /root, nothing but such an
interpreter. The folders in which the tasks are likely to lie with their hidden tests, the current one and the one that
holds this package, are empty inside or not there at all, wherever they lie. Nothing in view can be written to but /tmp,
/dev/shm and what /proc lets a process write of itself and its namespaces.
Left out: how the view is built (bubblewrap.py, unshare.py); tasks kept elsewhere among the libraries of the system or
the interpreter; libraries that the interpreter needs from outside both, such as /usr/local/lib for one in /opt.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from krins.errors import SandboxFault
from krins.interfaces import Limits
from krins.quality.interpreter import Interpreter

WORK_DIRECTORY = "/sandbox"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
SHARED_MEMORY_BYTES = 2**20
"""Size of /dev/shm: room for semaphores, not for data."""
OPEN_FILES = 256

_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SYSTEM = [Path(root, name) for root in ("/usr", "/") for name in _FOLDERS] + [Path("/usr/share/zoneinfo")]
_LIBRARIES = ("lib", "lib64")
_SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives")


class SystemView(NamedTuple):
    """Paths of the host, each of which is at the same place inside."""

    bound: list[Path]
    """Read-only, with all that is in them; in an order in which a later one never hides an earlier one."""
    hidden: list[Path]
    """Folders under `bound` that are empty inside; none lies in another."""
    links: list[tuple[Path, str]]
    """Symbolic links to make, and their targets."""


def system_view(python: Interpreter, private: Sequence[Path]) -> SystemView:
    """What is needed to run `python`, without the folders `private`.

    Raises:
        SandboxFault: the interpreter's folder holds this user's home, or a private folder holds the interpreter or
            all of a folder that is needed.
    """
    bound = [path for path in _SYSTEM if path.is_dir() and not path.is_symlink()]
    bound += _own_paths(python)
    hidden = {inside for folder in private for inside in _hidden(folder.resolve(), bound, python)}
    return SystemView(
        bound=bound + [path for path in map(Path, _SETTINGS) if path.exists()],
        hidden=sorted(path for path in hidden if hidden.isdisjoint(path.parents)),
        links=[(path, str(path.readlink())) for path in _SYSTEM if path.is_symlink()],
    )


def private_folders() -> list[Path]:
    """The current folder, and the one that holds this package: a checkout, or else the installed packages."""
    folders = [Path(__file__).parents[2]]
    with suppress(FileNotFoundError):  # a current folder that has been removed holds nothing
        folders.append(Path.cwd())
    return folders


def _own_paths(python: Interpreter) -> list[Path]:
    """What the interpreter needs of its own folder, and the system's folders do not have."""
    own: list[Path] = []
    for path in (*(python.prefix / name for name in _LIBRARIES if (python.prefix / name).is_dir()), python.executable):
        if not any(map(path.is_relative_to, [*_SYSTEM, *own])):
            own.append(path)
    if own and Path(os.environ.get("HOME", "/root")).is_relative_to(python.prefix):
        raise SandboxFault(
            f"the interpreter's folder {python.prefix} holds the home", "install Python in a folder of its own"
        )
    return own


def _hidden(folder: Path, bound: Sequence[Path], python: Interpreter) -> list[Path]:
    """Where `folder` would be in view. A folder may be bound under another name than its own, by a symbolic link."""
    originals = [(path, path.resolve()) for path in bound]
    places = [path / folder.relative_to(real) for path, real in originals if folder.is_relative_to(real)]
    needed = (python.executable, Path(os.__file__).resolve())
    if places and (folder in (real for _, real in originals) or any(path.is_relative_to(folder) for path in needed)):
        raise SandboxFault(
            f"the folder {folder} must be kept from sandboxed code, which cannot run without it",
            "keep the project, and the current folder, apart from the interpreter's and the system's libraries",
        )
    return places


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
