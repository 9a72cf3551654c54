"""A cascade on recorded outcomes: models asked in turn until an answer passes a SIMULATED verifier.

The verifier passes a right answer with its sensitivity and a wrong one with 1 - specificity; an answer graded in
between counts as right to that share. An attempt that failed never passes. The last model's answer is taken as it is.
All attempts are paid for, and every check but the last. Invariants: the verdict on one draw of one task's answer is the
same whoever asks, whatever the number of workers; expectations are exact over samples and verdicts. Left out: verifiers
that exist (`krins.quality`), and learning which cascade to use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from krins.environments.table import ContextTokens, OutcomeTable
from krins.interfaces import BoolArray, FloatArray, IntArray
from krins.router_specs import SimulatedVerifier
from krins.routing.reward import reward_values
from krins.suite import Reward


class Drawn(NamedTuple):
    """What came of decisions, each array of the shape of the tasks that they were for."""

    arms: IntArray
    """Whose answer was taken."""
    quality: FloatArray
    cost_usd: FloatArray
    tokens: FloatArray
    failure: NDArray[np.int8]
    """Of the answer taken: index into `FAILURES`."""
    context: ContextTokens | None
    """Of all prompts, as `tokens` is."""


class Expected(NamedTuple):
    """Per-task expectations; the last axis is tasks, those before it are the verifier's."""

    quality: FloatArray
    cost_usd: FloatArray
    reward: FloatArray


@dataclass(frozen=True)
class Cascade:
    table: OutcomeTable
    arms: Sequence[int]
    """Indices of the models, in the order in which they are asked."""

    def simulate(self, verifier: SimulatedVerifier, tasks: IntArray, draws: IntArray) -> Drawn:
        """Outcomes of `tasks`, with `draws` (of the same shape) deciding samples and verdicts."""
        table, last = self.table, len(self.arms) - 1
        arms = np.full(tasks.shape, self.arms[-1])
        quality, cost, tokens = np.zeros(tasks.shape), np.zeros(tasks.shape), np.zeros(tasks.shape)
        failure = np.zeros(tasks.shape, np.int8)
        context = table.context and ContextTokens(np.zeros(tasks.shape), np.zeros(tasks.shape))
        is_open: BoolArray = np.ones(tasks.shape, np.bool_)
        for stage, arm in enumerate(self.arms):
            cell = tasks, arm, draws % table.counts[tasks, arm]
            is_checked = stage < last
            cost += np.where(is_open, table.cost_usd[cell] + verifier.usd_per_check * is_checked, 0.0)
            tokens += np.where(is_open, table.tokens[cell], 0.0)
            for total, of_all in zip(context or (), table.context or (), strict=True):
                total += np.where(is_open, of_all[cell], 0.0)
            chance = _chance_to_pass(
                table.quality[cell], table.failure[cell], verifier.sensitivity, verifier.specificity
            )
            is_taken = is_open & (_uniforms(tasks, arm, draws) < chance if is_checked else True)
            arms = np.where(is_taken, arm, arms)
            quality = np.where(is_taken, table.quality[cell], quality)
            failure = np.where(is_taken, table.failure[cell], failure)
            is_open &= ~is_taken
        return Drawn(arms, quality, cost, tokens, failure, context)

    def expect(
        self, reward: Reward, sensitivity: FloatArray, specificity: FloatArray, usd_per_check: float = 0.0
    ) -> Expected:
        """Expectations over samples and verdicts; `sensitivity` and `specificity` of one shape, or of shapes that
        broadcast, whose axes come before that of the tasks in the result."""
        sensitivity, specificity = np.broadcast_arrays(sensitivity, specificity)
        rates = sensitivity[..., None], specificity[..., None]
        total = Expected(*(np.zeros((*sensitivity.shape, len(self.table.tasks))) for _ in Expected._fields))
        # Samples of a task come round after so many draws, which is exact and few for each task by itself.
        periods = np.lcm.reduce(self.table.counts[:, list(self.arms)], axis=1)
        for period in np.unique(periods).tolist():
            tasks = np.flatnonzero(periods == period)
            for draw in range(period):
                self._add_draw(total, tasks, draw, 1.0 / period, reward, rates, usd_per_check)
        return total

    def _add_draw(
        self,
        total: Expected,
        tasks: IntArray,
        draw: int,
        weight: float,
        reward: Reward,
        rates: tuple[FloatArray, FloatArray],
        usd_per_check: float,
    ) -> None:
        """Add what one draw of the samples of some tasks brings, over all verdicts, to `total`."""
        table, last = self.table, len(self.arms) - 1
        reach = np.full((*rates[0].shape[:-1], len(tasks)), weight)
        spent, waited = np.zeros(len(tasks)), np.zeros(len(tasks))
        for stage, arm in enumerate(self.arms):
            cell = tasks, arm, draw % table.counts[tasks, arm]
            spent = spent + table.cost_usd[cell] + usd_per_check * (stage < last)
            waited = waited + table.latency_seconds[cell]
            right = table.quality[cell]
            stop = reach * (_chance_to_pass(right, table.failure[cell], *rates) if stage < last else 1.0)
            total.quality[..., tasks] += stop * right
            total.cost_usd[..., tasks] += stop * spent
            total.reward[..., tasks] += stop * reward_values(reward, right, spent, waited)
            reach = reach - stop


def _chance_to_pass(
    quality: FloatArray, failure: NDArray[np.int8], sensitivity: float | FloatArray, specificity: float | FloatArray
) -> FloatArray:
    chance: FloatArray = sensitivity * quality + (1.0 - specificity) * (1.0 - quality)
    return np.where(failure == 0, chance, 0.0)


def _uniforms(tasks: IntArray, arm: int, draws: IntArray) -> FloatArray:
    """Uniform on [0, 1), by the finaliser of SplitMix64 (Steele, Lea and Flood 2014) over draw, task and arm."""
    with np.errstate(over="ignore"):
        mixed = draws.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed += tasks.astype(np.uint64) * np.uint64(0xD1B54A32D192ED03) + np.uint64(arm * 0x8CB92BA72F3D8DD7 % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
