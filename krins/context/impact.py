"""What a change can break, nearest first: a breadth-first walk back along the graph's edges.

From a unit the walk goes to those that call it for certain, from what is outside of a file's definitions to the files
that import it, and from whatever defines a name to all that mention it, wherever they mean another thing by it.
Invariants: a unit has the least distance at which it can be reached, and of the edges at that distance the first of
`Edge`; the order depends on the graph alone. Left out: which tests must run (`krins.context.tests_for`), which asks for
more than what is likely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from krins.context.graph import CodeGraph
from krins.errors import ContextError
from krins.interfaces import IntArray

_N_SUGGESTIONS = 3


class Edge(IntEnum):
    """In order of certainty."""

    CALL = 0
    IMPORT = 1
    NAME = 2


@dataclass(frozen=True, slots=True)
class Impact:
    """Shapes are (n_reached,); what was changed is not among the reached."""

    units: IntArray
    """Sorted by distance, then by edge, then by number."""
    distances: IntArray
    """Edges on the shortest way from what was changed."""
    edges: IntArray
    """By which it was reached: values of `Edge`."""
    sources: IntArray
    """The unit from which it was reached."""


class _Pairs(NamedTuple):
    """Edges in the direction of the walk, by row."""

    starts: IntArray
    """Shape (n_rows + 1,)."""
    targets: IntArray
    """Shape (n_edges,)."""

    def of(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """The targets of rows, and for each of them the index of its row among `rows`."""
        counts = self.starts[rows + 1] - self.starts[rows]
        index = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.targets[self.starts[rows][index] + within], index


def impact(graph: CodeGraph, changed: Iterable[str]) -> Impact:
    """What can break when symbols or files change.

    Args:
        changed: symbols as `CodeGraph.find` takes them; a path stands for everything in the file.

    Raises:
        ContextError: nothing is so called.
    """
    frontier = np.unique([unit for symbol in changed for unit in units_of(graph, symbol)]).astype(np.int64)
    seen = np.zeros(graph.n_units, dtype=np.bool_)
    seen[frontier] = True
    steps = _steps(graph)
    found: list[IntArray] = []
    distance = 0
    while len(frontier):
        distance += 1
        level = []
        for edge, step in steps.items():
            targets, sources = step(frontier)
            units, first = np.unique(targets, return_index=True)
            is_new = ~seen[units]
            units, sources = units[is_new], frontier[sources[first[is_new]]]
            seen[units] = True
            level.append(np.stack([units, np.full_like(units, distance), np.full_like(units, edge), sources]))
        found += level
        frontier = np.sort(np.concatenate(level, axis=1)[0])
    return Impact(*np.concatenate([np.zeros((4, 0), dtype=np.int64), *found], axis=1))


def units_of(graph: CodeGraph, symbol: str) -> Sequence[int]:
    """Units by a symbol, as `CodeGraph.find` takes it; all those of a file by its path or the last parts of that.

    Raises:
        ContextError: nothing is so called.
    """
    found = graph.find(symbol)
    files = [file for file in graph.file_of_unit[found].tolist() if f"/{graph.paths[file]}".endswith(f"/{symbol}")]
    if files:
        return [unit for file in files for unit in range(*graph.first_unit[file : file + 2].tolist())]
    if found:
        return found
    names = {graph.words[word] for word in np.unique(graph.definition_words).tolist()}
    near = get_close_matches(symbol.replace("::", ".").rpartition(".")[2], sorted(names), _N_SUGGESTIONS)
    near += get_close_matches(symbol, graph.paths, _N_SUGGESTIONS)
    raise ContextError(
        f"{symbol}: no file, and no symbol of one, is so called",
        f"perhaps {' or '.join(near)}" if near else "name one as in `pkg/mod.py::Class.method`, or a part of that",
    )


def _steps(graph: CodeGraph) -> Mapping[Edge, Callable[[IntArray], tuple[IntArray, IntArray]]]:
    callers, importers = graph.calls.T.tocsr(), graph.imports.T.tocsr()
    calling = _Pairs(callers.indptr.astype(np.int64), callers.indices.astype(np.int64))
    importing = _Pairs(importers.indptr.astype(np.int64), importers.indices.astype(np.int64))
    naming, mentioning = _pairs(graph.definition_units, graph.definition_words, graph.n_units), _mentioning(graph)
    is_new_word = np.ones(len(graph.words), dtype=np.bool_)

    def importing_units(units: IntArray) -> tuple[IntArray, IntArray]:
        is_outside = np.flatnonzero(graph.first_unit[graph.file_of_unit[units]] == units)
        files, index = importing.of(graph.file_of_unit[units[is_outside]])
        return graph.first_unit[files], is_outside[index]

    def mentioning_units(units: IntArray) -> tuple[IntArray, IntArray]:
        words, index = naming.of(units)
        words, first = np.unique(words, return_index=True)
        new = is_new_word[words]  # whoever mentions the others has been reached with them
        words, index = words[new], index[first[new]]
        is_new_word[words] = False
        mentions, of_words = mentioning.of(words)
        return mentions, index[of_words]

    return {Edge.CALL: calling.of, Edge.IMPORT: importing_units, Edge.NAME: mentioning_units}


def _mentioning(graph: CodeGraph) -> _Pairs:
    """From each word to the units that mention it, but for those whose own name it is and that have it once."""
    units = np.repeat(np.arange(graph.n_units), np.diff(graph.mention_starts))
    pairs = units * len(graph.words) + graph.mention_words
    defined = np.unique(graph.definition_units.astype(np.int64) * len(graph.words) + graph.definition_words)
    is_own = (graph.mention_counts == 1) & np.isin(pairs, defined)
    return _pairs(graph.mention_words[~is_own], units[~is_own], len(graph.words))


def _pairs(rows: IntArray, targets: IntArray, n_rows: int) -> _Pairs:
    starts = np.zeros(n_rows + 1, dtype=np.int64)
    starts[1:] = np.cumsum(np.bincount(rows, minlength=n_rows))
    return _Pairs(starts, targets[np.argsort(rows, kind="stable")])


__all__ = ["Edge", "Impact", "impact", "units_of"]
