"""What the word of an imperfect judge is worth: its error rates, how well it ranks, how well its scores are calibrated.

A judge is measured on changes of which it is known whether they are right (`truths`). Several changes of one task
resemble each other, so shares are given with cluster-robust t intervals (`krins.statistics.clustered`); where every
task has one change, with Wilson's.

Invariants: a score at the threshold counts as yes; a rate of which there is no case has no value, and limits that the
data cannot give are None. Left out: choosing the threshold from the same data, which flatters the judge.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from krins.errors import UserError
from krins.interfaces import BoolArray, FloatArray, IntArray
from krins.statistics.clustered import Interval, clustered_interval


class Rates(NamedTuple):
    """Of a judge, at one threshold. None where there is no right, or no wrong, change to tell it from."""

    sensitivity: Interval | None
    """Share of the right changes that it takes for right."""
    specificity: Interval | None
    """Share of the wrong changes that it takes for wrong."""
    balanced_accuracy: Interval | None
    """Mean of the two; one half is what guessing gives."""


class Bin(NamedTuple):
    """Scores next to each other, and what is true of the changes that have them."""

    n: int
    mean_score: float
    share_right: float


class Calibration(NamedTuple):
    brier_score: float
    """Mean squared distance of score and truth: 0 at best, 0.25 for a score of one half everywhere."""
    expected_error: float
    """Mean distance of score and share, weighted by the bins' sizes (expected calibration error)."""
    bins: tuple[Bin, ...]
    """By rising score."""


def rates(accepts: BoolArray, truths: BoolArray, clusters: IntArray, level: float = 0.95) -> Rates:
    """All of shape (n,); `clusters` are codes 0..G-1, one a task."""
    sensitivity = share_interval(accepts[truths], clusters[truths], level)
    specificity = share_interval(~accepts[~truths], clusters[~truths], level)
    if sensitivity is None or specificity is None:
        return Rates(sensitivity, specificity, None)
    # To first order the mean of the two rates is a mean over all changes, which one clustered interval serves.
    share_right = truths.mean()
    residuals = np.where(truths, accepts - sensitivity.mean, (~accepts) - specificity.mean)
    mean = (sensitivity.mean + specificity.mean) / 2
    values = mean + residuals / (2 * np.where(truths, share_right, 1 - share_right))
    return Rates(sensitivity, specificity, _clipped(_spread_interval(values, clusters, level)))


def wilson_interval(n_yes: int, n: int, level: float = 0.95) -> Interval:
    """Of a share of independent cases, n >= 1 (Wilson 1927, "Probable inference, the law of succession")."""
    from scipy.special import ndtri

    z2 = float(ndtri(0.5 + level / 2)) ** 2
    share = n_yes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def area_under_curve(scores: FloatArray, truths: BoolArray, clusters: IntArray, level: float = 0.95) -> Interval | None:
    """How often a right change has the higher score of a right and a wrong one, a tie counting half.

    The interval is that of the placements, each change's share of the others that it stands on the right side of, whose
    mean is the area (DeLong, DeLong and Clarke-Pearson 1988, section 3; with clusters: Obuchowski 1997). It is to first
    order, and clipped to [0, 1]: with few changes and an area near 1 it is too narrow.

    Args:
        scores, truths, clusters: shape (n,).

    Returns:
        None where all changes are right, or all wrong.
    """
    right, wrong = scores[truths], scores[~truths]
    if not len(right) or not len(wrong):
        return None
    above = (right[:, None] > wrong[None, :]) + 0.5 * (right[:, None] == wrong[None, :])
    area = float(above.mean())
    residuals = np.empty(len(scores))
    residuals[truths] = (above.mean(axis=1) - area) * len(scores) / len(right)
    residuals[~truths] = (above.mean(axis=0) - area) * len(scores) / len(wrong)
    return _clipped(_spread_interval(area + residuals, clusters, level))


def calibration(probabilities: FloatArray, truths: BoolArray, n_bins: int = 10) -> Calibration:
    """How far scores can be read as probabilities, in bins of equal numbers (Naeini, Cooper and Hauskrecht 2015).

    Equal scores share a bin, so there may be fewer than `n_bins`. The expected error of a perfect judge is above 0, by
    chance alone, and the more so the more bins there are.

    Args:
        probabilities: shape (n,), n >= 1, in [0, 1].
        truths: shape (n,).
    """
    places = np.unique(probabilities, return_inverse=True)[1]
    counts = np.bincount(places)
    middles = np.cumsum(counts) - counts / 2
    bin_of = np.minimum((middles * n_bins / len(probabilities)).astype(np.int64), n_bins - 1)[places]
    bins = tuple(
        Bin(int(chosen.sum()), float(probabilities[chosen].mean()), float(truths[chosen].mean()))
        for chosen in (bin_of == index for index in np.unique(bin_of))
    )
    error = sum(part.n * abs(part.mean_score - part.share_right) for part in bins) / len(probabilities)
    return Calibration(float(np.mean((probabilities - truths) ** 2)), error, bins)


