"""Builds the inside of an Unshare sandbox, as the first process of its namespaces, and runs the command in it.

Invariants: the first process stays and reaps; the command runs as its child, with the user, the limits and the
system-call filter it was given and with no privilege; what is in view is mounted read-only but for /tmp, /dev/shm,
/proc and a few devices.
Left out: which paths are in view (system_view.py).

This file runs alone, as a script: standard library, Python 3.9 or newer. Numbers: linux/mount.h, linux/prctl.h.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import sys

# pathlib and `typing` are not imported, to start fast; type checkers take this name for true.
# ruff: noqa: PTH102, PTH103, PTH112, PTH120, PTH123, PTH211
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BIND, _RECURSIVE, _NOSUID, _NODEV, _NOEXEC = 0x1000, 0x4000, 0x2, 0x4, 0x8
_DETACH = 2
_MOUNT_SETATTR, _ATTRIBUTE_READ_ONLY, _ATTRIBUTE_NOSUID = 442, 0x1, 0x2
_AT_CURRENT, _AT_RECURSIVE = -100, 0x8000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_BOUNDING_DROP, _NO_NEW_PRIVILEGES, _SECCOMP = 24, 38, 22
_CAPABILITY_VERSION = 0x20080522
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FILES_IN_TMP = 16_384

_ROOT = "/sys"
"""Where the new root is mounted: a folder that every Linux has, and from which the sandbox needs nothing."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(_libc.mount(*arguments), f"mount {target}")


def read_only(path: str, recursive: bool) -> None:
    attributes = struct.pack("=QQQQ", _ATTRIBUTE_READ_ONLY | _ATTRIBUTE_NOSUID, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    call = (_MOUNT_SETATTR, _AT_CURRENT, os.fsencode(path), flags, attributes, ctypes.c_size_t(len(attributes)))
    _checked(_libc.syscall(*call), f"mount_setattr {path}")


def bind(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        os.mknod(target)
    mount(source, target, "", _BIND | _RECURSIVE)


def scratch(target: str, size_bytes: int) -> None:
    os.mkdir(target)
    options = f"size={size_bytes},nr_inodes={_FILES_IN_TMP},mode=1777"
    mount("tmpfs", target, "tmpfs", _NOSUID | _NODEV, options)


def inside(path: str) -> str:
    """Where `path` of the sandbox is while it is being built."""
    return _ROOT + path


def build(settings: dict[str, Any]) -> None:
    os.umask(0o022)  # the folders made here are for another user to see
    mount("tmpfs", _ROOT, "tmpfs", _NOSUID | _NODEV, "size=64m,mode=755")
    for path in settings["bound"]:
        bind(path, inside(path))
        read_only(inside(path), recursive=True)
    for path in settings["hidden"]:
        mount("tmpfs", inside(path), "tmpfs", _NOSUID | _NODEV, "size=4k,mode=755")
        read_only(inside(path), recursive=False)
    for link, target in settings["links"]:
        os.symlink(target, inside(link))
    os.mkdir(inside("/proc"))
    mount("proc", inside("/proc"), "proc", _NOSUID | _NODEV | _NOEXEC)
    for device in _DEVICES:
        bind(device, inside(device))
    os.symlink("/proc/self/fd", inside("/dev/fd"))
    scratch(inside("/dev/shm"), settings["shared_memory_bytes"])
    scratch(inside("/tmp"), settings["disk_bytes"])
    directory = inside(settings["directory"])
    os.mkdir(directory)
    for name, descriptor in settings["files"].items():
        with os.fdopen(descriptor, "rb") as content, open(f"{directory}/{name}", "wb") as file:
            file.write(content.read())


def enter(settings: dict[str, Any]) -> None:
    """Make the new root the only one: the old is detached, and with it every path of the host."""
    os.chdir(_ROOT)
    _checked(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _DETACH), "umount2")
    read_only("/", recursive=False)
    os.chdir(settings["directory"])
    _checked(_libc.sethostname(b"sandbox", 7), "sethostname")


def give_up_privileges(settings: dict[str, Any]) -> None:
    """In this order: each step still needs what the next one takes."""
    for capability in range(64):
        _libc.prctl(_BOUNDING_DROP, capability, 0, 0, 0)  # fails past the kernel's last capability
    _checked(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")
    uid = settings["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, none = struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)
    _checked(_libc.capset(header, none), "capset")
    for name, value in settings["resource_limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))


def filter_calls(program: bytes) -> None:
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    _checked(_libc.prctl(_SECCOMP, 2, header, 0, 0), "seccomp")


def run(command: list[str], settings: dict[str, Any]) -> None:
    give_up_privileges(settings)
    if settings["filter"]:
        filter_calls(bytes.fromhex(settings["filter"]))
    os.execvpe(command[0], command, settings["environment"])


def greet() -> None:
    """Say that all is in place, and wait for leave to start (confined_process.py). Without it, nobody is there."""
    os.write(2, b"\0")
    if not os.read(0, 1):
        sys.exit("whoever started this sandbox has gone")


def reap_until(child: int) -> int:
    """Wait as the first process of the namespace must, for all that lose their parent; the child's exit code."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def main() -> None:
    settings = json.loads(sys.argv[1])
    build(settings)
    enter(settings)
    greet()
    child = os.fork()
    if child == 0:
        run(sys.argv[2:], settings)
    code = reap_until(child)
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
