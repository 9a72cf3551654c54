"""What names stand for inside units, and what is reached from them by dots: members of modules and classes.

Invariants: as of `krins.context.resolving.modules`. Left out: names at the top (there).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from krins.context.resolving.family import Family
from krins.context.resolving.modules import Defined, Meaning, Module, Modules, Question, one_of_all
from krins.context.resolving.names import TOP

_MAX_LINEAGE = 128
"""Classes that a member is looked for in."""
_SEPARATOR = re.compile(r"[?&]?(?:\.|::|->|\\)")


class Scopes(Modules):
    """The files of one family, down to the units in them."""

    def __init__(self, family: Family, files: Sequence[int]) -> None:
        super().__init__(family, files)
        self._in_classes: dict[tuple[Defined, str], Meaning] = {}
        self._lineages: dict[Defined, Sequence[Defined | None]] = {}
        self._run_by: dict[Defined, Sequence[tuple[int, int]]] = {}

    def in_unit(self, file: int, unit: int, name: str) -> Meaning:
        """What `name` is in the code of a unit, without a receiver."""
        names = self.names(file)
        if name in names.local:
            if (unit, name) in names.nested:
                return None
            if (unit, name) in names.imported_by_unit:
                bindings = names.imported_by_unit[unit, name]
                return one_of_all(self.imported(file, binding, Question()) for binding in bindings)
        if self.family.sees_members:
            return self._in_classes_around(file, names.class_of_unit[unit], name)
        return self.in_file(file, name)

    def own_class(self, file: int, unit: int) -> Meaning:
        """The class whose method a unit is, with what implements it beside it."""
        names = self.names(file)
        own = names.class_of_unit[unit]
        if own == TOP:
            return None
        definition = names.definitions[own]
        beside = names.members.get((definition.parent, definition.name), ())
        return Defined(file, (own, *(other for other in beside if other != own)), True)

    def in_class(self, of: Defined, name: str) -> Meaning:
        """The member of a class, its own or inherited; None as well if a base that comes first is not known."""
        key = of, name
        if key not in self._in_classes:
            self._in_classes[key] = self._found_in_class(of, name)
        return self._in_classes[key]

    def along(self, meaning: Meaning, names: Iterable[str]) -> Meaning:
        """What is reached from `meaning` by a dot and the first name, and so on."""
        for name in names:
            if isinstance(meaning, Module):
                meaning = self.in_module(meaning.name, name)
            elif meaning is not None:
                meaning = self.in_class(meaning, name) if meaning.is_class else None
        return meaning

    def run_by(self, called: Defined) -> Sequence[tuple[int, int]]:
        """Files and definitions that a call runs: of a class its constructor as well, of a declaration its body."""
        if called not in self._run_by:
            found = (called, *(self._constructors(called) if called.is_class else self._bodies(called)))
            self._run_by[called] = [(one.file, at) for one in found for at in one.definitions]
        return self._run_by[called]

    def _in_classes_around(self, file: int, innermost: int, name: str) -> Meaning:
        """A member of the classes around, or what is at the top; no function that a base that is not known may hide."""
        names, around, is_sure = self.names(file), innermost, True
        while around != TOP:
            own = Defined(file, (around,), True)
            found = self.in_class(own, name)
            if found is not None:
                return found if is_sure else None
            is_sure = is_sure and None not in self._lineages[own]
            around = names.class_around(names.definitions[around].parent)
        found = self.in_file(file, name)
        return found if is_sure or not isinstance(found, Defined) or found.is_class else None

    def _found_in_class(self, of: Defined, name: str) -> Meaning:
        if of not in self._lineages:
            self._lineages[of] = self._lineage(of)
        for known in self._lineages[of]:
            if known is None:
                return None
            if any((at, name) in self.names(known.file).members for at in known.definitions):
                return self._own_member(known, name)
        return None

    def _constructors(self, called: Defined) -> Iterator[Defined]:
        name = self.names(called.file).definitions[called.definitions[0]].name
        for constructor in self.family.constructors or (name,):
            found = self.in_class(called, constructor)
            if isinstance(found, Defined) and not found.is_class:
                yield found

    def _bodies(self, called: Defined) -> Iterator[Defined]:
        """Of a function that is declared at the top of a file, what has its name in the files with the bodies."""
        definition = self.names(called.file).definitions[called.definitions[0]]
        for file in self.family.bodies(called.file) if definition.parent == TOP else ():
            found = self.names(file).members.get((TOP, definition.name), ())
            if len(found) == 1:
                yield Defined(file, tuple(found), False)

    def _lineage(self, of: Defined) -> Sequence[Defined | None]:
        """A class and its bases in the order in which members are looked up; None for a base that is not known.

        Depth first, and of a base that is met twice only the last: Python's order, but for rare shapes in which that
        refuses the class or puts it off.
        """
        below: list[Defined | None] = []
        pending = [*reversed([*self._bases(of)])]
        while pending and len(below) < _MAX_LINEAGE:
            base = pending.pop()
            below.append(base)
            if base is not None:
                pending += reversed([*self._bases(base)])
        if pending:
            below.append(None)
        last = {base: at for at, base in enumerate(below)}
        return [of, *(base for at, base in enumerate(below) if base is None or last[base] == at)]

    def _bases(self, of: Defined) -> Iterator[Defined | None]:
        definitions = self.names(of.file).definitions
        for at in of.definitions:
            for written in definitions[at].bases:
                if written not in self.family.rootless:
                    yield self._class(of.file, written)

    def _class(self, file: int, written: str) -> Defined | None:
        """What a base stands for; one inside a class must be that class's own, so that nothing goes in circles."""
        first, *rest = split(written)
        found = self.in_file(file, first)
        for name in rest:
            if isinstance(found, Module):
                found = self.in_module(found.name, name)
            elif found is not None:
                found = self._own_member(found, name)
        return found if isinstance(found, Defined) and found.is_class else None

    def _own_member(self, of: Defined, name: str) -> Meaning:
        members = self.names(of.file).members
        found = next((members[at, name] for at in of.definitions if (at, name) in members), ())
        return self.defined(of.file, found)


@lru_cache(1 << 16)
def split(written: str) -> tuple[str, ...]:
    """The names of a receiver or a base, at least one; what is absolute is taken as relative."""
    return tuple(name for name in _SEPARATOR.split(written) if name) or ("",)


__all__ = ["Scopes", "split"]
