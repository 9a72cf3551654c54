"""A worker in a Ray actor of its own: a process that holds what replicas must not, the pipeline with its SDKs.

Invariants: started when the first job is queued, named and detached like the keeper, restarted when it dies; it goes
when the keeper has gone and does not come back. Left out: the work (`serve.jobs.worker`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

from krins.clock import SystemClock
from serve.interfaces import Feedback
from serve.jobs.actor import KEEPER, NAMESPACE, home_of
from serve.jobs.client import KeeperClient
from serve.jobs.coordinator import TaskCoordinator
from serve.jobs.worker import Worker
from serve.settings import ServiceArgs
from serve.web import Refusal

_LEARNER = "krins-learner"
_log = logging.getLogger(__name__)


class WorkerActor:
    """Ray's shell around a `Worker`."""

    def __init__(self, args: ServiceArgs, home: Path, namespace: str) -> None:
        do = TaskCoordinator(args.models, home / "cache").run
        self._worker = Worker(
            KeeperClient(partial(_keeper, namespace)), do, partial(_feedback, namespace), SystemClock()
        )
        threading.Thread(target=self._work, name="worker", daemon=True).start()

    def pid(self) -> int:
        return os.getpid()

    def _work(self) -> None:
        try:
            asyncio.run(self._worker.run())
        except Refusal as refusal:  # the keeper has gone, and with it all who could want something done
            _log.info("the worker ends: %s", refusal.message)
            import ray

            ray.kill(ray.get_runtime_context().current_actor, no_restart=True)
        except BaseException:
            _log.exception("the worker broke, and is started anew")
            os._exit(1)


def _keeper(namespace: str) -> Any:
    import ray

    return ray.get_actor(KEEPER, namespace=namespace)


async def _feedback(namespace: str, feedback: Feedback) -> None:
    """
    Raises:
        Refusal: the learner does not take it, or cannot be reached.
    """
    import ray
    import ray.exceptions

    try:
        learner = ray.get_actor(_LEARNER, namespace=namespace)
        submitted = await learner.submit.remote([[feedback]], [], None)
    except ray.exceptions.RayTaskError as failure:
        raise failure.cause from None
    except (ray.exceptions.RayError, ValueError) as failure:
        raise Refusal(503, "learner_unreachable", f"the learner cannot be reached: {failure}") from failure
    [result] = submitted.results
    if isinstance(result, Refusal):
        raise result


def ensure_workers(args: ServiceArgs, namespace: str = NAMESPACE) -> list[Any]:
    """The handles of all workers; those that are not there are started. Needs a running Ray."""
    import ray

    options: dict[str, Any] = {
        "namespace": namespace,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "num_cpus": 0,
    }
    actor_class: Any = ray.remote(WorkerActor)
    home = home_of(args)
    return [
        actor_class.options(name=f"krins-worker-{number}", **options).remote(args, home, namespace)
        for number in range(args.job_workers)
    ]
