"""A sandbox made by util-linux `unshare`, for machines without bubblewrap.

Covers what `krins.quality.bubblewrap` covers, and the number of files in /tmp besides. Its own script
(unshare_setup.py) builds the view of the system, gives up every privilege and sets the limits.
Does NOT cover: what Bubblewrap does not. It is younger than bubblewrap and has been read by fewer eyes, which is why
it comes second. Needs Linux 5.12 and util-linux 2.36, or newer.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from krins.interfaces import Limits
from krins.quality.carried_files import as_bytes, carried
from krins.quality.confined_process import ConfinedProcess, kill_namespace, spawn
from krins.quality.identity import NOBODY, unshared_uid
from krins.quality.interpreter import interpreter
from krins.quality.syscall_filter import syscall_filter
from krins.quality.system_view import (
    ENVIRONMENT,
    SHARED_MEMORY_BYTES,
    WORK_DIRECTORY,
    private_folders,
    resource_limits,
    system_view,
)

_SETUP = Path(__file__).with_name("unshare_setup.py")
_NAMESPACES = ["--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"]
_IN_USER_NAMESPACE = ["--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--keep-caps"]


class Unshare:
    """Implements `krins.interfaces.Sandbox`."""

    name = "unshare"

    def __init__(self) -> None:
        self._unshare = shutil.which("unshare") or "/usr/bin/unshare"
        self._setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"

    def start(self, command: Sequence[str], files: Mapping[str, str | bytes], limits: Limits) -> ConfinedProcess:
        uid = unshared_uid()
        argv = [self._setpriv, "--pdeathsig=KILL", self._unshare, *_NAMESPACES]
        if uid is None:
            argv += _IN_USER_NAMESPACE
        with carried(as_bytes(files)) as named:
            settings = json.dumps(_settings(named, limits, uid))
            argv += [*interpreter().command, str(_SETUP), settings, *command]
            return spawn(argv, limits, kill_namespace, tuple(named.values()))


def _settings(files: Mapping[str, int], limits: Limits, uid: int | None) -> dict[str, object]:
    program = syscall_filter()
    view = system_view(interpreter(), private_folders())
    return {
        "bound": [str(path) for path in view.bound],
        "hidden": [str(path) for path in view.hidden],
        "links": [[str(link), target] for link, target in view.links],
        "directory": WORK_DIRECTORY,
        "files": dict(files),
        "disk_bytes": limits.disk_bytes,
        "shared_memory_bytes": SHARED_MEMORY_BYTES,
        "environment": ENVIRONMENT,
        "uid": uid,
        "resource_limits": resource_limits(limits),
        "filter": program.hex() if program else "",
    }
