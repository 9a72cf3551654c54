"""What a policy would have got, from decisions that another one made: off-policy estimates with intervals.

A target is given as `probabilities`, shape (n, n_arms): its probability of each arm at each logged decision; rows sum
to one. `predictions`, shape (n, n_arms), are a reward model's, cross-fitted (see `reward_model`).
Invariants: every estimate goes through `supported_weights`, so a log that cannot speak for the target is refused; an
interval comes from one value a decision, whose mean is the estimate and whose spread over clusters is its sampling
spread; a claim of coverage is made only for estimators whose error averages out. The claims are for logs whose
propensities do not depend on earlier outcomes, or have settled: while a logger still learns, the estimates stay
unbiased, but need not be normal (Hadad et al. 2021, "Confidence intervals for policy evaluation in adaptive
experiments"). Left out: that paper's adaptive weights, choosing the threshold of SWITCH-DR, intervals for bounded
outcomes that hold at any sample size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from krins.interfaces import FloatArray, IntArray
from krins.statistics.clustered import clustered_interval
from krins.statistics.overlap import Log, kish, supported_weights

SMALLEST_EFFECTIVE_SAMPLE = 50.0
"""Effective sample size below which no interval claims coverage. It may still have it, but at half of this those of
SNIPS held the mean of outcomes 0 and 1 in as few as 89% of logs, not 95% (`experiments/off_policy.py --world 4`)."""


class Estimate(NamedTuple):
    """The value of a target; limits and error are None where the data cannot give any."""

    name: str
    value: float
    low: float | None
    high: float | None
    standard_error: float | None
    effective_sample_size: float
    """Kish's, of the weights that it uses."""
    n_used: int
    """Decisions whose outcomes have a part in it, other than through the reward model."""
    claims_coverage: bool
    """Whether the interval is meant to hold the target's value as often as its level says."""


def ips(log: Log, probabilities: FloatArray, level: float = 0.95) -> Estimate:
    """Inverse propensity scores: mean of w * outcome (Horvitz and Thompson 1952).

    Unbiased. Its variance grows with the outcomes' distance from zero, even where they are all the same.
    """
    weights = supported_weights(log, probabilities)
    return _weighted("IPS", weights * log.outcomes, log.clusters, weights, level)


def snips(log: Log, probabilities: FloatArray, level: float = 0.95) -> Estimate:
    """Self-normalised IPS: sum of w * outcome / sum of w (Swaminathan and Joachims 2015).

    Its bias is of order 1 / n; it moves with the outcomes when a constant is added to all.
    """
    weights = supported_weights(log, probabilities)
    return _weighted("SNIPS", _ratio(weights, log.outcomes, log.clusters), log.clusters, weights, level)


def direct_method(log: Log, probabilities: FloatArray, predictions: FloatArray, level: float = 0.95) -> Estimate:
    """Mean prediction for the target's choices. As biased as the model, so its interval has no claim."""
    supported_weights(log, probabilities)
    everyone = np.ones(len(log.actions))
    values = _predicted(probabilities, predictions)
    return _weighted("DM", values, log.clusters, everyone, level)._replace(n_used=0, claims_coverage=False)


def doubly_robust(log: Log, probabilities: FloatArray, predictions: FloatArray, level: float = 0.95) -> Estimate:
    """DM plus the IPS of what the model got wrong (Dudik, Langford and Li 2011). Unbiased with exact propensities."""
    weights = supported_weights(log, probabilities)
    values = _predicted(probabilities, predictions) + weights * _residuals(log, predictions)
    return _weighted("DR", values, log.clusters, weights, level)


def self_normalised_doubly_robust(
    log: Log, probabilities: FloatArray, predictions: FloatArray, level: float = 0.95
) -> Estimate:
    """DM plus the SNIPS of what the model got wrong (Kallus and Uehara 2019 give its theory)."""
    weights = supported_weights(log, probabilities)
    correction = _ratio(weights, _residuals(log, predictions), log.clusters)
    return _weighted("SNDR", _predicted(probabilities, predictions) + correction, log.clusters, weights, level)


