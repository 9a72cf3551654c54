"""One attack on each wall of a sandbox: what code does in it, and what comes of that outside."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from krins.interfaces import Limits, Sandbox
from krins.quality.interpreter import interpreter

Run = Callable[..., Any]
Find = Callable[[str], list[int]]

LIMITS = Limits(wall_seconds=60.0)

READ = """
import os, sys
for number, path in enumerate(sys.argv[1:]):
    os.symlink(path, f"/tmp/{number}")
    for way in (path, f"/tmp/{number}"):
        try:
            open(way).read()
            print("read", way)
        except OSError as refused:
            print(type(refused).__name__)
"""


@pytest.fixture
def file_at_home() -> Iterator[Path]:
    """One that is there and that everyone may read."""
    with TemporaryDirectory(dir=Path.home(), prefix="krins-test-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder, "secret")
        file.write_text("secret")
        yield file


def test_files_of_the_host_are_out_of_reach_by_their_names_and_by_links(
    run: Run, tmp_path: Path, file_at_home: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    there = ("/etc/shadow", "/etc/passwd", str(file_at_home), str(tmp_path / "secret"))
    assert all(Path(path).exists() for path in there)
    ran = run(READ, arguments=(*there, "/proc/1/environ/../root/etc/passwd"))
    assert ran.output.split()[:8] == ["FileNotFoundError"] * 8
    assert "read" not in ran.output


def test_scratch_folders_are_private_and_all_other_folders_read_only(run: Run) -> None:
    code = """
import os
print(os.listdir("/tmp"), os.listdir("/dev/shm"))
open("/tmp/left", "w"), open("/dev/shm/left", "w")
for line in open("/proc/self/mountinfo"):
    folder, options = line.split()[4:6]
    if "ro" not in options.split(","):
        print(folder)
"""
    for _ in range(2):
        left, *writable = run(code).output.splitlines()
        assert left == "[] []"
        folders = {folder for folder in writable if not folder.startswith("/dev/") or folder == "/dev/shm"}
        assert folders == {"/tmp", "/dev/shm", "/proc"}
    assert not Path("/tmp/left").exists()


def test_folders_of_users_hold_nothing_but_the_interpreter(run: Run) -> None:
    code = """
import os, sys
for home in ("/root", "/home"):
    for folder, _, files in os.walk(home):
        if not folder.startswith(sys.argv[1]) and files:
            print(folder, files)
print("looked")
"""
    assert run(code, arguments=(str(interpreter().prefix),)).output == "looked\n"


CONNECT = """
import errno, socket, sys
for address in sys.argv[1:]:
    try:
        if address.startswith("@"):
            socket.socket(socket.AF_UNIX).connect("\\0" + address[1:])
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=50)
        print("connected")
    except TimeoutError:
        print("waited")
    except OSError as refused:
        print(errno.errorcode[refused.errno])
"""
METADATA = ("169.254.169.254:80", "fd00:ec2::254:80")
"""Where clouds keep the credentials of a machine."""
NO_WAY = {"ENETUNREACH", "EADDRNOTAVAIL"}
"""The second, for IPv6, where not even loopback is up."""


def test_no_network_neither_loopback_nor_metadata(run: Run) -> None:
    name = f"krins-test-{uuid.uuid4()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        own = (f"127.0.0.1:{server.getsockname()[1]}", f"@{name}")
        outside = [*interpreter().command, "-c", CONNECT, *own]
        assert subprocess.check_output(outside, text=True).split() == ["connected"] * 2
        loopback, unix, *beyond = run(CONNECT, arguments=(*own, *METADATA, "192.0.2.1:80")).output.split()
    assert loopback in ("ECONNREFUSED", "ENETUNREACH")
    assert unix == "ECONNREFUSED"
    assert len(beyond) == 3 and set(beyond) <= NO_WAY


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no system-call filter here")
def test_calls_that_namespaces_do_not_contain_are_refused(run: Run) -> None:
    code = """
import ctypes, socket
for family in (40, 38, socket.AF_NETLINK, socket.AF_PACKET):  # 40: AF_VSOCK, 38: AF_ALG
    try:
        socket.socket(family, socket.SOCK_RAW)
        print("a socket of family", family)
    except OSError:
        pass
libc = ctypes.CDLL(None)
for flags in (0x10000000, 0x00020000, 0x40000000):  # new user, mount and network namespaces
    if libc.unshare(flags) == 0:
        print("a namespace", hex(flags))
if libc.memfd_create(b"x", 0) != -1:
    print("a memfd")
if (libc.shmget(0, 4096, 0o1600), libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600)) != (-1, -1, -1):
    print("memory of System V, which no limit counts")
