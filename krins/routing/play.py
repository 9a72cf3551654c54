"""Play: one policy against rewards, all replications together. The core loop of every simulation.

Invariants: within a round the state does not change and `pending` grows by each choice; rewards are learnt after the
round, in the order of the choices. The same generator state gives the same play.
Left out: where rewards come from, what regret is, and the shuffling of arms: the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from krins.interfaces import Context, FloatArray, IntArray, Policy, State


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
    rewards: Callable[[int, IntArray], FloatArray],
    rng: np.random.Generator,
    round_size: int = 1,
) -> Play:
    """Choose `horizon` times in each replication, learning after every `round_size` choices (and after the last).

    `rewards` is given the first step of a round and the arms chosen in it, shape (n_choices, n_replications), and
    returns their rewards, of that shape; NaN where no outcome was had, which is not learnt from. `rng` is the
    policy's alone.

    Raises:
        ValueError: more arms than fit 16 bits, a round without choices, or a reward that the policy refuses.
    """
    if n_arms > np.iinfo(np.int16).max or round_size < 1:
        raise ValueError(f"play takes up to 32767 arms and rounds of at least 1, got {n_arms} and {round_size}")
    state = policy.init(n_arms, n_replications)
    arms = np.empty((horizon, n_replications), np.int16)
    probabilities: FloatArray | None = np.empty((horizon, n_replications))
    context = Context(np.zeros((n_replications, n_arms), np.int64))
    rows = np.arange(n_replications)
    for start in range(0, horizon, round_size):
        steps = range(start, min(start + round_size, horizon))
        context.pending.fill(0)
        for step in steps:
            choice = policy.choose(state, context, rng)
            arms[step] = choice.arms
            context.pending[rows, choice.arms] += 1
            if choice.probabilities is None or probabilities is None:
                probabilities = None
            else:
                probabilities[step] = choice.probabilities
        chosen = arms[start : steps.stop].astype(np.int64)
        for arms_of_step, rewards_of_step in zip(chosen, rewards(start, chosen), strict=True):
            observed = ~np.isnan(rewards_of_step)
            everywhere = None if observed.all() else observed
            state = policy.update(state, arms_of_step, rewards_of_step, everywhere)
    return Play(arms, probabilities)
