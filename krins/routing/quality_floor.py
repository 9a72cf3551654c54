"""Quality floor: the least cost such that quality is not inferior to a reference arm's by more than a margin.

Thompson sampling finds the arms that may be good enough and takes the cheapest of them, behind a guard on what the run
has given up so far: another arm than the reference is taken only while the deficit of all choices, this one included,
is within margin * choices with the stated confidence.
Invariants: the reference is always good enough and always allowed, so an arm that is known to cost more is never taken;
the guard has no randomness; choices that are out count like any other.
Left out: drift of qualities and costs; features of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import legendre

from krins.interfaces import BoolArray, Choice, Context, Feedback, FloatArray, IntArray
from krins.routing.billed import billed
from krins.routing.tally import state_shape

_REACH = np.linspace(-9.0, 9.0, 19)
"""Edges of the panels of the quadrature around each arm's mean, in standard deviations of its posterior. With more than
a few outcomes nothing lies further out; before that, 0 and 1 are nearer."""
_NODES, _WEIGHTS = legendre.leggauss(6)
_MAX_DOUBLES = 2**21
"""Size of the largest array of a part."""


class FloorState(NamedTuple):
    """Posteriors of the qualities, and costs. All have shape (n_replications, n_arms)."""

    alpha: FloatArray
    """1 + sum of qualities."""
    beta: FloatArray
    """1 + sum of (1 - quality)."""
    cost_usd: FloatArray
    """Sum of costs."""


@dataclass(frozen=True, slots=True)
class QualityFloor:
    """The cheapest arm whose drawn quality is at least the drawn quality of arm `reference` less `margin`, if allowed.

    Cost-subsidised Thompson sampling (Sinha, Sankararaman, Kazerouni and Avadhanula, Multi-armed bandits with cost
    subsidy, 2021, algorithm 2), with two changes: the margin is absolute (theirs is a share of the best quality), and
    it is against one known arm (theirs against whichever is best). By itself that keeps the margin in the long run
    alone: each arm that is not good enough has to be tried until that is known. So the choice is guarded in the manner
    of conservative bandits (Wu, Shariff, Lattimore and Szepesvari 2016, whose baseline is a share of the reference's
    reward and whose confidence holds for all times at once): with n_a choices of arm a, pending and the next one
    included, the deficit is the sum of n_a * (quality of the reference - quality of a), and its posterior mean + z *
    standard deviation may be at most margin * (sum of n_a), where z is the normal quantile of `confidence`. The
    reference's uncertainty is shared by all terms, not independent from term to term.

    Qualities are taken for draws of a Beta model: a quality q between 0 and 1 counts as q successes and 1 - q failures.
    That is exact for 0 and 1. For others the posterior is wider than it need be, as if they varied as much as a coin of
    the same mean; the guard is on the safe side then. Costs are means as if one more call had been free: an arm never
    tried is the cheapest, and one that was dear by bad luck once is tried again. Ties go to the lowest arm.

    The guard's confidence is a posterior probability, from uniform priors and a normal approximation, looked at before
    every choice; no frequentist bound is claimed. At 0.95 the floor was kept in 93% of the runs of the worst case
    measured, at the default in 97% (experiments/quality_floor.py). State: `FloorState`.

    Args:
        reference: the arm whose quality is to be kept.
        margin: quality a task that may be given up, in (0, 1).
        confidence: of the guard, in (0.5, 1); None leaves the guard out.

    Raises:
        ValueError: a hyper-parameter is out of range; from `init`, there is no such arm; from `update`, a quality or
            cost is missing or out of range.
    """

    reference: int
    margin: float
    confidence: float | None = 0.975

    def __post_init__(self) -> None:
        if self.reference < 0:
            raise ValueError(f"arms are numbered from 0, got reference {self.reference}")
        if not 0.0 < self.margin < 1.0:
            raise ValueError(f"margin is a quality in (0, 1), got {self.margin}")
        if self.confidence is not None and not 0.5 < self.confidence < 1.0:
            raise ValueError(f"confidence lies in (0.5, 1), or is None for no guard, got {self.confidence}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> FloorState:
        shape = state_shape(n_arms, n_replications)
        if self.reference >= n_arms:
            raise ValueError(f"reference {self.reference} is not among {n_arms} arms, numbered from 0")
        return FloorState(np.ones(shape), np.ones(shape), np.zeros(shape))

    def choose(self, state: FloorState, context: Context, rng: np.random.Generator) -> Choice:
        draws = rng.beta(state.alpha, state.beta)
        enough = draws >= draws[:, [self.reference]] - self.margin
        cost = np.where(enough & self.allowed(state, context), _cost_index(state), np.inf)
        return Choice(cost.argmin(axis=1), None)

    def update(self, state: FloorState, feedback: Feedback) -> FloorState:
        rows, arms, quality, cost_usd = billed(feedback, "QualityFloor")
        alpha, beta, costs = (array.copy() for array in state)
        alpha[rows, arms] += quality
        beta[rows, arms] += 1.0 - quality
        costs[rows, arms] += cost_usd
        return FloorState(alpha, beta, costs)

    def propensities(self, state: FloorState, context: Context) -> FloatArray:
        """As `Policy.propensities`; absolute error below 1e-4 (1e-6 for outcomes of 0 and 1), by a
        quadrature over the reference's posterior."""
        n_replications, n_arms = state.alpha.shape
        allowed = self.allowed(state, context)
        order: IntArray = np.argsort(_cost_index(state), axis=1, kind="stable")
        size = max(1, _MAX_DOUBLES // (_REACH.size * _NODES.size * n_arms**2))
        parts = [slice(start, start + size) for start in range(0, n_replications, size)]
        return np.concatenate([self._chances(state.alpha[p], state.beta[p], allowed[p], order[p]) for p in parts])

    def allowed(self, state: FloorState, context: Context) -> BoolArray:
        """Shape (n_replications, n_arms): what the guard lets through; always the reference."""
        if self.confidence is None:
            return np.ones(state.alpha.shape, np.bool_)
        mean, variance = _moments(state)
        taken = state.alpha + state.beta - 2.0 + context.pending
        limit = self.margin * (taken.sum(axis=1, keepdims=True) + 1.0)
        taken[:, self.reference] = 0.0
        gap = mean[:, [self.reference]] - mean
        deficit = (taken * gap).sum(axis=1, keepdims=True) + gap
        # Of the sum with one more choice of the arm: (n + 1)^2 = n^2 + 2 n + 1 times its variance.
        spread = (taken**2 * variance).sum(axis=1, keepdims=True) + (2.0 * taken + 1.0) * variance
        spread += (taken.sum(axis=1, keepdims=True) + 1.0) ** 2 * variance[:, [self.reference]]
        allowed: BoolArray = deficit + NormalDist().inv_cdf(self.confidence) * np.sqrt(spread) <= limit
        allowed[:, self.reference] = True
        return allowed

    def _chances(self, alpha: FloatArray, beta: FloatArray, allowed: BoolArray, order: IntArray) -> FloatArray:
        """P(a) is the integral, over the reference's draw x, of the chance that a is at least x - margin and that
        every allowed arm that comes before a in order of cost is below."""
        from scipy.special import betainc, betaln

        at, width = self._nodes(alpha, beta)
        a, b = alpha[:, [self.reference]], beta[:, [self.reference]]
        log_density = (a - 1.0) * np.log(at) + (b - 1.0) * np.log1p(-at) - betaln(a, b)
        mass = np.exp(log_density) * width
        # Axes are (replications, arms, nodes) from here on. An arm that is not allowed is always below.
        needed = np.maximum(at - self.margin, 0.0)[:, None, :]
        below = np.where(allowed[..., None], betainc(alpha[..., None], beta[..., None], needed), 1.0)
        below[:, self.reference] = 0.0
        below = np.take_along_axis(below, order[..., None], axis=1)
        none_before = np.cumprod(below, axis=1)
        first = -np.diff(none_before, axis=1, prepend=1.0)
        chance = np.empty(alpha.shape)
        np.put_along_axis(chance, order, (first * mass[:, None, :]).sum(axis=-1), axis=1)
        chance /= chance.sum(axis=1, keepdims=True)
        return chance

    def _nodes(self, alpha: FloatArray, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights, shape (n_replications, n_nodes), on panels that resolve every posterior."""
        mean = alpha / (alpha + beta)
        deviation = np.sqrt(mean * (1.0 - mean) / (alpha + beta + 1.0))
        edges = mean[..., None] + deviation[..., None] * _REACH
        own = edges[:, self.reference].copy()
        # The others are compared with the reference's draw less the margin; none is resolved beyond that draw's reach.
        edges += self.margin
        edges[:, self.reference] = own
        low, high = np.maximum(own[:, :1], 0.0), np.minimum(own[:, -1:], 1.0)
        kink = np.full_like(low, self.margin)
        grid = np.concatenate([edges.reshape(len(edges), -1), kink], axis=1)
        grid = np.sort(np.clip(grid, low, high), axis=1)
        left, width = grid[:, :-1, None], np.diff(grid, axis=1)[..., None]
        at = left + width * (_NODES + 1.0) / 2.0
        weights = np.broadcast_to(width * _WEIGHTS / 2.0, at.shape)
        inside = np.clip(at, np.finfo(np.float64).tiny, 1.0 - 2.0**-53)
        return inside.reshape(len(at), -1), weights.reshape(len(at), -1)


def _moments(state: FloorState) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each posterior."""
    total = state.alpha + state.beta
    mean = state.alpha / total
    return mean, mean * (1.0 - mean) / (total + 1.0)


def _cost_index(state: FloorState) -> FloatArray:
    index: FloatArray = state.cost_usd / (state.alpha + state.beta - 1.0)
    return index
