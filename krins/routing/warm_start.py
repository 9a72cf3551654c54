"""Warm start: published scores as rewards that a policy is told before the first task.

Invariants: pure; a score of weight w stands for w rewards whose mean it is, on top of the prior and of what was
learnt already; arms without a score stay as they are.
Left out: where scores come from, and what to make of scores on another scale than the reward's: where the reward
charges for cost, the caller takes the expected cost off the score first.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from krins.interfaces import FloatArray
from krins.routing.forgetting import WindowState
from krins.routing.restart import RestartState
from krins.routing.tally import Tally
from krins.routing.thompson import BetaState, NormalState

Started = TypeVar("Started", Tally, BetaState, NormalState, WindowState, RestartState)


def warm_start(state: Started, scores: FloatArray, weight: float) -> Started:
    """`state` as if each arm with a score had brought `weight` rewards of that mean before.

    In a tally such an arm counts as tried, for any weight: policies that try every arm once first try only the arms
    without a score, so that a router over many models need not send a task to each. A score of small weight leaves
    the bonus of UCB wide, so that a good arm with a bad score is still tried.

    To Normal posteriors a score tells the mean and not the spread: `mean` and `strength` move as with `weight`
    rewards of exactly the score, `shape` and `scale` stay. Else many equal pseudo-rewards would make the policy
    believe that rewards hardly vary.

    The state of a wrapper is warmed where the policy's stands in it. What the wrapper notes of rewards stays: no reward
    has come, so that the scores do not take part in looking for a change. How they are forgotten, `forgetting` and
    `restart` say.

    Args:
        state: any, not only one from `init`; it is not changed.
        scores: shape (n_replications, n_arms), mean rewards, for a BetaState in [0, 1]; NaN where unknown.
        weight: rewards that a score is worth: the more, the more the tasks at hand are like those that were scored. A
            right score saves the more and a wrong one costs the more, the more it weighs (experiments/warm_start.py).

    Raises:
        ValueError: weight is not positive and at most 1e9, a score is infinite or no share where it must be one, scores
            have another shape than the arrays of the state, or the state is none of a Tally, a BetaState and a
            NormalState. `Moments` is not: how much rewards vary, a score does not tell.
    """
    if isinstance(state, WindowState | RestartState):
        own = {name: part.copy() for name, part in state._asdict().items() if isinstance(part, np.ndarray)}
        return state._replace(inner=warm_start(state.inner, scores, weight), **own)
    if not isinstance(state, Tally | BetaState | NormalState):
        known_states = "a Tally, a BetaState or a NormalState, or a wrapper's around one"
        raise ValueError(f"a warm start takes {known_states}, got {type(state).__name__}")
    # Posteriors of more rewards than that are narrower than their quadrature resolves.
    if not 0.0 < weight <= 1e9:
        raise ValueError(f"weight is a positive number of rewards of at most 1e9, got {weight}")
    if scores.shape != state[0].shape:
        raise ValueError(f"scores have shape (n_replications, n_arms) = {state[0].shape}, got {scores.shape}")
    known = ~np.isnan(scores)
    low, high = (0.0, 1.0) if isinstance(state, BetaState) else (-np.finfo(np.float64).max, np.finfo(np.float64).max)
    if not ((scores[known] >= low) & (scores[known] <= high)).all():
        raise ValueError(
            "scores are finite mean rewards, for Beta posteriors in [0, 1], or NaN where unknown; divide percentages "
            "by 100"
        )
    weights = np.where(known, weight, 0.0)
    sums = weights * np.where(known, scores, 0.0)
    if isinstance(state, Tally):
        return Tally(state.counts + weights, state.sums + sums)
    if isinstance(state, BetaState):
        return BetaState(state.alpha + sums, state.beta + (weights - sums))
    strength = state.strength + weights
    mean = np.where(known, (state.strength * state.mean + sums) / strength, state.mean)
    return NormalState(mean, strength, state.shape.copy(), state.scale.copy())
