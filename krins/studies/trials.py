"""Trials: a router learns on some tasks and is scored on others, where it goes on learning, as it would in production.

What it learns on are recorded tasks, whose table holds every model's answers; a router that takes rewards as they come
is told all of them (`_taught`), for nothing is saved by looking at one a task. The others learn by playing: those that
forget, for which a task is to be one step, and those that steer by what they themselves decided.

Invariants: what a replication meets (order of tasks, draws of samples, order of arms) depends on seed, phase and its
own number alone, so that routers are compared on the same luck, and replications can be added to those that there are;
a router's own chance depends on it besides. A router learns from one drawn answer, and is scored by the mean over all
answers of the cell that it chose, as regret is elsewhere; a fixed model's score holds no chance at all. Of a cascade,
whose verifier sees the answer, the drawn answers count. Features are fitted on the tuning tasks, and no trial on these
depends on outcomes of others. For the unseen tasks one thing is told beforehand, that rewards are 0 or 1 where all are:
it decides what kind of posterior fits. Left out: which router to try on what (`tune`).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from krins.environments.table import OutcomeTable, mean_over_samples
from krins.interfaces import Feedback, FloatArray, IntArray
from krins.router_specs import CONTEXTUAL, NAMING, CascadeRouter, FixedRouter, ForgettingRouter, Router
from krins.routing.build import Ground, arm_number
from krins.routing.features import FeatureMap
from krins.routing.play import Results, play
from krins.routing.reward import reward_range, reward_values
from krins.routing.router import Router as LiveRouter
from krins.runs.drawn import cascade_of
from krins.runs.ground import fit_features, recorded_ground
from krins.studies.search_space import identity
from krins.suite import Suite

CHUNK = 16
"""Replications that are played together, and never in part: a router draws its chance for all of them at once."""


class Phase(NamedTuple):
    """Tasks to learn on, then tasks to be scored on; indices into the table."""

    name: str
    learnt: IntArray
    scored: IntArray


class Score(NamedTuple):
    """What came of the scored tasks of some chunks of replications."""

    quality: FloatArray
    """Shape (n_scored,), in the phase's order of tasks: mean over replications; so are the next two."""
    cost_usd: FloatArray
    """NaN where costs are not known."""
    reward: FloatArray
    rewards: FloatArray
    """Shape (n_replications,): mean reward of each."""


class _Met(NamedTuple):
    """What a chunk meets."""

    tasks: IntArray
    """Shape (n_learnt + n_scored, CHUNK)."""
    draws: IntArray
    arms: IntArray
    """Shape (CHUNK, n_arms): the order in which policies see the arms."""