def switch_doubly_robust(
    log: Log, probabilities: FloatArray, predictions: FloatArray, threshold: float, level: float = 0.95
) -> Estimate:
    """DR that trusts the model alone where the weight is above `threshold` (Wang, Agarwal and Dudik 2017).

    Biased by the model's error there, which does not fall with n: no claim, unless the threshold is infinite.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold is a weight of at least 0, got {threshold}")
    weights = supported_weights(log, probabilities)
    kept = np.where(weights <= threshold, weights, 0.0)
    values = _predicted(probabilities, predictions) + kept * _residuals(log, predictions)
    estimate = _weighted("SWITCH-DR", values, log.clusters, kept, level)
    return estimate._replace(claims_coverage=estimate.claims_coverage and math.isinf(threshold))


def replay(log: Log, probabilities: FloatArray, rng: np.random.Generator, level: float = 0.95) -> Estimate:
    """Mean outcome of decisions that are kept with probability w / max w, as the target would have made them.

    Rejection sampling. Where the logging was uniform and the target is deterministic, it keeps exactly the decisions
    in which both chose the same arm, which is the replay of Li et al. (2011); that one is right for uniform logging
    only. The largest weight is that of the log, so the bias is of order 1 / n. Wasteful beside SNIPS, but plain: what
    is left is a sample of the target's own decisions. Takes n uniform draws.
    """
    weights = supported_weights(log, probabilities)
    kept = rng.random(len(weights)) * weights.max() < weights
    return _weighted("replay", log.outcomes[kept], log.clusters[kept], np.ones(int(kept.sum())), level)


def all_estimates(
    log: Log,
    probabilities: FloatArray,
    predictions: FloatArray | None,
    rng: np.random.Generator,
    threshold: float = 10.0,
    level: float = 0.95,
) -> tuple[Estimate, ...]:
    """Every estimator's answer, without predictions those that need none; `rng` is for replay, `threshold` for
    SWITCH-DR."""
    weighted = ips(log, probabilities, level), snips(log, probabilities, level)
    drawn = replay(log, probabilities, rng, level)
    if predictions is None:
        return *weighted, drawn
    return (
        direct_method(log, probabilities, predictions, level),
        *weighted,
        doubly_robust(log, probabilities, predictions, level),
        self_normalised_doubly_robust(log, probabilities, predictions, level),
        switch_doubly_robust(log, probabilities, predictions, threshold, level),
        drawn,
    )


def _predicted(probabilities: FloatArray, predictions: FloatArray) -> FloatArray:
    """Mean prediction for the target's choice at each decision, shape (n,)."""
    if predictions.shape != probabilities.shape or not np.isfinite(predictions).all():
        raise ValueError(f"predictions are finite, of the probabilities' shape {probabilities.shape}")
    return np.asarray((probabilities * predictions).sum(axis=1))


def _residuals(log: Log, predictions: FloatArray) -> FloatArray:
    return np.asarray(log.outcomes - predictions[np.arange(len(log.actions)), log.actions])


def _ratio(weights: FloatArray, values: FloatArray, clusters: IntArray) -> FloatArray:
    """Values, shape (n,), whose mean is the weighted mean of `values` and whose spread is that mean's.

    They are the jackknife's, by clusters: how far the weighted mean moves when a decision's cluster is taken out. The
    influence function alone forgets that a decision with a large weight draws the mean to itself and so hides its own
    residual. With equal weights both are the values themselves, whatever the clusters.
    """
    total = weights.sum()
    mean = float(weights @ values / total)
    others = total - np.bincount(clusters, weights=weights)[clusters]
    n_others = len(weights) - np.bincount(clusters)[clusters]
    # With nothing left there is no interval either: see _weighted.
    moved = n_others * weights * (values - mean) / np.where(others > 1e-12 * total, others, total)
    return np.asarray(mean + moved - moved.mean())


def _weighted(name: str, values: FloatArray, clusters: IntArray, weights: FloatArray, level: float) -> Estimate:
    """The mean of `values`, where `weights`, also of shape (n,), say how much each outcome counts."""
    used = weights > 0
    size = kish(weights)
    low = high = error = None
    if len(np.unique(clusters[used])) > 1:
        low, high, error = _interval(values, np.unique(clusters, return_inverse=True)[1], level)
    claims = low is not None and size >= SMALLEST_EFFECTIVE_SAMPLE
    return Estimate(name, float(values.mean()), low, high, error, size, int(used.sum()), claims)


def _interval(values: FloatArray, clusters: IntArray, level: float) -> tuple[float, float, float]:
    """Limits and standard error of a mean of heavy-tailed values, shape (n,), of at least two clusters 0..G-1.

    The clustered interval presumes that the spread is estimated as well as that of normal values. A few large weights
    make it much less certain. So the degrees of freedom are at most those of a variance estimate of values with the
    fourth moment that was found: 2 G / (kurtosis - (G - 3) / (G - 1)), G - 1 for normal ones (O'Neill 2014, "Some
    useful moment results in sampling problems").
    """
    from scipy.special import stdtrit

    plain = clustered_interval(values, clusters, level)
    assert plain.low is not None and plain.high is not None
    n, sizes = len(values), np.bincount(clusters)
    sums = np.bincount(clusters, weights=values - plain.mean) / np.sqrt(1 - sizes / n)
    groups, squares = len(sums), float(np.sum(sums**2))
    error = math.sqrt(squares) / n
    half = (plain.high - plain.low) / 2
    if squares > 0:
        excess = groups * float(np.sum((sums**2 / squares) ** 2)) - (groups - 3) / (groups - 1)
        if excess > 0:
            half = max(half, float(stdtrit(2 * groups / excess, 0.5 + level / 2)) * error)
    return plain.mean - half, plain.mean + half, error
