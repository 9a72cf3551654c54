"""The filter's decisions, on both processors, by running its program on a small machine of our own."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.quality.syscall_filter import syscall_filter

ALLOW = 0x7FFF0000
REFUSE = 0x00050000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SOCKET = {"x86_64": 41, "aarch64": 198}
CLONE = {"x86_64": 56, "aarch64": 220}
UNSHARE = {"x86_64": 272, "aarch64": 97}
READ = {"x86_64": 0, "aarch64": 63}
EXECVE = {"x86_64": 59, "aarch64": 221}
MACHINES = sorted(ARCHITECTURE)
CLONE_OF_A_THREAD = 0x003D0F00
CLONE_NEWUSER = 0x10000000


def decide(machine: str, architecture: int, number: int, first_argument: int = 0) -> int:
    """What the program returns, run as the kernel runs classic BPF (linux/filter.h)."""
    program = syscall_filter(machine)
    assert program is not None
    data = struct.pack("=IIQQ", number, architecture, 0, first_argument)
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator = position = 0
    while True:
        code, if_true, if_false, value = instructions[position]
        position += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
            continue
        holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
        position += if_true if holds else if_false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6])
def test_sockets_that_namespaces_contain_are_allowed(machine: str, family: int) -> None:
    assert decide(machine, ARCHITECTURE[machine], SOCKET[machine], family) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@given(family=st.integers(min_value=0, max_value=2**32 - 1))
def test_no_other_socket_is(machine: str, family: int) -> None:
    allowed = family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
    decision = decide(machine, ARCHITECTURE[machine], SOCKET[machine], family)
    assert decision == (ALLOW if allowed else REFUSE | errno.EAFNOSUPPORT)


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_and_programs_may_start_but_not_in_new_namespaces(machine: str) -> None:
    architecture = ARCHITECTURE[machine]
    assert decide(machine, architecture, CLONE[machine], CLONE_OF_A_THREAD) == ALLOW
    assert decide(machine, architecture, CLONE[machine], CLONE_NEWUSER) == REFUSE | errno.EPERM
    assert decide(machine, architecture, UNSHARE[machine]) == REFUSE | errno.EPERM
    assert decide(machine, architecture, 435) == REFUSE | errno.ENOSYS  # clone3: its flags are out of a filter's sight
    assert decide(machine, architecture, READ[machine]) == ALLOW
    assert decide(machine, architecture, EXECVE[machine]) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.integers(min_value=0, max_value=2**32 - 1), other=st.integers(min_value=0, max_value=2**32 - 1))
def test_calls_by_another_table_do_not_exist(machine: str, number: int, other: int) -> None:
    if other != ARCHITECTURE[machine]:
        assert decide(machine, other, number) == REFUSE | errno.ENOSYS
    assert decide(machine, ARCHITECTURE[machine], number | 0x40000000) == REFUSE | errno.ENOSYS


def test_a_processor_without_a_table_has_no_filter() -> None:
    assert syscall_filter("s390x") is None
