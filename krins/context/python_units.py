"""A graph's Python units as arrays: what each is called, which class holds it, who mentions a word.

Invariants: units of other languages have no kind here and mention nothing; a class is known by its name alone, so that
two classes of one name count as one wherever that is the safe side. Left out: what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from krins.context.facts import Definition, Kind
from krins.context.graph import CodeGraph
from krins.interfaces import IntArray

PYTHON = "python"
NOT_PYTHON, MODULE, CLASS, FUNCTION = range(-1, 3)
"""Kinds of units: what is outside of definitions is the module's."""


class PythonUnits:
    def __init__(self, graph: CodeGraph) -> None:
        self.graph = graph
        self.kind = np.full(graph.n_units, NOT_PYTHON, dtype=np.int8)
        """Shape (n_units,)."""
        self.name: IntArray = np.full(graph.n_units, -1, dtype=np.int64)
        """Shape (n_units,): the word that it is called by; -1 where it has no name."""
        self.owner: IntArray = np.full(graph.n_units, -1, dtype=np.int64)
        """Shape (n_units,): unit of the class that it stands in; -1 where it stands in none."""
        first_definitions = np.searchsorted(graph.definition_files, np.arange(graph.n_files)).tolist()
        for file, facts in enumerate(graph.facts):
            if facts.language == PYTHON:
                self._read(file, first_definitions[file])

    def _read(self, file: int, first_definition: int) -> None:
        graph, facts = self.graph, self.graph.facts[file]
        first, kinds, owners = int(graph.first_unit[file]), [MODULE], [-1]
        own = facts.unit_definitions[1:].tolist()
        unit_of = {index: unit for unit, index in enumerate(own, first + 1)}
        for index in own:
            definition = facts.definitions[index]
            kinds.append(CLASS if definition.kind is Kind.CLASS else FUNCTION)
            owners.append(unit_of.get(definition.parent, -1))
        self.kind[first : first + len(kinds)] = kinds
        self.owner[first : first + len(owners)] = owners
        self.name[first + 1 : first + len(kinds)] = graph.definition_words[first_definition + np.asarray(own, int)]

    def definition(self, unit: int) -> Definition:
        """Of a unit that has a name."""
        file = int(self.graph.file_of_unit[unit])
        facts = self.graph.facts[file]
        return facts.definitions[int(facts.unit_definitions[unit - self.graph.first_unit[file]])]

    def path(self, unit: int) -> str:
        return self.graph.paths[int(self.graph.file_of_unit[unit])]

    def around(self, unit: int) -> Iterator[int]:
        """The class that a unit stands in, the class that that one stands in, and so on."""
        while (unit := int(self.owner[unit])) >= 0:
            yield unit

    def members(self, unit: int) -> list[int]:
        """Units that stand in a class itself."""
        return np.flatnonzero(self.owner == unit).tolist()

    @cached_property
    def classes(self) -> Mapping[str, list[int]]:
        """Units of classes, by name."""
        return self._by_word(np.flatnonzero(self.kind == CLASS))

    @cached_property
    def subclasses(self) -> Mapping[str, list[int]]:
        """Units of the classes that derive from a name."""
        found: dict[str, list[int]] = {}
        for unit in np.flatnonzero(self.kind == CLASS).tolist():
            for base in self.definition(unit).bases:
                found.setdefault(base.rpartition(".")[2], []).append(unit)
        return found

    def derived(self, name: str) -> set[int]:
        """Units of the classes that derive from a name, directly or not."""
        found: set[int] = set()
        waiting = [name]
        while waiting:
            new = set(self.subclasses.get(waiting.pop(), ())) - found
            found |= new
            waiting += [self.definition(unit).name for unit in new]
        return found

    def mentioning(self, word: int) -> IntArray:
        """Units with the word somewhere else than in the one place where it is their own name."""
        starts, units = self._mentions
        return units[starts[word] : starts[word + 1]]

    @cached_property
    def _mentions(self) -> tuple[IntArray, IntArray]:
        graph = self.graph
        units: IntArray = np.repeat(np.arange(graph.n_units, dtype=np.int64), np.diff(graph.mention_starts))
        is_own_name = (graph.mention_words == self.name[units]) & (graph.mention_counts == 1)
        kept = np.flatnonzero(~is_own_name & (self.kind[units] != NOT_PYTHON))
        words = graph.mention_words[kept]
        starts = np.zeros(len(graph.words) + 1, dtype=np.int64)
        starts[1:] = np.cumsum(np.bincount(words, minlength=len(graph.words)))
        return starts, units[kept][np.argsort(words, kind="stable")]

    def _by_word(self, units: IntArray) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for unit in units.tolist():
            found.setdefault(self.definition(unit).name, []).append(unit)
        return found


__all__ = ["CLASS", "FUNCTION", "MODULE", "NOT_PYTHON", "PYTHON", "PythonUnits"]
