"""What replicas ask of the learner by name, and what administrators tell it.

Invariants: answers are plain objects that JSON can hold; what takes SciPy or minutes runs in a process of its own.
Left out: HTTP (`routes`).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from krins.errors import KrinsError, UserError
from serve.learning.aside import run_aside
from serve.learning.learner import Learner
from serve.learning.learnt import router_text
from serve.learning.takeover import TakeOver
from serve.web import Refusal


class Questions:
    def __init__(self, learner: Learner, takeover: TakeOver, home: Path) -> None:
        self._learner, self._takeover, self._home = learner, takeover, home
        self._analysing = asyncio.Lock()
        """One at a time: each is a process."""
        self._answers: Mapping[str, Callable[..., Awaitable[Mapping[str, Any]]]] = {
            "state": self.state,
            "router": self.router,
            "arms": self.arms,
            "decisions": self.decisions,
            "outcomes": self.outcomes,
            "report": self.report,
            "what_if": self.what_if,
            "freeze": self.freeze,
            "unfreeze": self.unfreeze,
            "rollback": self.rollback,
            "check": self.check,
        }

    async def ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """
        Raises:
            Refusal: there is no such question, or it is refused.
        """
        if what not in self._answers:
            raise Refusal(404, "unknown_question", f"the learner answers no {what!r}", ", ".join(self._answers))
        return await self._answers[what](**arguments)

    async def state(self) -> Mapping[str, Any]:
        learner, learnt = self._learner, self._learner.learnt
        current, registry = learnt.current, self._takeover.registry
        return {
            "router": None if current is None else current.name,
            "policy": None if current is None else type(current.router.policy).__name__,
            "params": None if current is None else _plain(current.router.policy.params),
            "arms": [] if current is None else list(current.router.arms),
            "epoch": learnt.epoch,
            "version": learnt.version,
            "frozen": learnt.frozen,
            "began_at_seconds": None if current is None else current.began.at_seconds,
            "former": [epoch.name for epoch in learnt.former],
            "registry": {"uri": registry.uri, "status": registry.status, "left": learnt.ignored},
            "process": os.getpid(),
            "journal": {
                "segment": learner.segment,
                "outcomes_indexed": len(learnt.seen),
                "damaged_lines": learner.damaged,
                "lost_notes": learner.lost_notes,
                "is_writable": not learner.fault,
                "fault": learner.fault,
            },
        }

    async def router(self) -> Mapping[str, Any]:
        """The router's state, as `krins.routing.state_file` writes it; for comparing it with the journal's."""
        return {"router": router_text(self._learner.learnt)}

    async def arms(self) -> Mapping[str, Any]:
        """By arm; `propensities` where they take no quadrature, of a router that does not look at tasks."""
        learnt = self._learner.learnt
        n_decisions = sum(tally.decisions for tally in learnt.arms.values())
        names = list(dict.fromkeys([*(learnt.current.router.arms if learnt.current else ()), *learnt.arms]))
        chances = self._propensities()
        return {
            "arms": [
                {"arm": name, **learnt.arms[name].figures(n_decisions), "propensity": chances.get(name)}
                if name in learnt.arms
                else {"arm": name, "decisions": 0, "outcomes": 0, "propensity": chances.get(name)}
                for name in names
            ],
            "decisions": n_decisions,
        }

    async def decisions(self, limit: int = 100, before: float | None = None) -> Mapping[str, Any]:
        """The latest first; `before`: seconds since the epoch."""
        shown = (
            decided.model_dump(mode="json", exclude={"kind"}) for decided in reversed(self._learner.learnt.decisions)
        )
        return {"decisions": _page(shown, limit, before)}

    async def outcomes(self, limit: int = 100, before: float | None = None) -> Mapping[str, Any]:
        return {"outcomes": _page((dict(each) for each in reversed(self._learner.learnt.outcomes)), limit, before)}

    async def report(self, reference: str | None = None) -> Mapping[str, Any]:
        return await self._analyse("report", reference or "")

    async def what_if(self, router: str) -> Mapping[str, Any]:
        return await self._analyse("what-if", router)

    async def freeze(self, who: str, token: str) -> Mapping[str, Any]:
        return await self._control("freeze", who, token)

    async def unfreeze(self, who: str, token: str) -> Mapping[str, Any]:
        return await self._control("unfreeze", who, token)

    async def rollback(self, who: str, token: str) -> Mapping[str, Any]:
        return await self._control("rollback", who, token)

    async def check(self, who: str, token: str) -> Mapping[str, Any]:
        """Ask the registry now, and take over what it has; twice is as good as once, so nothing is done by `token`."""
        try:
            await self._takeover.look(who, force=True)
        except Refusal:
            raise
        except UserError as failure:
            raise Refusal(409, "router_refused", failure.message, failure.remedy) from failure
        except KrinsError as failure:
            raise Refusal(503, "registry_out_of_reach", failure.message, failure.remedy) from failure
        return await self.state()

    async def _control(
        self, what: Literal["freeze", "unfreeze", "rollback"], who: str, token: str
    ) -> Mapping[str, Any]:
        await self._learner.control(what, who, token)
        return await self.state()

    async def _analyse(self, *arguments: str) -> Mapping[str, Any]:
        async with self._analysing:
            try:
                ended = await run_aside("serve.learning.analysis", str(self._home), *arguments)
            except TimeoutError:
                raise Refusal(503, "too_slow", "the log takes longer to read than anybody waits", "") from None
        if ended.exit_code:
            said = " ".join(ended.err.split())[-400:]
            raise Refusal(500, "analysis_failed", f"the log could not be analysed: {said}")
        answer: dict[str, Any] = json.loads(ended.out)
        if "refused" in answer:
            raise Refusal(422, "not_answerable", answer["refused"], answer["remedy"])
        return answer

    def _propensities(self) -> Mapping[str, float]:
        current = self._learner.learnt.current
        if current is None or current.router.n_features is not None:
            return {}
        chances = current.router.propensities()
        return dict(zip(current.router.arms, map(float, chances), strict=True))


def _page(rows: Iterable[dict[str, Any]], limit: int, before: float | None) -> list[dict[str, Any]]:
    kept = (row for row in rows if before is None or row["at_seconds"] < before)
    return list(islice(kept, limit))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
