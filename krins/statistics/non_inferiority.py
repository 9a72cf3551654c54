"""Tests that a mean is above a bound, over tasks that come in clusters: not worse than a margin allows, and cheaper.

A saving is two claims at once: the cost is lower, and the quality is not lower by as much as the margin. Both must be
shown, so the p-value of their conjunction is the larger of the two, without any correction (the intersection-union
test: Berger 1982, "Multiparameter hypothesis testing and acceptance sampling").

Invariants: p-values and intervals agree, for both come of the same t statistic with the same degrees of freedom. Where
every task shows the very same value there is no such statistic; then an exact test over clusters stands in, and never a
p-value of 0. None: one cluster tells nothing. Left out: allowing for how many comparisons are made
(`krins.statistics.multiplicity`).
"""

from __future__ import annotations

from krins.statistics.clustered import ClusteredMean

SIGNIFICANCE = 0.025
"""Of a one-sided test: half of 5%, as is usual (ICH E9, section 3.3.2), so that verdicts agree with 95% intervals."""
_NO_SPREAD = 1e-12
"""A standard error below this is rounding: all values are the same."""


def non_inferiority_p(difference: ClusteredMean | None, margin: float) -> float | None:
    """p-value of the hypothesis that the mean of paired differences in [-1, 1] is -margin or less.

    Where all differences are the same d, a mean of -margin needs a share of at least (d + margin) / (1 + d) of clusters
    at -1; p is the chance that as many clusters as there are show none of it, as if they were equal draws.
    """
    if difference is None or not _is_constant(difference):
        return _t_test(difference, -margin)
    d = difference.mean
    return float(((1 - margin) / (1 + d)) ** difference.n_clusters) if d > -margin else 1.0


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
    from scipy.special import stdtrit

    if difference is None:
        return None
    d = difference.mean
    if _is_constant(difference):
        margin = 1 - (1 + d) * float(significance ** (1 / difference.n_clusters))
    else:
        margin = float(stdtrit(difference.degrees_of_freedom, 1 - significance)) * difference.standard_error - d
    return min(max(margin, 0.0), 1.0)


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


def _is_constant(found: ClusteredMean) -> bool:
    return found.standard_error < _NO_SPREAD * max(1.0, abs(found.mean))
