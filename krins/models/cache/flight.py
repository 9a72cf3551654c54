"""A question that is being asked, for others that ask the same to wait for."""

from __future__ import annotations

import asyncio

from krins.models.cache.kept import Kept


class Flight:
    """Lands once: with what is to be kept of the answer, or with nothing."""

    def __init__(self) -> None:
        self._landed = asyncio.Event()
        self.kept: Kept | None = None

    def land(self) -> None:
        self._landed.set()

    async def result(self) -> Kept | None:
        """What came of it, once that is known; None where it is nothing to keep."""
        await self._landed.wait()
        return self.kept
