"""Tests that a mean is above a bound, over tasks that come in clusters: not worse than a margin allows, and cheaper.

A saving is two claims at once: the cost is lower, and the quality is not lower by as much as the margin. Both must be
shown, so the p-value of their conjunction is the larger of the two, without any correction (the intersection-union
test: Berger 1982, "Multiparameter hypothesis testing and acceptance sampling").

A t statistic alone sees too little where few tasks differ: that none of 100 tasks is worse rules out no loss of one
point, however small the spread of what was seen. Non-inferiority is therefore tested at the variance that the values
would have if its hypothesis were true, where that is the larger one. For paired yes or no outcomes it is that of the
score test (Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", section 3). For others it is that of the likeliest distribution under the hypothesis on the
values seen and an unseen one of -1, the worst there is (empirical likelihood: Owen 2001, "Empirical Likelihood",
chapter 2).

Invariants: what is shown agrees with the intervals, for a p-value is never below that of the t statistic which they
come of; it is never 0 for a margin below 1, even where every task shows the very same value. None: one cluster tells
nothing. Left out: allowing for how many comparisons are made (`krins.statistics.multiplicity`).
"""

from __future__ import annotations

import math

import numpy as np

from krins.interfaces import FloatArray
from krins.statistics.clustered import ClusteredMean

SIGNIFICANCE = 0.025
"""Of a one-sided test: half of 5%, as is usual (ICH E9, section 3.3.2), so that verdicts agree with 95% intervals."""
_NO_SPREAD = 1e-12
"""A standard error below this is rounding: all values are the same."""


def non_inferiority_p(difference: ClusteredMean | None, margin: float) -> float | None:
    """p-value of the hypothesis that the mean of paired differences in [-1, 1] is -margin or less."""
    from scipy.special import stdtr

    if difference is None:
        return None
    above = difference.mean + margin
    if above <= 0 and _is_constant(difference):
        return 1.0
    error = (
        difference.standard_error if above <= 0 else math.hypot(difference.standard_error, _unseen(difference, margin))
    )
    return float(stdtr(difference.degrees_of_freedom, -above / error)) if error > 0 else 0.0


def saving_p(saving: ClusteredMean | None) -> float | None:
    """p-value of the hypothesis that the mean saving is 0 or less; by the sign test where all values are the same."""
    if saving is None or not _is_constant(saving):
        return _t_test(saving, 0.0)
    return float(0.5**saving.n_clusters) if saving.mean > _NO_SPREAD else 1.0


def both_p(first: float | None, second: float | None) -> float | None:
    """Of the claim that both hypotheses are wrong (intersection-union test); None where one of them is not known."""
    return None if first is None or second is None else max(first, second)


def smallest_margin(difference: ClusteredMean | None, significance: float = SIGNIFICANCE) -> float | None:
    """The smallest margin in [0, 1] at which `non_inferiority_p` is at most `significance`; 1 where none is."""
    from scipy.optimize import brentq

    if difference is None:
        return None

    def excess(margin: float) -> float:
        p = non_inferiority_p(difference, margin)
        assert p is not None
        return p - significance

    if excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, 1.0, xtol=1e-9)) if excess(1.0) < 0 else 1.0


def detectable_difference(difference: ClusteredMean | None, level: float = 0.95, power: float = 0.8) -> float | None:
    """The true difference from 0 that a two-sided test at 1 - `level` would show with probability `power`.

    To the usual approximation by t quantiles. None too where all values are the same, and their spread is not known.
    """
    from scipy.special import stdtrit

    if difference is None or _is_constant(difference):
        return None
    quantiles = stdtrit(difference.degrees_of_freedom, [0.5 + level / 2, power])
    return float(quantiles.sum()) * difference.standard_error


def _t_test(found: ClusteredMean | None, bound: float) -> float | None:
    """p-value of the hypothesis that the mean is `bound` or less."""
    from scipy.special import stdtr

    if found is None:
        return None
    return float(stdtr(found.degrees_of_freedom, (bound - found.mean) / found.standard_error))


def _unseen(difference: ClusteredMean, margin: float) -> float:
    """What the standard error lacks (in squares) of that under a mean of -margin, which lies below the mean seen.

    Tasks count for as many independent ones as they did for the standard error; where all are the same, a cluster for
    one.
    """
    if margin >= 1:
        return 0.0
    values, n_independent = difference.values, float(difference.n_clusters)
    if not _is_constant(difference):
        n_independent = float(min(values.var() / difference.standard_error**2, len(values)))
    lacking = _likeliest_variance(values + margin, margin - 1) - values.var()
    return math.sqrt(max(lacking, 0.0) / n_independent)


def _likeliest_variance(values: FloatArray, worst: float) -> float:
    """Variance of the likeliest distribution on `values`, shape (n,), and `worst` < 0 that has a mean of 0.

    A value's probability is 1 / (n (1 + tilt * value)); what these leave over is that of the worst. The mean of the
    values is above 0.
    """
    from scipy.optimize import brentq

    tilt = -1 / worst
    if values.min() <= worst or np.mean(1 / (1 + tilt * values)) > 1:
        # The worst has no part in it: the values seen are bad enough.
        steepest = -1 / float(values.min()) * (1 - 1e-12)
        tilt = brentq(lambda tilt: np.mean(values / (1 + tilt * values)), 0.0, steepest)
    chances = 1 / (len(values) * (1 + tilt * values))
    return float(np.sum(chances * values**2) + max(1 - chances.sum(), 0.0) * worst**2)


def _is_constant(found: ClusteredMean) -> bool:
    return found.standard_error < _NO_SPREAD * max(1.0, abs(found.mean))
