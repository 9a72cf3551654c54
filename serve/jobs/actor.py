"""The keeper in a Ray actor of its own, named and detached, so that it outlives replicas and is found by all.

Invariants: the actor adds nothing to what `serve.jobs.keeper` does in process but its end: when no replica has asked
for a while and nothing runs, it goes, and the next service starts another on the same file. Ray restarts it whenever it
dies otherwise. Left out: how it is asked (`serve.jobs.client`).
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from krins.clock import SystemClock
from serve.home import NAMESPACE, actor_name, home_of
from serve.jobs.claims import ClaimStore
from serve.jobs.job import JobRules
from serve.jobs.keeper import Keeper, Parts
from serve.jobs.queue import JobQueue
from serve.security.budgets import Budgets
from serve.settings import ServiceArgs

_IDLE_SECONDS = 300.0
_RULES = JobRules()
_MOST_CALLERS = 100_000
"""Beyond Ray's default of 1,000 those who wait for news would keep out those who bring it."""
_OF_WORKERS = frozenset(["take", "heartbeat", "progress", "finish", "fail", "stopped"])


def parts(rules: JobRules) -> Parts:
    """What the keeper keeps, by name."""
    clock, rng = SystemClock(), random.Random()
    return {
        "jobs": lambda connection: JobQueue(connection, clock, rng, rules),
        "claims": lambda connection: ClaimStore(connection, clock),
        "budgets": Budgets,
    }


class KeeperActor:
    """Ray's shell around a `Keeper`."""

    def __init__(self, file: Path, rules: JobRules) -> None:
        self._keeper = Keeper(file, parts(rules))
        self._clock = SystemClock()
        self._asked_at_seconds = self._clock.monotonic_seconds()
        self._ending: asyncio.Task[None] | None = None

    async def call(self, part: str, method: str, *arguments: Any) -> Any:
        self._heard(method)
        return await self._keeper.call(part, method, *arguments)

    async def until(self, seconds: float, part: str, method: str, *arguments: Any) -> Any:
        self._heard(method)
        return await self._keeper.until(seconds, part, method, *arguments)

    def _heard(self, method: str) -> None:
        if method not in _OF_WORKERS:
            self._asked_at_seconds = self._clock.monotonic_seconds()
        if self._ending is None:
            self._ending = asyncio.create_task(self._end_when_idle())

    async def _end_when_idle(self) -> None:
        while self._clock.monotonic_seconds() - self._asked_at_seconds < _IDLE_SECONDS or await self._is_working():
            await self._clock.sleep(_IDLE_SECONDS / 10)
        await self._keeper.close()
        import ray

        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)

    async def _is_working(self) -> bool:
        stats = await self._keeper.call("jobs", "stats")
        return bool(stats.running)


def start_keeper(args: ServiceArgs, rules: JobRules = _RULES) -> Any:
    """The keeper's handle; started if there is none. Needs a running Ray."""
    import ray

    home = home_of(args)
    options: dict[str, Any] = {
        "name": actor_name("keeper", home),
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "num_cpus": 0,
        "max_concurrency": _MOST_CALLERS,
    }
    actor_class: Any = ray.remote(KeeperActor)
    return actor_class.options(**options).remote(home / "serving" / "keeper.sqlite3", rules)
