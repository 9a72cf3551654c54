"""The names of one file: what it defines, what it imports, and where each of them is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from krins.context.facts import FileFacts, Import, Kind
from krins.context.resolving.family import Binding, Family
from krins.interfaces import IntArray

TOP = -1


class Names:
    """Of one file. Definitions and units are the file's."""

    def __init__(self, facts: FileFacts, definition_units: IntArray, family: Family) -> None:
        self.definitions = facts.definitions
        self.members: Mapping[tuple[int, str], Sequence[int]] = _members(facts, family)
        """Definitions by the one around them, or `TOP`, and by name."""
        self.imported: dict[str, list[Binding]] = defaultdict(list)
        """By the name that they bring into the file."""
        self.imported_by_unit: dict[tuple[int, str], list[Binding]] = defaultdict(list)
        """The same of imports inside functions, which others do not see."""
        self.stars: list[Import] = []
        """Imports of all that a module has."""
        self.nested = _nested(facts, definition_units.tolist())
        """Units and names that are defined inside of them."""
        self.class_of_unit = [self.class_around(definition) for definition in facts.unit_definitions.tolist()]
        """The innermost class that a unit is, or is in; `TOP` outside of classes."""
        for imported in facts.imports:
            self._add(imported, facts, family)
        self.local = frozenset(name for _, name in (*self.nested, *self.imported_by_unit))
        """Names that mean something of their own inside some units."""

    def binds(self, name: str) -> bool:
        return (TOP, name) in self.members or name in self.imported

    def class_around(self, definition: int) -> int:
        """The definition itself, or else the innermost around it that is a class; `TOP` outside of classes."""
        while definition >= 0 and self.definitions[definition].kind is not Kind.CLASS:
            definition = self.definitions[definition].parent
        return definition

    def _add(self, imported: Import, facts: FileFacts, family: Family) -> None:
        unit = int(facts.unit_of_line[imported.line - 1])
        is_local = unit > 0 and self.definitions[facts.unit_definitions[unit]].kind is Kind.FUNCTION
        for binding in family.bindings(imported):
            if binding.name == "*":
                self.stars.append(imported)
            elif is_local:
                self.imported_by_unit[unit, binding.here].append(binding)
            else:
                self.imported[binding.here].append(binding)


def _members(facts: FileFacts, family: Family) -> Mapping[tuple[int, str], Sequence[int]]:
    spaces = family.spaces(facts)
    members: dict[tuple[int, str], list[int]] = {}
    for at, (name, _, parent, *_) in enumerate(facts.definitions):
        members.setdefault((TOP if parent in spaces else parent, name), []).append(at)
    return members


def _nested(facts: FileFacts, units: Sequence[int]) -> frozenset[tuple[int, str]]:
    definitions, owners = facts.definitions, facts.unit_definitions.tolist()
    return frozenset(
        (unit, definition.name)
        for at, (unit, definition) in enumerate(zip(units, definitions, strict=True))
        if owners[unit] != at and definition.parent >= 0 and definitions[definition.parent].kind is Kind.FUNCTION
    )


__all__ = ["TOP", "Names"]
