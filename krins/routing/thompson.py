"""Thompson sampling: draw a mean reward for each arm from its posterior, take the arm with the largest.

Invariants: the state is the posterior; draws are exact. `choose` leaves the probability of its choice to
`propensities`, which takes a quadrature (`posterior`), milliseconds rather than microseconds. Arms are not forced to
be tried once and `pending` is not looked at: draws spread a round over the arms by themselves.
Left out: forgetting, features of the task.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray
from krins.routing.posterior import LogitBeta, StudentT, chance_of_largest
from krins.routing.tally import add_at, lesson, places_of, state_shape


class BetaState(NamedTuple):
    """Beta posteriors of the success rates."""

    alpha: FloatArray
    """Shape (n_replications, n_arms): prior + rewards of 1."""
    beta: FloatArray
    """Shape (n_replications, n_arms): prior + rewards of 0."""


@dataclass(frozen=True, slots=True)
class ThompsonBeta:
    """For rewards of 0 and 1. `prior` is (alpha, beta) of every arm; (1, 1) is uniform.

    Thompson (1933); Chapelle and Li, An empirical evaluation of Thompson sampling (2011), algorithm 2. The regret
    bounds (Agrawal and Goyal 2012; Kaufmann, Korda and Munos 2012) are for the prior (1, 1) and rewards that come
    back at once. State: `BetaState`.

    Raises:
        ValueError: a prior parameter is not a positive, finite number; from `update`, a reward is neither 0 nor 1.
    """

    prior: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if not all(0.0 < parameter < math.inf for parameter in self.prior):
            raise ValueError(f"prior is (alpha, beta), both positive and finite, got {self.prior}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> BetaState:
        shape = state_shape(n_arms, n_replications)
        alpha, beta = self.prior
        return BetaState(np.full(shape, alpha, np.float64), np.full(shape, beta, np.float64))

    def choose(self, state: BetaState, context: Context, rng: np.random.Generator) -> Choice:
        return Choice(rng.beta(state.alpha, state.beta).argmax(axis=1), None)

    def update(self, state: BetaState, feedback: Feedback) -> BetaState:
        rows, arms, rewards = lesson(feedback)
        neither = (rewards != 0.0) & (rewards != 1.0)
        if neither.any():
            raise not_binary(rewards[neither][0])
        places = places_of(rows, arms, state.alpha.shape[1])
        add_at(state.alpha, places, rewards)
        add_at(state.beta, places, 1.0 - rewards)
        return state

    def propensities(self, state: BetaState, context: Context) -> FloatArray:
        return chance_of_largest(LogitBeta(state.alpha, state.beta), *state.alpha.shape)


def not_binary(reward: float) -> ValueError:
    """Refusal of a reward by `ThompsonBeta`."""
    return ValueError(f"ThompsonBeta learns from rewards of 0 and 1, got {reward}; use ThompsonNormal")


class NormalState(NamedTuple):
    """Normal-inverse-gamma posteriors: reward variance v ~ InverseGamma(shape, scale), mean ~ N(mean, v / strength)."""

    mean: FloatArray
    """Shape (n_replications, n_arms), in units of the reward."""
    strength: FloatArray
    """Shape (n_replications, n_arms): rewards that `mean` is worth."""
    shape: FloatArray
    """Shape (n_replications, n_arms): half the rewards that the variance is worth."""
    scale: FloatArray
    """Shape (n_replications, n_arms): half the sum of squared deviations, in squared units of the reward."""


@dataclass(frozen=True, slots=True)
class ThompsonNormal:
    """For real rewards, with a Normal model whose mean and variance are unknown.

    The posterior of a mean is a Student t with 2 * shape degrees of freedom around `mean`, of scale
    sqrt(scale / (shape * strength)) (Murphy, Conjugate Bayesian analysis of the Gaussian distribution, 2007,
    section 3 with inverse gamma, section 6). The default prior is weak and meant for rewards of about 0 to 1: one
    reward of 0.5 and a standard deviation of about 0.5. Rewards on another scale need another prior: one that sits
    far above all rewards explores for long, one far below may settle on the first arm that is tried. No regret bound
    is claimed: for Normal rewards it depends on the prior (Honda and Takemura, Optimality of Thompson sampling for
    Gaussian bandits depends on priors, 2014), and rewards of graded code are not Normal. State: `NormalState`.

    Raises:
        ValueError: prior_mean is not finite; prior_strength or prior_scale is not positive and finite; prior_shape is
            below 0.5 (heavier tails than a Cauchy's, out of reach of the quadrature).
    """

    prior_mean: float = 0.5
    prior_strength: float = 1.0
    prior_shape: float = 1.0
    prior_scale: float = 0.25

    def __post_init__(self) -> None:
        if not math.isfinite(self.prior_mean):
            raise ValueError(f"prior_mean is a finite number, got {self.prior_mean}")
        if not 0.0 < self.prior_strength < math.inf or not 0.0 < self.prior_scale < math.inf:
            found = f"{self.prior_strength} and {self.prior_scale}"
            raise ValueError(f"prior_strength and prior_scale are positive, finite numbers, got {found}")
        if not 0.5 <= self.prior_shape < math.inf:
            raise ValueError(f"prior_shape is a finite number of at least 0.5, got {self.prior_shape}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> NormalState:
        shape = state_shape(n_arms, n_replications)
        prior = (self.prior_mean, self.prior_strength, self.prior_shape, self.prior_scale)
        return NormalState(*(np.full(shape, parameter, np.float64) for parameter in prior))

    def choose(self, state: NormalState, context: Context, rng: np.random.Generator) -> Choice:
        degrees, location, scale = _marginal(state)
        draws = rng.standard_t(degrees)
        draws *= scale
        draws += location
        return Choice(draws.argmax(axis=1), None)

    def update(self, state: NormalState, feedback: Feedback) -> NormalState:
        rows, arms, rewards = lesson(feedback)
        mean, strength, shape, scale = (array.copy() for array in state)
        before = strength[rows, arms]
        surprise = rewards - mean[rows, arms]
        mean[rows, arms] += surprise / (before + 1.0)
        strength[rows, arms] = before + 1.0
        shape[rows, arms] += 0.5
        scale[rows, arms] += before * surprise**2 / (2.0 * (before + 1.0))
        return NormalState(mean, strength, shape, scale)

    def propensities(self, state: NormalState, context: Context) -> FloatArray:
        return chance_of_largest(_marginal(state), *state.mean.shape)


def _marginal(state: NormalState) -> StudentT:
    """Posterior of the mean reward of each arm."""
    return StudentT(2.0 * state.shape, state.mean, np.sqrt(state.scale / (state.shape * state.strength)))
