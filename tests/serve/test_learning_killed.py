"""A learner that is killed, at any moment, loses nothing that it acknowledged, and learns nothing twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from krins.clock import SystemClock
from krins.domain import Task
from serve.home import NAMESPACE, actor_name
from serve.interfaces import Feedback
from serve.learning.actor import RayLink
from serve.learning.checker import Seen, check
from serve.learning.client import LearningClient
from serve.learning.decider import Decider
from serve.learning.ids import DecisionIds, key_at
from serve.learning.learnt import router_text
from serve.learning.segments import restore
from serve.settings import ServiceArgs
from serve.web import Refusal
from tests.serve.learning_support import KEY
from tests.support.fake_provider import ROOT

QUICKSTART = ROOT / "evals" / "quickstart.yaml"
WRITER = """
import asyncio, sys
from pathlib import Path
from krins.clock import FakeClock
from krins.domain import Task
from krins.routing.exp3 import EXP3
from serve.interfaces import Feedback
from tests.serve.learning_support import connected, loaded_router, open_learner

async def main():
    clock = FakeClock(1e9 + float(sys.argv[2]))
    learner = open_learner(Path(sys.argv[1]), clock, max_bytes=8_000)
    if learner.learnt.current is None:
        await learner.begin(loaded_router(EXP3()), "suite", "test")
    [(decider, client)] = await connected(learner, clock)
    task = Task("t")
    async def one(number):
        decided = decider.decide(task)
        quality = number % 3 / 2
        print("invoke", decided.decision_id, quality, "", flush=True)
        [receipt] = await client.feedback([Feedback(decided.decision_id, quality)])
        print("ok", decided.decision_id, quality, receipt.status, flush=True)
    for number in range(10_000):
        clock.advance(1.0)
        await asyncio.gather(*(one(number + i) for i in range(3)))

