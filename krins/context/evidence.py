"""What speaks for a unit being needed for a task, as numbers between 0 and about 1.

Scores whose scale depends on the task are given as shares of the best one, or as ranks: log(1 + rank) over log(1 + n),
so 0 is the best and 1 what does not match at all.

Invariants: a function of task, graph and history alone; finite, whatever is empty. Left out: what it weighs
(`krins.context.ranking`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from krins.context.graph import CodeGraph
from krins.context.history import MAX_COMMITS, Change
from krins.context.naming import is_test
from krins.context.terms import holders, query_terms, terms_of
from krins.interfaces import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

EVIDENCE = (
    "file_rank",
    "unit_rank",
    "unit_score",
    "name_score",
    "path_score",
    "recency",
    "frequency",
    "message_rank",
    "co_change_rank",
    "used_rank",
    "using_rank",
    "is_test",
    "unit_size",
    "file_size",
    "is_rest_of_file",
)
"""The columns of `Evidence.matrix`."""

_K1, _B = 1.2, 0.75
"""BM25's usual saturation and length normalisation."""
_MAX_PATHS = 30
"""Commits that touch more files are sweeps; they tell nothing of what belongs together."""
_HALF_LIFE = 200
"""Commits after which a change counts half."""
_N_SIMILAR, _N_SEEDS, _N_SEED_FILES = 50, 50, 10
_MAX_DEFINERS = 20
"""A name that is defined more often says little of which definition is meant."""
_MAX_QUERY, _MAX_TERMS = 2000, 200
"""Terms of a task that are looked for, and of those that the tree has: a long log among the task's text must not cost
gigabytes. The rarest ones tell most."""
_DECIMALS = 9


