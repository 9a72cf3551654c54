"""KL-UCB and IMED: how far an arm is behind, measured by the divergence between rewards of 0 and 1.

kl(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)) is the Kullback-Leibler divergence between Bernoulli variables.
n * kl(mean, q) is the evidence of n rewards against q being their expectation; among rewards in [0, 1] with the same
expectation those of 0 and 1 vary most, so that the indices stay valid, and are wider than they need to be, for others.

Invariants: no randomness at all, as in `ucb`; each arm is tried once before the index has a say; rewards are scaled
by `reward_range`, and a mean outside is taken as the end of the range. The state is a `Tally` of plain rewards.
Left out: divergences of other families (KL-UCB for Poisson or exponential rewards, empirical KL-UCB, the full IMED).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from krins.interfaces import Context, FloatArray
from krins.routing.index import TallyIndexPolicy, log_learnt
from krins.routing.tally import LEAST_WEIGHT, Lead, Tally, divisors, leading_arms

_TINY = 1e-300
"""Stands for 0 where something is divided by it, or its logarithm taken."""
_LEAST_REST = 2.0**-60
"""Stands for the 0 in 1 - p for p = 1: below every other 1 - p, which are at least 2^-53."""
_N_STEPS = 2
"""Of Halley's method: from the start, which is off by at most a tenth, to about 1e-4 and then 3e-14 at worst."""


@dataclass(frozen=True, slots=True)
class KLUCB(TallyIndexPolicy):
    """The largest q with n * kl(mean, q) <= ln t + c ln ln t: t rewards learnt over all arms, n of them for this arm.

    Garivier and Cappé, The KL-UCB algorithm for bounded stochastic bandits and beyond (2011), algorithm 1; Cappé,
    Garivier, Maillard, Munos and Stoltz, Kullback-Leibler upper confidence bounds for optimal sequential allocation
    (2013). For rewards of 0 and 1 that come back at once the regret is asymptotically the least possible (Lai and
    Robbins 1985). The proofs ask for c >= 3; in practice c = 0 does better, and is what the first paper recommends.
    ln ln t counts from t = e on. State: `Tally`.

    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite; c is negative or not finite.
    """

    c: float = 0.0

    def __post_init__(self) -> None:
        TallyIndexPolicy.__post_init__(self)
        if not 0.0 <= self.c < math.inf:
            raise ValueError(f"c is a finite number of at least 0, got {self.c}")

    def indices(self, state: Tally) -> FloatArray:
        """Shape (n_replications, n_arms): the upper confidence bounds; of no meaning for an arm without a reward.

        Bounds closer to the high end than a double can tell are equal here, and told apart by `choose`.
        """
        low, high = self.reward_range
        return low + (high - low) * -np.expm1(-self._surprise(state))

    def lead(self, state: Tally, context: Context) -> Lead:
        return leading_arms(self._surprise(state), state, context.pending)

    def _surprise(self, state: Tally) -> FloatArray:
        """-ln(1 - q), for scaled rewards: increases with q, and does not run together as q comes close to 1."""
        log_t = log_learnt(state)
        log_t += self.c * np.log(np.maximum(log_t, 1.0))
        return _upper_surprise(_scaled_means(state, self.reward_range), log_t[:, None] / divisors(state))


@dataclass(frozen=True, slots=True)
class IMED(TallyIndexPolicy):
    """The arm with the least n * kl(mean, best mean) + ln n: the evidence against it, and how often it was tried.

    Honda and Takemura, Non-asymptotic analysis of a new bandit algorithm for semi-bounded rewards (2015), section 3.
    The leader's index is ln n. For rewards of 0 and 1 that come back at once the regret is asymptotically the least
    possible; for others the paper takes a divergence that is made from all rewards, where here the Bernoulli one is
    taken, which is smaller and explores more. It needs neither the horizon nor t. State: `Tally`.

    Raises:
        ValueError: reward_range is not (low, high) with low < high, both finite.
    """

    def indices(self, state: Tally) -> FloatArray:
        """Shape (n_replications, n_arms): the least is chosen; of no meaning for an arm without a reward.

        Finite throughout: below a best mean of 1 the divergence is infinite, and here some 700 times (1 - mean).
        """
        means = _scaled_means(state, self.reward_range)
        # An arm without a reward has the least mean that there is.
        best = np.where(state.counts >= LEAST_WEIGHT, means, 0.0).max(axis=1, keepdims=True)
        counts = divisors(state)
        index = bernoulli_divergence(means, best)
        index *= counts
        index += np.log(counts, out=counts)
        return index

    def lead(self, state: Tally, context: Context) -> Lead:
        index = self.indices(state)
        return leading_arms(np.negative(index, out=index), state, context.pending)


