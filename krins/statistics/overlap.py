"""Logged decisions, and whether they can speak for another policy: importance weights, overlap, refusals.

A log speaks for a target policy only where it gave the target's arms a chance. Invariants: every estimator of
`off_policy` takes its weights from `supported_weights`, which refuses, with the reason and a remedy, a log that
is broken or that lacks support; nothing is clipped or dropped in silence. Left out: estimating propensities that were
not recorded, and finding lacking support that neither the propensities nor the mean weight betray (a short log of a
rare gap): `Overlap` shows how much a log could hide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from krins.errors import UserError
from krins.interfaces import BoolArray, FloatArray, IntArray

ROUNDING = 1e-6
"""How far sums of probabilities may be from one."""
UNSUPPORTED_MASS_LIMIT = 0.01
"""Share of the target's choices that may fall on arms without support, such as those of a deterministic warm-up. An
estimate is off by at most this share of the range of the outcomes."""
NOTABLE_MASS, NOTABLE_CHOICES = 0.05, 10
"""An arm has to be in the log if the target gives it more than this share, and at least so many choices."""
WEIGHT_ERRORS = 4.0
"""Standard errors that the mean weight may be away from one."""


class Log(NamedTuple):
    """Decisions of one logging policy, in any order."""

    actions: IntArray
    """Shape (n,): the arm that was chosen, numbered from 0."""
    propensities: FloatArray
    """Shape (n,): the exact probability with which it was chosen."""
    outcomes: FloatArray
    """Shape (n,): what came of it, such as quality, or cost in USD."""
    clusters: IntArray
    """Shape (n,): codes 0..G-1 of what the tasks have in common; a cluster of its own where that is unknown."""
    all_propensities: FloatArray | None = None
    """Shape (n, n_arms): the probability of each arm; None where only that of the chosen arm is known."""


class Overlap(NamedTuple):
    """How well a log speaks for a target."""

    n_decisions: int
    effective_sample_size: float
    """Kish's (1965, Survey Sampling, section 11.7): equally weighted decisions that would tell as much."""
    largest_weight: float
    weight_in_top_percent: float
    """Share of the total weight that the largest 1% of all weights hold (at least one decision)."""
    mean_weight: float
    """Its expectation is the share of the target's choices that the log supports: near 1 if that is all."""
    mean_weight_error: float | None
    """Its standard error, robust to clusters; None for a single cluster."""
    unsupported_mass: float
    """Share of the target's choices known to be on arms that had no chance: of all arms where `all_propensities` is
    given, else of the decisions that were made with probability one."""
    unsupported_decisions: float
    """Share of decisions where the target gives such an arm any probability."""


def importance_weights(log: Log, probabilities: FloatArray) -> FloatArray:
    """Target's over logger's probability of the logged action, shape (n,); `probabilities` has shape (n, n_arms)."""
    return np.asarray(probabilities[np.arange(len(log.actions)), log.actions] / log.propensities)


def supported_weights(log: Log, probabilities: FloatArray) -> FloatArray:
    """Importance weights of a log that has been found fit to speak for the target, shape (n,).

    Raises:
        UserError: the log or the target is broken, or the log does not support the target.
        ValueError: shapes do not fit each other.
    """
    check_log(log, probabilities)
    check_support(log, probabilities)
    return importance_weights(log, probabilities)


def kish(weights: FloatArray) -> float:
    """Effective sample size of weights, shape (n,): (sum of w)^2 / sum of w^2; 0 where all are 0."""
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0


def overlap(log: Log, probabilities: FloatArray) -> Overlap:
    """Diagnostics of a well-formed log, also of one that `check_support` refuses.

    Args:
        probabilities: shape (n, n_arms), the target's probability of each arm; rows sum to one.

    Raises:
        UserError: the log or the target is broken.
    """
    check_log(log, probabilities)
    weights = importance_weights(log, probabilities)
    n, total = len(weights), float(weights.sum())
    top = np.sort(weights)[-max(1, math.ceil(n / 100)) :]
    sums = _sums(weights - weights.mean(), log.clusters)
    small_sample = len(sums) / (len(sums) - 1) if len(sums) > 1 else None
    lost = _unsupported(log, probabilities)
    return Overlap(
        n_decisions=n,
        effective_sample_size=kish(weights),
        largest_weight=float(weights.max()),
        weight_in_top_percent=float(top.sum()) / total if total > 0 else 0.0,
        mean_weight=total / n,
        mean_weight_error=None if small_sample is None else math.sqrt(small_sample * np.sum(sums**2)) / n,
        unsupported_mass=float(lost.mean()),
        unsupported_decisions=float(np.mean(lost > ROUNDING)),
    )


