"""How the service is: each part with its figures, and whether requests can be served.

Checks run in the background, each at its own pace, so that asking costs nothing and a part that hangs delays no other.
Invariants: a required part that fails, is late or was never looked at makes the replica not ready, and it is ready
again as soon as the part is; if the checks themselves stop, it is not ready either. Liveness asks for nothing but the
event loop. Left out: what is checked (`serve.operations.checks`), and HTTP (`serve.operations.routes`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from krins.interfaces import Clock

Status = Literal["ok", "degraded", "failed"]
_WORST: tuple[Status, ...] = ("ok", "degraded", "failed")
_LOG = logging.getLogger(__name__)


class PartHealth(BaseModel):
    """What is known of one part."""

    model_config = ConfigDict(frozen=True)

    status: Status
    message: str = ""
    """Why it is not ok."""
    figures: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Check:
    name: str
    look: Callable[[], Awaitable[PartHealth]]
    is_required: bool = False
    """Without it no request can be served."""
    every_seconds: float = 0.5
    timeout_seconds: float = 5.0


@dataclass
class _Seen:
    health: PartHealth = field(default_factory=lambda: PartHealth(status="failed", message="not looked at yet"))
    at_seconds: float | None = None


class HealthReport(BaseModel):
    """All parts."""

    status: Status
    """The worst of the required parts; `degraded` where another part is not ok."""
    ready: bool
    label: str
    """What is said of the models, such as `fake provider`."""
    version: str
    uptime_seconds: float
    parts: Mapping[str, PartHealth]


class Health:
    """What one replica knows of itself and of what it needs."""

    def __init__(self, checks: Sequence[Check], clock: Clock, label: str, version: str) -> None:
        self._checks, self._clock, self._label, self._version = checks, clock, label, version
        self._seen = {check.name: _Seen() for check in checks}
        self._began_seconds = clock.monotonic_seconds()

    def unready(self) -> str:
        """Why requests cannot be served; empty where they can."""
        return "; ".join(
            f"{check.name}: {why}" for check in self._checks if check.is_required and (why := self._why(check))
        )

    def report(self) -> HealthReport:
        parts = {check.name: self._part(check) for check in self._checks}
        is_ready = not self.unready()
        worst = max((part.status for part in parts.values()), key=_WORST.index, default="ok")
        return HealthReport(
            status="failed" if not is_ready else "ok" if worst == "ok" else "degraded",
            ready=is_ready,
            label=self._label,
            version=self._version,
            uptime_seconds=round(self._clock.monotonic_seconds() - self._began_seconds, 3),
            parts=parts,
        )

    async def look(self) -> None:
        """Look at everything once."""
        await asyncio.gather(*(self._look(check) for check in self._checks))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for check in self._checks:
                group.create_task(self._look_on(check))

    async def _look_on(self, check: Check) -> None:
        while True:
            await self._look(check)
            await self._clock.sleep(check.every_seconds)

    async def _look(self, check: Check) -> None:
        try:
            async with asyncio.timeout(check.timeout_seconds):
                health = await check.look()
        except TimeoutError:
            health = PartHealth(status="failed", message=f"no answer in {check.timeout_seconds:g} s")
        except Exception as failure:
            # Its message may name paths or hosts: to the log, once, while /health is open to everybody.
            if self._seen[check.name].health.status != "failed":
                _LOG.warning("%s failed: %s", check.name, failure)
            health = PartHealth(status="failed", message=f"out of reach ({type(failure).__name__})")
        self._seen[check.name] = _Seen(health, self._clock.monotonic_seconds())

    def _part(self, check: Check) -> PartHealth:
        why = self._why(check)
        health = self._seen[check.name].health
        return health if not why or health.message == why else PartHealth(status="failed", message=why)

    def _why(self, check: Check) -> str:
        """Why the part cannot be counted on."""
        seen = self._seen[check.name]
        if seen.health.status == "failed":
            return seen.health.message or "failed"
        age = 0.0 if seen.at_seconds is None else self._clock.monotonic_seconds() - seen.at_seconds
        late = 2.0 * (check.every_seconds + check.timeout_seconds)
        return f"not looked at for {age:.0f} s" if age > late else ""
