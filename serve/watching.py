"""What a replica says of itself: checks behind /health, sources of the status page, gauges that nobody else sets.

Invariant: only looks; whatever it tells is the parts' own word. Left out: the parts (`serve.service`), how a check is
run (`serve.operations.health`) and how the page looks (`serve.page`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from krins.interfaces import Clock
from serve.gateway.gateway import Gateway
from serve.jobs.client import KeeperClient
from serve.jobs.job import QueueStats
from serve.learning.client import LearningClient
from serve.learning.decider import Decider
from serve.operations import checks
from serve.operations.health import Check, Health, PartHealth
from serve.operations.meters import PrometheusMeters
from serve.page.data import Check as PageCheck
from serve.page.data import Sources
from serve.security.keys import KeyRing
from serve.web import Refusal

_GAUGE_SECONDS = 0.5
_BUDGET_SECONDS = 5.0
_STATES = ("queued", "running", "done", "dead", "cancelled")


@dataclass(frozen=True)
class Watching:
    """The parts of a replica that have something to tell."""

    folder: Path
    """Where state lives."""
    keys: KeyRing
    decider: Decider
    learning: LearningClient
    keeper: KeeperClient
    gateway: Gateway
    meters: PrometheusMeters
    clock: Clock

    def checks(self) -> list[Check]:
        return [
            checks.disk(self.folder, self.meters.disk_free),
            checks.store(self.folder),
            checks.memory(),
            checks.peer("learner", self._learner),
            checks.peer("keeper", self._keeper),
            checks.breakers(lambda: {name: health.state for name, health in self.gateway.health().items()}),
            checks.reported("keys", self._key_file),
        ]

    def page_sources(self, health: Health, label: str) -> Sources:
        async def queue() -> Mapping[str, int]:
            stats = (await self._stats()).model_dump()
            return {state: stats[state] for state in _STATES}

        async def parts() -> Sequence[PageCheck]:
            found = health.report().parts.items()
            return [PageCheck(name=name, status=part.status, figure=_figure(part)) for name, part in found]

        return Sources(self.learning, self.gateway.health, queue, parts, self.clock, label)

    async def set_gauges(self, in_flight: Callable[[], int], unready: Callable[[], str]) -> None:
        """Again and again, until cancelled."""
        while True:
            self.meters.in_flight(in_flight())
            self.meters.ready(not unready())
            await self.clock.sleep(_GAUGE_SECONDS)

    async def set_budgets(self) -> None:
        """What is left of the budgets of keys, until cancelled; a keeper out of reach leaves the last word standing."""
        while True:
            for entry in list(self.keys.entries()):
                if entry.budget_usd:
                    with suppress(Refusal):
                        spent: Decimal = await self.keeper.call("budgets", "spent", entry.key_id)
                        self.meters.budget_left(entry.key_id, float(max(1 - spent / entry.budget_usd, Decimal(0))))
            await self.clock.sleep(_BUDGET_SECONDS)

    async def _learner(self) -> Mapping[str, Any]:
        state = await self.learning.ask("state", {})
        journal = state["journal"]
        figures = {key: state[key] for key in ("router", "epoch", "version", "frozen")}
        if not journal["is_writable"]:
            return {**figures, "status": "failed", "message": "its journal cannot be written"}
        if self.decider.fault:
            return {**figures, "status": "degraded", "message": self.decider.fault}
        lost_notes = journal["lost_notes"] + self.learning.lost_notes
        return {**figures, "registry": state["registry"]["status"], "lost_notes": lost_notes}

    async def _keeper(self) -> Mapping[str, Any]:
        return (await self._stats()).model_dump(mode="json")

    async def _stats(self) -> QueueStats:
        stats: QueueStats = await self.keeper.call("jobs", "stats")
        return stats

    def _key_file(self) -> PartHealth:
        if self.keys.fault is None:
            return PartHealth(status="ok", figures={"keys": len(list(self.keys.entries()))})
        return PartHealth(status="degraded", message="the file of API keys was not taken over")


def _figure(part: PartHealth) -> str:
    return part.message or ", ".join(f"{key} {value}" for key, value in part.figures.items())
