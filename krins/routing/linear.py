"""Linear contextual bandits: the reward of an arm is linear in the features of the task, learnt by ridge regression.

Two formulations, for either policy:

- disjoint (the default): one regression for each arm on the task's features x. The most that linear can say; each arm
  learns the whole of x from its own rewards alone.
- shared: one regression for all arms, on [indicator of the arm; x; products of x with the arm's own features]. It
  learns from every reward whichever arm it came from. x alone is the same for all arms and cannot rank them: it takes
  off the arms' indicators how hard their tasks were. What ranks arms differently by task are the products, there where
  `arm_features` are given; with the column of ones that `features` puts into x they hold the arm's features as well.

Invariants: before any reward A is ridge * I, so that an arm that was never tried has score 0 and the widest deviation,
and is not left for last. Only observed replications learn. A refusal comes before anything is written. `pending` is
not looked at: within a round LinUCB gives equal tasks the same arm.
Left out: an intercept, which is a column of x (`features`); forgetting; links other than linear.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray, IntArray
from krins.routing.posterior import Normal, chance_of_largest
from krins.routing.ridge import Ridge, Scores, learn, prior, scores
from krins.routing.tally import lesson, one_hot, state_shape


@dataclass(frozen=True, slots=True)
class _Linear:
    """What both policies share: hyper-parameters of the regressions, how they are asked and how they learn.

    Raises:
        ValueError: a hyper-parameter is out of its range, arm_features are ragged, not finite or not for a shared
            regression; from `init`, they are of another number of arms; from the others, features are missing, not
            of shape (n_replications, n_features), or not finite where they are looked at.
    """

    n_features: int
    """Of a task."""
    _: KW_ONLY
    ridge: float = 1.0
    """Prior precision of each coefficient, in rewards' worth of a feature of 1. Features of about unit length and
    rewards of about 0 to 1 go with 1."""
    shared: bool = False
    """One regression for all arms instead of one for each."""
    arm_features: tuple[tuple[float, ...], ...] = ()
    """Of each arm, for instance its price and its size, on a scale of about 1."""

    def __post_init__(self) -> None:
        if self.n_features < 1:
            raise ValueError(f"n_features is at least 1, got {self.n_features}")
        if not 1e-6 <= self.ridge <= 1e6:
            raise ValueError(f"ridge is from 1e-6 to 1e6, beyond which rounding takes over, got {self.ridge}")
        if self.arm_features and not self.shared:
            raise ValueError("arm_features belong to the shared regression: add shared=True or leave them out")
        if len({len(features) for features in self.arm_features}) > 1:
            lengths = [len(features) for features in self.arm_features]
            raise ValueError(f"arm_features has as many numbers for each arm, got {lengths}")
        if not all(math.isfinite(number) for features in self.arm_features for number in features):
            raise ValueError(f"arm_features are finite numbers, got {self.arm_features}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> Ridge:
        state_shape(n_arms, n_replications)
        if not self.shared:
            return prior(n_replications, n_arms, self.n_features, self.ridge)
        if self.arm_features and len(self.arm_features) != n_arms:
            raise ValueError(f"arm_features are those of {len(self.arm_features)} arms, there are {n_arms}")
        return prior(n_replications, 1, n_arms + self._columns_without_indicators, self.ridge)

    def update(self, state: Ridge, feedback: Feedback) -> Ridge:
        """Learn one row in place: a copy of all inverses would cost several times as much as learning."""
        replications, arms, rewards = lesson(feedback)
        features = self._checked(feedback.features, feedback.arms.size)
        features = features if feedback.observed is None else features[replications]
        _refuse_far(features, self.ridge)
        if not self.shared:
            learn(state, (replications, arms), features, rewards)
        else:
            rows = self._shared_rows(features, arms[:, None], self._n_arms(state))[:, 0]
            learn(state, (replications, np.zeros_like(arms)), rows, rewards)
        return state

    def _scores(self, state: Ridge, context: Context) -> Scores:
        features = self._checked(context.features, len(state.stacked))
        _refuse_far(features, self.ridge)
        if not self.shared:
            return scores(state, features[:, None, :])
        n_arms = self._n_arms(state)
        return scores(state, self._shared_rows(features, np.arange(n_arms)[None, :], n_arms))

    def _shared_rows(self, features: FloatArray, arms: IntArray, n_arms: int) -> FloatArray:
        """Shape (n, n_rows, n_columns): what the shared regression sees of n tasks, each with n_rows arms.

        `arms` has shape (n, n_rows), or (1, n_rows) for the same arms throughout.
        """
        own_from = n_arms + self.n_features
        rows = np.zeros((len(features), arms.shape[1], n_arms + self._columns_without_indicators))
        rows[..., :n_arms] = arms[..., None] == np.arange(n_arms)
        rows[..., n_arms:own_from] = features[:, None, :]
        if self.arm_features:
            own = np.array(self.arm_features)[arms]
            products = own[..., None] * features[:, None, None, :]
            rows[..., own_from:] = products.reshape(rows[..., own_from:].shape)
        return rows

    @property
    def _columns_without_indicators(self) -> int:
        return self.n_features * (1 + (len(self.arm_features[0]) if self.arm_features else 0))

    def _n_arms(self, state: Ridge) -> int:
        n_columns: int = state.stacked.shape[-1]
        return n_columns - self._columns_without_indicators

    def _checked(self, features: FloatArray | None, n_replications: int) -> FloatArray:
        expected = n_replications, self.n_features
        if features is None:
            raise ValueError(f"{type(self).__name__} needs features of shape {expected}, got none")
        if features.shape != expected:
            raise ValueError(f"{type(self).__name__} needs features of shape {expected}, got {features.shape}")
        return features


@dataclass(frozen=True, slots=True)
class LinUCB(_Linear):
    """The arm with the largest x' theta + alpha * sqrt(x' A^-1 x).

    Li, Chu, Langford and Schapire, A contextual-bandit approach to personalized news article recommendation (2010),
    algorithm 1 (disjoint), there with ridge 1. Their alpha, 1 + sqrt(ln(2 / delta) / 2), is for rewards within [0, 1]
    and is wide; smaller ones often do better. No regret bound is proved for the algorithm as it is played; those there
    are (Chu, Li, Reyzin and Schapire 2011; Abbasi-Yadkori, Pal and Szepesvari 2011) are for rewards that are linear in
    truth and come back at once, and for a stepped variant or a width that grows. State: `Ridge`.

    Raises:
        ValueError: alpha is negative or not finite; what `_Linear` refuses.
    """

    alpha: float = 1.0
    """Deviations on top of the mean, in units of the reward; 0 is greedy."""

    def __post_init__(self) -> None:
        _Linear.__post_init__(self)
        if not 0.0 <= self.alpha < math.inf:
            raise ValueError(f"alpha is a finite number of at least 0, got {self.alpha}")

    def choose(self, state: Ridge, context: Context, rng: np.random.Generator) -> Choice:
        arms = self._bounds(state, context).argmax(axis=1)
        return Choice(arms, np.ones(arms.size))

    def propensities(self, state: Ridge, context: Context) -> FloatArray:
        bounds = self._bounds(state, context)
        return one_hot(bounds.argmax(axis=1), bounds.shape[1])

    def _bounds(self, state: Ridge, context: Context) -> FloatArray:
        mean, deviation = self._scores(state, context)
        deviation *= self.alpha
        deviation += mean
        return deviation


@dataclass(frozen=True, slots=True)
class LinTS(_Linear):
    """Draw a score for each arm from Normal(x' theta, scale^2 * x' A^-1 x), take the arm with the largest.

    Agrawal and Goyal, Thompson sampling for contextual bandits with linear payoffs (2013), algorithm 1, whose v is
    `scale`. There theta is drawn; here its consequence is, the scores, so that one Normal an arm suffices and
    propensities are exact. Disjoint arms have independent coefficients, so that both are the same. Scores of a shared
    regression are correlated, and here they are drawn independently from their marginals: what all arms have in common
    no longer cancels, and more is explored than by a draw of theta. With `scale` the standard deviation of the rewards
    this is the posterior under a Normal model; the bound of the paper needs rewards that are linear in truth and a
    scale that grows with n_features and time. State: `Ridge`.

    Raises:
        ValueError: scale is not from 1e-6 to 1e6; what `_Linear` refuses.
    """

    scale: float = 0.5
    """In units of the reward."""

    def __post_init__(self) -> None:
        _Linear.__post_init__(self)
        if not 1e-6 <= self.scale <= 1e6:
            raise ValueError(f"scale is from 1e-6 to 1e6, got {self.scale}")

    def choose(self, state: Ridge, context: Context, rng: np.random.Generator) -> Choice:
        mean, deviation = self._scores(state, context)
        draws = rng.standard_normal(mean.shape)
        draws *= deviation
        draws *= self.scale
        draws += mean
        return Choice(draws.argmax(axis=1), None)

    def propensities(self, state: Ridge, context: Context) -> FloatArray:
        mean, deviation = self._scores(state, context)
        return chance_of_largest(Normal(mean, self.scale * deviation), *mean.shape)


def largest_square(ridge: float) -> float:
    """Squared length of a row of features up to which six digits of a regression are left after it."""
    return 1e10 * ridge


def _refuse_far(features: FloatArray, ridge: float) -> None:
    # Written so that NaN fails; the sum over all rows is quick, and as a rule small enough for each.
    if not np.vdot(features, features) <= largest_square(ridge):
        with np.errstate(over="ignore"):
            squares = np.vecdot(features, features)
        if not (squares <= largest_square(ridge)).all():
            raise ValueError(
                f"features of shape {features.shape} hold a NaN, an infinite number or a row too long for a ridge of "
                f"{ridge:g}: scale features to about 1"
            )