print("tried")
"""
    assert run(code).output == "tried\n"


def test_no_capability_and_no_new_privilege(run: Run) -> None:
    status = dict(
        line.split(":\t") for line in run("print(open('/proc/self/status').read())").output.split("\n") if line
    )
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_the_parent_cannot_be_killed_or_even_seen(run: Run) -> None:
    code = """
import os, signal, sys
for pid in (int(sys.argv[1]), int(sys.argv[2])):
    try:
        os.kill(pid, signal.SIGKILL)
        print("killed", pid)
    except ProcessLookupError:
        print("no such process")
print(len([name for name in os.listdir("/proc") if name.isdigit()]))
"""
    # The numbers of this process and its parent mean nothing inside: the sandbox counts its own from 1.
    high = [str(pid + 100_000 if pid < 100 else pid) for pid in (os.getpid(), os.getppid())]
    first, second, visible = run(code, arguments=tuple(high)).output.splitlines()
    assert first == second == "no such process"
    assert int(visible) <= 3


def test_killing_whatever_can_be_killed_kills_nothing_outside(run: Run) -> None:
    code = """
import os, signal
for kill, number in ((os.kill, -1), (os.kill, os.getppid()), (os.killpg, 1)):
    try:
        kill(number, signal.SIGKILL)
    except (PermissionError, ProcessLookupError):
        pass
print("still here")
"""
    with subprocess.Popen(["sleep", "600"]) as bystander:
        assert run(code).output == "still here\n"
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGTERM", "SIGSTOP"])
def test_the_first_process_inside_does_not_mind_signals(run: Run, signal_name: str) -> None:
    code = f"""
import os, signal
try:
    os.kill(1, signal.{signal_name})
except PermissionError:
    pass
print("still here")
"""
    assert run(code).output == "still here\n"


def test_the_first_process_inside_cannot_be_read_or_written(run: Run) -> None:
    code = """
for path, mode in (("/proc/1/mem", "rb"), ("/proc/1/mem", "r+b"), ("/proc/1/environ", "rb"), ("/proc/1/fd/0", "rb")):
    try:
        open(path, mode)
        print(path, mode)
    except PermissionError:
        pass
print("tried")
"""
    assert run(code).output == "tried\n"


def test_inside_and_on_the_host_nobody_is_root(sandbox: Sandbox, processes_named: Find) -> None:
    marker = f"krins-test-{uuid.uuid4()}"
    code = "import os; print(os.getpid(), os.getuid(), os.getgid(), flush=True); input()"
    with closing(sandbox.start([*interpreter().command, "-c", code, marker], {}, LIMITS)) as process:
        pid, uid, gid = process.stdout.readline().split()
        assert b"0" not in (uid, gid)
        ids = [_ids_on_host(number, int(pid)) for number in processes_named(marker)]
        seen = [pair for pair in ids if pair is not None]
    assert len(seen) == 1
    assert all("0" not in pair for pair in seen)


def _ids_on_host(number: int, number_inside: int) -> tuple[str, ...] | None:
    """User and group ids of a process, as the host counts them, if `number_inside` is its number in the sandbox."""
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    status = {name: values.split() for name, _, values in (line.partition(":") for line in lines)}
    if len(status["NSpid"]) < 2 or int(status["NSpid"][-1]) != number_inside:
        return None
    return (*status["Uid"], *status["Gid"])


def test_our_environment_stays_outside(run: Run) -> None:
    assert "PYTEST_CURRENT_TEST" in os.environ
    code = """
import glob, os
print(sorted(os.environ))
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        print("PYTEST" in open(path).read())
    except OSError:
        print("False")
"""
    names, *found = run(code).output.splitlines()
    assert set(eval(names)) <= {"HOME", "LANG", "LC_CTYPE", "PATH", "PWD"}
    assert set(found) == {"False"}


def test_no_descriptor_but_the_three_pipes(run: Run) -> None:
    code = """
import os
for number in range(3, 256):
    try:
        os.fstat(number)
        print(number)
    except OSError:
        pass
"""
    assert run(code, files={"a.py": "x"}).output == ""


def test_the_working_directory_holds_the_files_and_is_read_only(run: Run) -> None:
    code = """
import os
print(os.listdir("."), repr(open("a.txt").read()))
def refused(action, *arguments):
    try:
        action(*arguments)
        print("allowed:", action.__name__, arguments)
    except OSError:
        pass
refused(open, "a.txt", "w")
refused(open, "new.txt", "w")
refused(os.remove, "a.txt")
refused(os.chmod, "a.txt", 0o777)
refused(os.mkdir, "/new")
refused(open, "/usr/new", "w")
refused(open, "/dev/new", "w")
refused(open, os.__file__, "a")
refused(open, "/proc/sys/kernel/hostname", "w")
"""
    assert run(code, files={"a.txt": "tënt\n"}).output == "['a.txt'] 'tënt\\n'\n"
