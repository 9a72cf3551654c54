"""Storage that fails in the middle of a run: a clear error, nothing lost, and the run goes on once it is mended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from krins.errors import RunError, StorageFault
from krins.runs.execution import Execution
from krins.runs.run import resume, run
from krins.runs.store import Store
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, same_numbers, write_suite

HERE = Execution(workers=0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system of its own takes root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


class FillTheDisk:
    """A progress listener that fills the disk once some answers have been paid for."""

    def __init__(self, disk: Path, after: int) -> None:
        self._filler, self._left = disk / "filler", after

    def begin(self, what: str, total: int) -> None:
        assert (what, total) == ("decisions", 24)

    def advance(self, steps: int) -> None:
        assert steps > 0

    def say(self, what: str) -> None:
        assert what

    def spend(self, billed_usd: object) -> None:
        self._left -= 1
        if self._left == 0:
            with self._filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * 4096)
                except OSError:
                    pass


def test_a_full_disk_loses_no_answer_that_was_kept(
    start_server: Callable[..., FakeServer], tmp_path: Path, small_disk: Path
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["p-60"], max_concurrency=2)
    suite = write_suite(tmp_path, environment, ["thompson", "fixed:p-60"])
    undisturbed = run(suite, home=tmp_path / "home", execution=HERE)
    n_before = len(server.calls)
    with pytest.raises(StorageFault, match="No space left on device") as caught:
        run(suite, home=small_disk / "home", execution=Execution(workers=0, progress=FillTheDisk(small_disk, after=6)))
    assert "--resume" in caught.value.remedy
    (small_disk / "filler").unlink()
    run_id = Store(small_disk / "home").find("latest")
    resumed = resume(run_id, home=small_disk / "home", execution=HERE)
    assert same_numbers(resumed) == same_numbers(undisturbed)
    # 12 answers, and again at most those in flight (2), when the disk was full.
    assert len(server.calls) - n_before <= 12 + 2


def test_two_processes_cannot_write_one_run(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    server = start_server()
    suite = write_suite(tmp_path, live_environment(server.base_url, ["p-60"]), ["fixed:p-60"])
    store = Store(tmp_path / "home")
    result = run(suite, home=store.home, execution=HERE)
    with store.lock(result.run_id), pytest.raises(RunError, match="is being written by another process"):
        resume(result.run_id, home=store.home, execution=HERE)
