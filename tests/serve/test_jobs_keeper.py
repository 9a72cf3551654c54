"""The keeper's file: groups of calls, refusals among them, kills in the middle, and a disk without room."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from krins.clock import FakeClock, SystemClock
from krins.errors import StorageFault
from serve.jobs.job import JobRules, JobState
from serve.jobs.keeper import Keeper, Parts
from serve.jobs.queue import JobQueue
from serve.web import Refusal
from tests.support.fake_provider import ROOT


class Numbers:
    """A part that keeps numbers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        connection.execute("CREATE TABLE IF NOT EXISTS numbers(number INTEGER)")

    def add(self, number: int) -> int:
        self._db.execute("INSERT INTO numbers VALUES (?)", (number,))
        return number

    def add_and_refuse(self, number: int) -> None:
        self.add(number)
        raise Refusal(409, "no", "not this one")

    def fill(self, size: int) -> None:
        self._db.execute("INSERT INTO numbers VALUES (?)", ("x" * size,))

    def all(self) -> list[int]:
        return [row[0] for row in self._db.execute("SELECT number FROM numbers ORDER BY number")]


PARTS: Parts = {"numbers": Numbers}


def test_calls_that_come_together_share_one_transaction_and_a_refusal_among_them_takes_nothing_along(
    tmp_path: Path,
) -> None:
    statements: list[str] = []

    def traced(connection: sqlite3.Connection) -> Numbers:
        connection.set_trace_callback(statements.append)
        return Numbers(connection)

    async def work() -> list[Any]:
        keeper = Keeper(tmp_path / "new folder" / "k.sqlite3", {"numbers": traced})
        methods = ["add_and_refuse" if number % 10 == 3 else "add" for number in range(200)]
        calls = (keeper.call("numbers", method, number) for number, method in enumerate(methods))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        kept = await keeper.call("numbers", "all")
        await keeper.close()
        return [answers, kept]

    answers, kept = asyncio.run(work())
    expected = [number for number in range(200) if number % 10 != 3]
    assert kept == expected
    assert [answer for answer in answers if not isinstance(answer, Refusal)] == expected
    assert statements.count("COMMIT") == 2, "one group of 200, and the reading"