@dataclass(frozen=True)
class Bench:
    """A table of outcomes, of which some tasks are for tuning."""

    suite: Suite
    table: OutcomeTable
    tuning: IntArray
    """Indices of tasks."""

    @cached_property
    def rewards(self) -> FloatArray:
        """Shape (n_tasks, n_arms, n_samples).

        Raises:
            TableError: the reward charges for something that the table does not know.
        """
        return self.table.rewards(self.suite.reward)

    @cached_property
    def features(self) -> FeatureMap | None:
        """None where the suite names none."""
        return fit_features(self.suite, [self.table.tasks[task] for task in self.tuning])

    @cached_property
    def _kept(self) -> dict[tuple[str, bytes], Any]:
        """States of taught routers, by router and tasks: chunks begin with the same one."""
        return {}

    @cached_property
    def cell_means(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Quality, USD and reward of each cell, shape (n_tasks, n_arms), over its samples."""
        quality, cost, reward = map(mean_over_samples, (self.table.quality, self.table.cost_usd, self.rewards))
        return quality, cost, reward

    def ground(self, phase: Phase) -> Ground:
        """What policies are built for; of tasks that are not tuned on, nothing is known where none of them is met."""
        is_trial = bool(np.isin(phase.scored, self.tuning).all())
        return self._tuning_ground if is_trial else self._ground

    @cached_property
    def _tuning_ground(self) -> Ground:
        return replace(self._ground, is_binary=_is_binary(self.rewards[self.tuning]))

    @cached_property
    def _ground(self) -> Ground:
        features = None if self.features is None else self.features.transform(self.table.tasks)
        ground = recorded_ground(self.suite.model_copy(update={"features": None}), self.table, self.rewards)
        return replace(ground, reward_range=self.reward_range, is_binary=_is_binary(self.rewards), features=features)

    @cached_property
    def reward_range(self) -> tuple[float, float]:
        """Least and greatest reward to be expected: as the suite's formula says, and as met on the tuning tasks."""
        met = self.rewards[self.tuning]
        low, high = reward_range(self.suite.reward)
        return float(np.floor(min(low, np.nanmin(met)) * 10) / 10), float(np.ceil(max(high, np.nanmax(met)) * 10) / 10)

    def score(self, router: Router, phase: Phase, chunks: Sequence[int]) -> Score:
        """Play the router on these chunks of replications.

        Raises:
            SuiteError: it does not fit.
        """
        if isinstance(router, FixedRouter):
            return self._score_fixed(router, phase, len(chunks) * CHUNK)
        scores = [self._score_chunk(router, phase, chunk) for chunk in chunks]
        quality, cost, reward = (np.mean([score[i] for score in scores], axis=0) for i in range(3))
        return Score(quality, cost, reward, np.concatenate([score.rewards for score in scores]))

    def learnt_router(self, router: Router, phase: Phase) -> LiveRouter:
        """A router at work that has learnt from the tasks of `phase.learnt`: the one that was scored, or one of them
        (chunk 0, replication 0) where it learns by playing; but for its own chance."""
        ground = self.ground(phase)
        policy, rng = ground.policy(router), _generator(self.suite.seed, f"{phase.name} at work", 0)
        if is_taught(router):
            return LiveRouter(policy, ground.arm_names, rng, state=self._taught(router, phase))
        met = self._meet(phase, 0)
        order = self._arms_seen(router, met)[:1]
        names = [ground.arm_names[arm] for arm in order[0]]
        live = LiveRouter(policy, names, rng, state=ground.state(router, policy, order))
        features = ground.features if live.n_features is not None else None
        numbers = {name: number for number, name in enumerate(ground.arm_names)}
        for task, draw in zip(met.tasks[: len(phase.learnt), 0], met.draws[:, 0], strict=False):
            row = None if features is None else features[task]
            decision = live.decide(row)
            arm = numbers[decision.arm]
            cell = task, arm, draw % self.table.counts[task, arm]
            cost_usd = float(self.table.cost_usd[cell])
            live.learn(
                decision.arm,
                float(self.rewards[cell]),
                probability=decision.probability,
                features=row,
                quality=float(self.table.quality[cell]),
                cost_usd=None if np.isnan(cost_usd) else cost_usd,
            )
        return live

    def _taught(self, router: Router, phase: Phase) -> Any:
        """The state, of one replication, of a policy that was told the reward of every answer to `phase.learnt`; arms
        in the table's order."""
        key = identity(router), phase.learnt.tobytes()
        if key not in self._kept:
            ground = self.ground(phase)
            policy = ground.policy(router)
            arms = np.arange(len(self.table.arms))
            state = ground.state(router, policy, arms[None])
            features = ground.features if isinstance(router, CONTEXTUAL) else None
            for task in phase.learnt:
                row = None if features is None else features[task][None]
                for arm in arms:
                    for reward in self.rewards[task, arm, : self.table.counts[task, arm]]:
                        told = Feedback(arms[arm : arm + 1], np.array([reward]), features=row)
                        state = policy.update(state, told)
            self._kept[key] = state
        return copy.deepcopy(self._kept[key])

    def _score_fixed(self, router: FixedRouter, phase: Phase, n_replications: int) -> Score:
        arm = arm_number(router, router.model, self._ground.arm_names)
        quality, cost, reward = (means[phase.scored, arm] for means in self.cell_means)
        return Score(quality, cost, reward, np.full(n_replications, reward.mean()))

    def _score_chunk(self, router: Router, phase: Phase, chunk: int) -> Score:
        met = self._meet(phase, chunk)
        if isinstance(router, CascadeRouter):
            scored = slice(len(phase.learnt), None)
            outcome = cascade_of(router, self.table).simulate(router.verifier, met.tasks[scored], met.draws[scored])
            unknown = np.full(outcome.quality.shape, np.nan)  # of a cascade nobody knows how long it takes
            reward = reward_values(self.suite.reward, outcome.quality, outcome.cost_usd, unknown)
            return _averaged(phase, met.tasks[scored], outcome.quality, outcome.cost_usd, reward)
        return self._play(router, phase, chunk, met)

    def _play(self, router: Router, phase: Phase, chunk: int, met: _Met) -> Score:
        ground, order = self.ground(phase), self._arms_seen(router, met)
        policy = ground.policy(router)
        replications, n_learnt = np.arange(CHUNK), len(phase.learnt)
        if is_taught(router):
            state = _repeated(self._taught(router, phase), CHUNK)
            met, n_learnt = met._replace(tasks=met.tasks[n_learnt:], draws=met.draws[n_learnt:]), 0
        else:
            state = ground.state(router, policy, order)

        def results(first_step: int, choices: IntArray) -> Results:
            steps = slice(first_step, first_step + len(choices))
            tasks, arms = met.tasks[steps], order[replications, choices]
            cell = tasks, arms, met.draws[steps] % self.table.counts[tasks, arms]
            return Results(self.rewards[cell], self.table.quality[cell], self.table.cost_usd[cell])

        features = ground.features if isinstance(router, CONTEXTUAL) else None
        played = play(
            policy,
            len(self.table.arms),
            CHUNK,
            len(met.tasks),
            results,
            _generator(self.suite.seed, f"{phase.name} {identity(router)}", chunk),
            self.suite.n_decisions_a_round,
            delay=self.suite.feedback_delay,
            features=None if features is None else lambda step: features[met.tasks[step]],
            state=state,
        )
        scored = slice(n_learnt, None)
        tasks, arms = met.tasks[scored], order[replications, played.arms[scored].astype(np.int64)]
        return _averaged(phase, tasks, *(means[tasks, arms] for means in self.cell_means))

    def _arms_seen(self, router: Router, met: _Met) -> IntArray:
        knows_names = isinstance(router, NAMING) or is_taught(router)
        return np.tile(np.arange(len(self.table.arms)), (CHUNK, 1)) if knows_names else met.arms

    def _meet(self, phase: Phase, chunk: int) -> _Met:
        rng = _generator(self.suite.seed, phase.name, chunk)
        arms = rng.permuted(np.tile(np.arange(len(self.table.arms)), (CHUNK, 1)), axis=1)
        parts = (rng.permuted(np.tile(tasks, (CHUNK, 1)), axis=1).T for tasks in (phase.learnt, phase.scored))
        tasks = np.concatenate(list(parts))
        return _Met(tasks, rng.integers(0, 2**31, size=tasks.shape), arms)


def is_taught(router: Router) -> bool:
    """Whether it learns from all recorded answers, and not by playing."""
    if isinstance(router, ForgettingRouter):
        return router.discount is None and router.window is None and router.restart is None
    return isinstance(router, CONTEXTUAL)


def _is_binary(rewards: FloatArray) -> bool:
    return bool(np.isin(rewards[~np.isnan(rewards)], (0.0, 1.0)).all())


def _repeated(state: Any, n: int) -> Any:
    """A state of one replication as one of `n` that are alike."""
    if isinstance(state, np.ndarray):
        return np.repeat(state, n, axis=0)
    return type(state)(*(_repeated(part, n) for part in state))


def _averaged(phase: Phase, tasks: IntArray, quality: FloatArray, cost_usd: FloatArray, reward: FloatArray) -> Score:
    """Arrays have shape (n_scored, CHUNK), in the order in which each replication met the tasks."""
    order = np.argsort(tasks, axis=0)
    back = np.argsort(np.argsort(phase.scored))

    def by_task(values: FloatArray) -> FloatArray:
        return np.asarray(np.take_along_axis(values, order, axis=0).mean(axis=1)[back])

    return Score(by_task(quality), by_task(cost_usd), by_task(reward), reward.mean(axis=0))


def _generator(seed: int, what: str, chunk: int) -> np.random.Generator:
    digest = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence([seed, digest, chunk])))
