"""Ratios and hull comparisons as values a task, so that one clustered interval serves them all.

Each function linearises a smooth function of means (the delta method): it returns pseudo-values, shape (n_tasks,),
whose mean is the statistic and whose spread over clusters is its sampling spread to first order. Invariants: the models
that span a hull edge, and the model compared with, are taken as given; that they were picked by their means is not
reflected. Left out: picking them.
"""

from __future__ import annotations

import numpy as np

from krins.interfaces import FloatArray
from krins.statistics.hull import Hull


def saving_values(cost: FloatArray, reference: FloatArray) -> FloatArray:
    """1 - mean(cost) / mean(reference), from costs a task, both of shape (n_tasks,)."""
    mean, base = cost.mean(), reference.mean()
    return np.asarray(1 - mean / base - (cost - mean) / base + mean * (reference - base) / base**2)


def hull_gain_values(
    quality: FloatArray, cost: FloatArray, arm_quality: FloatArray, arm_cost: FloatArray, hull: Hull
) -> FloatArray | None:
    """Mean quality above the hull at the same mean cost; None outside the hull.

    Args:
        quality, cost: shape (n_tasks,), of the router.
        arm_quality, arm_cost: shape (n_tasks, n_arms), of the models that the hull was made from.
    """
    mixture = hull.mixture_at_cost(float(cost.mean()))
    if mixture is None:
        return None
    left, right, weight = mixture.left, mixture.right, mixture.weight
    mixed_quality = (1 - weight) * arm_quality[:, left] + weight * arm_quality[:, right]
    mixed_cost = (1 - weight) * arm_cost[:, left] + weight * arm_cost[:, right]
    # The mixture's cost has the router's mean, so the last term only carries its spread.
    return np.asarray(quality - mixed_quality - mixture.slope * (cost - mixed_cost))


def hull_saving_values(
    quality: FloatArray, cost: FloatArray, arm_quality: FloatArray, arm_cost: FloatArray, hull: Hull
) -> FloatArray | None:
    """1 - mean cost / the hull's cost at the same mean quality; None outside the hull, or where that cost is 0.

    Arguments as above.
    """
    mixture = hull.mixture_at_quality(float(quality.mean()))
    if mixture is None:
        return None
    left, right, weight = mixture.left, mixture.right, mixture.weight
    mixed_quality = (1 - weight) * arm_quality[:, left] + weight * arm_quality[:, right]
    mixed_cost = (1 - weight) * arm_cost[:, left] + weight * arm_cost[:, right]
    hull_cost = mixed_cost + (quality - mixed_quality) / mixture.slope
    return saving_values(cost, hull_cost) if hull_cost.mean() > 0 else None
