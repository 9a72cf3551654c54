"""Sees to it that the router which the arguments name is the one that serves, as they say.

Arguments come with each replica that starts. Where they name another router, registry or exploration floor than before,
a new epoch begins; where the alias of a registered router moves, the new version takes over. Invariants: arguments
count from when they come, and what of them cannot be had yet is tried again; until then what serves goes on, and
`Registry.status` says why. Left out: loading (`registry`), and who may be asked (`fetch`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from krins.errors import KrinsError
from serve.home import home_of
from serve.learning.learner import Learner
from serve.learning.registry import Registry
from serve.settings import ServiceArgs

_ADOPT_SECONDS = 30.0
"""How long a replica that starts waits for what it brings to be loaded."""
_RETRY_SECONDS = 5.0
"""Between tries while nothing serves."""


class TakeOver:
    """For one event loop.

    Args:
        args: those that hold until others come, with paths that are absolute.
    """

    def __init__(self, learner: Learner, args: ServiceArgs) -> None:
        self._learner, self._args = learner, args
        self.registry = _registry(args)
        self._is_new = False
        """The arguments name another router or registry than before, which counts even for a version that was left; and
        the same name may mean another version."""
        self._looking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()

    async def adopt(self, args: ServiceArgs) -> None:
        """Go by these arguments from now on; returns once they hold, or it has been tried, or 30 s have passed."""
        if args != self._args:
            before, self._args = self._args, args
            self._is_new |= (args.router, args.tracking_uri) != (before.router, before.tracking_uri)
            if self._is_new or args.models != before.models:
                self.registry = _registry(args)
            await self.close()
        self.start()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), _ADOPT_SECONDS)

    def start(self) -> None:
        """Watch, unless that is done already."""
        if self._watching is None:
            self._tried = asyncio.Event()
            self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None

    async def look(self, who: str, force: bool = False) -> bool:
        """Take what the registry has, if that is another router than the present, and not one that was left.

        Raises:
            KrinsError: the registry is out of reach, or its router cannot be used.
        """
        async with self._looking:
            registry = self.registry
            loaded = await registry.look(time.time(), force)
            if loaded is None:
                return False
            current = self._learner.learnt.current
            is_served = (
                current is not None
                and current.name == loaded.identity
                and current.began.uri == registry.uri
                and not (self._is_new and current.began.loaded != loaded)
            )
            was_left = loaded.identity == self._learner.learnt.ignored and not self._is_new
            if not is_served and not was_left:
                try:
                    await self._learner.begin(loaded, registry.uri, who, self._args.exploration_floor)
                except KrinsError:
                    registry.forget()
                    raise
            self._is_new = False
            return not is_served and not was_left

    async def _watch(self) -> None:
        while True:
            is_done = not self.registry.moves
            for step in (self._follow_registry, self._follow_floor):
                try:
                    await step()
                except KrinsError:  # told by `state`
                    is_done = False
            self._tried.set()
            if is_done:
                return
            nothing_serves = self._learner.learnt.current is None
            await asyncio.sleep(_RETRY_SECONDS if nothing_serves else self._args.takeover_seconds)

    async def _follow_registry(self) -> None:
        if self.registry.moves or not self._is_named:
            await self.look("registry" if self._is_named else "service")

    async def _follow_floor(self) -> None:
        await self._learner.set_floor(self._args.exploration_floor, "service")

    @property
    def _is_named(self) -> bool:
        """Whether what serves came from where the arguments say."""
        current = self._learner.learnt.current
        return current is not None and current.began.uri == self.registry.uri and not self._is_new


def _registry(args: ServiceArgs) -> Registry:
    return Registry(args.router, args.tracking_uri, home_of(args), [model.name for model in args.models])
