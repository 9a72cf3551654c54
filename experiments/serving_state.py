"""What the service keeps, held against what its callers were told, for experiments/serving_faults.py.

Left out: who is asked (`serving_rig`), and what is required (`serving_faults`).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from serving_clients import Sent, load
from serving_rig import CHAT, Service, chat, wait_until

from serve.learning.checker import Seen, Verdict, check
from serve.learning.ids import key_at
from serve.learning.records import Answered, Decided
from serve.learning.segments import Journal

OUR_PARTS = {"learner": r"ray::(\S*:)?LearnerActor", "keeper": r"ray::(\S*:)?KeeperActor"}
RAYS_PARTS = {"controller": "ray::ServeController", "head": "/gcs_server "}
_N_JOBS = 12
_JOB_SECONDS = 120.0
_DISK_BYTES = 128 * 2**20


class Jobs(NamedTuple):
    done_once: int
    taken: int

    @property
    def are_all_done_once(self) -> bool:
        return self.done_once == self.taken == _N_JOBS

    def __str__(self) -> str:
        return f"{self.done_once} of {self.taken}"


class Filled(NamedTuple):
    """What was seen of a disk that was full."""

    unready_seconds: float
    refused_seconds: float
    live: int
    healed_seconds: float
    verdict: Verdict


class History:
    """What clients told of the outcomes, and were told."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._told: list[tuple[str, float, int | str]] = []

    async def tell(self, service: Service, session: Any, sent: Sent) -> None:
        """Feedback for an answer, once; its quality follows from its id."""
        decision_id = sent.headers["x-krins-decision-id"]
        quality = float(sum(sent.id.encode()) % 2)
        attempt = (sent.id, 0, decision_id)
        self._seen.append(Seen(*attempt, "invoke", quality))
        began = time.monotonic()
        status, receipt = await _feedback(session, service, decision_id, quality)
        self._told.append((sent.id, time.monotonic() - began, status))
        if status == 200:
            self._seen.append(Seen(*attempt, "ok", quality, receipt["status"]))
        else:
            self._seen.append(Seen(*attempt, "info", quality))

    def longest_seconds(self, name: str) -> float:
        return max((seconds for one, seconds, _ in self._told if one.startswith(name)), default=float("nan"))

    def failed(self, name: str) -> str:
        """Why it was not taken, and how often."""
        failures = Counter(status for one, _, status in self._told if one.startswith(name) and status != 200)
        return ", ".join(f"{n} x {status}" for status, n in failures.items()) or "0"

    def check(self, service: Service) -> Verdict:
        """Nobody may ask the service meanwhile."""
        time.sleep(1.0)
        live = json.loads(service.rig("router"))
        serving = service.home / "serving"
        return check(self._seen, serving / "learning", key_at(serving / "decision.key"), live)


async def _feedback(session: Any, service: Service, decision_id: str, quality: float) -> tuple[int | str, Any]:
    import aiohttp

    body = {"decision_id": decision_id, "quality": quality}
    try:
        async with session.post(f"{service.url}/v1/feedback", json=body, headers=service.headers) as answer:
            return answer.status, await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError) as failure:
        return type(failure).__name__, None


def task(name: str) -> dict[str, Any]:
    """A coding task that the upstream is asked for once."""
    return {
        "prompt": f"VALUE should be 1. id={name}",
        "tree": {"value.py": "VALUE = 0\n"},
        "answer_file": "value.py",
        "pipeline": {"mode": "direct"},
    }


def jobs_while(service: Service, act: Callable[[], object]) -> Jobs:
    """Tasks, posted with keys until they are taken while `act` happens, and followed to their end."""

    async def run() -> Jobs:
        import aiohttp

        async with aiohttp.ClientSession() as session:
            posting = [asyncio.create_task(_taken(session, service, f"job-{number}")) for number in range(_N_JOBS)]
            await asyncio.sleep(0.3)
            await asyncio.to_thread(act)
            ids = [await each for each in posting]
            ends = [await _end(session, service, each) for each in ids]
        return Jobs(sum(ends), len(set(ids)))

    return asyncio.run(run())


async def _taken(session: Any, service: Service, name: str) -> str:
    import aiohttp

    headers = {**service.headers, "Idempotency-Key": name}
    until = time.monotonic() + _JOB_SECONDS
    while time.monotonic() < until:
        try:
            async with session.post(f"{service.url}/api/tasks", json=task(name), headers=headers) as answer:
                if answer.status in (200, 202):
                    return str((await answer.json())["task_id"])
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        await asyncio.sleep(0.2)
    return ""


async def _end(session: Any, service: Service, task_id: str) -> bool:
    """Whether its events tell of one end, and a good one."""
    import aiohttp

    until = time.monotonic() + _JOB_SECONDS
    while time.monotonic() < until:
        try:
            async with session.get(f"{service.url}/api/tasks/{task_id}", headers=service.headers) as answer:
                status = await answer.json()
            if status["state"] in ("done", "dead", "cancelled"):
                async with session.get(f"{service.url}/api/tasks/{task_id}/events", headers=service.headers) as answer:
                    events = [line[7:] for line in (await answer.text()).splitlines() if line.startswith("event: ")]
                return bool(status["state"] == "done") and events.count("done") == 1
        except (aiohttp.ClientError, TimeoutError, OSError, KeyError):
            pass
        await asyncio.sleep(0.2)
    return False


def answers_noted(home: Path) -> Counter[str]:
    """Good answers in the journal, by request."""
    decided: dict[str, str] = {}
    answered: Counter[str] = Counter()
    for record in Journal(home / "serving" / "learning"):
        if isinstance(record, Decided):
            decided[record.decision_id] = record.request_id
        elif isinstance(record, Answered) and record.error is None:
            answered[decided.get(record.decision_id, record.decision_id)] += 1
    return answered


@contextmanager
def small_disk() -> Iterator[tuple[Path | None, str]]:
    """A folder on a file system of its own, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="krins-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", folder]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
            yield None, "only root can mount a small file system"
            return
        try:
            yield Path(folder), ""
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(service: Service) -> Filled:
    """Fill the disk under a service in use, look, and make room again."""
    history = History()

    def tell(session: Any, sent: Sent) -> Any:
        return history.tell(service, session, sent)

    load(service, 2.0, clients=4, then=tell, name="before")
    filler = service.folder / "filler"
    _fill(filler)
    began = time.monotonic()
    wait_until(lambda: _status(service, "/health/ready") == 503, 30.0)
    unready_seconds = time.monotonic() - began
    wait_until(lambda: _status(service, CHAT, chat("full")) == 503, 30.0)
    refused_seconds = time.monotonic() - began
    live = _status(service, "/health/live")
    load(service, 2.0, clients=4, then=tell, name="during")
    filler.unlink()
    healed_seconds = wait_until(lambda: _status(service, "/health/ready") == 200)
    wait_until(lambda: _status(service, CHAT, chat("room")) == 200)
    load(service, 2.0, clients=4, then=tell, name="after")
    return Filled(unready_seconds, refused_seconds, live, healed_seconds, history.check(service))


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        try:
            for size in (2**20, 2**12):
                while filler.write(b"x" * size) == size:
                    pass
        except OSError:
            pass


def _status(service: Service, path: str, body: Any = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    headers = {**service.headers, "content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(service.url + path, data, headers), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return 0
