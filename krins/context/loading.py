"""Which test files load which Python files, at most.

A file counts as loaded by another that has its name among its words, with the name of its package unless it lies in
the same one: imports say both, and so do the strings of those that are made at run time. Whatever lists modules or
entry points may load all files but those of tests. With a file come the `__init__.py` above it, with a test file the
`conftest.py` as well. Plugins of pytest, which are files with hooks or fixtures that are neither, may be loaded by
entry points, so all tests load them. Invariant: sets of test files are integers, bit i for the i-th of them. Left out:
names of modules that are put together from pieces of words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from graphlib import TopologicalSorter
from operator import or_

import numpy as np

from krins.context.facts import Kind
from krins.context.python_units import PYTHON, PythonUnits
from krins.interfaces import IntArray

_LISTING = ("entry_points", "iter_entry_points", "load_entry_point", "pkg_resources", "iter_modules", "walk_packages")
"""Whoever mentions these may load modules that it does not name."""


def loaders(units: PythonUnits, test_files: Sequence[int]) -> list[int]:
    """For each file of the graph, the set of test files that may load it; 0 for those of other languages."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = units.graph
    pairs = np.array([*_edges(units, test_files), (0, 0)], dtype=np.int64)
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


def _edges(units: PythonUnits, test_files: Sequence[int]) -> Iterator[tuple[int, int]]:
    graph = units.graph
    python = [file for file, facts in enumerate(graph.facts) if facts.language == PYTHON]
    for file in python:
        parts = graph.paths[file].split("/")
        yield from ((file, above) for above in _above(units, parts[:-1], "__init__.py"))
        for other in _naming(units, parts):
            yield int(other), file
        if _is_plugin(units, file) and file not in test_files:
            yield from ((test_file, file) for test_file in test_files)
    scoped = {*test_files, *(file for file in python if graph.paths[file].endswith("conftest.py"))}
    for lister in {int(file) for word in _LISTING for file in _mentioning(units, word)}:
        yield from ((lister, file) for file in python if file not in scoped)
    for file in test_files:
        yield from ((file, above) for above in _above(units, graph.paths[file].split("/")[:-1], "conftest.py"))


def _is_plugin(units: PythonUnits, file: int) -> bool:
    """Whether a file holds hooks or fixtures of pytest for files that need not name it."""
    return not units.graph.paths[file].endswith("conftest.py") and any(
        definition.kind is Kind.FUNCTION
        and (definition.name.startswith("pytest_") or any(name.endswith("fixture") for name in definition.decorators))
        for definition in units.graph.facts[file].definitions
    )


def _above(units: PythonUnits, folders: Sequence[str], name: str) -> Iterator[int]:
    """Files of that name in a folder and the folders around it."""
    for depth in range(len(folders) + 1):
        file = units.graph.file_ids.get("/".join([*folders[:depth], name]))
        if file is not None:
            yield file


def _naming(units: PythonUnits, parts: Sequence[str]) -> IntArray:
    """Files that name the file of that path."""
    graph = units.graph
    *folders, stem = [*parts[:-1], parts[-1].removesuffix(".py")]
    if stem in ("__init__", "__main__"):
        if not folders:
            return np.zeros(0, dtype=np.int32)
        *folders, stem = folders
    named = _mentioning(units, stem)
    if folders and "/".join([*folders, "__init__.py"]) in graph.file_ids:
        prefix = "/".join(folders) + "/"
        package = _mentioning(units, folders[-1])
        inside = [file for file in named.tolist() if graph.paths[file].startswith(prefix)]
        named = np.union1d(np.intersect1d(named, package), np.asarray(inside, dtype=np.int32))
    return named


def _mentioning(units: PythonUnits, word: str) -> IntArray:
    """Files of Python that hold a word."""
    graph = units.graph
    known = graph.word_ids.get(word)
    return np.zeros(0, np.int32) if known is None else np.unique(graph.file_of_unit[units.mentioning(known)])


__all__ = ["loaders"]
