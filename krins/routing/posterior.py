"""The probability that an arm's posterior draw is the largest of all: the propensity of Thompson sampling.

P(arm k) is the integral of f_k times the product of the other distribution functions. All arms share one grid of
panels: the union of the panels that each arm asks for, so that a narrow posterior beside a wide one is resolved.
On each panel Gauss-Legendre nodes integrate exactly up to degree 11, and the same nodes give the distribution
functions, by the integral of the polynomial through the densities.

Invariants: rows sum to one; memory is bounded by working through the replications in parts (one replication is never
split: its arrays hold up to about 100 * n_arms^2 doubles each). Absolute error below 1e-4 for every posterior that the
policies allow, and below 1e-6 for most (tests/routing/test_posterior.py, against closed forms).
Left out: drawing, and what a posterior is made from (`thompson`).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.polynomial import legendre

from krins.interfaces import FloatArray

_DEPTHS = 0.8 * np.arange(9.0)
"""Edges of an arm's panels on either side of its centre, in standard deviations of a normal posterior. For others
they are the points where the log density has fallen by as much, half the square, up to 20.5."""
_N_NODES = 6
_MAX_DOUBLES = 2**21
"""Size of the largest array of a part; a handful of them live at once."""


class Marginals(Protocol):
    """Independent posteriors of n_arms arms in n_replications replications, on some common axis."""

    def part(self, rows: slice) -> Self:
        """The posteriors of some replications."""
        ...

    def edges(self) -> FloatArray:
        """Shape (n_replications, n_arms, n_edges), ascending: panels that cover and resolve each density."""
        ...

    def log_density(self, points: FloatArray) -> FloatArray:
        """Shape (n_replications, n_arms, n_points), at points of shape (n_replications, n_points)."""
        ...


class LogitBeta(NamedTuple):
    """The log odds of Beta variables: log-concave on the whole line, however small the parameters are."""

    alpha: FloatArray
    """Shape (n_replications, n_arms)."""
    beta: FloatArray
    """Shape (n_replications, n_arms)."""

    def part(self, rows: slice) -> LogitBeta:
        return LogitBeta(self.alpha[rows], self.beta[rows])

    def edges(self) -> FloatArray:
        """Normal near the mode, exponential with rates alpha (left) and beta (right) far from it.

        The sum of both reaches goes a little too far in between, which wastes nodes and loses no accuracy.
        """
        mode = np.log(self.alpha / self.beta)
        normal = np.sqrt(1.0 / self.alpha + 1.0 / self.beta)[..., None] * _DEPTHS
        fall = _DEPTHS**2 / 2.0
        return _around(mode, normal + fall / self.alpha[..., None], normal + fall / self.beta[..., None])

    def log_density(self, points: FloatArray) -> FloatArray:
        total = self.alpha + self.beta
        log_beta = _log_gamma(self.alpha) + _log_gamma(self.beta) - _log_gamma(total)
        log_density: FloatArray = self.alpha[..., None] * points[:, None, :]
        log_density -= total[..., None] * np.logaddexp(0.0, points)[:, None, :]
        log_density -= log_beta[..., None]
        return log_density


class StudentT(NamedTuple):
    """Student t variables, shifted and scaled."""

    degrees: FloatArray
    """Degrees of freedom, shape (n_replications, n_arms), at least 1."""
    location: FloatArray
    """Shape (n_replications, n_arms)."""
    scale: FloatArray
    """Shape (n_replications, n_arms)."""

    def part(self, rows: slice) -> StudentT:
        return StudentT(self.degrees[rows], self.location[rows], self.scale[rows])

    def edges(self) -> FloatArray:
        degrees = self.degrees[..., None]
        reach = self.scale[..., None] * np.sqrt(degrees * np.expm1(_DEPTHS**2 / (degrees + 1.0)))
        return _around(self.location, reach, reach)

    def log_density(self, points: FloatArray) -> FloatArray:
        half = (self.degrees + 1.0) / 2.0
        log_peak = _log_gamma(half) - _log_gamma(self.degrees / 2.0)
        log_peak -= 0.5 * np.log(self.degrees * math.pi) + np.log(self.scale)
        standard: FloatArray = (points[:, None, :] - self.location[..., None]) / self.scale[..., None]
        log_density: FloatArray = np.log1p(standard**2 / self.degrees[..., None])
        log_density *= -half[..., None]
        log_density += log_peak[..., None]
        return log_density


class Normal(NamedTuple):
    """Normal variables."""

    mean: FloatArray
    """Shape (n_replications, n_arms)."""
    deviation: FloatArray
    """Standard deviation, shape (n_replications, n_arms), positive."""

    def part(self, rows: slice) -> Normal:
        return Normal(self.mean[rows], self.deviation[rows])

    def edges(self) -> FloatArray:
        reach = self.deviation[..., None] * _DEPTHS
        return _around(self.mean, reach, reach)

    def log_density(self, points: FloatArray) -> FloatArray:
        log_density: FloatArray = (points[:, None, :] - self.mean[..., None]) / self.deviation[..., None]
        log_density *= log_density
        log_density *= -0.5
        log_density -= np.log(self.deviation * math.sqrt(2.0 * math.pi))[..., None]
        return log_density


def chance_of_largest(marginals: Marginals, n_replications: int, n_arms: int) -> FloatArray:
    """Shape (n_replications, n_arms): the probability that each arm's draw is the largest. Rows sum to one."""
    doubles = 2 * len(_DEPTHS) * _N_NODES * n_arms**2
    size = max(1, _MAX_DOUBLES // doubles)
    parts = [_integrate(marginals.part(slice(start, start + size))) for start in range(0, n_replications, size)]
    return np.concatenate(parts)


def _integrate(marginals: Marginals) -> FloatArray:
    left, width = _panels(marginals.edges())
    points = left[..., None] + width[..., None] * _NODES
    log_density = marginals.log_density(points.reshape(len(points), -1))
    # From here on axes are (replications, arms, panels, nodes); `mass` is density times the width of the panel.
    mass = np.exp(log_density).reshape(log_density.shape[:2] + points.shape[1:]) * width[:, None, :, None]
    in_panel = mass @ _WEIGHTS
    from_panel_on = in_panel[..., ::-1].cumsum(axis=-1)[..., ::-1]
    below = 1.0 - (from_panel_on - in_panel)[..., None] - mass @ _REST
    log_below = np.log(np.clip(below, np.finfo(np.float64).tiny, 1.0))
    others = np.exp(log_below.sum(axis=1, keepdims=True) - log_below)
    chance: FloatArray = ((mass * others) @ _WEIGHTS).sum(axis=-1)
    chance /= chance.sum(axis=1, keepdims=True)
    return chance


def _panels(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Left ends and widths, shape (n_replications, n_panels), ascending, of the panels where the largest may lie.

    The largest draw is above every arm's lowest edge. Panels of no width, from edges that coincide or were cut off,
    go to the end, where they do no harm, and out where every replication has one.
    """
    lowest = edges[..., 0].max(axis=1, keepdims=True)
    grid = np.sort(np.maximum(edges.reshape(len(edges), -1), lowest), axis=1)
    width = np.diff(grid, axis=1)
    n_panels = np.count_nonzero(width, axis=1).max()
    kept = np.argsort(width == 0.0, axis=1, kind="stable")[:, :n_panels]
    return np.take_along_axis(grid[:, :-1], kept, axis=1), np.take_along_axis(width, kept, axis=1)


def _around(centre: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
    """Edges at distances `left` and `right` (ascending from 0, last axis) of the centre."""
    edges = np.concatenate([-left[..., :0:-1], right], axis=-1)
    edges += centre[..., None]
    return edges


def _log_gamma(values: FloatArray) -> FloatArray:
    # NumPy has no log gamma; there is one value for each arm, not for each node.
    return np.array([math.lgamma(value) for value in values.ravel()]).reshape(values.shape)


def _rule() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [0, 1], and `rest`: values @ rest is the integral from each node to 1."""
    nodes, weights = legendre.leggauss(_N_NODES)
    coefficients = np.linalg.inv(legendre.legvander(nodes, _N_NODES - 1))
    integral = legendre.legint(coefficients, axis=0)
    rest = (legendre.legvander(np.ones(1), _N_NODES) - legendre.legvander(nodes, _N_NODES)) @ integral
    return (nodes + 1.0) / 2.0, weights / 2.0, rest.T / 2.0


_NODES, _WEIGHTS, _REST = _rule()