class Evidence:
    """All evidence for one task."""

    def __init__(self, task: str, graph: CodeGraph, history: Sequence[Change] = ()) -> None:
        self._graph = graph
        self._history = [
            (query_terms(change.message), [graph.file_ids[path] for path in change.paths if path in graph.file_ids])
            for change in history[:MAX_COMMITS]
            if 0 < len(change.paths) <= _MAX_PATHS
        ]
        counts = query_terms(task)
        self._said = dict(counts.most_common(_MAX_TERMS))
        """Of the task, whether or not the tree has them."""
        held = holders(graph.words, [term for term, _ in counts.most_common(_MAX_QUERY)])
        rarest = sorted((term for term in held if held[term]), key=lambda term: len(held[term]))[:_MAX_TERMS]
        self._held = [held[term] for term in rarest]
        self._terms = tuple(rarest)
        self._term_weights = np.array([counts[term] for term in rarest], dtype=float)

    def matrix(self) -> FloatArray:
        """Shape (n_units, len(EVIDENCE))."""
        graph = self._graph
        if not graph.words:
            return np.zeros((graph.n_units, len(EVIDENCE)))
        of_file = graph.file_of_unit
        recency, frequency = self._recency_and_frequency()
        used, using = self._neighbours()
        tokens = np.concatenate([facts.unit_tokens for facts in graph.facts])
        file_tokens = np.bincount(of_file, tokens, graph.n_files)
        tests = np.array([is_test(path) for path in graph.paths], dtype=float)
        columns = {
            "file_rank": _ranks(self.file_scores)[of_file],
            "unit_rank": _ranks(self._unit_scores),
            "unit_score": _shares(self._unit_scores),
            "name_score": _shares(self._name_scores()),
            "path_score": _shares(self._path_scores())[of_file],
            "recency": recency[of_file],
            "frequency": frequency[of_file],
            "message_rank": _ranks(self._message_scores())[of_file],
            "co_change_rank": _ranks(self._co_change_scores())[of_file],
            "used_rank": _ranks(used),
            "using_rank": _ranks(using),
            "is_test": tests[of_file],
            "unit_size": np.log1p(tokens) / 5,
            "file_size": np.log1p(file_tokens)[of_file] / 8,
            "is_rest_of_file": self._is_rest.astype(float),
        }
        return np.column_stack([columns[name] for name in EVIDENCE])

    @cached_property
    def _is_rest(self) -> BoolArray:
        is_rest = np.zeros(self._graph.n_units, dtype=np.bool_)
        is_rest[self._graph.first_unit[:-1]] = True
        return is_rest

    @cached_property
    def _word_terms(self) -> csr_array[Any]:
        """Shape (n_words, n_terms): which words of the tree have which terms of the task."""
        from scipy.sparse import csr_array

        columns = [np.full(len(words), at) for at, words in enumerate(self._held)]
        rows = [np.array(words, dtype=np.int64) for words in self._held]
        pairs = (np.concatenate([*rows, []]).astype(np.int64), np.concatenate([*columns, []]).astype(np.int64))
        return csr_array((np.ones(len(pairs[0])), pairs), shape=(len(self._graph.words), len(self._terms)))

    @cached_property
    def _unit_counts(self) -> FloatArray:
        """Shape (n_units, n_terms): how many times each unit says a term."""
        counts: FloatArray = (self._graph.mentions @ self._word_terms).toarray()
        return counts

    @cached_property
    def _unit_lengths(self) -> FloatArray:
        lengths: FloatArray = np.asarray(self._graph.mentions.sum(axis=1), dtype=float).ravel()
        return lengths

    @cached_property
    def _unit_scores(self) -> FloatArray:
        return bm25(self._unit_counts, self._unit_lengths, self._term_weights)

    @cached_property
    def file_scores(self) -> FloatArray:
        """Shape (n_files,): BM25 of the task and each file."""
        starts = self._graph.first_unit[:-1]
        counts, lengths = np.add.reduceat(self._unit_counts, starts), np.add.reduceat(self._unit_lengths, starts)
        return bm25(counts, lengths, self._term_weights)

    def _path_scores(self) -> FloatArray:
        parts = [[t for word in re.findall(r"\w+", path) for t in terms_of(word)] for path in self._graph.paths]
        says = np.array([[term in some for term in self._terms] for some in map(set, parts)], dtype=float)
        lengths = np.array([len(some) for some in parts], dtype=float)
        return bm25(says.reshape(len(parts), len(self._terms)), lengths, self._term_weights)

    def _name_scores(self) -> FloatArray:
        """By the terms in the name of a unit and, half, in that of what it is in, weighed by how rare they are."""
        graph, terms = self._graph, self._word_terms
        names, parents = unit_names(graph), unit_parents(graph)
        says = np.minimum(terms[np.maximum(names, 0)].toarray(), 1.0)
        says[names < 0] = 0.0
        around = np.where((parents >= 0)[:, None], 0.5 * says[np.maximum(parents, 0)], 0.0)
        lengths = np.array([len(terms_of(graph.words[name])) if name >= 0 else 0 for name in names.tolist()])
        scores: FloatArray = np.maximum(says, around) @ (_idf(says) * self._term_weights) / (1 + 0.2 * lengths)
        return scores

    def _recency_and_frequency(self) -> tuple[FloatArray, FloatArray]:
        """Shape (n_files,) each. Recency: 0 for what the last commit changed, 1 for what none did."""
        last = np.full(self._graph.n_files, float(MAX_COMMITS))
        frequency = np.zeros(self._graph.n_files)
        for age, (_, files) in enumerate(self._history):
            last[files] = np.minimum(last[files], age)
            frequency[files] += 0.5 ** (age / _HALF_LIFE)
        return np.log1p(last) / np.log1p(MAX_COMMITS), np.log1p(frequency)

    @cached_property
    def _changed(self) -> csr_array[Any]:
        """Shape (n_commits, n_files): which commits changed which files."""
        from scipy.sparse import csr_array

        pairs = [(commit, file) for commit, (_, files) in enumerate(self._history) for file in files]
        rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(self._history), self._graph.n_files))

    def _message_scores(self) -> FloatArray:
        """Shape (n_files,): files of the past commits whose messages read most like the task."""
        if not self._history:
            return np.zeros(self._graph.n_files)
        counts = np.array([[words[term] for term in self._said] for words, _ in self._history], dtype=float)
        lengths = np.array([sum(words.values()) + 1.0 for words, _ in self._history])
        weights = np.array(list(self._said.values()), dtype=float)
        scores = bm25(counts.reshape(len(lengths), len(weights)), lengths, weights)
        similar = _best(scores, _N_SIMILAR) ** 1.5
        sizes = np.array([max(len(files), 1) for _, files in self._history])
        found: FloatArray = self._changed.T @ (similar / np.sqrt(sizes))
        return found

    def _co_change_scores(self) -> FloatArray:
        """Shape (n_files,): files that changed in the same commits as the best matches by words."""
        if not self._history:
            return np.zeros(self._graph.n_files)
        changed = self._changed
        seeds = _best(_shares(self.file_scores) ** 4, _N_SEED_FILES)
        n_changes, n_files = np.asarray(changed.sum(axis=0)).ravel(), np.asarray(changed.sum(axis=1)).ravel()
        found: FloatArray = changed.T @ ((changed @ (seeds / (1 + n_changes))) / np.maximum(n_files, 1))
        return found

    def _neighbours(self) -> tuple[FloatArray, FloatArray]:
        """Shape (n_units,) each: how much the best matches use a unit's names, and how much it uses theirs."""
        from scipy.sparse import csr_array

        graph = self._graph
        names = unit_names(graph)
        units = np.flatnonzero(names >= 0)
        shape = (graph.n_units, len(graph.words))
        defines = csr_array((np.ones(len(units)), (units, names[units])), shape=shape)
        n_definers = np.bincount(names[units], minlength=len(graph.words))
        share = np.where((n_definers > 0) & (n_definers <= _MAX_DEFINERS), 1 / np.maximum(n_definers, 1), 0.0)
        uses = graph.mentions.astype(float)
        uses.data = np.log1p(uses.data) * share[uses.indices]
        degrees = np.asarray(uses.sum(axis=1)).ravel()
        seeds = _best((_shares(self._unit_scores) * _shares(self.file_scores)[graph.file_of_unit]) ** 2, _N_SEEDS)
        used = defines @ (uses.T @ (seeds / np.sqrt(np.maximum(degrees, 1e-9))))
        using = uses @ (defines.T @ seeds) / np.sqrt(np.maximum(degrees, 1.0))
        return used, using


