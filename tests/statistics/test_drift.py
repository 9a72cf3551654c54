"""Clustered trends: against the textbook, against explicit matrices, and by their errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from krins.interfaces import FloatArray, IntArray
from krins.statistics.drift import clustered_trend


def explicit(values: FloatArray, times: FloatArray, clusters: IntArray) -> tuple[float, float, float]:
    """Slope, CR2 standard error and Bell-McCaffrey degrees of freedom from their definitions."""
    design = np.stack([np.ones(len(values)), times], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    hat = design @ inverse @ design.T
    coefficients = inverse @ design.T @ values
    residuals, variance, vectors = values - design @ coefficients, 0.0, []
    for cluster in range(clusters.max() + 1):
        members = np.flatnonzero(clusters == cluster)
        eigenvalues, basis = np.linalg.eigh(np.eye(len(members)) - hat[np.ix_(members, members)])
        adjust = basis @ np.diag(np.where(eigenvalues > 1e-9, np.abs(eigenvalues), np.inf) ** -0.5) @ basis.T
        score = adjust @ design[members] @ inverse[1]
        variance += float(score @ residuals[members]) ** 2
        vectors.append((np.eye(len(values)) - hat)[:, members] @ score)
    gram = np.array(vectors) @ np.array(vectors).T
    return float(coefficients[1]), float(np.sqrt(variance)), float(np.trace(gram) ** 2 / np.sum(gram**2))


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=4, max_size=7), seed=st.integers(0, 2**32 - 1))
def test_it_equals_the_definitions(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    values, times = rng.normal(size=len(clusters)), rng.uniform(2020, 2026, len(clusters))
    slope, error, degrees = explicit(values, times - 2023, clusters)
    found = clustered_trend(values, times, clusters)
    assert found is not None
    assert found.slope == pytest.approx(slope, rel=1e-6, abs=1e-9)
    assert found.high - found.slope == pytest.approx(float(stats.t.ppf(0.975, degrees)) * error, rel=1e-5)
    assert found.p == pytest.approx(2 * float(stats.t.sf(abs(slope) / error, degrees)), rel=1e-4, abs=1e-9)


def test_a_known_slope_is_found_whatever_the_shift() -> None:
    rng = np.random.default_rng(1)
    times, clusters = np.linspace(0, 4, 200), np.arange(200) % 20
    values = 0.5 - 0.1 * times + 0.05 * rng.normal(size=200)
    found, shifted = clustered_trend(values, times, clusters), clustered_trend(values + 7, times + 2020, clusters)
    assert found is not None
    assert shifted is not None
    assert found.low < -0.1 < found.high
    assert found.p < 1e-6
    assert shifted == pytest.approx(found, rel=1e-6, abs=1e-12)


def test_no_trend_is_claimed_about_as_often_as_stated() -> None:
    """With effects of the cluster on values and dates alike, 5% tests claim a change that is not there in 3% to 7%."""
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(20), 8)
    claims = 0
    for _ in range(800):
        values = (0.3 * rng.normal(size=20))[clusters] + rng.normal(size=160)
        trend = clustered_trend(values, rng.uniform(0, 2, 20)[clusters] + rng.uniform(0, 1, 160), clusters)
        assert trend is not None
        claims += trend.p < 0.05
    assert 0.03 <= claims / 800 <= 0.07


@pytest.mark.parametrize(
    ("times", "clusters"), [([1.0, 1.0, 1.0, 1.0], [0, 1, 2, 3]), ([1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0])]
)
def test_one_date_or_one_cluster_has_no_trend(times: list[float], clusters: list[int]) -> None:
    assert clustered_trend(np.array([0.0, 1.0, 0.0, 1.0]), np.array(times), np.array(clusters)) is None
