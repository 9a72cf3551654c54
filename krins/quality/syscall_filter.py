"""The system calls that sandboxed code is refused, as a seccomp program (classic BPF).

Invariants: what namespaces and limits do not contain is refused: new namespaces, mounts, keys, tracing, BPF, io_uring,
memory that no limit counts (memfd, System V), and every socket family but AF_UNIX, AF_INET and AF_INET6 (AF_VSOCK
reaches a virtual machine's host from any network namespace).
Calls by another processor's table (32-bit, x32) do not exist. Everything else is allowed: this narrows the kernel's
surface, it is not what keeps the code in.
Left out: processors other than x86-64 and ARM64, for which there is no program.

Numbers and layout: linux/seccomp.h, linux/audit.h, asm/unistd_64.h, asm-generic/unistd.h, linux/sched.h.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from typing import NamedTuple

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NEW_NAMESPACE_FLAGS = 0x7E020000
_X32_BIT = 0x40000000


class _Table(NamedTuple):
    """One processor's numbers."""

    architecture: int
    clone: int
    clone3: int
    socket: int
    refused: tuple[int, ...]


# fmt: off
_TABLES = {
    "x86_64": _Table(0xC000003E, 56, 435, 41, (
        101, 310, 311,  # ptrace, process_vm_readv, process_vm_writev
        165, 166, 155, 161, 428, 429, 430, 431, 432, 433, 442,  # mount, umount2, pivot_root, chroot, new mount calls
        272, 308,  # unshare, setns
        248, 249, 250,  # add_key, request_key, keyctl
        298, 321, 323, 425, 426, 427,  # perf_event_open, bpf, userfaultfd, io_uring_*
        175, 313, 176, 246, 320, 169,  # init_module, finit_module, delete_module, kexec_load, kexec_file_load, reboot
        304, 303, 300, 301,  # open_by_handle_at, name_to_handle_at, fanotify_*
        319, 447, 29, 68, 64,  # memfd_create, memfd_secret, shmget, msgget, semget
    )),
    "aarch64": _Table(0xC00000B7, 220, 435, 198, (
        117, 270, 271,
        40, 39, 41, 51, 428, 429, 430, 431, 432, 433, 442,
        97, 268,
        217, 218, 219,
        241, 280, 282, 425, 426, 427,
        105, 273, 106, 104, 294, 142,
        265, 264, 262, 263,
        279, 447, 194, 186, 190,
    )),
}
# fmt: on


def syscall_filter(machine: str | None = None) -> bytes | None:
    """The program for `machine` (default: this one), as an array of struct sock_filter; None if there is none."""
    table = _TABLES.get(machine or platform.machine())
    if table is None:
        return None
    program = [_operation(_LOAD, _ARCHITECTURE), _operation(_EQUAL, table.architecture, 1, 0), _refuse(errno.ENOSYS)]
    program += [_operation(_LOAD, _NUMBER), _operation(_AT_LEAST, _X32_BIT, 0, 1), _refuse(errno.ENOSYS)]
    program += [_operation(_EQUAL, table.clone3, 0, 1), _refuse(errno.ENOSYS)]
    for number in table.refused:
        program += [_operation(_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    program += [_operation(_EQUAL, table.clone, 0, 4), _operation(_LOAD, _FIRST_ARGUMENT)]
    program += [_operation(_ANY_BIT, _NEW_NAMESPACE_FLAGS, 0, 1), _refuse(errno.EPERM), _operation(_RETURN, _ALLOW)]
    program += [_operation(_EQUAL, table.socket, 0, 5), _operation(_LOAD, _FIRST_ARGUMENT)]
    for position, family in enumerate((socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)):
        program.append(_operation(_EQUAL, family, 3 - position, 0))
    program += [_refuse(errno.EAFNOSUPPORT), _operation(_RETURN, _ALLOW)]
    return b"".join(program)


def _operation(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(error: int) -> bytes:
    return _operation(_RETURN, _ERRNO | error)
