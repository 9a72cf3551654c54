"""Which tests a change can break.

Only edits inside bodies of Python functions tell tests apart; any other edit (of what is outside of functions, of
signatures, decorators and docstrings, of other languages, data and configuration, or of which files there are) selects
all tests, with the reason. For bodies, what names can reach decides (`krins.context.reach`). Tests in other languages
than Python are always among those selected.

What a test ran when it was watched does not decide, though it would select less: chance has a test run other code the
next time (a race of a timeout with a server, say), and what was seen once bounds nothing.

Invariants: whatever is in doubt is selected, so a test that the change breaks is. Left out, besides what names leave
out: tests that break only because an earlier one left something behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from krins.context.edits import Edit, EditedBodies, edited_bodies
from krins.context.graph import CodeGraph
from krins.context.python_code import PythonCode
from krins.context.python_units import FUNCTION, PythonUnits
from krins.context.reach import Reach, reach
from krins.context.test_files import TestFiles
from krins.context.tree import Tree


@dataclass(frozen=True, slots=True)
class TestSelection:
    __test__ = False  # its name is one that pytest collects

    ids: tuple[str, ...]
    """To be given to the test runner, sorted: pytest node ids of tests, classes or files; files of other languages."""
    n_selected: int
    """Tests, as they are counted by `krins.context.test_files`."""
    n_tests: int
    reasons: tuple[str, ...]
    """Why more is selected than what the change itself reaches; in words for the user."""

    @property
    def share_skipped(self) -> float:
        """In [0, 1]; 0 where there are no tests."""
        return 1 - self.n_selected / self.n_tests if self.n_tests else 0.0


class TestMap:
    """The tests of one tree; made once, asked for many changes."""

    __test__ = False

    def __init__(self, graph: CodeGraph, tree: Tree) -> None:
        """`graph` is of `tree`, which is read where names are not enough."""
        self._graph = graph
        self._tree = tree

    def tests_for(self, edits: Iterable[Edit]) -> TestSelection:
        """The tests that edits of the tree can break; the edits are all that there are, each of another file."""
        bodies = {edit.path: edited_bodies(edit) for edit in edits}
        beyond = [one.beyond for one in bodies.values() if one.beyond]
        beyond = beyond or [f"{path} was not indexed" for path in bodies if path not in self._graph.file_ids]
        if beyond:
            return self._all(beyond)
        units = {unit for path, edited in bodies.items() for unit in self._units_at(path, edited)}
        return self.tests_for_bodies(units, bodies)

    def tests_for_bodies(self, units: Iterable[int], paths: Iterable[str] = ()) -> TestSelection:
        """The tests that any edits inside bodies of functions can break.

        Args:
            units: of the graph; all tests are selected if one is no Python function.
            paths: files that change besides those of the units, in nothing that is run.
        """
        units = sorted(units)
        strangers = [unit for unit in units if self._units.kind[unit] != FUNCTION]
        if strangers:
            names = map(self._graph.symbol, strangers)
            return self._all([f"{name} is more than the body of a Python function" for name in names])
        files = {self._graph.file_ids[path] for path in paths} | {int(self._graph.file_of_unit[unit]) for unit in units}
        by_file = {file: [unit for unit in units if self._graph.file_of_unit[unit] == file] for file in sorted(files)}
        return self._reached([reach(self._code, some, file) for file, some in by_file.items()])

    @cached_property
    def _units(self) -> PythonUnits:
        return PythonUnits(self._graph)

    @cached_property
    def _tests(self) -> TestFiles:
        return TestFiles(self._units)

    @cached_property
    def _code(self) -> PythonCode:
        return PythonCode(self._units, self._tests, self._tree)

    def _units_at(self, path: str, edited: EditedBodies) -> set[int]:
        """Units of the lines of edited functions: each function's own, unless it shares lines with something else."""
        file = self._graph.file_ids[path]
        lines = self._graph.facts[file].unit_of_line + self._graph.first_unit[file]
        spans = [lines[function.start_line - 1 : function.end_line] for function in edited.functions]
        return {unit for span in spans for unit in span.tolist()}

    def _all(self, reasons: Sequence[str]) -> TestSelection:
        ids = sorted({self._graph.paths[file] for file in self._tests.python}.union(self._tests.other))
        return TestSelection(tuple(ids), self._tests.n_tests, self._tests.n_tests, tuple(reasons))

    def _reached(self, reached: Sequence[Reach]) -> TestSelection:
        graph, tests = self._graph, self._tests
        files = frozenset[int]().union(*(one.files for one in reached))
        classes = frozenset[int]().union(*(one.classes for one in reached))
        singles = frozenset[int]().union(*(one.tests for one in reached))
        selected = [
            test
            for test, file in tests.tests.items()
            if file in files or test in singles or classes.intersection(self._units.around(test))
        ]
        groups = {one for unit in classes for one in tests.class_ids(unit)} | {graph.paths[file] for file in files}
        ids = groups.union(*(tests.ids(test) for test in singles), tests.other)
        reasons = tuple(dict.fromkeys(reason for one in reached for reason in one.reasons))
        kept = sorted(one for one in ids if not _is_inside(one, groups))
        return TestSelection(tuple(kept), len(selected) + len(tests.other), tests.n_tests, reasons)


def _is_inside(test: str, groups: set[str]) -> bool:
    """Whether a file or class around a test, or around a class, is among those groups."""
    parts = test.split("::")
    return any("::".join(parts[:length]) in groups for length in range(1, len(parts)))


__all__ = ["TestMap", "TestSelection"]
