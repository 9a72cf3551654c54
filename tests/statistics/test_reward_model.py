"""The cross-fitted reward model: by hand, and that nothing leaks from a decision to its own prediction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.errors import UserError
from krins.interfaces import FloatArray, IntArray
from krins.statistics.overlap import Log
from krins.statistics.reward_model import cluster_folds, cross_fitted_predictions


def log_of(actions: list[int], outcomes: list[float], clusters: list[int]) -> Log:
    return Log(np.array(actions), np.full(len(actions), 0.5), np.array(outcomes), np.array(clusters))


def test_shrunken_means_by_hand() -> None:
    # Decisions 0 and 1 are predicted from 2 and 3, whose mean is 1/4: arm 0 has nothing, arm 1 has 1/2 and 0, each
    # drawn to 1/4 by one more observation there. Decisions 2 and 3 are predicted from 1 and 0, with mean 1/2.
    log = log_of([0, 0, 1, 1], [1.0, 0.0, 0.5, 0.0], [0, 0, 1, 1])
    expected = [[0.25, (0.5 + 0.25) / 3]] * 2 + [[(1 + 0.5) / 3, 0.5]] * 2
    assert cross_fitted_predictions(log, 2) == pytest.approx(np.array(expected))


def test_an_arm_with_one_observation_is_drawn_half_way_to_the_mean() -> None:
    log = log_of([0, 1, 0, 0], [0.0, 1.0, 0.5, 0.5], [0, 0, 1, 1])
    assert cross_fitted_predictions(log, 2)[2] == pytest.approx([(0 + 0.5) / 2, (1 + 0.5) / 2])


def test_a_linear_truth_is_found_whatever_the_features_units() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(-1, 1, (600, 2))
    actions = rng.integers(0, 2, 600)
    truth = np.column_stack([features[:, 0], 1 - features[:, 1]])
    log = Log(actions, np.full(600, 0.5), truth[np.arange(600), actions], np.arange(600))
    found = cross_fitted_predictions(log, 2, features)
    assert found == pytest.approx(truth, abs=0.05)
    assert cross_fitted_predictions(log, 2, features * [1e-6, 1e6] + [5.0, -3.0]) == pytest.approx(found, abs=1e-6)


def test_a_feature_that_never_varies_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    log = Log(rng.integers(0, 3, 50), np.full(50, 0.5), rng.normal(size=50), np.arange(50) // 2)
    assert cross_fitted_predictions(log, 3, np.full((50, 1), 0.1)) == pytest.approx(cross_fitted_predictions(log, 3))


@st.composite
def logs(draw: st.DrawFn) -> tuple[Log, FloatArray, IntArray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_clusters = draw(st.integers(6, 40)), draw(st.integers(2, 6))
    clusters = rng.permutation(np.arange(n) % n_clusters)
    log = Log(rng.integers(0, 3, n), np.full(n, 0.5), rng.normal(size=n), clusters)
    return log, rng.normal(size=(n, 2)), clusters


@given(logs(), st.integers(0, 5))
def test_outcomes_of_a_cluster_have_no_part_in_its_predictions(
    case: tuple[Log, FloatArray, IntArray], pick: int
) -> None:
    log, features, clusters = case
    own = clusters == pick % (clusters.max() + 1)
    changed = log._replace(outcomes=np.where(own, 1000.0, log.outcomes))
    before, after = (cross_fitted_predictions(one, 3, features) for one in (log, changed))
    assert (before[own] == after[own]).all()


@given(logs())
def test_predictions_stay_in_the_range_of_the_outcomes(case: tuple[Log, FloatArray, IntArray]) -> None:
    log, features, _ = case
    found = cross_fitted_predictions(log, 3, 100 * features)
    assert log.outcomes.min() <= found.min() and found.max() <= log.outcomes.max()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(2, 6))
def test_folds_hold_whole_clusters_and_are_all_used(labels: list[int], n_folds: int) -> None:
    clusters = np.array(labels)
    folds = cluster_folds(clusters, n_folds)
    assert all(len(set(folds[clusters == one])) == 1 for one in clusters)
    assert set(folds) == set(range(min(n_folds, len(set(labels)))))


def test_one_cluster_cannot_be_predicted_from_others() -> None:
    with pytest.raises(UserError, match="one cluster"):
        cross_fitted_predictions(log_of([0, 1], [0.0, 1.0], [0, 0]), 2)


@pytest.mark.parametrize("features", [np.zeros((3, 1)), np.zeros(4), np.full((4, 1), np.nan)])
def test_features_have_to_fit(features: FloatArray) -> None:
    with pytest.raises(ValueError, match="features are finite"):
        cross_fitted_predictions(log_of([0, 0, 1, 1], [0.0] * 4, [0, 1, 2, 3]), 2, features)


@pytest.mark.parametrize(("n_folds", "penalty"), [(1, 1.0), (5, 0.0), (5, float("nan"))])
def test_settings_have_to_make_sense(n_folds: int, penalty: float) -> None:
    with pytest.raises(ValueError, match="at least 2 folds"):
        cross_fitted_predictions(log_of([0, 1], [0.0, 1.0], [0, 1]), 2, n_folds=n_folds, penalty=penalty)
