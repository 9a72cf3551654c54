"""A worker in a Ray actor of its own: a process that holds what replicas must not, the pipeline with its SDKs.

Invariants: started when the first job is queued, named and detached like the keeper, restarted when it dies; it goes by
the arguments that its home keeps, and goes for good when they want fewer workers, or the keeper has gone.
Left out: the work (`serve.jobs.worker`).
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
from serve.home import NAMESPACE, actor_name, home_of, kept
from serve.interfaces import Answered, Feedback
from serve.jobs.client import KeeperClient
from serve.jobs.coordinator import TaskCoordinator
from serve.jobs.worker import Worker
from serve.settings import ServiceArgs
from serve.web import Refusal

_log = logging.getLogger(__name__)


class WorkerActor:
    """Ray's shell around a `Worker`."""

    def __init__(self, args: ServiceArgs, home: Path, number: int) -> None:
        """`args`: of the replica that started it, for a home that keeps none. `number`: counts workers from 0."""
        self._args, self._home, self._number = args, home, number
        do = TaskCoordinator(lambda: self._now().models, home / "cache").run
        keeper = KeeperClient(partial(_actor, "keeper", home))
        self._worker = Worker(keeper, do, partial(_tell_learner, home), SystemClock())
        threading.Thread(target=self._work, name="worker", daemon=True).start()

    def pid(self) -> int:
        return os.getpid()

    def _now(self) -> ServiceArgs:
        return kept(self._home) or self._args

    def _work(self) -> None:
        try:
            asyncio.run(self._worker.run(lambda: self._number < self._now().job_workers))
        except Refusal as refusal:  # the keeper has gone, and with it all who could want something done
            _log.info("the worker ends: %s", refusal.message)
        except BaseException:
            _log.exception("the worker broke, and is started anew")
            os._exit(1)
        import ray

        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)


def _actor(part: str, home: Path) -> Any:
    import ray

    return ray.get_actor(actor_name(part, home), namespace=NAMESPACE)


async def _tell_learner(home: Path, answered: Answered, feedback: Feedback | None) -> str:
    """The status of the learner's receipt.

    Raises:
        Refusal: the learner does not take it, or cannot be reached.
    """
    import ray.exceptions

    try:
        calls = [] if feedback is None else [[feedback]]
        submitted = await _actor("learner", home).submit.remote(calls, [answered], None)
    except ray.exceptions.RayTaskError as failure:
        raise failure.cause from None
    except (ray.exceptions.RayError, ValueError) as failure:
        raise Refusal(503, "learner_unreachable", f"the learner cannot be reached: {failure}") from failure
    for result in submitted.results:
        if isinstance(result, Refusal):
            raise result
        return str(result[0].status)
    return "noted"


def ensure_workers(args: ServiceArgs) -> list[Any]:
    """The handles of all workers; those that are not there are started. Needs a running Ray."""
    import ray

    home = home_of(args)
    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "num_cpus": 0,
    }
    actor_class: Any = ray.remote(WorkerActor)
    return [
        actor_class.options(name=actor_name(f"worker-{number}", home), **options).remote(args, home, number)
        for number in range(args.job_workers)
    ]
