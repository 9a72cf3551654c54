"""Confidence intervals for means over tasks that come in clusters.

Tasks of one repository resemble each other, so an interval that takes them as independent is too narrow. Invariants:
with every task its own cluster the interval is the usual t interval of a mean; one cluster tells nothing about the
spread between clusters, so it has no interval. Left out: the bootstrap, whose percentile intervals cover too little
with a dozen clusters.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from krins.interfaces import FloatArray, IntArray


class Interval(NamedTuple):
    """A mean and its confidence limits; the limits are None where the data cannot give any."""

    mean: float
    low: float | None
    high: float | None


def cluster_codes(labels: Sequence[Hashable | None]) -> IntArray:
    """Labels as whole numbers 0..G-1; each None is a cluster of its own."""
    codes: dict[object, int] = {}
    return np.array(
        [codes.setdefault(label if label is not None else (i,), len(codes)) for i, label in enumerate(labels)]
    )


class ClusteredMean(NamedTuple):
    """A mean and what tests of it need."""

    mean: float
    standard_error: float
    """CR2; 0 (up to rounding) where all values are the same."""
    degrees_of_freedom: float
    """Bell and McCaffrey's."""
    n_clusters: int
    values: FloatArray
    """Those that it is the mean of, shape (n,)."""

    def half_width(self, level: float = 0.95) -> float:
        """Half of the interval at that level."""
        from scipy.special import stdtrit

        return float(stdtrit(self.degrees_of_freedom, 0.5 + level / 2)) * self.standard_error


def clustered_mean(values: FloatArray, clusters: IntArray) -> ClusteredMean | None:
    """Mean of `values` with its cluster-robust standard error; None where there is but one cluster.

    The variance is the bias-reduced CR2 estimator and the degrees of freedom are Bell and McCaffrey's, both for the
    model of a mean alone, where they have closed forms (Bell and McCaffrey 2002, "Bias reduction in standard errors for
    linear regression with multi-stage samples", sections 3 and 4; Imbens and Kolesar 2016, section III).

    Args:
        values: shape (n,), finite.
        clusters: shape (n,), codes 0..G-1.
    """
    n = len(values)
    mean = float(values.mean())
    sizes = np.bincount(clusters)
    if len(sizes) < 2:
        return None
    sums = np.bincount(clusters, weights=values - mean)
    standard_error = float(np.sqrt(np.sum((shrinkage(sizes) * sums) ** 2))) / n
    return ClusteredMean(mean, standard_error, degrees_of_freedom(sizes), len(sizes), values)


def clustered_interval(values: FloatArray, clusters: IntArray, level: float = 0.95) -> Interval:
    """Mean of `values` with a cluster-robust t interval; arguments as `clustered_mean`."""
    found = clustered_mean(values, clusters)
    if found is None:
        return Interval(float(values.mean()), None, None)
    half = found.half_width(level)
    return Interval(found.mean, found.mean - half, found.mean + half)


def shrinkage(sizes: IntArray) -> FloatArray:
    """What CR2 multiplies each cluster's sum of residuals by, shape (n_clusters,), from the clusters' sizes."""
    return np.asarray(1.0 / np.sqrt(1.0 - sizes / sizes.sum()))


def degrees_of_freedom(sizes: IntArray) -> float:
    """Satterthwaite: (trace M)^2 / trace(M^2) for M = diag(d) - w w', the Gram matrix of the CR2 score vectors.

    They follow from the clusters' sizes, shape (n_clusters,), alone.
    """
    shrink = shrinkage(sizes)
    n = sizes.sum()
    diagonal = shrink**2 * sizes
    rank_one = shrink * sizes / np.sqrt(n)
    trace = np.sum(diagonal - rank_one**2)
    trace_of_square = np.sum(diagonal**2) - 2 * np.sum(diagonal * rank_one**2) + np.sum(rank_one**2) ** 2
    return float(trace**2 / trace_of_square)


def spread(values: FloatArray, level: float = 0.95) -> tuple[float | None, float | None]:
    """Central range that holds `level` of the replications, shape (n_replications,); None for fewer than two."""
    if len(values) < 2 or not np.isfinite(values).all():
        return None, None
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
