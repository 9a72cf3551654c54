"""Does a quantity change over time? A straight line over dates, with errors clustered as those of means are.

Invariants: the variance is CR2 and the degrees of freedom are Bell and McCaffrey's (2002, "Bias reduction in standard
errors for linear regression with multi-stage samples"), in the form for a rank of two that needs no matrix of a
cluster's size; shifting all dates or values changes no slope. A cluster that alone sets the line says nothing about the
error of it (a pseudo-inverse takes its place). Left out: changes that are no line, which periods show.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from krins.interfaces import FloatArray, IntArray

_ROUNDING = 1e-9


class Trend(NamedTuple):
    """A slope, its confidence limits, and the two-sided p-value of there being none."""

    slope: float
    """Change of the value for one more unit of time."""
    low: float
    high: float
    p: float


def clustered_trend(values: FloatArray, times: FloatArray, clusters: IntArray, level: float = 0.95) -> Trend | None:
    """The least-squares line of `values` over `times`; None where the data cannot give one with its error.

    Args:
        values, times: shape (n,), finite.
        clusters: shape (n,), codes 0..G-1.
    """
    from scipy.special import stdtr, stdtrit

    centred = times - times.mean()
    length = float(np.sqrt(np.sum(centred**2)))
    if len(values) < 3 or not length > _ROUNDING or clusters.max() < 1:
        return None
    basis = np.stack([np.full(len(values), 1 / np.sqrt(len(values))), centred / length], axis=1)
    coordinates = basis.T @ values
    residuals = values - basis @ coordinates
    variance, degrees = _second_coordinate(basis, residuals, clusters)
    slope, standard_error = float(coordinates[1]) / length, float(np.sqrt(variance)) / length
    if not degrees > 0 or not standard_error > _ROUNDING * abs(slope):
        return None
    half = float(stdtrit(degrees, 0.5 + level / 2)) * standard_error
    p = 2 * float(stdtr(degrees, -abs(slope) / standard_error))
    return Trend(slope, slope - half, slope + half, p)


def _second_coordinate(basis: FloatArray, residuals: FloatArray, clusters: IntArray) -> tuple[float, float]:
    """CR2 variance of the coordinate along the second column of an orthonormal basis, shape (n, 2), and its degrees.

    With Q the basis and Q_g a cluster's rows, the adjustment (I - Q_g Q_g')^(-1/2) is the identity but for the space of
    Q_g, so that a_g = adjustment @ Q_g e_2 = Q_g V diag((1 - s^2)^(-1/2)) V' e_2 with V, s^2 of Q_g' Q_g.
    """
    order = np.argsort(clusters, kind="stable")
    scores, norms, images = [], [], []
    for rows in np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1):
        own = basis[rows]
        squares, axes = np.linalg.eigh(own.T @ own)
        left = 1 - squares
        grow = np.where(left > _ROUNDING, 1 / np.sqrt(np.maximum(left, _ROUNDING)), 0.0)
        adjusted = own @ (axes * grow) @ axes[1]
        scores.append(float(adjusted @ residuals[rows]))
        norms.append(float(adjusted @ adjusted))
        images.append(own.T @ adjusted)
    # Of the vectors (I - Q Q')_g a_g, whose squared lengths and angles give Satterthwaite's degrees of freedom.
    gram = np.diag(norms) - np.array(images) @ np.array(images).T
    trace, of_square = float(np.trace(gram)), float(np.sum(gram**2))
    return float(np.sum(np.square(scores))), trace**2 / of_square if of_square > _ROUNDING**2 else 0.0
