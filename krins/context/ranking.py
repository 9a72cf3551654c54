"""How likely a unit's body is needed for a task: evidence, and the weights that turn it into a probability.

The evidence is of four kinds: words that the task shares with file, unit, name and path (BM25, Robertson and Zaragoza
2009, The Probabilistic Relevance Framework, section 3.1); history (how lately and how often a file changed, files whose
past commit messages read like the task, files that changed together with the best matches); the graph (definitions that
matching units use, and units that use those); and the unit itself (size, test or not, rest of the file or not). A
logistic model weighs it. Its weights were fitted to commits of five repositories and are measured on others
(`experiments/context_weights.py`, `experiments/context_recall.py`).

Invariants: a function of task, graph and history alone; ties go to the earlier unit. Left out: budgets, and what is
shown of a unit (`krins.context.packing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from krins.context.evidence import EVIDENCE, Evidence
from krins.context.graph import CodeGraph
from krins.context.history import Change
from krins.interfaces import FloatArray

_INTERCEPT = 2.45
_WEIGHTS = {
    "file_rank": -1.36,
    "unit_rank": -1.74,
    "unit_score": 3.06,
    "name_score": 1.23,
    "path_score": 1.76,
    "recency": -2.66,
    "frequency": -0.26,
    "message_rank": -0.90,
    "co_change_rank": -1.24,
    "used_rank": -0.78,
    "using_rank": -0.82,
    "is_test": -0.81,
    "unit_size": 2.64,
    "file_size": -1.93,
    "is_rest_of_file": 1.82,
}
"""What `experiments/context_weights.py --cases 50` printed for aider, sphinx, sqlalchemy, pylint and wagtail."""
_DECIMALS = 9
"""What differs by less is equal, on every machine."""


class Ranking(NamedTuple):
    log_probabilities: FloatArray
    """Shape (n_units,): of being needed in full; good for ordering, not calibrated."""
    file_scores: FloatArray
    """Shape (n_files,): of each file's best unit."""

    @property
    def files(self) -> list[int]:
        """Best first."""
        order: list[int] = np.argsort(-self.file_scores, kind="stable").tolist()
        return order


def rank(task: str, graph: CodeGraph, history: Sequence[Change] = ()) -> Ranking:
    """Rank the units and files of a tree for a task."""
    evidence = Evidence(task, graph, history).matrix()
    logits = evidence @ np.array([_WEIGHTS[name] for name in EVIDENCE]) + _INTERCEPT
    return ranking_of(graph, logits)


def ranking_of(graph: CodeGraph, logits: FloatArray) -> Ranking:
    """From the log-odds of each unit."""
    log_probabilities: FloatArray = -np.logaddexp(np.zeros(len(logits)), -logits)
    log_probabilities = log_probabilities.round(_DECIMALS)
    file_scores = np.full(graph.n_files, -np.inf)
    np.maximum.at(file_scores, graph.file_of_unit, log_probabilities)
    return Ranking(log_probabilities, file_scores)


__all__ = ["Ranking", "rank", "ranking_of"]
