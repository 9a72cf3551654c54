"""The learner in a Ray actor of its own: one for the service, found by name, that outlives replicas.

Invariants: it is restarted whenever it dies, and reads from its journal where it was; it goes by the arguments of the
replica that started last, its own restarts included; when nobody has asked for anything for five minutes it ends, for
the service is gone. Left out: everything that a plain class does (`learner`, `takeover`, `questions`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from krins.clock import SystemClock
from serve import interfaces
from serve.home import NAMESPACE, absolute, actor_name, home_of, keep, kept
from serve.interfaces import DecisionMade, Feedback
from serve.learning.events import Changes, Cursor
from serve.learning.ids import key_at
from serve.learning.learner import Learner, Submitted
from serve.learning.questions import Questions
from serve.learning.segments import Segments
from serve.learning.takeover import TakeOver
from serve.settings import ServiceArgs
from serve.web import Refusal

IDLE_SECONDS = 300.0
_PROBE_SECONDS = 0.5
_MAX_CALLERS = 10_000
"""Beyond Ray's default of 1,000, those who wait for changes would keep feedback out."""


class LearnerActor:
    """What replicas call. Every method may be called at the same time as any other."""

    def __init__(self, args: ServiceArgs) -> None:
        """`args`: absolute; those that the home keeps come first, for Ray starts an actor anew with its first ones."""
        home = home_of(args)
        self._clock = SystemClock()
        key = key_at(home / "serving" / "decision.key")
        self._learner = Learner(Segments(home / "serving" / "learning"), key, self._clock)
        self._takeover = TakeOver(self._learner, kept(home) or args)
        self._questions = Questions(self._learner, self._takeover, home)
        self._asked_at_seconds = self._clock.monotonic_seconds()
        self._chores: list[asyncio.Task[None]] = []

    async def configure(self, args: ServiceArgs) -> None:
        """As `TakeOver.adopt`."""
        self._wake()
        await self._takeover.adopt(args)

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
            self._takeover.start()
            self._chores = [asyncio.create_task(chore) for chore in (self._probe(), self._end())]

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            with suppress(Refusal):
                await self._learner.probe()

    async def _end(self) -> None:
        import ray

        while self._clock.monotonic_seconds() - self._asked_at_seconds < IDLE_SECONDS:
            await asyncio.sleep(IDLE_SECONDS / 10)
        await self._takeover.close()
        await self._learner.close()
        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)


class RayLink:
    """The way to the actor, which is made where there is none."""

    def __init__(self, args: ServiceArgs) -> None:
        """`args` hold from now on.

        Raises:
            StorageFault: they cannot be kept.
        """
        self._args = absolute(args)
        keep(self._args)
        self.handle = self._actor()

    async def introduce(self) -> None:
        """Tell the learner what this replica was started with; raises as `call`."""
        await self.call("configure", self._args)

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
                self.handle = await asyncio.to_thread(self._actor)  # it had ended for good, or its node did
            raise ConnectionError(str(failure)) from failure

    def _actor(self) -> Any:
        import ray

        options = {
            "name": actor_name("learner", home_of(self._args)),
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": -1,
            "num_cpus": 0,
            "max_concurrency": _MAX_CALLERS,
        }
        return ray.remote(LearnerActor).options(**options).remote(self._args)


def start_learner(args: ServiceArgs) -> RayLink:
    """The service's learner, started if it does not run yet. Needs a running Ray. Raises as `RayLink`."""
    return RayLink(args)
