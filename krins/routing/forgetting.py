"""Forgetting: old rewards fade (`Discounted`) or drop out (`SlidingWindow`), so that a policy follows drift.

Both wrap a policy whose state adds up: each lesson adds something to the arrays at its arm that depends on nothing
else. Of the tally and of Beta posteriors that is true, and of tallies with more sums; of Normal posteriors and linear
models it is not, and `init` refuses them: what a lesson did to them cannot be taken back arm by arm.

Invariants: time is counted in the rewards that a replication has learnt, not in choices, so that rewards which are
out or lost forget nothing; an arm of which nothing is remembered stands as the wrapped policy starts; choices and
their probabilities are those of the wrapped policy on what is remembered.
Left out: noticing a change (`restart`). Forgetting never stops, so that regret grows linearly where nothing drifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

import numpy as np

from krins.interfaces import BoolArray, Choice, Context, Feedback, FloatArray, IntArray, Policy, State
from krins.routing.tally import lesson


@dataclass(frozen=True, slots=True)
class Discounted(Generic[State]):
    """Before each lesson, what was learnt so far weighs `discount` times as much; a prior does not fade.

    About 1 / (1 - discount) rewards are remembered. Around UCB1 it is discounted UCB with xi = 1/2 (Garivier and
    Moulines, On upper-confidence bound policies for switching bandit problems, 2011, section 2; their bound on the
    regret asks for xi > 1/2), around ThompsonBeta it is discounted Thompson sampling (Raj and Kalyani, Taming
    non-stationary bandits: a Bayesian approach, 2017), for which no bound is claimed here. Weights below 1 are used as
    they are; an arm whose weight has all but vanished is tried again by the policies that try every arm
    (`tally.LEAST_WEIGHT`). A warm start fades like rewards. State: that of `policy`.

    Raises:
        ValueError: discount is outside (0, 1]; from `init`, the state of `policy` does not add up.
    """

    policy: Policy[State]
    discount: float = 0.999

    def __post_init__(self) -> None:
        if not 0.0 < self.discount <= 1.0:
            raise ValueError(f"discount lies in (0, 1], got {self.discount}")

    @property
    def params(self) -> Mapping[str, Any]:
        return {"policy": {"name": type(self.policy).__name__, **self.policy.params}, "discount": self.discount}

    def init(self, n_arms: int, n_replications: int) -> State:
        state = self.policy.init(n_arms, n_replications)
        _refuse_unless_additive(self.policy, n_arms)
        return state

    def choose(self, state: State, context: Context, rng: np.random.Generator) -> Choice:
        return self.policy.choose(state, context, rng)

    def update(self, state: State, feedback: Feedback) -> State:
        return self.policy.update(self._faded(state, feedback.observed), feedback)

    def propensities(self, state: State, context: Context) -> FloatArray:
        return self.policy.propensities(state, context)

    def _faded(self, state: Any, observed: BoolArray | None) -> Any:
        start: Any = self.policy.init(state[0].shape[1], 1)
        faded = []
        for array, first in zip(state, start, strict=True):
            # Not first + discount * (array - first): with a discount of 1 nothing may change, not even the last bit.
            less = self.discount * array + (1.0 - self.discount) * first
            faded.append(less if observed is None else np.where(observed[:, None], less, array))
        return type(state)(*faded)


class WindowState(NamedTuple):
    """A policy's state and the lessons that it is made from, in rings."""

    inner: Any
    """The wrapped policy's, of the lessons in the window alone."""
    arms: IntArray
    """Shape (n_replications, window): the arm of each lesson."""
    added: FloatArray
    """Shape (n_replications, window, arrays of `inner`): what each lesson added at its arm."""
    held: IntArray
    """Shape (n_replications, n_arms): lessons in the window."""
    learnt: IntArray
    """Shape (n_replications,): lessons ever; modulo the window, the place that comes next."""