def test_the_file_is_synced_at_each_commit(tmp_path: Path) -> None:
    async def pragmas() -> tuple[Any, ...]:
        keeper = Keeper(tmp_path / "k.sqlite3", PARTS)
        await keeper.call("numbers", "all")
        assert keeper._connection is not None
        found = [keeper._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        await keeper.close()
        return tuple(found)

    assert asyncio.run(pragmas()) == ("wal", 2)


def test_errors_of_a_parts_own_reach_the_caller_as_they_are(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = Keeper(tmp_path / "k.sqlite3", PARTS)
        with pytest.raises(OverflowError):
            await keeper.call("numbers", "add", 2**70)
        assert await keeper.call("numbers", "add", 1) == 1
        await keeper.close()

    asyncio.run(work())


def test_two_processes_never_keep_one_file(tmp_path: Path) -> None:
    async def work() -> None:
        first, second = (Keeper(tmp_path / "k.sqlite3", PARTS) for _ in range(2))
        await first.call("numbers", "add", 1)
        with pytest.raises(StorageFault, match="kept by another process"):
            await second.call("numbers", "add", 2)
        await first.close()
        assert await second.call("numbers", "all") == [1]
        await second.close()

    asyncio.run(work())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).returncode:
        pytest.skip("mounting a small disk takes root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_told_changes_nothing_and_heals_when_there_is_room(small_disk: Path) -> None:
    async def work() -> None:
        keeper = Keeper(small_disk / "k.sqlite3", PARTS)
        await keeper.call("numbers", "add", 1)
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file, pytest.raises(OSError):
            while True:
                os.write(file.fileno(), b"x" * 4096)
        for _ in range(3):
            with pytest.raises(StorageFault, match="cannot be kept") as fault:
                for _ in range(50):  # what is left of the last page of the log may take a few
                    await keeper.call("numbers", "fill", 5_000)
            assert "disk" in str(fault.value)
        before = await keeper.call("numbers", "all")
        ballast.unlink()
        await keeper.call("numbers", "add", 2)
        assert await keeper.call("numbers", "all") == sorted(
            [*before, 2], key=lambda kept: (isinstance(kept, str), kept)
        )
        await keeper.close()

    asyncio.run(work())


def test_a_disk_that_is_full_from_the_start_is_an_answer_and_no_crash(small_disk: Path) -> None:
    async def work() -> None:
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file, pytest.raises(OSError):
            while True:
                os.write(file.fileno(), b"x" * 4096)
        keeper = Keeper(small_disk / "deep" / "k.sqlite3", PARTS)
        with pytest.raises(StorageFault):
            await keeper.call("numbers", "add", 1)
        ballast.unlink()
        assert await keeper.call("numbers", "add", 1) == 1
        await keeper.close()

    asyncio.run(work())


def test_waiting_ends_with_the_change_that_is_waited_for(tmp_path: Path) -> None:
    async def work() -> Any:
        clock = FakeClock()
        keeper = Keeper(tmp_path / "k.sqlite3", {"jobs": lambda db: JobQueue(db, clock, random.Random(1))})
        waiting = asyncio.create_task(keeper.until(30.0, "jobs", "take"))
        await asyncio.sleep(0)
        submitted = await keeper.call("jobs", "submit", "task_1", "{}", "1", "k", "me")
        job = await waiting
        assert await keeper.until(0.0, "jobs", "ended", submitted.job_id) is None
        await keeper.close()
        return job.job_id == submitted.job_id

    assert asyncio.run(work())


_CHILD = """
import asyncio, os, random, sys
from pathlib import Path
from krins.clock import SystemClock
from serve.jobs.keeper import Keeper
from serve.jobs.job import JobRules
from serve.jobs.queue import JobQueue
from serve.web import Refusal

seed = int(sys.argv[2])
rng = random.Random(seed)
rules = JobRules(most_queued=50, most_tries=3, lease_seconds=0.05, backoff_seconds=0.01)

def say(*event):
    os.write(1, (" ".join(map(str, event)) + chr(10)).encode())

async def client(keeper, name):
    for number in range(10_000):
        key = f"{seed}-{name}-{number}"
        try:
            submitted = await keeper.call("jobs", "submit", f"task_{key}", "{}", "1", key, "me")
        except Refusal:
            await asyncio.sleep(0.01)
            continue
        say("accepted", submitted.job_id)
        if rng.random() < 0.2:
            try:
                await keeper.call("jobs", "cancel", submitted.job_id, "me")
            except Refusal:
                pass

async def worker(keeper):
    while True:
        job = await keeper.until(1.0, "jobs", "take")
        if job is None:
            continue
        how = rng.random()
        try:
            if how < 0.2:
                await asyncio.sleep(0.1)
            if how < 0.6:
                await keeper.call("jobs", "finish", job.job_id, job.attempt, f'"{job.attempt}"')
                say("finished", job.job_id, job.attempt)
            else:
                await keeper.call("jobs", "fail", job.job_id, job.attempt, "fault", how < 0.9)
        except Refusal:
            pass

async def main():
    keeper = Keeper(Path(sys.argv[1]), {"jobs": lambda db: JobQueue(db, SystemClock(), rng, rules)})
    await asyncio.gather(*(client(keeper, n) for n in range(3)), *(worker(keeper) for _ in range(3)))

asyncio.run(main())
"""


def test_killed_at_any_moment_every_accepted_job_ends_exactly_once(tmp_path: Path) -> None:
    """The checker: what clients saw accepted and workers saw finished, against what the file holds in the end."""
    file, rng = tmp_path / "k.sqlite3", random.Random(5)
    accepted: list[str] = []
    finished: dict[str, str] = {}
    for seed in range(4):
        command = [sys.executable, "-c", _CHILD, str(file), str(seed)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(rng.randint(20, 120))]
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
        child.wait()
        child.stdout.close()
        for event, job_id, *attempt in (line.split() for line in (*lines, *rest) if line.endswith("\n")):
            if event == "accepted":
                accepted.append(job_id)
            else:
                assert job_id not in finished, "an effect was recorded twice"
                finished[job_id] = attempt[0]
    assert len(accepted) > 50 and len(set(accepted)) == len(accepted)
    ends = asyncio.run(_drained(file))
    assert set(accepted) <= ends.keys(), "an accepted job was lost"
    for job_id, (state, result, n_ends) in ends.items():
        assert state.has_ended and n_ends == 1
        if job_id in finished:
            assert (state, result) == (JobState.DONE, f'"{finished[job_id]}"')
    assert {JobState.DONE, JobState.DEAD} <= {state for state, _, _ in ends.values()}


async def _drained(file: Path) -> dict[str, tuple[JobState, str | None, int]]:
    """Work on what is left, then tell how each job ended and how often."""
    rules = JobRules(lease_seconds=5.0, backoff_seconds=0.0)
    keeper = Keeper(file, {"jobs": lambda db: JobQueue(db, SystemClock(), random.Random(1), rules)})
    while (await keeper.call("jobs", "stats")).queued + (await keeper.call("jobs", "stats")).running:
        job = await keeper.until(1.0, "jobs", "take")
        if job is not None:
            await keeper.call("jobs", "finish", job.job_id, job.attempt, '"rest"')
    await keeper.close()
    connection = sqlite3.connect(file)
    ends = {}
    for job_id, state, result in connection.execute("SELECT job_id, state, result FROM jobs").fetchall():
        counted = connection.execute(
            "SELECT count(*) FROM job_events WHERE job_id = ? AND name IN ('done', 'dead', 'cancelled')", (job_id,)
        ).fetchone()
        ends[job_id] = (JobState(state), result, counted[0])
    connection.close()
    return ends
