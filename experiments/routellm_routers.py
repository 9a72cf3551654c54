"""Routers between two models, trained on outcomes: scores for prompts that training has not seen.

Each family predicts the quality gained by the strong model, strong - weak, from what a prompt looks like. Its one
setting (a ridge penalty, or a number of neighbours) is the one of least squared error over inner folds of the training
prompts, and a stack weighs the families by non-negative least squares on the same inner predictions (Breiman 1996,
"Stacked regressions"; van der Laan, Polley and Hubbard 2007, "Super learner"). Online: LinUCB and LinTS of krins meet
the training prompts once, in random order, see the outcome of the model that they chose alone, and are then frozen.

Invariants: a held-out prompt, and every prompt of its group, has no outcome in anything that scores it. Features are
fitted on the texts of all prompts at hand, never on outcomes. Left out: encoders that need a GPU, and other people's
preference data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from krins.domain import Task
from krins.interfaces import BoolArray, Context, Feedback, FloatArray, IntArray, Policy
from krins.routing.features import FeatureSpec
from krins.routing.floor import ExplorationFloor
from krins.routing.linear import LinTS, LinUCB

Predict = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""(inputs seen, their gains, inputs held out) -> predictions, shape (n_settings, n_held)."""

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
NEIGHBOURS = (10, 20, 50, 100, 200)
N_FOLDS = 5
N_INNER_FOLDS = 3
SHINGLE_WORDS = 5
TWIN_SIMILARITY = 0.5
ONLINE_COLUMNS = 64
ONLINE_FLOOR = 0.2
STACK = "stack of all, chosen beforehand"


class Family(NamedTuple):
    inputs: FloatArray
    """Shape (n_prompts, n_columns)."""
    predict: Predict


def families(tasks: Sequence[Task]) -> dict[str, Family]:
    length = _columns(tasks, length=True)
    surface = np.hstack([length[:, :1], _surface([task.prompt for task in tasks])])
    embedding = _columns(tasks, intercept=False, embedding=256)
    words = _columns(tasks, intercept=False, word_buckets=512)
    characters = _columns(tasks, intercept=False, character_buckets=512)
    return {
        "ridge: length": Family(length, ridge),
        "ridge: counts": Family(surface, ridge),
        "ridge: length, embedding": Family(np.hstack([length, embedding]), ridge),
        "ridge: length, words": Family(np.hstack([length, words]), ridge),
        "ridge: length, characters": Family(np.hstack([length, characters]), ridge),
        "ridge: counts, embedding, words, characters": Family(
            np.hstack([surface, embedding, words, characters]), ridge
        ),
        "nearest neighbours in the embedding": Family(embedding, neighbours),
    }


def _columns(tasks: Sequence[Task], **features: Any) -> FloatArray:
    return FeatureSpec(one_hot=(), **features).fit(tasks).transform(tasks)


