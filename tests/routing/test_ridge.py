"""Ridge regressions by hand, against direct solves, and after thousands of rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import FloatArray
from krins.routing.ridge import Ridge, learn, prior, scores


def learnt(rows: FloatArray, targets: FloatArray, precision: float) -> Ridge:
    """One regression, row by row."""
    ridge, at = prior(1, 1, rows.shape[1], precision), (np.zeros(1, np.int64), np.zeros(1, np.int64))
    for row, target in zip(rows, targets, strict=True):
        learn(ridge, at, row[None], np.array([target]))
    return ridge


def test_two_columns_by_hand() -> None:
    # A = I + (1, 1)(1, 1)' = [[2, 1], [1, 2]], A^-1 = [[2, -1], [-1, 2]] / 3, b = (1, 1), theta = (1, 1) / 3.
    ridge = learnt(np.ones((1, 2)), np.ones(1), 1.0)
    np.testing.assert_allclose(ridge.inverse[0, 0], np.array([[2.0, -1.0], [-1.0, 2.0]]) / 3.0, rtol=1e-15)
    np.testing.assert_allclose(ridge.theta[0, 0], [1.0 / 3.0, 1.0 / 3.0], rtol=1e-15)
    # x = (1, 2): x' theta = 1 and x' A^-1 x = (2 - 4 + 8) / 3 = 2.
    mean, deviation = scores(ridge, np.array([[[1.0, 2.0]]]))
    assert (mean[0, 0], deviation[0, 0]) == pytest.approx((1.0, math.sqrt(2.0)), rel=1e-15)


def test_the_prior_is_not_inverted() -> None:
    # A = 4 I: a deviation of 1/2 for a row of unit length.
    ridge = prior(2, 3, 5, 4.0)
    np.testing.assert_array_equal(ridge.inverse, np.broadcast_to(np.eye(5) / 4.0, (2, 3, 5, 5)))
    assert not ridge.theta.any()
    np.testing.assert_array_equal(scores(ridge, np.eye(5)[None, :1].repeat(2, axis=0)).deviation, np.full((2, 3), 0.5))


def test_only_regressions_with_a_row_learn() -> None:
    ridge = prior(2, 3, 2, 1.0)
    before = ridge.stacked.copy()
    learn(ridge, (np.array([1]), np.array([2])), np.ones((1, 2)), np.ones(1))
    changed = (ridge.stacked != before).any(axis=(2, 3))
    assert changed.tolist() == [[False, False, False], [False, False, True]]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(n_rows=st.integers(0, 30), n_columns=st.integers(1, 6), power=st.integers(-2, 3), seed=st.integers(0, 2**32))
def test_regressions_are_direct_solves(n_rows: int, n_columns: int, power: int, seed: int) -> None:
    rng, precision = np.random.default_rng(seed), 10.0**power
    rows, targets = rng.normal(size=(n_rows, n_columns)), rng.normal(size=n_rows)
    ridge, matrix = learnt(rows, targets, precision), precision * np.eye(n_columns) + rows.T @ rows
    np.testing.assert_allclose(ridge.inverse[0, 0], np.linalg.inv(matrix), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ridge.theta[0, 0], np.linalg.solve(matrix, rows.T @ targets), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("precision", "error"), [(1e6, 1e-11), (1.0, 1e-11), (1e-3, 1e-8), (1e-6, 1e-5)])
@pytest.mark.parametrize("n_independent", [32, 4])
def test_rounding_does_not_add_up(precision: float, error: float, n_independent: int) -> None:
    rng = np.random.default_rng(n_independent)
    rows = rng.normal(size=(5_000, n_independent)) @ rng.normal(size=(n_independent, 32))
    rows /= math.sqrt(32 * n_independent)
    targets = rows @ rng.normal(size=32) + rng.normal(size=5_000)
    ridge, matrix = learnt(rows, targets, precision), precision * np.eye(32) + rows.T @ rows
    for found, expected in (
        (ridge.inverse[0, 0], np.linalg.inv(matrix)),
        (ridge.theta[0, 0], np.linalg.solve(matrix, rows.T @ targets)),
    ):
        assert np.abs(found - expected).max() < error * np.abs(expected).max()
    np.testing.assert_array_equal(ridge.inverse[0, 0], ridge.inverse[0, 0].T)


def test_a_variance_below_rounding_is_no_error() -> None:
    deviation = scores(prior(1, 2, 3, 1.0), np.zeros((1, 1, 3))).deviation
    assert (deviation > 0.0).all()
    assert (deviation < 1e-7).all()