asyncio.run(main())
"""


def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    """One after the other; each goes on from the journal of the one before, whose end is then torn on purpose."""
    history: list[Seen] = []
    moments = random.Random(7)
    for run in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(1000.0 * run)]
        n_lines = moments.randrange(20, 300)
        lines = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                lines.append(line)
                if len(lines) == n_lines:
                    os.kill(writer.pid, signal.SIGKILL)
        assert writer.returncode == -signal.SIGKILL
        history += _ended([_entry(run, line) for line in lines if line.endswith("\n")])
        _tear(tmp_path, moments)
    verdict = check(history, tmp_path, KEY, None)
    assert verdict.problems == []
    assert verdict.acknowledged > 100
    # From a checkpoint or from the beginning, it is the same.
    from_checkpoint = restore(tmp_path, DecisionIds(KEY))
    for checkpoint in tmp_path.glob("checkpoint-*"):
        checkpoint.unlink()
    from_the_beginning = restore(tmp_path, DecisionIds(KEY))
    assert from_the_beginning.records > from_checkpoint.records
    assert router_text(from_checkpoint.learnt) == router_text(from_the_beginning.learnt)


def _entry(run: int, line: str) -> Seen:
    event, decision_id, quality, *status = line.split()
    assert event in ("invoke", "ok")
    return Seen("writer", run, decision_id, event, float(quality), *status)  # type: ignore[arg-type]


def _ended(history: list[Seen]) -> list[Seen]:
    """Of calls that were under way when their process was killed nobody knows what became."""
    answered = {seen.decision_id for seen in history if seen.event == "ok"}
    return [*history, *(seen._replace(event="info") for seen in history if seen.decision_id not in answered)]


def _tear(folder: Path, moments: random.Random) -> None:
    """As a machine that loses power in the middle of a write."""
    newest = max(folder.glob("journal-*"))
    with newest.open("ab") as file:
        file.write(b'{"crc32":"00000000","record":{"seq":'[: moments.randrange(1, 30)])


@pytest.fixture
def link(ray_cluster: None, tmp_path: Path) -> Iterator[RayLink]:
    import ray

    models = [
        {"name": name, "base_url": "http://127.0.0.1:9"}
        for name in ("smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
    ]
    router = f"suite:{QUICKSTART}#epsilon-greedy"
    link = RayLink(ServiceArgs.model_validate({"router": router, "home": tmp_path, "models": models}))
    yield link
    ray.kill(ray.get_actor(actor_name("learner", tmp_path), NAMESPACE), no_restart=True)


def test_an_actor_that_is_killed_again_and_again(link: RayLink, tmp_path: Path) -> None:
    """Several replicas, each in a thread with a loop of its own, as several clients, while the learner is killed."""
    history: list[Seen] = []
    killed = 0
    started, done = threading.Barrier(4), threading.Event()
    threads = [threading.Thread(target=_replica, args=(link, number, history, started, done)) for number in range(3)]
    for thread in threads:
        thread.start()
    started.wait(60)
    while any(thread.is_alive() for thread in threads) and killed < 4:
        reached = len(history) + 120
        while len(history) < reached and any(thread.is_alive() for thread in threads):
            done.wait(0.005)
        killed += _kill(link)
    done.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    live = asyncio.run(_router(link))
    import ray

    ray.kill(link.handle, no_restart=False)  # lets go of the journal
    serving = tmp_path / "serving"
    verdict = check(history, serving / "learning", key_at(serving / "decision.key"), live)
    assert verdict.problems == []
    assert killed >= 2
    assert verdict.acknowledged == len({seen.decision_id for seen in history if seen.event == "invoke"})
    assert verdict.applied == verdict.in_journal


def _replica(
    link: RayLink, number: int, history: list[Seen], started: threading.Barrier, done: threading.Event
) -> None:
    async def client(replica: LearningClient, decider: Decider, name: str) -> None:
        for attempt in range(10_000):
            if done.is_set():
                return
            decided = decider.decide(Task("t"))
            quality = float(attempt % 2)
            # Twins: two clients that tell the same outcome at once.
            await asyncio.gather(
                *(_tell(replica, f"{name}.{twin}", attempt, decided.decision_id, quality, history) for twin in range(2))
            )

    async def main() -> None:
        clock = SystemClock()
        decider = Decider({}, clock, replica=number)
        replica = LearningClient(link, decider, clock)
        await replica.start()
        while not decider.is_ready:
            await asyncio.sleep(0.02)
        await asyncio.to_thread(started.wait, 60)
        await asyncio.gather(*(client(replica, decider, f"{number}.{client_number}") for client_number in range(2)))
        await replica.close()

    asyncio.run(main())


async def _tell(
    replica: LearningClient, name: str, attempt: int, decision_id: str, quality: float, history: list[Seen]
) -> None:
    history.append(Seen(name, attempt, decision_id, "invoke", quality))
    try:
        [receipt] = await replica.feedback([Feedback(decision_id, quality, Decimal("0.0001"))])
    except Refusal as refusal:
        event: Literal["fail", "info"] = "info" if refusal.code == "learner_out_of_reach" else "fail"
        history.append(Seen(name, attempt, decision_id, event, quality))
        return
    history.append(Seen(name, attempt, decision_id, "ok", quality, receipt.status))


def _kill(link: RayLink) -> int:
    """The actor's process, with SIGKILL; 0 while it is not to be had."""
    pid: Any = asyncio.run(_pid(link))
    if pid is None:
        return 0
    os.kill(pid, signal.SIGKILL)
    return 1


async def _pid(link: RayLink) -> int | None:
    try:
        return int((await link.call("ask", "state", {}))["process"])
    except ConnectionError:
        return None


async def _router(link: RayLink) -> str:
    for _ in range(600):
        try:
            return str((await link.call("ask", "router", {}))["router"])
        except ConnectionError:
            await asyncio.sleep(0.1)
    raise AssertionError("the learner did not come back")
