"""The tally: how often each arm was rewarded and with how much, and which arm leads by an index.

Invariants: every function is pure; counts are whole numbers kept as floats, or any weights from 0 on once rewards
are forgotten (`forgetting`) or scores are worth some (`warm_start`); an arm that weighs less than `LEAST_WEIGHT`
counts as never tried: it is not divided by its weight and never leads by its index. Rewards may come back in any order
within a round: the tally is the same (to the last bit while the sums are exact, as for rewards of 0 and 1).
Left out: how an index is made (`epsilon_greedy`, `ucb`) and posteriors (`thompson`).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from krins.interfaces import BoolArray, Feedback, FloatArray, IntArray

LEAST_WEIGHT = 1e-100
"""Rewards that an arm must weigh to count as tried. Far below anything that matters; it keeps indices finite and means
clear of the smallest doubles, whose digits are lost."""


_NEXT_TO_NOTHING = 1e-150
"""What a weight of zero is divided by; its inverse can still be squared."""


class Tally(NamedTuple):
    """What each arm has brought so far."""

    counts: FloatArray
    """Shape (n_replications, n_arms): rewards learnt, each with its weight."""
    sums: FloatArray
    """Shape (n_replications, n_arms): their sum."""


class Lesson(NamedTuple):
    """The rewards that are there to be learnt from, replications without one left out."""

    rows: IntArray
    """Shape (n_observed,): replications."""
    arms: IntArray
    """Shape (n_observed,)."""
    rewards: FloatArray
    """Shape (n_observed,), finite."""


class Lead(NamedTuple):
    """The arm that stands first in each replication."""

    arms: IntArray
    """Shape (n_replications,)."""
    forced: BoolArray | None
    """Shape (n_replications,): the arm leads because it was never tried. None where no replication has such an arm."""


def state_shape(n_arms: int, n_replications: int) -> tuple[int, int]:
    """Shape (n_replications, n_arms) of a state array.

    Raises:
        ValueError: there is no arm or no replication.
    """
    if n_arms < 1 or n_replications < 1:
        raise ValueError(f"a policy needs at least 1 arm and 1 replication, got {n_arms} and {n_replications}")
    return n_replications, n_arms


def empty_tally(n_arms: int, n_replications: int) -> Tally:
    shape = state_shape(n_arms, n_replications)
    return Tally(np.zeros(shape), np.zeros(shape))


def lesson(feedback: Feedback) -> Lesson:
    """What can be learnt from one reward in each replication.

    Raises:
        ValueError: an observed reward is NaN or infinite.
    """
    arms, rewards = feedback.arms, feedback.rewards
    if feedback.observed is None:
        rows = np.arange(arms.size)
    else:
        rows = np.flatnonzero(feedback.observed)
        arms, rewards = arms[rows], rewards[rows]
    if not np.isfinite(rewards).all():
        raise ValueError("a reward is NaN or infinite; pass observed=False for a replication without a reward")
    return Lesson(rows, arms, rewards)


def add_rewards(tally: Tally, feedback: Feedback) -> Tally:
    """The tally, written to in place, with one more reward in each observed replication.

    Raises:
        ValueError: an observed reward is NaN or infinite.
    """
    rows, arms, rewards = lesson(feedback)
    places = places_of(rows, arms, tally.counts.shape[1])
    add_at(tally.counts, places, 1.0)
    add_at(tally.sums, places, rewards)
    return tally


def places_of(rows: IntArray, arms: IntArray, n_arms: int) -> IntArray:
    """Where in a flat table, shape (n_replications * n_arms,), the lessons belong.

    Raises:
        ValueError: an arm is not from 0 to n_arms - 1.
    """
    if arms.size and not 0 <= arms.min() <= arms.max() < n_arms:
        raise ValueError(f"arms are numbered from 0 to {n_arms - 1}, got {arms.min()} to {arms.max()}")
    return rows * n_arms + arms


def add_at(table: FloatArray, places: IntArray, values: float | FloatArray) -> None:
    """Add `values` in place to `table`, shape (n_replications, n_arms), at `places` (`places_of`), no two the same. A
    third of the time of an index for rows and one for arms.
    """
    table.reshape(-1, copy=False)[places] += values


def rewards_learnt(tally: Tally) -> FloatArray:
    """Shape (n_replications,): rewards learnt over all arms, or their weight; the `t` of the papers."""
    # A product with ones takes a seventh of the time of sum(axis=1) for few arms, and is as exact on whole numbers.
    return tally.counts @ _ones(tally.counts.shape[1])


@functools.cache
def _ones(n: int) -> FloatArray:
    return np.ones(n)


def divisors(tally: Tally) -> FloatArray:
    """Shape (n_replications, n_arms): a new array of counts that may be divided by; of no meaning for untried arms.

    Not at least 1: an arm of which 0.3 rewards are still remembered is surer than none and less sure than one.
    """
    # A third of the time of a maximum, and without a trace in any weight that counts as tried.
    return tally.counts + _NEXT_TO_NOTHING


def mean_rewards(tally: Tally) -> FloatArray:
    """Shape (n_replications, n_arms): mean reward of each arm, 0 for an arm without one."""
    means: FloatArray = tally.sums / divisors(tally)
    return means


def leading_arms(index: FloatArray, tally: Tally, pending: IntArray) -> Lead:
    """The arm with the largest index, once every arm has been tried.

    In each replication: the first arm with neither a reward nor a pending choice, if there is one (so that the first
    round spreads over the arms); else the largest index among the arms that have a reward; and where all rewards are
    still out, the arm with the fewest pending choices. Ties go to the lowest index.

    Args:
        index: shape (n_replications, n_arms), finite.
        tally: what was learnt.
        pending: shape (n_replications, n_arms), choices whose rewards are not back yet.
    """
    if tally.counts.min() >= LEAST_WEIGHT:
        return Lead(index.argmax(axis=1), None)
    rewarded = tally.counts >= LEAST_WEIGHT
    untried = ~rewarded & (pending == 0)
    forced = untried.any(axis=1)
    score = np.where(rewarded, index, -np.inf)
    score[forced] = untried[forced]
    waiting = ~(forced | rewarded.any(axis=1))
    score[waiting] = -pending[waiting]
    return Lead(score.argmax(axis=1), forced)


def one_hot(arms: IntArray, n_arms: int) -> FloatArray:
    """Shape (n_replications, n_arms): propensities of a choice without chance."""
    certain = np.zeros((arms.size, n_arms))
    certain[np.arange(arms.size), arms] = 1.0
    return certain
