"""What a run will do, laid out before it starts: streams of decisions, and the schedule that each one follows.

A stream is one router on one block of replications. Invariants: blocks have a fixed size, whatever the number of
workers; the schedule of a block (order of tasks, draws of samples, order of arms) is the same for every router, so
routers are compared on the same luck; a router's randomness depends on the seed, the router and the block alone.
Left out: doing it (`krins.runs.streams`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from krins.interfaces import IntArray
from krins.router_specs import NAMING, ForgettingRouter, Router
from krins.suite import RecordedEnvironment, Suite

_SHARED_OPTIONS = ForgettingRouter.model_fields.keys() - Router.model_fields.keys()
BLOCK_SIZE = 128
"""Replications in a block. Changing it changes every result, so it is no setting."""


@dataclass(frozen=True)
class Stream:
    """Router number `router` of the suite on block number `block`."""

    router: int
    block: int
    n_replications: int


@dataclass(frozen=True)
class Schedule:
    """What a block's replications meet, the same for every router."""

    tasks: IntArray
    """Shape (n_steps, n_replications): index of the task at each step."""
    draws: IntArray
    """Shape (n_steps, n_replications): which answer is drawn. Recorded: modulo the cell's samples; live: its number."""
    arms: IntArray
    """Shape (n_replications, n_arms): the order in which each replication's policy sees the arms; shuffled, so that
    a policy's ties to the lowest index favour no model (as they stand for a router that names models)."""


@dataclass(frozen=True)
class Plan:
    suite: Suite
    n_tasks: int
    n_arms: int

    @property
    def n_steps(self) -> int:
        """Decisions that one replication of one router makes."""
        return self.n_tasks * self.suite.passes

    @property
    def n_decisions(self) -> int:
        return self.n_steps * self.suite.n_replications * len(self.suite.routers)

    @cached_property
    def streams(self) -> list[Stream]:
        """Block by block, so that all routers have their first results early."""
        total = self.suite.n_replications
        return [
            Stream(router, block, min(BLOCK_SIZE, total - block * BLOCK_SIZE))
            for block in range(-(-total // BLOCK_SIZE))
            for router in range(len(self.suite.routers))
        ]

    def schedule(self, stream: Stream) -> Schedule:
        rng = _generator(self.suite.seed, "schedule", stream.block)
        n = stream.n_replications
        arms = np.tile(np.arange(self.n_arms), (n, 1))
        shuffled = rng.permuted(arms, axis=1)  # drawn for every router, so that what follows is the same for all
        one_pass = np.tile(np.arange(self.n_tasks, dtype=np.int64), (n, 1))
        tasks = np.concatenate([rng.permuted(one_pass, axis=1) for _ in range(self.suite.passes)], axis=1).T
        if isinstance(self.suite.environment, RecordedEnvironment):
            draws = rng.integers(0, 2**31, size=tasks.shape)
        else:
            first = (stream.block * BLOCK_SIZE + np.arange(n)) * self.suite.passes
            draws = first + np.repeat(np.arange(self.suite.passes), self.n_tasks)[:, None]
        knows_names = isinstance(self.suite.routers[stream.router], NAMING)
        return Schedule(np.ascontiguousarray(tasks), draws, arms if knows_names else shuffled)

    def samples(self, draws: IntArray, counts: IntArray) -> IntArray:
        """Which sample of its cell each decision takes, from its draw and the number of samples of that cell."""
        return draws % counts if isinstance(self.suite.environment, RecordedEnvironment) else draws

    def generator(self, stream: Stream) -> np.random.Generator:
        """The randomness of a router's own choices."""
        return _generator(self.suite.seed, _identity(self.suite.routers[stream.router]), stream.block)


def _identity(router: Router) -> str:
    """What decides a router's behaviour; its label does not. Options that many routers share and that are left at
    their defaults are left out, so that a new one changes no result of suites that do not use it."""
    unused = {
        key
        for key in _SHARED_OPTIONS & type(router).model_fields.keys()
        if getattr(router, key) == type(router).model_fields[key].default
    }
    return router.model_dump_json(exclude={"name", *unused})


def _generator(seed: int, what: str, block: int) -> np.random.Generator:
    digest = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence([seed, digest, block])))
