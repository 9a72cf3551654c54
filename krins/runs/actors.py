"""Ray actors: thin shells around the plain classes that do the work, and when to start them.

Invariants: an actor adds nothing to what its class does in this process, so results are the same with and without
Ray; an actor that dies is restarted and its work done again; Ray is stopped only by whoever started it. Ray's usage
statistics stay off unless the user turned them on. Left out: Ray Serve.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from krins.domain import Arm, Outcome, Task
from krins.errors import WorkerFault, boundary
from krins.models.ledger import Ledger
from krins.runs.live import WorkerDied
from krins.runs.plan import Stream
from krins.runs.recorded_run import StreamPlayer
from krins.runs.streams import Trajectory
from krins.runs.worker import LiveInputs, LiveWorker

START_SECONDS = 15.0
"""About what starting Ray costs; work that takes less is done in this process."""
_MAX_DEATHS = 3
_REMEDY = "start again with --resume, perhaps with --workers 0; the journal has kept everything so far"
_JOIN = (
    "check the address and that the cluster runs this version of Ray; if it asks for a token, set RAY_AUTH_MODE=token "
    "and put the token into RAY_AUTH_TOKEN or ~/.ray/auth_token"
)


def available_workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def ray_session(address: str | None, workers: int) -> Iterator[None]:
    """Use the Ray that this process is connected to, else join `address`, else start one on this machine.

    Raises:
        WorkerFault: Ray cannot be started or joined.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        yield
        return
    with boundary(WorkerFault, f"cannot use Ray{f' at {address}' if address else ''}", _JOIN if address else _REMEDY):
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address:
            ray.init(address=address, runtime_env={"py_modules": [str(Path(__file__).parents[1])]}, **quiet)
        else:
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
    try:
        yield
    except KeyboardInterrupt:
        raise  # Ray's processes got the signal too and end with this one; shutting down half of them crashes
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def play_on_actors(player: StreamPlayer, streams: Iterable[Stream], workers: int) -> Iterator[Trajectory]:
    """Play streams on up to `workers` actors; trajectories come as they are finished, in any order.

    Raises:
        WorkerFault: actors died again and again, or Ray itself failed.
    """
    import ray

    actor_class: Any = ray.remote(num_cpus=1)(StreamPlayer)
    with boundary(WorkerFault, "Ray failed", _REMEDY, catch=ray.exceptions.RayError):
        shared = ray.put(player.table)
        idle = [actor_class.remote(player.plan, shared) for _ in range(min(workers, _processors()))]
        waiting = list(streams)
        busy: dict[Any, tuple[Any, Stream]] = {}
        deaths = 0
        while waiting or busy:
            while idle and waiting:
                actor, stream = idle.pop(), waiting.pop(0)
                busy[actor.play.remote(stream)] = actor, stream
            [done], _ = ray.wait(list(busy))
            actor, stream = busy.pop(done)
            try:
                trajectory = ray.get(done)
            except ray.exceptions.RayActorError:
                deaths += 1
                if deaths > _MAX_DEATHS:
                    raise
                waiting.insert(0, stream)
                actor = actor_class.remote(player.plan, shared)
            else:
                yield trajectory
            idle.append(actor)


def _processors() -> int:
    """Of the cluster; an actor more than that would wait for ever."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def play_where_it_pays(player: StreamPlayer, streams: Iterable[Stream]) -> Iterator[Trajectory]:
    """Play in this process, until what has been played shows that the rest would gain more than starting Ray costs."""
    waiting, workers = list(streams), available_workers()
    started = time.monotonic()
    for n_played, stream in enumerate(waiting, start=1):
        yield player.play(stream)
        here_seconds = (time.monotonic() - started) / n_played * (len(waiting) - n_played)
        if here_seconds * (1 - 1 / workers) > START_SECONDS:
            with ray_session(None, workers):
                yield from play_on_actors(player, waiting[n_played:], workers)
            return


class LiveActors:
    """Live workers as async actors, which take turns: the same environment, in other processes."""

    def __init__(self, inputs: LiveInputs, ledger: Ledger, cache_folder: Path | None, workers: int) -> None:
        import ray

        self.tasks: Sequence[Task] = inputs.tasks
        self.arms: Sequence[Arm] = inputs.arms
        self._ledger = ledger
        per_actor = -(-inputs.environment.max_concurrency // workers)
        # Attempts wait for servers and sandboxes, not for this actor's interpreter, so actors claim no core.
        options = {"num_cpus": 0, "scheduling_strategy": "SPREAD", "max_restarts": -1, "max_concurrency": per_actor}
        actor_class: Any = ray.remote(LiveWorker)
        arguments = inputs, ledger, cache_folder
        self._actors = [actor_class.options(**options).remote(*arguments) for _ in range(workers)]
        self._next = 0

    async def check(self) -> None:
        """Wait until all actors stand.

        Raises:
            WorkerFault: one cannot be made, for instance because its machine has no sandbox.
        """
        import ray

        with boundary(WorkerFault, "a live worker cannot start", _REMEDY, catch=ray.exceptions.RayError):
            await asyncio.gather(*(actor.ready.remote() for actor in self._actors))

    async def attempt(self, task: Task, arm: Arm, sample: int, correlation_id: str = "") -> Outcome:
        """As `LiveWorker.attempt`; raises WorkerDied if the actor dies with the attempt, charging what was reserved."""
        import ray

        self._next = (self._next + 1) % len(self._actors)
        try:
            outcome: Outcome = await self._actors[self._next].attempt.remote(task, arm, sample, correlation_id)
        except ray.exceptions.RayTaskError as failure:
            raise failure.cause from None
        except ray.exceptions.RayActorError as failure:
            await self._ledger.forfeit(correlation_id)
            raise WorkerDied(str(failure)) from failure
        return outcome
