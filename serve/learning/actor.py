"""The learner in a Ray actor of its own: one for the service, found by name, that outlives replicas.

Invariants: it is restarted whenever it dies, and reads from its journal where it was; it begins a router only where
there is none, or where another one was asked for or became champion; when nobody has asked for anything for five
minutes it ends, for the service is gone. Left out: everything that a plain class does (`learner`, `registry`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from krins.clock import SystemClock
from krins.errors import KrinsError
from krins.runs.store import default_home
from serve import interfaces
from serve.interfaces import DecisionMade, Feedback
from serve.learning.events import Changes, Cursor
from serve.learning.ids import key_at
from serve.learning.learner import Learner, Submitted
from serve.learning.questions import Questions
from serve.learning.registry import Registry
from serve.learning.segments import Segments
from serve.settings import ServiceArgs
from serve.web import Refusal

NAME, NAMESPACE = "krins-learner", "krins"
IDLE_SECONDS = 300.0
_PROBE_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_MAX_CALLERS = 10_000
"""Beyond Ray's default of 1,000, those who wait for changes would keep feedback out."""


class LearnerActor:
    """What replicas call. Every method may be called at the same time as any other."""

    def __init__(self, args: ServiceArgs, name: str = NAME) -> None:
        self._args, self._name = args, name
        self._clock = SystemClock()
        home = args.home or default_home()
        key = key_at(home / "serving" / "decision.key")
        self._learner = Learner(Segments(home / "serving" / "learning"), key, self._clock, args.exploration_floor)
        self._registry = Registry(args.router, args.tracking_uri, home)
        self._questions = Questions(self._learner, self._registry, home)
        self._asked_at_seconds = self._clock.monotonic_seconds()
        self._chores: list[asyncio.Task[None]] = []

    async def submit(
        self,
        calls: Sequence[Sequence[Feedback]],
        notes: Sequence[DecisionMade | interfaces.Answered],
        cursor: Cursor | None,
    ) -> Submitted:
        """As `Learner.submit`."""
        self._wake()
        return await self._learner.submit(calls, notes, cursor)

    async def note(self, notes: Iterable[DecisionMade | interfaces.Answered]) -> None:
        """As `Learner.note`."""
        self._wake()
        self._learner.note(notes)

    async def changes(self, cursor: Cursor | None, wait_seconds: float) -> Changes:
        """As `Learner.changes`."""
        self._wake()
        return await self._learner.changes(cursor, wait_seconds)

    async def ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """As `Questions.ask`."""
        self._wake()
        return await self._questions.ask(what, arguments)

    def _wake(self) -> None:
        """The loop runs once somebody calls."""
        self._asked_at_seconds = self._clock.monotonic_seconds()
        if not self._chores:
            self._chores = [asyncio.create_task(chore) for chore in (self._load(), self._probe(), self._end())]

    async def _load(self) -> None:
        current = self._learner.learnt.current
        while current is None or current.began.uri != self._args.router:
            with suppress(KrinsError):  # told by `state`
                await self._questions.take_over("service", force=True)
            current = self._learner.learnt.current
            if current is None or current.began.uri != self._args.router:
                await asyncio.sleep(_RETRY_SECONDS)
        while self._registry.moves:
            with suppress(KrinsError):
                await self._questions.take_over("registry")
            await asyncio.sleep(self._args.takeover_seconds)

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            with suppress(Refusal):
                await self._learner.probe()

    async def _end(self) -> None:
        import ray

        while self._clock.monotonic_seconds() - self._asked_at_seconds < IDLE_SECONDS:
            await asyncio.sleep(IDLE_SECONDS / 10)
        await self._learner.close()
        ray.kill(ray.get_actor(self._name, NAMESPACE), no_restart=True)


class RayLink:
    """The way to the actor, which is made where there is none."""

    def __init__(self, args: ServiceArgs, name: str = NAME) -> None:
        self._args, self._name = _absolute(args), name
        self.handle = self._actor()

    async def call(self, method: str, *arguments: Any) -> Any:
        """What the method answers, or raises.

        Raises:
            ConnectionError: the actor died with the call, or is not to be had; nobody knows what was done.
        """
        import ray

        try:
            return await getattr(self.handle, method).remote(*arguments)
        except ray.exceptions.RayTaskError as failure:
            raise failure.cause from None
        except ray.exceptions.ActorUnavailableError as failure:
            raise ConnectionError(str(failure)) from failure
        except ray.exceptions.RayError as failure:
            with suppress(Exception):
                self.handle = self._actor()  # it had ended for good, or its node did
            raise ConnectionError(str(failure)) from failure

    def _actor(self) -> Any:
        import ray

        options = {
            "name": self._name,
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": -1,
            "num_cpus": 0,
            "max_concurrency": _MAX_CALLERS,
        }
        return ray.remote(LearnerActor).options(**options).remote(self._args, self._name)


def start_learner(args: ServiceArgs) -> RayLink:
    """The service's learner, started if it does not run yet. Needs a running Ray."""
    return RayLink(args)


def _absolute(args: ServiceArgs) -> ServiceArgs:
    """The actor's current folder is another one."""
    home = (args.home or default_home()).absolute()
    router = args.router
    if router.startswith("suite:"):
        path, _, label = router.removeprefix("suite:").partition("#")
        router = f"suite:{Path(path).absolute()}#{label}"
    return args.model_copy(update={"home": home, "router": router})
