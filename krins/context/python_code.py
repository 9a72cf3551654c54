"""A tree's Python code as a walk over names sees it: who mentions what, what loading a file does, what keeps a class.

Invariants: sources are read and parsed only as far as they are asked about, and once. What cannot be read any more, or
not be parsed, may do anything. Left out: the walk (`krins.context.reach`).
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from krins.context.load_time import LoadTime, is_of_standard_library, load_time
from krins.context.loading import loaders
from krins.context.python_units import PYTHON, PythonUnits
from krins.context.test_files import TestFiles
from krins.context.tree import Tree, Unreadable
from krins.interfaces import IntArray

_COMPUTED = ("getattr", "globals", "locals", "vars", "__dict__", "attrgetter", "methodcaller", "eval", "exec")
"""Whoever mentions these may put a name together."""


class PythonCode:
    def __init__(self, units: PythonUnits, tests: TestFiles, tree: Tree) -> None:
        self.units = units
        self.tests = tests
        self._tree = tree
        self._load_times: dict[int, LoadTime | None] = {}
        self._lines: dict[int, list[str] | None] = {}
        self._keeps: dict[int, bool] = {}

    @cached_property
    def loaders(self) -> list[int]:
        """For each file, the set of test files that may load it, see `krins.context.loading`."""
        return loaders(self.units, self.tests.python)

    def computing(self, part: str) -> IntArray:
        """Units that mention a part of a name and may put names together."""
        return np.intersect1d(self.mentioning(part), self._computing)

    @cached_property
    def aliases(self) -> Mapping[str, set[str]]:
        """Other names under which imports know a name."""
        found: dict[str, set[str]] = {}
        for facts in self.units.graph.facts:
            if facts.language == PYTHON:
                for name, alias in (pair for one in facts.imports for pair in one.names if pair[0] != pair[1]):
                    found.setdefault(name, set()).add(alias)
        return found

    def mentioning(self, word: str) -> IntArray:
        """Units that mention a word."""
        known = self.units.graph.word_ids.get(word)
        return np.zeros(0, dtype=np.int32) if known is None else self.units.mentioning(known)

    def signature(self, unit: int) -> str | None:
        """The lines that declare a function, decorators included; None where the file cannot be read any more."""
        definition, file = self.units.definition(unit), int(self.units.graph.file_of_unit[unit])
        if file not in self._lines:
            source = self._source(file)
            self._lines[file] = None if source is None else source.decode().split("\n")
        lines = self._lines[file]
        return None if lines is None else "\n".join(lines[definition.signature_start - 1 : definition.signature_end])

    def load_time(self, file: int) -> LoadTime | None:
        """What loading a file does; None where that is not known."""
        if file not in self._load_times:
            source = self._source(file)
            self._load_times[file] = None if source is None else load_time(source)
        return self._load_times[file]

    def unit_at(self, file: int, line: int) -> int:
        return int(self.units.graph.first_unit[file] + self.units.graph.facts[file].unit_of_line[line - 1])

    def keeps(self, unit: int) -> bool:
        """Whether something may keep a class from when its file is loaded: a decorator, a metaclass, an outer base."""
        if unit not in self._keeps:
            self._keeps[unit] = True  # for what derives from itself, by name
            file = int(self.units.graph.file_of_unit[unit])
            loading = self.load_time(file)
            statements = loading.classes if loading else ()
            own = [statement for statement in statements if self.unit_at(file, statement.line) == unit]
            self._keeps[unit] = (
                loading is None
                or len(own) != 1
                or not own[0].is_plain
                or self._has_hook(unit)
                or any(self._base_keeps(base, loading) for base in own[0].bases)
            )
        return self._keeps[unit]

    def _source(self, file: int) -> bytes | None:
        """None where it cannot be read any more, or is not what it was."""
        try:
            source = self._tree.read(self.units.graph.paths[file])
        except Unreadable:
            return None
        n_lines = source.count(b"\n") + (source[-1:] not in (b"", b"\n"))
        return source if n_lines == self.units.graph.facts[file].n_lines else None

    def _has_hook(self, unit: int) -> bool:
        return any(self.units.definition(member).name == "__init_subclass__" for member in self.units.members(unit))

    def _base_keeps(self, base: str, loading: LoadTime) -> bool:
        module = loading.modules.get(base.partition(".")[0], ".")
        if module.startswith(".") or module.partition(".")[0] in self._module_names:
            of_tree = self.units.classes.get(base.rpartition(".")[2])
            if of_tree:
                return any(self.keeps(unit) for unit in of_tree)
        if base.endswith(("Meta", "type", "EnumType")):
            return True
        return not (is_of_standard_library(module) or (module == "." and hasattr(builtins, base)))

    @cached_property
    def _computing(self) -> IntArray:
        return np.unique(np.concatenate([self.mentioning(word) for word in _COMPUTED]))

    @cached_property
    def _module_names(self) -> frozenset[str]:
        parts = (path.removesuffix(".py").split("/") for path in self.units.graph.paths)
        return frozenset(name for names in parts for name in names)


__all__ = ["PythonCode"]
