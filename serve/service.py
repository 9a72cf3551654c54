"""One replica, put together: who decides, who learns, who asks the models, and the door in front.

Invariants: a service that has started can decide; what it started it stops, in reverse; learner and keeper, which are
the whole service's, outlive it. Nothing here knows how any part works. Left out: Ray's shell around it (`serve.app`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from typing import Any

from krins.clock import SystemClock
from krins.errors import StorageFault
from krins.models.spec import ModelSpec
from serve.arms import Arms
from serve.door import Door, Limits
from serve.gateway.gateway import Gateway
from serve.gateway.routes import routes as gateway_routes
from serve.home import home_of
from serve.jobs.actor import start_keeper
from serve.jobs.client import BudgetsClient, ClaimsClient, KeeperClient
from serve.jobs.idempotent import executed_once
from serve.jobs.routes import routes as task_routes
from serve.jobs.tasks import Tasks
from serve.jobs.worker_actor import ensure_workers
from serve.learning.actor import start_learner
from serve.learning.client import LearningClient
from serve.learning.decider import Decider
from serve.learning.routes import routes as learning_routes
from serve.listener import Listener
from serve.openapi import with_document
from serve.operations import checks
from serve.operations.health import Health
from serve.operations.meters import PrometheusMeters
from serve.operations.routes import routes as operations_routes
from serve.page.page import StatusPage
from serve.page.page import routes as page_routes
from serve.scaling import IN_FLIGHT
from serve.security.allowances import BudgetAllowances
from serve.security.audit import AuditLog
from serve.security.guard import Guard, require_safe_exposure
from serve.security.key_commands import keys_path
from serve.security.keys import KeyRing
from serve.security.logs import Redactor, protect_logs
from serve.security.rates import Rates
from serve.security.ray_guard import RayExposure, observe_ray, require_safe_ray
from serve.settings import ServiceArgs
from serve.watching import Watching
from serve.web import Answer, Call, Refusal, Route, Scope

_PATIENCE_SECONDS = 60.0
"""For the learner to load its router, which takes a process with MLflow."""
_LOADING_SECONDS = 0.1
_IDEMPOTENT = frozenset({"/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/route"})
"""Answered at once, and not to be done twice; tasks and feedback see to that themselves."""


class Service:
    """For one event loop. Made by `start`."""

    def __init__(self, args: ServiceArgs) -> None:
        self._args, self._clock = args, SystemClock()
        self._folder = home_of(args) / "serving"
        self._running = AsyncExitStack()
        self._listener: Listener | None = None
        self.door: Door

    @classmethod
    async def start(cls, args: ServiceArgs) -> Service:
        """
        Raises:
            KrinsError: the arguments cannot be served, or not safely, or state cannot be kept.
        """
        service = cls(args)
        try:
            await service._start()
        except BaseException:
            await service._running.aclose()
            raise
        return service

    async def stop(self, grace_seconds: float) -> None:
        """Finish what is in flight, then everything else."""
        if self._listener is not None:
            await self._listener.stop(grace_seconds)
        await self._running.aclose()

    def check(self) -> None:
        """
        Raises:
            RuntimeError: this process had better be replaced.
        """
        if self._listener is not None and not self._listener.is_listening:
            raise RuntimeError("the replica does not listen any more")

    def load(self) -> dict[str, float]:
        """For the autoscaler."""
        return {IN_FLIGHT: float(self.door.in_flight)}

    async def _start(self) -> None:
        args, clock = self._args, self._clock
        keys, exposure = self._safely()
        meters = PrometheusMeters(self._folder / "metrics", version("krins"), args.label)
        arms = Arms(args.models)
        decider = Decider(arms.specs, clock, args.feedback_patience_seconds, admit=arms.admit)
        learning = LearningClient(start_learner(args), decider, clock)
        await learning.start()
        self._running.push_async_callback(learning.close)
        await self._until_loaded(decider, learning)
        protect_logs(Redactor(os.environ, _secrets(arms.specs, os.environ)))

        keeper = KeeperClient(partial(start_keeper, args))
        claims = ClaimsClient(keeper)
        claims.start()
        self._running.push_async_callback(claims.close)
        allowances = BudgetAllowances(BudgetsClient(keeper), _limit_of(keys), clock)
        self._running.push_async_callback(allowances.close)
        self._background(allowances.run())
        gateway = Gateway(arms.specs, decider, learning, allowances, meters, clock, args.fallback, args.label)
        arms.follow(gateway.add)
        self._running.push_async_callback(gateway.close)
        tasks = Tasks(keeper, decider, learning, allowances, meters, arms.specs, partial(ensure_workers, args), clock)
        tasks.start()
        self._running.push_async_callback(tasks.close)

        watching = Watching(self._folder, keys, decider, learning, keeper, gateway, meters, clock)
        health = Health([*watching.checks(), checks.ray_exposure(exposure)], clock, args.label, version("krins"))
        await health.look()
        self._background(health.run())
        guard = Guard(None if args.no_keys_on_loopback else keys, Rates(clock, args.replicas))
        routes = [
            *gateway_routes(gateway),
            *learning_routes(decider, learning, meters, clock),
            *task_routes(tasks, keeper),
            *operations_routes(health, meters.exposition),
            *page_routes(StatusPage(watching.page_sources(health, args.label), _may_see(guard))),
        ]
        routes = [executed_once(route, claims) if route.path in _IDEMPOTENT else route for route in routes]
        self._open(routes, guard, meters, health)
        self._background(watching.set_gauges(lambda: self.door.in_flight, health.unready))
        self._background(watching.set_budgets())
        if args.port is not None:
            self._listener = Listener(self.door, args.host, args.port, clock)
            await self._listener.start()

    def _safely(self) -> tuple[KeyRing, RayExposure]:
        """The keys, once it is clear that strangers can reach neither the service nor Ray.

        Raises:
            UserError: they could. StorageFault: there is nowhere to keep state.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise StorageFault(f"{self._folder}: {failure.strerror}", "choose another folder with `home`") from None
        keys = KeyRing.load(keys_path(self._folder.parent), os.environ, self._clock)
        require_safe_exposure(self._args.host, self._args.no_keys_on_loopback, keys)
        exposure = observe_ray(os.environ)
        require_safe_ray(self._args.host, exposure)
        return keys, exposure

    def _open(
        self,
        routes: Sequence[Route],
        guard: Guard,
        meters: PrometheusMeters,
        health: Health,
    ) -> None:
        audit = AuditLog(self._folder / "audit", self._clock)
        self._running.push_async_callback(audit.close)
        limits = Limits(self._args.max_in_flight, self._args.max_body_bytes)
        table = with_document(routes, version("krins"))
        self.door = Door(table, guard, meters, audit, health.unready, limits)

    async def _until_loaded(self, decider: Decider, learning: LearningClient) -> None:
        """
        Raises:
            Refusal: no router came in time, with the learner's own word why.
        """
        gives_up_at = self._clock.monotonic_seconds() + _PATIENCE_SECONDS
        while not decider.is_ready:
            await self._clock.sleep(_LOADING_SECONDS)
            if decider.is_ready:
                return
            if decider.fault:
                remedy = "name its arms under `models`, set their keys, and deploy again"
                raise Refusal(503, "unknown_arms", decider.fault, remedy)
            status = (await learning.ask("state", {}))["registry"]["status"]
            if status not in ("ok", "not asked yet") or self._clock.monotonic_seconds() > gives_up_at:
                raise Refusal(
                    503,
                    "no_router",
                    f"{self._args.router} was not loaded: {status}",
                    "register a router (`krins-eval tune SUITE --register NAME`) or mend the arguments",
                )

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._running.push_async_callback(end)


def _limit_of(keys: KeyRing) -> Callable[[str], Decimal | None]:
    def limit_of(key_id: str) -> Decimal | None:
        entry = keys.entry(key_id)
        return None if entry is None else entry.budget_usd

    return limit_of


def _may_see(guard: Guard) -> Callable[[Call], bool]:
    """The page's own test, for the door lets everybody ask for it."""
    asking_for_a_key = Route("GET", "/", _nothing, Scope.INFER, "", "")

    def may_see(call: Call) -> bool:
        try:
            guard.admit(asking_for_a_key, call.headers)
        except Refusal:
            return False
        return True

    return may_see


async def _nothing(call: Call) -> Answer:
    raise AssertionError("never called")


def _secrets(specs: Mapping[str, ModelSpec], environ: Mapping[str, str]) -> list[str]:
    named = {spec.api_key_env for spec in specs.values() if spec.api_key_env is not None}
    return [environ[name] for name in named if environ.get(name)]
