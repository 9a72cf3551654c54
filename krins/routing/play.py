"""Play: one policy against rewards, all replications together. The core loop of every simulation.

Invariants: within a round the state does not change and `pending` grows by each choice; rewards are learnt round by
round, in the order of the choices, `delay` rounds late. The same generator state gives the same play.
Left out: where rewards come from, what regret is, and the shuffling of arms: the caller's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from krins.interfaces import Choice, Context, Feedback, FloatArray, IntArray, Policy, State


class Results(NamedTuple):
    """What came of a round's choices. Shapes are (n_choices, n_replications)."""

    rewards: FloatArray
    """NaN where no outcome was had, which is not learnt from."""
    quality: FloatArray | None = None
    cost_usd: FloatArray | None = None


class Play(NamedTuple):
    """What was chosen."""

    arms: NDArray[np.int16]
    """Shape (horizon, n_replications)."""
    probabilities: FloatArray | None
    """Shape (horizon, n_replications): that of each chosen arm; None for a policy that leaves it to `propensities`."""


def play(
    policy: Policy[State],
    n_arms: int,
    n_replications: int,
    horizon: int,
    results: Callable[[int, IntArray], Results],
    rng: np.random.Generator,
    round_size: int = 1,
    *,
    delay: int = 0,
    features: Callable[[int], FloatArray] | None = None,
    state: State | None = None,
) -> Play:
    """Choose `horizon` times in each replication, in rounds of `round_size` choices (the last may be shorter).

    Args:
        results: given the first step of a round and the arms chosen in it, shape (n_choices, n_replications), returns
            what came of them.
        rng: the policy's alone.
        delay: rounds for which rewards stay out; 0: they are learnt after the round that they belong to.
        features: given a step, returns those of its tasks, shape (n_replications, n_features).
        state: where to begin, by default where the policy does; it is given up.

    Raises:
        ValueError: more arms than fit 16 bits, a round without choices, a negative delay, or a reward that the policy
            refuses.
    """
    if n_arms > np.iinfo(np.int16).max or round_size < 1 or delay < 0:
        found = f"{n_arms}, {round_size} and {delay}"
        raise ValueError(f"play takes up to 32767 arms, rounds of at least 1 and a delay of at least 0, got {found}")
    _keep_freed_memory()
    state = policy.init(n_arms, n_replications) if state is None else state
    arms = np.empty((horizon, n_replications), np.int16)
    probabilities: FloatArray | None = np.empty((horizon, n_replications))
    # In rounds of one whose reward comes at once nobody ever sees a choice pending.
    is_seen = round_size > 1 or delay > 0
    learner = _Learner(policy, state, np.zeros((n_replications, n_arms), np.int64), features, is_seen)
    waiting: deque[tuple[range, Results]] = deque()
    for start in range(0, horizon, round_size):
        steps = range(start, min(start + round_size, horizon))
        for step in steps:
            choice = learner.choose(step, rng)
            arms[step] = choice.arms
            if choice.probabilities is None or probabilities is None:
                probabilities = None
            else:
                probabilities[step] = choice.probabilities
        waiting.append((steps, results(start, arms[start : steps.stop].astype(np.int64))))
        if len(waiting) > delay:
            learner.learn(arms, probabilities, *waiting.popleft())
    return Play(arms, probabilities)


def _keep_freed_memory() -> None:
    """glibc hands memory at the end of the heap back to the system as soon as 128 KiB of it are free, and so fetches
    it anew for the arrays of every step, which can take as long as the arithmetic. A large block, once freed, raises
    that limit to twice its size (mallopt(3), M_MMAP_THRESHOLD). No page of it is touched."""
    np.empty(2**21)


@dataclass
class _Learner(Generic[State]):
    """A policy with its state and the choices whose rewards are out."""

    policy: Policy[State]
    state: State
    pending: IntArray
    features: Callable[[int], FloatArray] | None
    counts_pending: bool

    def __post_init__(self) -> None:
        n_replications, n_arms = self.pending.shape
        # One flat index takes a third of the time of one for replications and one for arms.
        self._flat = self.pending.reshape(-1)
        self._first = np.arange(n_replications) * n_arms

    def choose(self, step: int, rng: np.random.Generator) -> Choice:
        features = None if self.features is None else self.features(step)
        choice = self.policy.choose(self.state, Context(self.pending, features), rng)
        if self.counts_pending:
            self._flat[self._first + choice.arms] += 1
        return choice

    def learn(self, arms: NDArray[np.int16], probabilities: FloatArray | None, steps: range, results: Results) -> None:
        for step, feedback in zip(steps, _feedback(arms, probabilities, steps, results), strict=True):
            if self.features is not None:
                feedback = feedback._replace(features=self.features(step))
            if self.counts_pending:
                self._flat[self._first + feedback.arms] -= 1
            self.state = self.policy.update(self.state, feedback)


def _feedback(
    arms: NDArray[np.int16], probabilities: FloatArray | None, steps: range, results: Results
) -> Iterator[Feedback]:
    """Step by step."""
    rewards, quality, cost_usd = results
    chosen = arms[steps.start : steps.stop].astype(np.int64)
    missing = np.isnan(rewards)
    observed = ~missing if missing.any() else None
    for i, step in enumerate(steps):
        yield Feedback(
            arms=chosen[i],
            rewards=rewards[i],
            observed=None if observed is None else observed[i],
            probabilities=None if probabilities is None else probabilities[step],
            quality=None if quality is None else quality[i],
            cost_usd=None if cost_usd is None else cost_usd[i],
        )
