"""Which test files load which Python files, at most.

A file counts as loaded by another that has its name among its words, with the name of its package unless it lies in
the same one: imports say both, and so do the strings of those that are made at run time. Whatever lists modules or
entry points may load all files but those of tests. With a file come the `__init__.py` above it, with a test file the
`conftest.py` as well. Plugins of pytest, which are files with hooks or fixtures that are neither, may be loaded by
entry points, so all tests load them. Invariant: sets of test files are integers, bit i for the i-th of them. Left out:
names of modules that are put together from pieces of words.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import reduce
from graphlib import TopologicalSorter
from operator import or_

import numpy as np

from krins.context.facts import Kind
from krins.context.python_units import PYTHON, PythonUnits

_LISTING = ("entry_points", "iter_entry_points", "load_entry_point", "pkg_resources", "iter_modules", "walk_packages")
"""Whoever mentions these may load modules that it does not name."""


def loaders(units: PythonUnits, test_files: Sequence[int]) -> list[int]:
    """For each file of the graph, the set of test files that may load it; 0 for those of other languages."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = units.graph
    pairs = np.array([*_Loading(units, test_files).pairs(), (0, 0)], dtype=np.int64)
    matrix = coo_array((np.ones(len(pairs), dtype=np.bool_), pairs.T), shape=(graph.n_files, graph.n_files))
    n_groups, group_of = connected_components(matrix, directed=True, connection="strong")
    sets = [0] * n_groups
    for bit, file in enumerate(test_files):
        sets[group_of[file]] |= 1 << bit
    loading = np.unique(group_of[pairs], axis=0).tolist()
    order: dict[int, list[int]] = {group: [] for group in range(n_groups)}
    for importer, imported in loading:
        if importer != imported:
            order[imported].append(importer)
    for group in TopologicalSorter(order).static_order():
        sets[group] = reduce(or_, (sets[importer] for importer in order[group]), sets[group])
    return [sets[group] for group in group_of.tolist()]


class _Loading:
    """Pairs of a file and one that it may load."""

    def __init__(self, units: PythonUnits, test_files: Sequence[int]) -> None:
        self._units = units
        self._graph = units.graph
        self._test_files = test_files
        self._python = [file for file, facts in enumerate(self._graph.facts) if facts.language == PYTHON]
        self._known: dict[str, frozenset[int]] = {}

    def pairs(self) -> Iterator[tuple[int, int]]:
        for file in self._python:
            folders = self._graph.paths[file].split("/")[:-1]
            yield from ((file, above) for above in self._above(folders, "__init__.py"))
            yield from ((other, file) for other in self._naming(file))
        tests, paths = frozenset(self._test_files), self._graph.paths
        others = [file for file in self._python if file not in tests and not paths[file].endswith("conftest.py")]
        for lister in frozenset[int]().union(*map(self._mentioning, _LISTING)):
            yield from ((lister, file) for file in others)
        plugins = [file for file in others if self._is_plugin(file)]
        for file in self._test_files:
            yield from ((file, above) for above in self._above(paths[file].split("/")[:-1], "conftest.py"))
            yield from ((file, plugin) for plugin in plugins)

    def _is_plugin(self, file: int) -> bool:
        """Whether a file holds hooks or fixtures of pytest."""
        return any(
            definition.kind is Kind.FUNCTION
            and (definition.name.startswith("pytest_") or any(one.endswith("fixture") for one in definition.decorators))
            for definition in self._graph.facts[file].definitions
        )

    def _above(self, folders: Sequence[str], name: str) -> Iterator[int]:
        """Files of that name in a folder and the folders around it."""
        for depth in range(len(folders) + 1):
            file = self._graph.file_ids.get("/".join([*folders[:depth], name]))
            if file is not None:
                yield file

    def _naming(self, file: int) -> frozenset[int]:
        """Files that name a file."""
        *folders, stem = self._graph.paths[file].removesuffix(".py").split("/")
        if stem in ("__init__", "__main__"):
            *folders, stem = folders or ["", ""]
        named = self._mentioning(stem)
        if "/".join([*folders, "__init__.py"]) in self._graph.file_ids and folders:
            prefix = "/".join(folders) + "/"
            # Paths are sorted, so those that begin alike stand together; "0" comes next after "/".
            inside = range(bisect_left(self._graph.paths, prefix), bisect_left(self._graph.paths, prefix[:-1] + "0"))
            named = (named & self._mentioning(folders[-1])) | named.intersection(inside)
        return named

    def _mentioning(self, word: str) -> frozenset[int]:
        """Files of Python that hold a word."""
        if word not in self._known:
            number = self._graph.word_ids.get(word)
            files = () if number is None else self._graph.file_of_unit[self._units.mentioning(number)].tolist()
            self._known[word] = frozenset(files)
        return self._known[word]


__all__ = ["loaders"]
