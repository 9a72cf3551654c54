"""The code graph: files, their units, words and definitions as arrays, and the edges between them.

Nodes are units (`krins.context.facts`), numbered file by file in the order of the paths. Words have one table for the
whole tree, in order of their code points. Edges are resolved (`krins.context.resolve`) when they are first asked for.

Invariants: a graph never changes, and is a function of paths and contents alone: however an index came to a state of
the tree, the graph is the same to the last entry. Left out: how files are found and kept (`krins.context.index`), and
what is made of a graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from krins.context.facts import FileFacts
from krins.context.resolve import Resolver
from krins.context.resolving.edges import NO_EDGES, Edges
from krins.interfaces import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Matrix = csr_array[Any]


@dataclass(frozen=True, eq=False)
class CodeGraph:
    paths: tuple[str, ...]
    """Sorted, relative to the tree's root, with "/"."""
    facts: tuple[FileFacts, ...]
    """Of each path."""
    digests: tuple[str, ...]
    """Of each file's content, as git names blobs."""
    first_unit: IntArray
    """Shape (n_files + 1,): unit u of file f is unit first_unit[f] + u of the graph. int32, as all arrays here."""
    file_of_unit: IntArray
    """Shape (n_units,)."""
    words: Sequence[str]
    """Every word of the tree and every name of a definition, sorted."""
    mention_starts: IntArray
    """Shape (n_units + 1,): where each unit's part of the next two arrays begins."""
    mention_words: IntArray
    """Shape (n_mentions,): distinct within each unit, in the order of the file's facts."""
    mention_counts: IntArray
    """Shape (n_mentions,)."""
    definition_words: IntArray
    """Shape (n_definitions,): the name of each definition, file by file, in the order of the file's facts."""
    definition_units: IntArray
    """Shape (n_definitions,): the unit that is its body, or else that holds its first line."""
    definition_files: IntArray
    """Shape (n_definitions,)."""
    skipped: Mapping[str, int]
    """Files left out, by reason."""
    warnings: tuple[str, ...] = ()
    """What went wrong without harm to the graph, in words for the user."""
    resolver: Resolver = field(default_factory=Resolver, repr=False)
    """May know the edges of an earlier state of the tree."""

    @property
    def n_files(self) -> int:
        return len(self.paths)

    @property
    def n_units(self) -> int:
        return len(self.file_of_unit)

    @cached_property
    def word_ids(self) -> Mapping[str, int]:
        return dict(zip(self.words, range(len(self.words)), strict=True))

    @cached_property
    def file_ids(self) -> Mapping[str, int]:
        return dict(zip(self.paths, range(self.n_files), strict=True))

    @cached_property
    def mentions(self) -> Matrix:
        """Shape (n_units, n_words): how many times a unit's lines hold a word."""
        from scipy.sparse import csr_array

        parts = (self.mention_counts, self.mention_words, self.mention_starts)
        mentions = csr_array(parts, shape=(self.n_units, len(self.words)), copy=True)
        mentions.sort_indices()
        return mentions

    @cached_property
    def imports(self) -> Matrix:
        """Shape (n_files, n_files), boolean: the row's file imports the column's, or what the column's passes on."""
        rows = np.repeat(np.arange(self.n_files), [len(edges.imports) for edges in self._edges])
        return _adjacency(rows, joined(edges.imports for edges in self._edges), self.n_files)

    @cached_property
    def calls(self) -> Matrix:
        """Shape (n_units, n_units), boolean: the row's unit calls what the column's defines, for certain."""
        found = np.concatenate([NO_EDGES.calls, *(edges.calls for edges in self._edges)])
        rows = np.repeat(self.first_unit[:-1], [len(edges.calls) for edges in self._edges]) + found[:, 0]
        columns = self.definition_units[self._first_definition[found[:, 1]] + found[:, 2]]
        is_apart = rows != columns
        return _adjacency(rows[is_apart], columns[is_apart], self.n_units)

    @cached_property
    def _edges(self) -> Sequence[Edges]:
        local = self.definition_units - self.first_unit[self.definition_files]
        return self.resolver.edges(self.paths, self.facts, np.split(local, self._first_definition[1:]))

    @cached_property
    def _first_definition(self) -> IntArray:
        """Shape (n_files,)."""
        return np.searchsorted(self.definition_files, np.arange(self.n_files))

    def symbol(self, unit: int) -> str:
        """`pkg/mod.py::Class.method`; the path alone for what is outside of definitions."""
        file = int(self.file_of_unit[unit])
        definition = int(self.facts[file].unit_definitions[unit - self.first_unit[file]])
        return self.paths[file] if definition < 0 else f"{self.paths[file]}::{self._qualified(file, definition)}"

    def find(self, symbol: str) -> list[int]:
        """Units by a symbol in full or its last parts: `pkg/mod.py::A.b`, `mod.py::b`, `A.b`, `b`, or `pkg/mod.py`.

        A path stands for its unit 0. What is no unit of its own (a constant, a nested function) stands for the unit
        that holds its first line. `::` between names counts as a dot. Empty if nothing is so called.
        """
        files = self._files(symbol)
        if files:
            return [int(self.first_unit[file]) for file in files]
        path, _, name = symbol.partition("::")
        files = self._files(path) if name else []
        return self._defined((name if files else symbol).replace("::", "."), files)

    def _files(self, path: str) -> list[int]:
        """The file of that path, or else those whose paths end in it."""
        if path in self.file_ids:
            return [self.file_ids[path]]
        return [file for file, other in enumerate(self.paths) if other.endswith(f"/{path}")]

    def _defined(self, name: str, files: Sequence[int]) -> list[int]:
        """Units of definitions whose qualified name is `name` or ends in it; of `files` alone, if there are any."""
        word = self.word_ids.get(name.rpartition(".")[2])
        if word is None:
            return []
        named = np.flatnonzero(self.definition_words == word)
        if files:
            named = named[np.isin(self.definition_files[named], files)]
        first = self._first_definition[self.definition_files[named]]
        found = {
            int(self.definition_units[at])
            for at, file, local in zip(named, self.definition_files[named], named - first, strict=True)
            if f".{self._qualified(int(file), int(local))}".endswith(f".{name}")
        }
        return sorted(found)

    def _qualified(self, file: int, definition: int) -> str:
        names = []
        while definition >= 0:
            names.append(self.facts[file].definitions[definition].name)
            definition = self.facts[file].definitions[definition].parent
        return ".".join(reversed(names))


def joined(parts: Iterable[IntArray]) -> IntArray:
    """One array of all parts, int32 also where there are none."""
    return np.concatenate([np.zeros(0, dtype=np.int32), *parts])


def _adjacency(rows: IntArray, columns: IntArray, size: int) -> Matrix:
    """From pairs in any order, as often as they come."""
    from scipy.sparse import csr_array

    pairs = np.sort(rows.astype(np.int64) * size + columns)
    rows, columns = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], max(size, 1))
    starts = np.searchsorted(rows, np.arange(size + 1)).astype(np.int32)
    ones = np.ones(len(rows), dtype=np.bool_)
    return csr_array((ones, columns.astype(np.int32), starts), shape=(size, size))


__all__ = ["CodeGraph", "Matrix", "joined"]