def _surface(prompts: Sequence[str]) -> FloatArray:
    """Shape (n_prompts, n_counts): what can be counted in a text, in standard deviations, each row of length <= 1."""
    counts = np.array([_counts(prompt) for prompt in prompts])
    spread = counts.std(axis=0)
    scaled = (counts - counts.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(scaled.clip(-3.0, 3.0) / (3.0 * np.sqrt(counts.shape[1])))


def _counts(prompt: str) -> list[float]:
    words, numbers = prompt.split(), re.findall(r"\d+(?:\.\d+)?", prompt)
    size, n_words = max(len(prompt), 1), max(len(words), 1)
    return [
        np.log1p(len(prompt)),
        np.log1p(len(words)),
        np.log1p(len(numbers)),
        np.log1p(len(set(numbers))),
        np.log1p(max((float(number) for number in numbers), default=0.0)),
        sum("." in number for number in numbers),
        len(prompt) / n_words,
        len(set(words)) / n_words,
        sum(map(str.isdigit, prompt)) / size,
        sum(map(str.isupper, prompt)) / size,
        *(np.log1p(prompt.count(mark)) for mark in ".,?!%$'\"/(\n"),
    ]


def ridge(seen: FloatArray, gains: FloatArray, held: FloatArray) -> FloatArray:
    """Around the mean gain, for each of PENALTIES."""
    mean = gains.mean()
    is_wide = len(seen) < seen.shape[1]
    # Wide inputs: the same predictions from inner products of prompts, of which there are fewer than columns.
    gram = seen @ seen.T if is_wide else seen.T @ seen
    target = gains - mean if is_wide else seen.T @ (gains - mean)
    basis = held @ seen.T if is_wide else held
    diagonal = np.diag_indices(len(gram))
    solutions = []
    for penalty in PENALTIES:
        matrix = gram.copy()
        matrix[diagonal] += penalty
        solutions.append(cho_solve(cho_factor(matrix, overwrite_a=True), target))
    return np.asarray(mean + np.array(solutions) @ basis.T)


def neighbours(seen: FloatArray, gains: FloatArray, held: FloatArray) -> FloatArray:
    """Mean gain of the nearest by cosine, rows being of unit length, for each of NEIGHBOURS that there are."""
    most = min(max(NEIGHBOURS), len(seen))
    sizes = np.minimum(NEIGHBOURS, most)
    predictions = np.empty((len(sizes), len(held)))
    table = seen.T.astype(np.float32)
    for rows in np.array_split(np.arange(len(held)), max(1, len(held) // 500)):
        similarity = held[rows].astype(np.float32) @ table
        nearest = np.argpartition(-similarity, most - 1, axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(similarity, nearest, axis=1), axis=1, kind="stable")
        cumulative = gains[np.take_along_axis(nearest, order, axis=1)].cumsum(axis=1)
        predictions[:, rows] = (cumulative[:, sizes - 1] / sizes).T
    return predictions


def near_twins(prompts: Sequence[str]) -> IntArray:
    """Group of each prompt, shape (n_prompts,): chains of prompts that share half of their runs of five words."""
    codes: dict[tuple[str, ...], int] = {}
    rows, columns = [], []
    for row, prompt in enumerate(prompts):
        words = prompt.lower().split()
        runs = {tuple(words[i : i + SHINGLE_WORDS]) for i in range(max(1, len(words) - SHINGLE_WORDS + 1))}
        rows.extend([row] * len(runs))
        columns.extend(codes.setdefault(run, len(codes)) for run in sorted(runs))
    shingles = csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(len(prompts), len(codes)))
    shared = (shingles @ shingles.T).tocoo()
    sizes = shingles.sum(axis=1)
    union = sizes[shared.row] + sizes[shared.col] - shared.data
    is_twin = shared.data >= TWIN_SIMILARITY * union
    graph = csr_array((is_twin[is_twin], (shared.row[is_twin], shared.col[is_twin])), shape=shared.shape)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def random_folds(groups: IntArray, n_folds: int, rng: np.random.Generator) -> IntArray:
    """Fold of each prompt, shape (n_prompts,): whole groups, in random order, each into the fold with the fewest."""
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    filled, fold_of = np.zeros(n_folds), np.empty(len(sizes), np.int64)
    # Large groups first, so that folds are of about one size; ties in random order.
    for group in sorted(rng.permutation(len(sizes)).tolist(), key=lambda code: -sizes[code]):
        fold_of[group] = np.argmin(filled + rng.random(n_folds) * 0.5)
        filled[fold_of[group]] += sizes[group]
    return np.asarray(fold_of[codes])


def out_of_fold_scores(
    known: dict[str, Family], gains: FloatArray, groups: IntArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Of each family and of the stack, shape (n_prompts,)."""
    folds = random_folds(groups, N_FOLDS, rng)
    scores = {name: np.empty(len(gains)) for name in (*known, STACK)}
    for fold in range(N_FOLDS):
        held = folds == fold
        for name, found in trained_scores(known, gains, groups, ~held, held, rng).items():
            scores[name][held] = found
    return scores


def trained_scores(
    known: dict[str, Family],
    gains: FloatArray,
    groups: IntArray,
    seen: BoolArray,
    held: BoolArray,
    rng: np.random.Generator,
) -> dict[str, FloatArray]:
    """Scores of the held-out prompts by what was trained, and chosen, on those seen; gains elsewhere are not read."""
    target = gains[seen]
    inner = random_folds(groups[seen], N_INNER_FOLDS, rng)
    scores, inner_columns = {}, []
    for name, family in known.items():
        inputs = family.inputs[seen]
        by_setting = _inner_predictions(family.predict, inputs, target, inner)
        best = int(np.argmin(((by_setting - target) ** 2).mean(axis=1)))
        inner_columns.append(by_setting[best])
        scores[name] = family.predict(inputs, target, family.inputs[held])[best]
    mean = target.mean()
    weights = nnls(np.array(inner_columns).T - mean, target - mean)[0]
    scores[STACK] = mean + weights @ (np.array(list(scores.values())) - mean)
    return scores


def _inner_predictions(predict: Predict, inputs: FloatArray, target: FloatArray, inner: IntArray) -> FloatArray:
    """Of each setting for each prompt by the others' folds, shape (n_settings, n_seen)."""
    parts = []
    for fold in range(N_INNER_FOLDS):
        rest = inner != fold
        parts.append(predict(inputs[rest], target[rest], inputs[~rest]))
    predictions = np.empty((len(parts[0]), len(target)))
    predictions[:, np.argsort(inner, kind="stable")] = np.concatenate(parts, axis=1)
    return predictions


def online_inputs(tasks: Sequence[Task]) -> FloatArray:
    return np.hstack([_columns(tasks, length=True), _columns(tasks, intercept=False, embedding=ONLINE_COLUMNS)])


def online_scores(
    rows: FloatArray, weak: FloatArray, strong: FloatArray, groups: IntArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Folds of groups for bandits that learn from the answers they chose; each fold is one replication.

    Args:
        rows: shape (n_prompts, n_columns), of `online_inputs`.
    """
    folds = random_folds(groups, N_FOLDS, rng)
    orders = [rng.permutation(np.flatnonzero(folds != fold)) for fold in range(N_FOLDS)]
    # Replications go in step, so the few prompts by which training sets differ in size are left out.
    order = np.array([seen[: min(map(len, orders))] for seen in orders]).T
    qualities = np.stack([weak, strong], axis=1)
    scores = {}
    policies: dict[str, Policy[Any]] = {
        "online: LinUCB 1": LinUCB(rows.shape[1], alpha=1.0),
        "online: LinTS 0.5": LinTS(rows.shape[1], scale=0.5),
    }
    for name, policy in policies.items():
        theta = _learnt(ExplorationFloor(policy, ONLINE_FLOOR), rows, qualities, order, rng)
        scores[name] = np.vecdot(rows, theta[folds, 1] - theta[folds, 0])
    return scores


def _learnt(
    policy: Policy[Any], rows: FloatArray, qualities: FloatArray, order: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Coefficients after one pass, shape (n_folds, 2, n_columns)."""
    state = policy.init(2, order.shape[1])
    pending = np.zeros((order.shape[1], 2), np.int64)
    for at in order:
        arms = policy.choose(state, Context(pending, rows[at]), rng).arms
        state = policy.update(state, Feedback(arms, qualities[at, arms], features=rows[at]))
    return np.asarray(state.theta)
