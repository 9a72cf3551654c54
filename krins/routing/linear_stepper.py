"""Steppers of the disjoint linear policies, without the axis of replications.

Invariants: the arithmetic is that of `ridge` and `linear`; BLAS may add in another order for other shapes, so that
scores and states agree to rounding and not to the last bit. Normal draws are the same.
Left out: the shared regression, which goes through `steppers.ArrayStepper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from krins.interfaces import FloatArray
from krins.routing.linear import LinTS, LinUCB
from krins.routing.ridge import LEAST_VARIANCE, Ridge


class _RidgeStepper:
    """One regression for each arm."""

    buffers: tuple[FloatArray, ...] = ()

    def __init__(self, state: Ridge) -> None:
        self.state = state
        self._stacked = state.stacked[0]
        self._shape = self._stacked.shape[:2]
        # All regressions under each other: one product with a vector instead of one for each arm.
        self._flat = self._stacked.reshape(-1, self._stacked.shape[2], copy=False)
        # The row with a zero where theta stands, so that x' A^-1 x takes a product without a copy.
        self._padded = np.zeros(self._shape[1])
        from scipy.linalg.blas import dger

        self._take_off_outer_product = dger

    def learn(self, arm: int, reward: float, row: FloatArray | None, /, *_: object) -> None:
        """As `ridge.learn`."""
        assert row is not None
        stacked = self._stacked[arm]
        product = stacked.dot(row)
        spread = product[:-1]
        growth = 1.0 + float(spread.dot(row))
        product[-1] -= reward
        product /= sqrt(growth)
        # BLAS counts by columns, hence the transposed view. It takes half the time of a product and a difference.
        self._take_off_outer_product(-1.0, spread, product, a=stacked.T, overwrite_a=1)

    def _scores(self, row: FloatArray | None) -> tuple[list[float], list[float]]:
        """Mean and deviation of each arm, as `ridge.scores`; nine floats are quicker than nine numbers of an array."""
        assert row is not None
        self._padded[:-1] = row
        product = self._flat.dot(row).reshape(self._shape)
        variances = product.dot(self._padded).tolist()
        return product[:, -1].tolist(), [sqrt(max(variance, LEAST_VARIANCE)) for variance in variances]


class LinUCBStepper(_RidgeStepper):
    """`LinUCB`."""

    def __init__(
        self, policy: LinUCB, state: Ridge, rng: np.random.Generator, buffers: Sequence[FloatArray] = ()
    ) -> None:
        super().__init__(state)
        self._alpha = policy.alpha

    def choose(self, pending: Sequence[int], row: FloatArray | None, /) -> tuple[int, float | None]:
        means, deviations = self._scores(row)
        alpha = self._alpha
        bounds = [alpha * deviation + mean for mean, deviation in zip(means, deviations, strict=True)]
        return bounds.index(max(bounds)), 1.0


class LinTSStepper(_RidgeStepper):
    """`LinTS`."""

    def __init__(
        self, policy: LinTS, state: Ridge, rng: np.random.Generator, buffers: Sequence[FloatArray] = ()
    ) -> None:
        super().__init__(state)
        self._scale, self._rng = policy.scale, rng

    def choose(self, pending: Sequence[int], row: FloatArray | None, /) -> tuple[int, float | None]:
        means, deviations = self._scores(row)
        normals = self._rng.standard_normal(len(means)).tolist()
        scale = self._scale
        draws = [normal * deviation * scale + mean for normal, deviation, mean in zip(normals, deviations, means)]  # noqa: B905
        return draws.index(max(draws)), None
