"""A sandbox made by bubblewrap (`bwrap`): Linux namespaces, a read-only system and resource limits.

Covers: no network (an empty network namespace, and no socket families that ignore namespaces); no sight of the host's
processes, files, environment or keys; a read-only system of programs, libraries and the interpreter; a bounded private
/tmp and /dev/shm; memory, CPU time, processes, file size and open files of each process limited; no capabilities, no
new privileges, no further namespaces; a user id on the host that is not root; everything killed with the sandbox, and
the sandbox killed with this process.

Does NOT cover: faults of the kernel; side channels of the processor; memory in total, which may reach `processes` x
`memory_bytes` plus `disk_bytes` plus what the kernel holds for it (pipes, sockets, names); CPU time in total, which may
reach `processes` x `wall_seconds`; the number of files in /tmp; what /proc tells of the machine, which can be read
(kernel, boot parameters, devices, load, clock); settings of its own namespaces under /proc/sys, some of which it may
write where the caller is not root. On processors other than x86-64 and ARM64 there is no system-call filter.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

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

_FIRST_PROCESS_MAY = ("CAP_SETPCAP",)
"""It needs this to start the command with less; and having it, it cannot be written to by the command (ptrace(2))."""
_TO_CHANGE_USER = ("CAP_SETUID", "CAP_SETGID")
_WITHOUT_PRIVILEGES = ("--no-new-privs", "--ambient-caps=-all", "--inh-caps=-all", "--bounding-set=-all")
_FIRST_PROCESS = r"""printf '\0' >&2; read -r _ || exit; exec 3<&0; "$@" <&3 3<&- & wait $!"""
"""Greets (confined_process.py), and ends with the command, and with it the namespace. The first process that bwrap
itself would provide is not waited for by anyone once the command has ended: nobody could tell when the last process is
gone, and each would stay a zombie where the machine's own first process does not reap. (`<&3`, because a shell gives
its background /dev/null to read.)"""


class Bubblewrap:
    """Implements `krins.interfaces.Sandbox`; needs bubblewrap (0.8 is the oldest tried) and util-linux."""

    name = "bubblewrap"

    def __init__(self) -> None:
        self._bwrap = shutil.which("bwrap") or "/usr/bin/bwrap"

    def start(self, command: Sequence[str], files: Mapping[str, str | bytes], limits: Limits) -> ConfinedProcess:
        uid = unshared_uid()
        program = syscall_filter()
        with carried(as_bytes(files)) as named, carried({"filter": program} if program else {}) as filters:
            argv = [self._bwrap, *_isolation(uid), *_file_system(limits)]
            for name, descriptor in named.items():
                argv += ["--perms", "0444", "--file", str(descriptor), f"{WORK_DIRECTORY}/{name}"]
            argv += ["--remount-ro", "/", "--chdir", WORK_DIRECTORY]
            for descriptor in filters.values():
                argv += ["--seccomp", str(descriptor)]
            argv += ["--as-pid-1", "--", "sh", "-c", _FIRST_PROCESS, "sh", *_confined(command, limits, uid)]
            return spawn(argv, limits, kill_namespace, (*named.values(), *filters.values()))


def _isolation(uid: int | None) -> list[str]:
    argv = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    argv += ["--hostname", "sandbox", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    for variable, value in ENVIRONMENT.items():
        argv += ["--setenv", variable, value]
    if uid is None:
        argv += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    for capability in _FIRST_PROCESS_MAY if uid is None else (*_FIRST_PROCESS_MAY, *_TO_CHANGE_USER):
        argv += ["--cap-add", capability]
    return argv


def _file_system(limits: Limits) -> list[str]:
    argv: list[str] = []
    view = system_view(interpreter(), private_folders())
    for path in view.bound:
        # A folder that bwrap makes on the way takes the mode of its model outside, which may be closed (/root).
        for parent in reversed(path.parents[:-1]):
            argv += ["--perms", "0755", "--dir", str(parent)]
        argv += ["--ro-bind", str(path), str(path)]
    for path in view.hidden:
        argv += ["--perms", "0755", "--tmpfs", str(path), "--remount-ro", str(path)]
    for link, target in view.links:
        argv += ["--symlink", target, str(link)]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    argv += ["--perms", "1777", "--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    argv += ["--perms", "1777", "--size", str(limits.disk_bytes), "--tmpfs", "/tmp"]
    return [*argv, "--perms", "0755", "--dir", WORK_DIRECTORY]


def _confined(command: Sequence[str], limits: Limits, uid: int | None) -> list[str]:
    """`command` as the user `uid` (None: whoever starts it), without privileges and under resource limits.

    The limits come after the change of user, so that RLIMIT_NPROC counts the processes of `uid`.
    """
    user = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    bounds = resource_limits(limits).items()
    options = [f"--{name.removeprefix('RLIMIT_').lower()}={value}" for name, value in bounds]
    return ["setpriv", *user, *_WITHOUT_PRIVILEGES, "prlimit", *options, *command]