def bernoulli_divergence(p: FloatArray, q: FloatArray) -> FloatArray:
    """kl(p, q), both in [0, 1], of shapes that broadcast; exactly 0 where they are equal.

    Finite throughout: where it is infinite (q of 0 or 1, and another p) it is some 700 times p or 1 - p.
    """
    divergence: FloatArray = np.maximum(p, _TINY) / np.maximum(q, _TINY)
    np.log(divergence, out=divergence)
    divergence *= p
    rest = 1.0 - p
    ratio: FloatArray = np.maximum(rest, _TINY) / np.maximum(1.0 - q, _TINY)
    np.log(ratio, out=ratio)
    ratio *= rest
    divergence += ratio
    return divergence


def _scaled_means(state: Tally, reward_range: tuple[float, float]) -> FloatArray:
    low, high = reward_range
    means: FloatArray = divisors(state)
    np.divide(state.sums, means, out=means)
    means -= low
    means /= high - low
    return np.clip(means, 0.0, 1.0, out=means)


def _upper_surprise(p: FloatArray, level: FloatArray) -> FloatArray:
    """-ln(1 - q) for the q >= p with kl(p, q) = level; `p` is written to.

    Solved for u = ln((1 - p) / (1 - q)) >= 0, in which kl(p, q) = (1 - p) u - p ln(q / p) is convex, a parabola where u
    is small and a line where it is large. The start has the right value at either end, and is off by at most a tenth in
    between. Halley's method takes the second derivative as well, which costs no further logarithm, and so needs two
    steps where Newton's needs three. Their number is fixed: no replication is looked at to finish another. What is left
    is rounding: of q a few times 1e-15 for levels from 1e-4 on (100,000 rewards), 1e-13 from 1e-7 on.

    Args:
        p: shape (n_replications, n_arms), in [0, 1].
        level: of the same shape, at least 0.
    """
    certain = p == 1.0
    rest = 1.0 - p
    np.maximum(rest, _LEAST_REST, out=rest)
    np.maximum(p, _TINY, out=p)
    half = level / (2.0 * rest)
    u: FloatArray = half * (half + 4.0 * p)
    np.sqrt(u, out=u)
    u += half
    for _ in range(_N_STEPS):
        u -= _halley_step(u, p, rest, level)
        np.maximum(u, 0.0, out=u)  # with more rewards than doubles can tell apart a step goes astray
    u -= np.log(rest, out=rest)
    # An arm that never failed has q = 1, however often it was tried.
    u[certain] = np.finfo(np.float64).max
    return u


def _halley_step(u: FloatArray, p: FloatArray, rest: FloatArray, level: FloatArray) -> FloatArray:
    """f f' / (f'^2 - f f'' / 2), with f = kl - level, f' = (q - p) / q and f'' = p (1 - q) / q^2."""
    ahead = np.exp(-u)  # (1 - q) / (1 - p)
    ahead -= 1.0
    ahead *= -rest  # q - p
    q = p + ahead
    log_ratio = q / p
    np.log(log_ratio, out=log_ratio)
    log_ratio *= p
    excess = rest * u
    excess -= log_ratio
    excess -= level
    slack: FloatArray = rest - ahead  # 1 - q
    slack *= p
    slack *= excess
    slack *= -0.5
    slack += ahead * ahead
    # Both are 0 where the level is: the start is the solution.
    np.maximum(slack, _TINY, out=slack)
    excess *= ahead
    excess *= q
    excess /= slack
    return excess
