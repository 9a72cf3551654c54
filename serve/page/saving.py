"""What the router saves, worked out now and then while somebody looks at the page.

The learner's report reads its whole log, which may take minutes. Invariants: nobody waits for it; it is asked for once
in five minutes at most, and only while the page is looked at. Left out: the report (`serve.learning`).
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from pydantic import ValidationError

from krins.errors import KrinsError
from krins.interfaces import Clock
from serve.interfaces import Learning
from serve.page.data import Saving

_EVERY_SECONDS = 300.0


class Said(NamedTuple):
    headline: str
    saving: Saving | None


class SavingReport:
    def __init__(self, learning: Learning, clock: Clock) -> None:
        self._learning, self._clock = learning, clock
        self._said = Said("What the router saves is being worked out.", None)
        self._task: asyncio.Task[None] | None = None
        self._due_seconds = float("-inf")

    def latest(self) -> Said:
        """What is known so far; sees to it that it will be known better."""
        now = self._clock.monotonic_seconds()
        if now >= self._due_seconds and (self._task is None or self._task.done()):
            self._due_seconds = now + _EVERY_SECONDS
            self._task = asyncio.create_task(self._ask())
        return self._said

    async def _ask(self) -> None:
        try:
            saving = Saving.model_validate((await self._learning.ask("report", {}))["saving"])
        except KrinsError as failure:
            self._said = Said(f"What the router saves is not known: {failure.message}.", None)
        except (ValidationError, LookupError, TypeError):
            self._said = Said("What the router saves is not known: the report does not say.", None)
        else:
            self._said = Said(saving.words, saving)