def check_log(log: Log, probabilities: FloatArray) -> None:
    """Refuse numbers that cannot be those of a log and a target; `UserError`, or `ValueError` for their shapes."""
    n = len(log.actions)
    if n == 0:
        raise UserError("the log holds no decision", "log some decisions first, with their propensities")
    if probabilities.ndim != 2 or any(len(part) != n for part in (*log[1:4], probabilities)):
        raise ValueError(f"{n} actions need as many propensities, outcomes, clusters and rows of target probabilities")
    n_arms = probabilities.shape[1]
    if log.actions.min() < 0 or log.actions.max() >= n_arms:
        raise UserError(f"the log has arms that are not among the target's {n_arms}", "give the target every arm")
    if not _are_probabilities(log.propensities) or log.propensities.min() <= 0:
        bad = np.flatnonzero(~((log.propensities > 0) & (log.propensities <= 1)))
        raise UserError(
            f"{len(bad)} propensities are not in (0, 1], the first at decision {bad[0]}: {log.propensities[bad[0]]}",
            "log the exact probability with which each action was chosen, and leave out decisions that have none",
        )
    if not np.isfinite(log.outcomes).all():
        bad = np.flatnonzero(~np.isfinite(log.outcomes))
        raise UserError(
            f"{len(bad)} outcomes are NaN or infinite, the first at decision {bad[0]}",
            "wait for their feedback, or give the outcome that a decision without feedback counts as",
        )
    _check_rows(probabilities, "the target's probabilities")
    if log.all_propensities is not None:
        if log.all_propensities.shape != probabilities.shape:
            raise ValueError("all_propensities and the target's probabilities differ in shape")
        _check_rows(log.all_propensities, "the logger's propensities")
        if np.abs(log.all_propensities[np.arange(n), log.actions] - log.propensities).max() > ROUNDING:
            raise UserError(
                "the propensities of the logged actions differ from those in the full table", "log both at the decision"
            )


def check_support(log: Log, probabilities: FloatArray) -> None:
    """Refuse a well-formed log that gave the target's arms no chance, or whose weights say so; `UserError`."""
    n = len(log.actions)
    lost = float(_unsupported(log, probabilities).mean())
    if lost > ROUNDING and log.propensities.min() >= 1:
        raise UserError(
            "the log is of a deterministic policy, which supports only itself",
            "log with some exploration, such as epsilon-greedy with a floor under each arm's probability",
        )
    if lost > UNSUPPORTED_MASS_LIMIT:
        raise UserError(
            f"{lost:.1%} of the target's choices are on arms that had no chance when the log was made",
            "leave out the decisions that were made with probability one, or log with a floor under each arm",
        )
    mass, counts = probabilities.mean(axis=0), np.bincount(log.actions, minlength=probabilities.shape[1])
    if len(missing := np.flatnonzero((counts == 0) & (mass > NOTABLE_MASS) & (mass * n >= NOTABLE_CHOICES))):
        raise UserError(
            f"the log holds no decision for arm {missing[0]}, to which the target gives {mass[missing[0]]:.1%}",
            "log more decisions, with a floor under each arm's probability, or ask about a target without that arm",
        )
    weights = importance_weights(log, probabilities)
    if weights.max() <= 0:
        raise UserError("the target would have made none of the logged decisions", "log decisions that it may make")
    errors = _errors_from_one(weights, log.clusters)
    if errors < -WEIGHT_ERRORS:
        raise UserError(
            f"the mean weight is {weights.mean():.3g}, {-errors:.1f} standard errors below 1: among the {n} decisions"
            " are too few that the target would make",
            "log more decisions, with a higher floor under each arm's probability; check the propensities",
        )
    if errors > WEIGHT_ERRORS:
        raise UserError(
            f"the mean weight is {weights.mean():.3g}, {errors:.1f} standard errors above 1: actions were chosen more"
            " often than the propensities say",
            "check that each propensity is that of the logged action at the time of its decision",
        )


def _are_probabilities(values: FloatArray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _check_rows(table: FloatArray, what: str) -> None:
    if not _are_probabilities(table):
        raise UserError(f"{what} are not all in [0, 1]", "give a probability for each decision and arm")
    sums = table.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[worst] - 1) > ROUNDING:
        raise UserError(
            f"{what} of decision {worst} sum to {sums[worst]:.6g}", "give each decision's probabilities of all arms"
        )


def _unsupported(log: Log, probabilities: FloatArray) -> FloatArray:
    """The target's probability of arms known to have had no chance, of each decision, shape (n,)."""
    if log.all_propensities is not None:
        no_chance: BoolArray = log.all_propensities <= 0
        return np.asarray(np.where(no_chance, probabilities, 0.0).sum(axis=1))
    chosen = probabilities[np.arange(len(log.actions)), log.actions]
    return np.where(log.propensities >= 1, 1 - chosen, 0.0)


def _sums(values: FloatArray, clusters: IntArray) -> FloatArray:
    """Sums of values, shape (n,), over the clusters that occur."""
    codes = np.unique(clusters, return_inverse=True)[1]
    return np.asarray(np.bincount(codes, weights=values), dtype=np.float64)


def _errors_from_one(weights: FloatArray, clusters: IntArray) -> float:
    """How many standard errors the mean weight is from 1.

    The error is computed as if 1 were the mean, so a handful of equal weights is not taken for certainty: with G
    clusters the answer lies within the square root of G.
    """
    sums = _sums(weights - 1, clusters)
    squares = float(np.sum(sums**2))
    return float(sums.sum()) / math.sqrt(squares) if squares > 0 else 0.0
