"""One attack on each limit of a sandbox: what code uses up in it, and where that ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from krins.interfaces import Limits, Sandbox
from krins.quality.interpreter import interpreter

Run = Callable[..., Any]

LIMITS = Limits(wall_seconds=60.0)

FORK_BOMB = """
import os, time
children = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
        children += 1
except OSError as refused:
    print(children, type(refused).__name__, flush=True)
"""


def test_a_fork_bomb_ends_at_the_limit_of_processes(run: Run) -> None:
    children, error = run(FORK_BOMB, LIMITS._replace(processes=8)).output.split()
    assert error == "BlockingIOError"
    assert 4 <= int(children) < 8


def test_threads_count_as_processes(run: Run) -> None:
    code = """
import threading
stop = threading.Event()
threads = 0
try:
    while True:
        threading.Thread(target=stop.wait).start()
        threads += 1
except RuntimeError:
    print(threads)
    stop.set()
"""
    assert 4 <= int(run(code, LIMITS._replace(processes=8)).output) < 8


def test_processes_of_one_sandbox_do_not_count_in_another(sandbox: Sandbox) -> None:
    command = [*interpreter().command, "-c", FORK_BOMB]
    limits = LIMITS._replace(processes=8)
    with closing(sandbox.start(command, {}, limits)) as one:
        first = one.stdout.readline()
        with closing(sandbox.start(command, {}, limits)) as other:
            assert other.stdout.readline() == first


def test_a_memory_bomb_gets_a_memory_error(run: Run) -> None:
    code = """
hoard = []
try:
    while True:
        hoard.append(bytearray(2**20))
except MemoryError:
    print(len(hoard))
"""
    assert 2**7 < int(run(code, LIMITS._replace(memory_bytes=2**28)).output) < 2**8


FILL = """
import sys
written = 0
try:
    while True:
        with open(f"{sys.argv[1]}/{written}", "wb", buffering=0) as file:
            written += file.write(bytes(2**18))
except OSError as full:
    print(written, full.errno)
"""


@pytest.mark.parametrize(("folder", "at_most"), [("/tmp", 2**22), ("/dev/shm", 2**20)])
def test_scratch_folders_fill_up_at_their_limit(run: Run, folder: str, at_most: int) -> None:
    written, error = run(FILL, LIMITS._replace(disk_bytes=2**22), arguments=(folder,)).output.split()
    assert os.strerror(int(error)) == "No space left on device"
    assert at_most // 2 <= int(written) <= at_most


@pytest.mark.parametrize("sandbox", ["unshare"], indirect=True)
def test_unshare_limits_the_number_of_files(run: Run) -> None:
    code = """
number = 0
try:
    while True:
        open(f"/tmp/{number}", "w").close()
        number += 1
except OSError as full:
    print(number, full.strerror)
"""
    number, error = run(code).output.split(maxsplit=1)
    assert 0 < int(number) <= 16_384
    assert error == "No space left on device\n"


def test_no_file_grows_past_the_output_limit(run: Run) -> None:
    code = """
with open("/tmp/big", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(2**16))
    except OSError as refused:
        print(refused.strerror, file.tell())
"""
    assert run(code, LIMITS._replace(output_bytes=2**20)).output == f"File too large {2**20}\n"


GIBIBYTE = """
import os, sys
for _ in range(2**10):
    data = memoryview(bytes(2**20))
    while data:
        data = data[os.write(int(sys.argv[1]), data) :]
os.write(int(sys.argv[1]), b"the end")
"""


def test_a_gibibyte_of_output_is_cut_off_and_its_writer_killed(run: Run) -> None:
    ran = run(GIBIBYTE, LIMITS._replace(output_bytes=2**20), arguments=("1",))
    assert len(ran.output) <= 2**20
    assert ran.exit_code not in (0, None)


def test_a_gibibyte_on_standard_error_neither_blocks_nor_is_kept(run: Run) -> None:
    ran = run(GIBIBYTE, arguments=("2",))
    assert ran.exit_code == 0
    assert len(ran.errors) <= 4096
    assert ran.errors.endswith("the end")


def test_an_infinite_loop_meets_the_wall_clock(run: Run) -> None:
    ran = run("print('started', flush=True)\nwhile True: pass", Limits(wall_seconds=1.0, cpu_seconds=600))
    assert ran.output == "started\n"
    assert ran.exit_code not in (0, None)


def test_sleeping_without_standard_error_meets_the_wall_clock(run: Run) -> None:
    ran = run("import os, time\nos.close(2)\ntime.sleep(600)", Limits(wall_seconds=1.0))
    assert ran.exit_code not in (0, None)


def test_a_busy_process_meets_the_limit_of_cpu_time(run: Run) -> None:
    ran = run("while True: pass", LIMITS._replace(cpu_seconds=1, wall_seconds=300.0))
    assert ran.exit_code not in (0, None)
