"""The ledger in a Ray actor, for workers in several processes.

Invariants: the actor is the same class that runs in process; its handle has the same methods, travels to workers, and
raises the same errors. A caller that is cancelled while it waits leaves nothing behind: its request is cancelled in the
actor too, and what was granted in the same moment is given back before the cancellation goes on. The actor lives beside
the process that made it and is never restarted, since an empty ledger would let the budget be spent twice: when it dies
the run stops, and its successor reads from the journal what was spent.
Left out: noticing that a worker died (`krins.runs.actors`, which then calls `forfeit`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from krins.errors import WorkerFault, boundary
from krins.models.ledger import NOTHING, Amount, Balance
from krins.models.waiting_ledger import SharedLedger
from krins.suite import Budget

_MAX_CALLERS = 100_000
"""Beyond Ray's default of 1,000 those who wait would keep out those who settle, and all would wait for ever."""


class ActorLedger:
    """A handle: a `krins.models.ledger.Ledger` whose books are in an actor of their own. Needs a running Ray."""

    def __init__(self, budget: Budget, spent: Mapping[str, Amount]) -> None:
        """`spent`: before this process, by scope, of the run and the suite."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"num_cpus": 0, "scheduling_strategy": here, "max_restarts": 0, "max_concurrency": _MAX_CALLERS}
        self._actor: Any = ray.remote(SharedLedger).options(**options).remote(budget, dict(spent))

    async def reserve(self, decision_id: str, worst: Amount) -> int:
        import ray

        asked = self._actor.reserve.remote(decision_id, worst)
        answer: asyncio.Future[int] = asyncio.ensure_future(_answer(asked))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            ray.cancel(asked)
            # Shielded as well: whoever is impatient enough to cancel twice must not undo it.
            await asyncio.shield(asyncio.ensure_future(self._give_back(answer)))
            raise

    async def settle(self, reservation: int, actual: Amount) -> None:
        await _answer(self._actor.settle.remote(reservation, actual))

    async def can_afford(self, worst: Amount) -> bool:
        can: bool = await _answer(self._actor.can_afford.remote(worst))
        return can

    async def forfeit(self, decision_id: str) -> Amount:
        forfeited: Amount = await _answer(self._actor.forfeit.remote(decision_id))
        return forfeited

    async def close(self, decision_id: str) -> None:
        await _answer(self._actor.close.remote(decision_id))

    async def balance(self, scope: str) -> Balance:
        balance: Balance = await _answer(self._actor.balance.remote(scope))
        return balance

    async def _give_back(self, answer: asyncio.Future[int]) -> None:
        [_] = (await asyncio.wait([answer]))[0]
        if answer.exception() is None:
            await self.settle(answer.result(), NOTHING)


async def _answer(asked: Any) -> Any:
    """What the actor answers; its own errors as they are.

    Raises:
        WorkerFault: the actor died, or Ray failed.
    """
    import ray

    remedy = "go on with --resume: the journal holds what was spent; see what kills Ray's actors (memory?)"
    with boundary(WorkerFault, "the ledger is out of reach", remedy, catch=ray.exceptions.RayError):
        try:
            return await asked
        except ray.exceptions.RayTaskError as failure:
            raise failure.cause from None
