"""Restart: watch each arm's rewards for a change of their mean, and begin anew when there was one.

Invariants: a replication that sees a change is reset as a whole, whatever policy is inside, and no other is touched;
choices and their probabilities are those of the wrapped policy. Each arm's rewards are tested in the order in which
they were learnt, so that it does not matter how the arm came to be chosen.
Left out: drift too slow to be seen within the window (`forgetting`), exploration to see arms that are not in use
(`floor`), and telling which arm got better.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

import numpy as np

from krins.interfaces import BoolArray, Choice, Context, Feedback, FloatArray, IntArray, Policy, State
from krins.routing.index import check_range
from krins.routing.tally import lesson

_TINY = 1e-300


class RestartState(NamedTuple):
    """A policy's state and what the detector looks at, both since the last restart."""

    inner: Any
    """The wrapped policy's."""
    counts: IntArray
    """Shape (n_replications, n_arms): rewards learnt."""
    totals: FloatArray
    """Shape (n_replications, n_arms, window + 1): the sum of an arm's first j rewards, scaled to [0, 1], stands at j
    modulo (window + 1) for the last window + 1 numbers j."""


@dataclass(frozen=True, slots=True)
class Restarting(Generic[State]):
    """Begin anew when a generalised likelihood ratio test finds that an arm's mean reward has changed.

    After each reward, the arm's rewards since the last restart are split into the last s and all before, for s = 1, 2,
    3, 4, 6, 8, 12, ... up to `window`: powers of two and the numbers halfway between, so that a change is seen after
    about half as many rewards again as with a test of every split, at worst. There was a change where, with the binary
    divergence kl,

        s kl(mean of the last s, mean) + (n - s) kl(mean of those before, mean) >= ln(3 n sqrt(n) n_arms / false_alarm).

    Besson, Kaufmann, Maillard and Seznec, Efficient change-point detection for tackling piecewise-stationary bandits
    (2022), sections 3 and 4, global restarts, with the shorter threshold of their experiments. The longer one that
    they prove is not used; with this one, `false_alarm` bounds the probability that a replication in a world that does
    not change ever restarts in experiments, not by proof (tests/routing/test_restart.py). It takes independent
    rewards; those outside `reward_range` count as its nearest end in the test, and as they are in the policy.

    That the arm in use gets worse is seen under any policy; that an arm which is hardly played gets better is not. For
    that, wrap a policy that keeps exploring, as with ExplorationFloor (the paper explores at fixed times instead), at
    the price of linear regret: experiments/drift.py.

    A restart forgets a warm start too. Rewards that are out at a restart may be older than the change; they are
    learnt. State: `RestartState`, 8 * n_arms * window bytes a replication.

    Raises:
        ValueError: false_alarm is not in (0, 1), window is not at least 1, or reward_range is not (low, high) with
            low < high, both finite.
    """

    policy: Policy[State]
    false_alarm: float = 0.05
    window: int = 512
    reward_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not 0.0 < self.false_alarm < 1.0:
            raise ValueError(f"false_alarm is a probability between 0 and 1, got {self.false_alarm}")
        if self.window < 1:
            raise ValueError(f"window is a number of rewards, at least 1, got {self.window}")
        check_range(self.reward_range)

    @property
    def params(self) -> Mapping[str, Any]:
        return {
            "policy": {"name": type(self.policy).__name__, **self.policy.params},
            "false_alarm": self.false_alarm,
            "window": self.window,
            "reward_range": self.reward_range,
        }

    def init(self, n_arms: int, n_replications: int) -> RestartState:
        return RestartState(
            self.policy.init(n_arms, n_replications),
            counts=np.zeros((n_replications, n_arms), np.int64),
            totals=np.zeros((n_replications, n_arms, self.window + 1)),
        )

    def choose(self, state: RestartState, context: Context, rng: np.random.Generator) -> Choice:
        return self.policy.choose(state.inner, context, rng)

    def update(self, state: RestartState, feedback: Feedback) -> RestartState:
        """As `Policy.update`; the arrays of the detector are written to in place."""
        rows, arms, rewards = lesson(feedback)
        inner = self.policy.update(state.inner, feedback)
        low, high = self.reward_range
        n_slots = self.window + 1
        counts = state.counts[rows, arms] + 1
        totals = state.totals[rows, arms, (counts - 1) % n_slots] + np.clip((rewards - low) / (high - low), 0.0, 1.0)
        state.counts[rows, arms] = counts
        state.totals[rows, arms, counts % n_slots] = totals
        changed = rows[self._has_changed(state, rows, arms)]
        if changed.size:
            inner = _reset_rows(inner, self.policy.init(state.counts.shape[1], changed.size), changed)
            state.counts[changed] = 0
            state.totals[changed, :, 0] = 0.0
        return state._replace(inner=inner)

    def propensities(self, state: RestartState, context: Context) -> FloatArray:
        return self.policy.propensities(state.inner, context)

    def _has_changed(self, state: RestartState, rows: IntArray, arms: IntArray) -> BoolArray:
        """Shape of `rows`: the rewards of the arm, of which the last has just been added, had two means."""
        counts, n_slots = state.counts[rows, arms], self.window + 1
        lags = _lags(self.window)
        before = counts[:, None] - lags
        possible = before > 0
        total = state.totals[rows, arms, counts % n_slots]
        total_before = np.where(possible, state.totals[rows[:, None], arms[:, None], before % n_slots], 0.0)
        # A sum of divergences from the common mean is a difference of entropies.
        ratio = (counts * _entropy(total / counts))[:, None]
        ratio = ratio - before * _entropy(total_before / np.maximum(before, 1))
        ratio -= lags * _entropy((total[:, None] - total_before) / lags)
        threshold = np.log(3.0 * counts**1.5 * state.counts.shape[1] / self.false_alarm)
        changed: BoolArray = (possible & (ratio >= threshold[:, None])).any(axis=1)
        return changed


@functools.cache
def _lags(window: int) -> IntArray:
    """Powers of two and the numbers halfway between, up to `window`, and `window`."""
    powers = 2 ** np.arange(window.bit_length())
    lags = np.union1d(powers, 3 * powers // 2)
    return np.append(lags[lags < window], window)


def _entropy(share: FloatArray) -> FloatArray:
    """Of a Bernoulli variable, in nats. Shares may lie outside [0, 1] by rounding."""
    hit, miss = np.maximum(share, _TINY), np.maximum(1.0 - share, _TINY)
    entropy: FloatArray = -(hit * np.log(hit) + miss * np.log(miss))
    return entropy


def _reset_rows(state: Any, fresh: Any, rows: IntArray) -> Any:
    """`state` with `rows` as in `fresh`, which has them alone. States may hold states."""
    if not isinstance(state, np.ndarray):
        return type(state)(*(_reset_rows(part, new, rows) for part, new in zip(state, fresh, strict=True)))
    reset = state.copy()
    reset[rows] = fresh
    return reset