def bm25(counts: FloatArray, lengths: FloatArray, weights: FloatArray) -> FloatArray:
    """Shape (n_documents,): the score of each document.

    counts: shape (n_documents, n_terms), of each term of the query in each document; lengths: shape (n_documents,);
    weights: shape (n_terms,), how often the query says each term.
    """
    mean = lengths.mean() if len(lengths) else 0.0
    norm = _K1 * (1 - _B + _B * lengths / (mean or 1.0))
    saturated = counts * (_K1 + 1) / (counts + norm[:, None])
    scores: FloatArray = saturated @ (_idf(counts) * weights)
    return scores


def unit_names(graph: CodeGraph) -> IntArray:
    """Shape (n_units,): index of the word that each unit's definition is called by; -1 for the rest of a file."""
    definitions = [facts.unit_definitions for facts in graph.facts]
    n_definitions = np.array([len(facts.definitions) for facts in graph.facts], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(n_definitions)[:-1]])[graph.file_of_unit]
    local = np.concatenate([*definitions, np.zeros(0, dtype=np.int32)])
    padded = np.append(graph.definition_words, -1)
    names: IntArray = np.where(local >= 0, padded[np.where(local >= 0, starts + local, -1)], -1)
    return names


def unit_parents(graph: CodeGraph) -> IntArray:
    """Shape (n_units,): the unit of the definition around each one; -1 for those that stand in none."""
    parents = np.full(graph.n_units, -1, dtype=np.int64)
    for file, facts in enumerate(graph.facts):
        units = {definition: unit for unit, definition in enumerate(facts.unit_definitions.tolist())}
        for definition, unit in units.items():
            around = facts.definitions[definition].parent if definition >= 0 else -1
            if around >= 0 and around in units:
                parents[graph.first_unit[file] + unit] = graph.first_unit[file] + units[around]
    return parents


def _idf(counts: FloatArray) -> FloatArray:
    n_documents, n_with = len(counts), (counts > 0).sum(axis=0)
    idf: FloatArray = np.log(1 + (n_documents - n_with + 0.5) / (n_with + 0.5))
    return idf


def _shares(scores: FloatArray) -> FloatArray:
    best = scores.max(initial=0.0)
    return scores / best if best > 0 else np.zeros_like(scores)


def _ranks(scores: FloatArray) -> FloatArray:
    ranks: FloatArray = np.empty(len(scores))
    ranks[_order(scores)] = np.arange(len(scores))
    ranks[scores <= 0] = len(scores)
    shares: FloatArray = np.log1p(ranks) / np.log1p(len(scores))
    return shares


def _order(scores: FloatArray) -> IntArray:
    """Best first. What differs by no more than the order of a sum is equal, on every machine."""
    order: IntArray = np.argsort(-np.round(_shares(scores), _DECIMALS), kind="stable")
    return order


def _best(scores: FloatArray, n: int) -> FloatArray:
    """Only the `n` best scores, the rest zero."""
    kept = np.zeros_like(scores)
    best = _order(scores)[:n]
    kept[best] = scores[best]
    return kept


__all__ = ["EVIDENCE", "Evidence", "bm25", "unit_names", "unit_parents"]
