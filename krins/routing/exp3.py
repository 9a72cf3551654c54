"""EXP3: exponential weights on estimated losses, for rewards that an adversary may have chosen.

Invariants: every choice comes with its exact probability, and every arm keeps one that is positive (until it
underflows); a choice takes exactly one uniform draw for each replication, whatever the state. What is learnt is
divided by the probability with which the arm was chosen, whoever chose it: estimates stay unbiased behind a floor.
Left out: variants with high-probability bounds (EXP3.P, EXP3-IX) or for changing best arms (EXP3.S).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray
from krins.routing.index import check_range
from krins.routing.tally import lesson, state_shape

_LEAST = 1e-150
"""Of the probability of a choice; estimates from less could not be added up."""


class LossState(NamedTuple):
    """What each arm would have lost so far, estimated."""

    learnt: FloatArray
    """Shape (n_replications,): losses learnt over all arms."""
    losses: FloatArray
    """Shape (n_replications, n_arms): their sum, each divided by its probability; a loss is 0 at the high end of the
    range and 1 at the low end."""


@dataclass(frozen=True, slots=True)
class EXP3:
    """Arm k with probability proportional to exp(-eta_t * its estimated loss), eta_t = sqrt(ln K / (t K)).

    Of K arms, at the t-th choice (one more than the losses learnt). Auer, Cesa-Bianchi, Freund and Schapire, The
    nonstochastic multiarmed bandit problem (2002); with losses, without forced exploration and with a rate that needs
    no horizon in Bubeck and Cesa-Bianchi, Regret analysis of stochastic and nonstochastic multi-armed bandit problems
    (2012), section 3.1, where theorem 3.1 bounds the expected regret against the best single arm by
    2 sqrt(T K ln K), whatever the rewards. The bound is for rewards that come back before the next choice, and for
    choices that are EXP3's own; single runs vary widely. Where rewards are independent draws it explores far more
    than it needs to. `pending` is not looked at. State: `LossState`.

    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite; from `update`, a reward is outside
            it, or the probability of a choice is missing or not positive.
    """

    reward_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        check_range(self.reward_range)

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> LossState:
        shape = state_shape(n_arms, n_replications)
        return LossState(np.zeros(n_replications), np.zeros(shape))

    def choose(self, state: LossState, context: Context, rng: np.random.Generator) -> Choice:
        propensities = self.propensities(state, context)
        cumulative = propensities.cumsum(axis=1)
        # A draw is at most 1 - 2^-53, and its product with a positive double is always below that double: some arm is
        # found, and none of probability 0.
        drawn = rng.random(len(cumulative)) * cumulative[:, -1]
        arms = (cumulative > drawn[:, None]).argmax(axis=1)
        return Choice(arms, propensities[np.arange(arms.size), arms])

    def update(self, state: LossState, feedback: Feedback) -> LossState:
        rows, arms, rewards = lesson(feedback)
        low, high = self.reward_range
        outside = (rewards < low) | (rewards > high)
        if outside.any():
            raise ValueError(f"EXP3 learns from rewards within {self.reward_range}, got {rewards[outside][0]}")
        if feedback.probabilities is None:
            raise ValueError("EXP3 learns from the probability of each choice, got none")
        probabilities = feedback.probabilities[rows]
        # Written so that NaN is wrong as well.
        wrong = ~((probabilities >= _LEAST) & (probabilities <= 1.0))
        if wrong.any():
            raise ValueError(f"EXP3 divides by the probability of a choice, got {probabilities[wrong][0]}")
        learnt, losses = state.learnt.copy(), state.losses.copy()
        learnt[rows] += 1.0
        losses[rows, arms] += (high - rewards) / (high - low) / probabilities
        return LossState(learnt, losses)

    def propensities(self, state: LossState, context: Context) -> FloatArray:
        n_arms = state.losses.shape[1]
        rate = np.sqrt(math.log(n_arms) / (n_arms * (state.learnt + 1.0)))
        weights: FloatArray = state.losses.min(axis=1, keepdims=True) - state.losses
        weights *= rate[:, None]
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights
