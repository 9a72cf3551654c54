"""Follows names to what they stand for: a module, or definitions beside each other in one file.

Invariants: a name that could stand for two things stands for none; answers do not depend on what was asked before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

from krins.context.facts import Import, Kind
from krins.context.resolving.family import Binding, Family
from krins.context.resolving.names import TOP, Names

_SEPARATOR = re.compile(r"[?&]?(?:\.|::|->|\\)")


class Module(NamedTuple):
    name: str


class Defined(NamedTuple):
    """Definitions of one name: overloads, or a type and its implementations."""

    file: int
    definitions: tuple[int, ...]


Meaning = Module | Defined | None
_Asked = dict[tuple[str, str], Meaning]
"""What one question has met on its way, by module and name; None while it is under way: names may go in circles."""


class Scopes:
    """The names of all files of one family."""

    def __init__(self, family: Family, files: Sequence[int]) -> None:
        self.family = family
        self.files = files
        self._names: dict[int, Names] = {}
        self._modules: dict[tuple[int, str, int, int], str | None] = {}
        self._in_modules: _Asked = {}
        self._in_files: dict[tuple[int, str], Meaning] = {}
        self._in_classes: dict[tuple[Defined, str], Meaning] = {}
        self._run_by: dict[Defined, Sequence[tuple[int, int]]] = {}
        self._lineages: dict[Defined, Sequence[Defined | None]] = {}

    def names(self, file: int) -> Names:
        if file not in self._names:
            sources = self.family.sources
            self._names[file] = Names(sources.facts[file], sources.definition_units[file], self.family)
        return self._names[file]

    def module(self, file: int, imported: Import) -> str | None:
        """The module that an import names."""
        key = file, imported.module, imported.level, imported.line
        if key not in self._modules:
            self._modules[key] = self.family.imported(file, imported)
        return self._modules[key]

    def in_module(self, module: str, name: str) -> Meaning:
        """What `name` is to those who import it from `module`."""
        key = module, name
        if key not in self._in_modules:
            self._in_modules[key] = self._asked_of_module(module, name, {})
        return self._in_modules[key]

    @cached_property
    def definers(self) -> Mapping[str, Sequence[int]]:
        """Files by the names that they define at their top."""
        definers: dict[str, list[int]] = defaultdict(list)
        for file in self.files:
            for around, name in self.names(file).members:
                if around == TOP:
                    definers[name].append(file)
        return definers

    def in_file(self, file: int, name: str) -> Meaning:
        """What `name` is at the top of a file, without a receiver."""
        key = file, name
        if key not in self._in_files:
            self._in_files[key] = self._found_in_file(file, name)
        return self._in_files[key]

    def in_unit(self, file: int, unit: int, name: str) -> Meaning:
        """What `name` is in the code of a unit, without a receiver."""
        names = self.names(file)
        if (unit, name) in names.nested:
            return None
        local = names.imported_by_unit.get((unit, name))
        if local:
            return _one(self._imported(file, binding, {}) for binding in local)
        if self.family.sees_members:
            return self._in_classes_around(file, names.class_of_unit(unit), name)
        return self.in_file(file, name)

    def own_class(self, file: int, unit: int) -> Meaning:
        """The class whose method a unit is, with what implements it beside it."""
        names = self.names(file)
        own = names.class_of_unit(unit)
        if own == TOP:
            return None
        definition = names.definitions[own]
        beside = names.members.get((definition.parent, definition.name), ())
        return Defined(file, (own, *(other for other in beside if other != own)))

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
                meaning = self.in_class(meaning, name)
        return meaning

    def is_class(self, of: Defined) -> bool:
        return all(self.names(of.file).definitions[at].kind is Kind.CLASS for at in of.definitions)

    def _in_classes_around(self, file: int, innermost: int, name: str) -> Meaning:
        """A member of the classes around, or what is at the top; no function that a base that is not known may hide."""
        names, around, is_sure = self.names(file), innermost, True
        while around != TOP:
            own = Defined(file, (around,))
            found = self.in_class(own, name)
            if found is not None:
                return found if is_sure else None
            is_sure = is_sure and None not in self._lineages[own]
            around = names.class_around(names.definitions[around].parent)
        found = self.in_file(file, name)
        return found if is_sure or not isinstance(found, Defined) or self.is_class(found) else None

    def _found_in_class(self, of: Defined, name: str) -> Meaning:
        if of not in self._lineages:
            self._lineages[of] = self._lineage(of, ())
        for known in self._lineages[of]:
            if known is None:
                return None
            members = self.names(known.file).members
            found = next((members[at, name] for at in known.definitions if (at, name) in members), None)
            if found:
                return self._defined(known.file, found)
        return None

    def run_by(self, called: Defined) -> Sequence[tuple[int, int]]:
        """Files and definitions that a call runs: of a class its constructor as well, of a declaration its body."""
        if called not in self._run_by:
            found = (called, *(self._constructors(called) if self.is_class(called) else self._bodies(called)))
            self._run_by[called] = [(one.file, at) for one in found for at in one.definitions]
        return self._run_by[called]

    def _constructors(self, called: Defined) -> Iterator[Defined]:
        name = self.names(called.file).definitions[called.definitions[0]].name
        for constructor in self.family.constructors or (name,):
            found = self.in_class(called, constructor)
            if isinstance(found, Defined) and not self.is_class(found):
                yield found

    def _bodies(self, called: Defined) -> Iterator[Defined]:
        """Of a function that is declared at the top of a file, what has its name in the files with the bodies."""
        definition = self.names(called.file).definitions[called.definitions[0]]
        for file in self.family.bodies(called.file) if definition.parent == TOP else ():
            found = self.names(file).members.get((TOP, definition.name), ())
            if len(found) == 1:
                yield Defined(file, tuple(found))

    def _lineage(self, of: Defined, below: tuple[Defined, ...]) -> list[Defined | None]:
        """A class and its bases in the order in which members are looked up; None for a base that is not known.

        Depth first, and of a base that is met twice only the last: Python's order, but for rare shapes in which that
        refuses the class or puts it off.
        """
        if of in below:
            return []
        lineage: list[Defined | None] = [of]
        for base in self._bases(of):
            lineage += [None] if base is None else self._lineage(base, (*below, of))
        return [one for at, one in enumerate(lineage) if one is None or one not in lineage[at + 1 :]]

    def _bases(self, of: Defined) -> Iterator[Defined | None]:
        definitions = self.names(of.file).definitions
        for at in of.definitions:
            for written in definitions[at].bases:
                if written not in self.family.rootless:
                    first, *rest = split(written)
                    base = self.along(self.in_file(of.file, first), rest)
                    yield base if isinstance(base, Defined) and self.is_class(base) else None

    def _found_in_file(self, file: int, name: str) -> Meaning:
        if self.names(file).binds(name):
            return self._bound(file, name, {})
        root = self.family.root(file, name)
        if root is not None:
            return Module(root)
        own = self.family.own(file)
        if len(self.family.files(own)) > 1:
            found = self.in_module(own, name)
            if found is not None:
                return found
        return self._in_stars((file,), name, {})

    def _asked_of_module(self, module: str, name: str, asked: _Asked) -> Meaning:
        key = module, name
        if key not in asked:
            asked[key] = None
            asked[key] = self._found_in_module(module, name, asked)
        return asked[key]

    def _found_in_module(self, module: str, name: str, asked: _Asked) -> Meaning:
        files = self.family.files(module)
        if self.family.reexports:
            holders = [file for file in files if self.names(file).binds(name)]
        else:
            holders = [file for file in files if (TOP, name) in self.names(file).members]
        if holders:
            return self._bound(holders[0], name, asked) if len(holders) == 1 else None
        inner = self.family.inside(module, name)
        if inner is not None:
            return Module(inner)
        return self._in_stars(files, name, asked) if self.family.reexports else None

    def _bound(self, file: int, name: str, asked: _Asked) -> Meaning:
        names = self.names(file)
        definitions, bindings = names.members.get((TOP, name), ()), names.imported.get(name, ())
        if not definitions:
            return _one(self._imported(file, binding, asked) for binding in bindings)
        return None if bindings else self._defined(file, definitions)

    def _defined(self, file: int, found: Sequence[int]) -> Meaning:
        kinds = {self.names(file).definitions[at].kind for at in found}
        is_one = len(kinds) == 1 and Kind.VARIABLE not in kinds and (len(found) == 1 or self.family.has_overloads)
        return Defined(file, tuple(found)) if is_one else None

    def _imported(self, file: int, binding: Binding, asked: _Asked) -> Meaning:
        module = self.module(file, binding.imported)
        if module is None:
            return None
        return self._asked_of_module(module, binding.name, asked) if binding.name else Module(module)

    def _in_stars(self, files: Sequence[int], name: str, asked: _Asked) -> Meaning:
        found: set[Meaning] = set()
        for file in files:
            for imported in self.names(file).stars:
                module = self.module(file, imported)
                if module is not None:
                    found.add(self._asked_of_module(module, name, asked))
                elif self.family.stars_may_hide:
                    return None
        found.discard(None)
        return found.pop() if len(found) == 1 else None


@lru_cache(1 << 16)
def split(written: str) -> tuple[str, ...]:
    """The names of a receiver or a base, at least one; what is absolute is taken as relative."""
    return tuple(name for name in _SEPARATOR.split(written) if name) or ("",)


def _one(meanings: Iterable[Meaning]) -> Meaning:
    """What all of them are."""
    found = set(meanings)
    return found.pop() if len(found) == 1 else None


__all__ = ["Defined", "Meaning", "Module", "Scopes", "split"]
