"""The keeper as replicas and workers ask it: the same `call` and `until`, over Ray.

While the keeper is restarted calls wait for it, a few seconds at most; one that died for good is started anew.
Invariants: what is said again after a keeper died was safe to be said twice, or is not said again; a keeper that cannot
be reached, or cannot keep anything, is a `Refusal` 503 for the caller. Left out: the actor (`serve.jobs.actor`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from krins.errors import StorageFault
from serve.jobs.claims import LEASE_SECONDS, Claim
from serve.jobs.job import KEEPS_NOTHING
from serve.web import Answer, Refusal

_WAITS_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Between tries; together about what an actor takes to be restarted."""
_CALL_SECONDS = 10.0
_log = logging.getLogger(__name__)


class KeeperClient:
    """Asks the keeper's actor."""

    def __init__(self, start: Callable[[], Any]) -> None:
        """`start` gives the actor's handle, and makes the actor where there is none."""
        self._start = start
        self._handle: Any = None
        self._finding = asyncio.Lock()

    async def call(self, part: str, method: str, *arguments: Any, is_repeatable: bool = True) -> Any:
        """As `Keeper.call`. `is_repeatable`: it may be said again when nobody knows whether it was heard.

        Raises:
            Refusal: the part's own, or 503 where the keeper cannot be reached or cannot keep anything.
        """
        return await self._ask("call", is_repeatable, _CALL_SECONDS, part, method, *arguments)

    async def until(self, seconds: float, part: str, method: str, *arguments: Any) -> Any:
        """As `Keeper.until`; raises as `call`."""
        return await self._ask("until", True, seconds + _CALL_SECONDS, seconds, part, method, *arguments)

    async def _ask(self, way: str, is_repeatable: bool, seconds: float, *arguments: Any) -> Any:
        import ray.exceptions

        for wait_seconds in (*_WAITS_SECONDS, None):
            try:
                handle = await self._found()
                return await asyncio.wait_for(getattr(handle, way).remote(*arguments), seconds)
            except ray.exceptions.RayTaskError as failure:
                raise _as_refusal(failure.cause) from None
            except (ray.exceptions.RayActorError, ValueError, TimeoutError) as failure:
                # ValueError: there is no actor of that name.
                self._handle = None
                if wait_seconds is None or not is_repeatable or isinstance(failure, TimeoutError):
                    raise _unreachable(failure) from failure
                _log.info("the keeper is out of reach: %s", failure)
            await asyncio.sleep(wait_seconds)
        raise AssertionError("the last try returns or raises")

    async def _found(self) -> Any:
        async with self._finding:  # once for all who ask: a thread for each would keep everybody waiting
            if self._handle is None:
                self._handle = await asyncio.to_thread(self._start)
            return self._handle


class ClaimsClient:
    """`serve.interfaces.Claims` in one replica."""

    def __init__(self, keeper: KeeperClient) -> None:
        self._keeper = keeper
        self._replica = secrets.token_hex(16)
        self._tokens: dict[str, Claim] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._giving_back: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Keep this replica's lease, and with it the keeper, alive. Needs a running event loop."""
        self._renewing = asyncio.create_task(self._renew())

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing

    async def begin(self, key: str, payload_sha256: str) -> Answer | None:
        claim = Claim(self._replica, secrets.token_hex(8))
        try:
            kept: Answer | None = await self._keeper.call("claims", "begin", key, payload_sha256, claim)
        except Refusal as refusal:
            if refusal.status == 503:
                self._give_back(key, claim)
            raise
        if kept is None:
            self._tokens[key] = claim
        return kept

    async def end(self, key: str, answer: Answer | None) -> None:
        await self._keeper.call("claims", "end", key, self._tokens.pop(key), answer)

    def _give_back(self, key: str, claim: Claim) -> None:
        """What the keeper was too late to say may have been done all the same."""

        async def give_back() -> None:
            with suppress(Refusal):
                await self._keeper.call("claims", "end", key, claim, None)

        task = asyncio.create_task(give_back())
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)

    async def _renew(self) -> None:
        while True:
            with suppress(Refusal):  # it may be back next time
                await self._keeper.call("claims", "renew", self._replica)
            await asyncio.sleep(LEASE_SECONDS / 3)


class BudgetsClient:
    """The keeper's `serve.security.budgets.Budgets`, from afar."""

    def __init__(self, keeper: KeeperClient) -> None:
        self._keeper = keeper

    async def grant(self, key_id: str, limit_usd: Decimal, usd: Decimal) -> Decimal:
        """Not said again when its answer is lost: a lease more would be out for good."""
        granted: Decimal = await self._keeper.call("budgets", "grant", key_id, limit_usd, usd, is_repeatable=False)
        return granted

    async def settle(self, key_id: str, leased_usd: Decimal, spent_usd: Decimal, once: str) -> None:
        await self._keeper.call("budgets", "settle", key_id, leased_usd, spent_usd, once)


def _as_refusal(cause: BaseException) -> BaseException:
    if isinstance(cause, StorageFault):
        return Refusal(503, KEEPS_NOTHING, cause.message, cause.remedy, retry_after_seconds=2.0)
    return cause


def _unreachable(failure: BaseException) -> Refusal:
    detail = " ".join(str(failure).split())[:200] or type(failure).__name__
    return Refusal(
        503,
        "keeper_unreachable",
        f"the keeper of jobs and budgets cannot be reached: {detail}",
        "try again in a few seconds",
        retry_after_seconds=2.0,
    )