class Counted(NamedTuple):
    """How many of how many."""

    n_yes: int
    n: int

    @property
    def share(self) -> float:
        return self.n_yes / self.n


def error_adjusted_rate(accepted: Counted, sensitivity: Counted, specificity: Counted, level: float = 0.95) -> Interval:
    """The true share of right changes, from the share that a judge accepts and its errors.

    p = (accepted + specificity - 1) / (sensitivity + specificity - 1), clipped to [0, 1] (Rogan and Gladen 1978,
    "Estimating prevalence from the results of a screening test"). The interval is Lang and Reiczigel's (2014,
    "Confidence limits for prevalence of disease adjusted for estimated sensitivity and specificity", section 2): the
    delta method after adding a few cases to all three shares, and a shift; it takes in that the errors are themselves
    estimates. The cases of each share are taken as independent: where several are of one task it is too narrow.

    Args:
        accepted: of the changes whose truth is not known, those that the judge accepts.
        sensitivity: of the known right changes, those that it accepts.
        specificity: of the known wrong changes, those that it does not.

    Raises:
        UserError: sensitivity and specificity together are at most 1, so the judge's word tells nothing.
    """
    from scipy.special import ndtri

    skill = sensitivity.share + specificity.share - 1
    if not skill > 0:
        raise UserError(
            f"sensitivity {sensitivity.share:.3f} and specificity {specificity.share:.3f} add up to at most 1: "
            "the judge tells right from wrong no better than a coin",
            "take another judge, or check by tests",
        )
    point = _clip((accepted.share + specificity.share - 1) / skill)
    z = float(ndtri(0.5 + level / 2))
    n_accepted, share = accepted.n + z**2, (accepted.n_yes + z**2 / 2) / (accepted.n + z**2)
    # From here on with the cases added.
    true_yes = (sensitivity.n_yes + 1) / (sensitivity.n + 2)
    true_no = (specificity.n_yes + 1) / (specificity.n + 2)
    skill = true_yes + true_no - 1
    if not skill > 0:  # so few known changes that the judge may well tell nothing
        return Interval(point, 0.0, 1.0)
    rate = (share + true_no - 1) / skill
    from_yes, from_no = true_yes * (1 - true_yes) / (sensitivity.n + 2), true_no * (1 - true_no) / (specificity.n + 2)
    variance = share * (1 - share) / n_accepted + rate**2 * from_yes + (1 - rate) ** 2 * from_no
    half = z * math.sqrt(variance) / skill
    shift = 2 * z**2 * (rate * from_yes - (1 - rate) * from_no)
    return Interval(point, _clip(rate + shift - half), _clip(rate + shift + half))


def share_interval(values: BoolArray, clusters: IntArray, level: float = 0.95) -> Interval | None:
    """Share of `values`, shape (n,), that hold, with limits in [0, 1]; None where there are none.

    `clusters`: any whole numbers, shape (n,). Where each has one value the interval is Wilson's, else cluster-robust;
    where all values are alike, which shows no spread, it is Wilson's for as many cases as there are clusters.
    """
    if not len(values):
        return None
    codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)[1:]
    if sizes.max() == 1:
        return wilson_interval(int(values.sum()), len(values), level)
    if values.all() or not values.any():
        return wilson_interval(len(sizes) * int(values[0]), len(sizes), level)
    return _clipped(clustered_interval(values.astype(np.float64), codes, level))


def _spread_interval(values: FloatArray, clusters: IntArray, level: float) -> Interval:
    """Without limits where all values are alike: no spread was seen, which is not to be sure."""
    return Interval(float(values[0]), None, None) if not np.ptp(values) else clustered_interval(values, clusters, level)


def _clipped(interval: Interval) -> Interval:
    mean, low, high = interval
    return Interval(mean, None if low is None else _clip(low), None if high is None else _clip(high))


def _clip(share: float) -> float:
    return min(1.0, max(0.0, share))


__all__ = [
    "Bin",
    "Calibration",
    "Counted",
    "Rates",
    "area_under_curve",
    "calibration",
    "error_adjusted_rate",
    "rates",
    "share_interval",
    "wilson_interval",
]