@dataclass(frozen=True, slots=True)
class SlidingWindow(Generic[State]):
    """Only the last `window` lessons of a replication, of all arms together, are remembered.

    Around UCB1 it is sliding-window UCB with xi = 2 (Garivier and Moulines 2011, section 2), around ThompsonBeta
    sliding-window Thompson sampling (Trovo, Paladino, Restelli and Gatti, Sliding-window Thompson sampling for
    non-stationary settings, 2020). The bounds are for a window that is tuned to the number of changes. An
    arm that has left the window is tried again by the policies that try every arm: in a window of fewer lessons than
    arms they keep to the first ones, and never come to the last. A warm start of an arm stays until rewards of it have
    come and left. State: `WindowState`, about 8 * window * (1 + arrays of the policy's state) bytes a replication.

    Raises:
        ValueError: window is not at least 1; from `init`, the state of `policy` does not add up.
    """

    policy: Policy[State]
    window: int = 1000

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window is a number of lessons, at least 1, got {self.window}")

    @property
    def params(self) -> Mapping[str, Any]:
        return {"policy": {"name": type(self.policy).__name__, **self.policy.params}, "window": self.window}

    def init(self, n_arms: int, n_replications: int) -> WindowState:
        inner: Any = self.policy.init(n_arms, n_replications)
        _refuse_unless_additive(self.policy, n_arms)
        return WindowState(
            inner,
            arms=np.zeros((n_replications, self.window), np.int64),
            added=np.zeros((n_replications, self.window, len(inner))),
            held=np.zeros((n_replications, n_arms), np.int64),
            learnt=np.zeros(n_replications, np.int64),
        )

    def choose(self, state: WindowState, context: Context, rng: np.random.Generator) -> Choice:
        return self.policy.choose(state.inner, context, rng)

    def update(self, state: WindowState, feedback: Feedback) -> WindowState:
        """As `Policy.update`; the rings are written to in place."""
        rows, arms, _ = lesson(feedback)
        before = [array[rows, arms] for array in state.inner]
        inner: Any = self.policy.update(state.inner, feedback)
        added = [array[rows, arms] - was for array, was in zip(inner, before, strict=True)]
        full = state.learnt[rows] >= self.window
        place = state.learnt[rows] % self.window
        state.held[rows, arms] += 1
        state = state._replace(inner=inner)
        self._forget(state, rows[full], place[full])
        state.arms[rows, place] = arms
        state.added[rows, place] = np.stack(added, axis=1)
        state.learnt[rows] += 1
        return state

    def propensities(self, state: WindowState, context: Context) -> FloatArray:
        return self.policy.propensities(state.inner, context)

    def _forget(self, state: WindowState, rows: IntArray, place: IntArray) -> None:
        """Take back the lesson at `place` of each of `rows`."""
        arms = state.arms[rows, place]
        state.held[rows, arms] -= 1
        # An arm without lessons starts anew exactly: subtracting real rewards leaves crumbs.
        empty = state.held[rows, arms] == 0
        start: Any = self.policy.init(state.held.shape[1], 1)
        for array, first, added in zip(state.inner, start, state.added[rows, place].T, strict=True):
            array[rows, arms] = np.where(empty, first[0, arms], array[rows, arms] - added)


def _refuse_unless_additive(policy: Policy[Any], n_arms: int) -> None:
    """Learn rewards of 1, 0 and 1 of one arm: the first and the last must add the same, and that to this arm alone.

    Raises:
        ValueError: they do not, or there is nothing to learn.
    """
    state = policy.init(n_arms, 1)
    tables = []
    if len(state) and all(isinstance(array, np.ndarray) and array.shape == (1, n_arms) for array in state):
        for reward in (1.0, 0.0, 1.0):
            tables.append(np.stack(state))
            state = policy.update(state, _lesson_of_first_arm(reward))
        tables.append(np.stack(state))
    if not tables or not _adds_up(np.stack(tables)):
        raise ValueError(
            f"only policies whose state adds up over lessons, arm by arm, can forget (a Tally or BetaState); the state "
            f"of {type(policy).__name__} does not"
        )


def _lesson_of_first_arm(reward: float) -> Feedback:
    one = np.ones(1)
    return Feedback(np.zeros(1, np.int64), reward * one, probabilities=one, quality=reward * one, cost_usd=one)


def _adds_up(tables: FloatArray) -> bool:
    """From tables of shape (4, n_arrays, 1, n_arms), after 0 to 3 lessons."""
    steps = np.diff(tables, axis=0)
    return bool(np.allclose(steps[0], steps[2], rtol=1e-9, atol=1e-12) and not steps[..., 1:].any() and steps[0].any())
