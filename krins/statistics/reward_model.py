"""A model of outcomes that never saw the decision it predicts: ridge regressions, cross-fitted by cluster.

Invariants: an outcome has no part in the predictions for its own cluster, so near twins of one repository do not leak;
an arm without observations is predicted at the mean of all; no prediction leaves the range of the outcomes that it was
made from. The doubly robust estimators stay right however wrong this model is: it only sets their variance (on
cross-fitting: Chernozhukov et al. 2018, "Double/debiased machine learning for treatment and structural parameters").
Left out: choosing the penalty from the data.
"""

from __future__ import annotations

import numpy as np

from krins.errors import UserError
from krins.interfaces import FloatArray, IntArray
from krins.statistics.overlap import Log


def cross_fitted_predictions(
    log: Log, n_arms: int, features: FloatArray | None = None, n_folds: int = 5, penalty: float = 1.0
) -> FloatArray:
    """Predicted outcome of each arm at each logged decision, shape (n, n_arms).

    One ridge regression an arm on standardised features, with an intercept that is drawn to the mean of all arms as
    by `penalty` further observations there. Without features that is the arm's shrunken mean.

    Args:
        features: shape (n, n_features), finite, known before the decision; None for none.
        n_folds: at least 2; as many as there are clusters are used if there are fewer.
        penalty: positive.

    Raises:
        UserError: all decisions are of one cluster, so none could be predicted from others.
    """
    n = len(log.actions)
    if n_folds < 2 or not penalty > 0:
        raise ValueError(f"it takes at least 2 folds and a positive penalty, got {n_folds} and {penalty}")
    inputs = np.zeros((n, 0)) if features is None else features
    if inputs.ndim != 2 or len(inputs) != n or not np.isfinite(inputs).all():
        raise ValueError(f"features are finite and have a row for each of the {n} decisions")
    folds = cluster_folds(log.clusters, n_folds)
    if n == 0 or folds.max() == 0:
        raise UserError(
            "the log is of one cluster, so no decision can be predicted from those of others",
            "log decisions on tasks of at least two clusters",
        )
    predictions = np.empty((n, n_arms))
    for fold in range(int(folds.max()) + 1):
        seen, held = folds != fold, folds == fold
        design, held_design = _designs(inputs[seen], inputs[held])
        predictions[held] = held_design @ _coefficients(design, log.actions[seen], log.outcomes[seen], n_arms, penalty)
        predictions[held] = predictions[held].clip(log.outcomes[seen].min(), log.outcomes[seen].max())
    return predictions


def cluster_folds(clusters: IntArray, n_folds: int) -> IntArray:
    """Fold of each decision, shape (n,): whole clusters, dealt in turn from the largest to the smallest."""
    codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)[1:]
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.asarray(rank[codes] % n_folds)


def _designs(seen: FloatArray, held: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both with a column of ones and the features in units of those seen, shape (rows, 1 + n_features)."""
    centre, scale = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(scale > 1e-12 * (1 + np.abs(centre)), scale, np.inf)
    ones = np.ones((max(len(seen), len(held)), 1))
    return (
        np.hstack([ones[: len(seen)], (seen - centre) / scale]),
        np.hstack([ones[: len(held)], (held - centre) / scale]),
    )


def _coefficients(
    design: FloatArray, actions: IntArray, outcomes: FloatArray, n_arms: int, penalty: float
) -> FloatArray:
    """Of each arm's regression, shape (1 + n_features, n_arms)."""
    overall = outcomes.mean()
    width = design.shape[1]
    coefficients = np.empty((width, n_arms))
    for arm in range(n_arms):
        rows = design[actions == arm]
        gram = rows.T @ rows + penalty * np.eye(width)
        coefficients[:, arm] = np.linalg.solve(gram, rows.T @ (outcomes[actions == arm] - overall))
    coefficients[0] += overall
    return coefficients
