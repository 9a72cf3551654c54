"""Follows names to what they stand for: a module, or definitions beside each other in one file.

Invariants: a name that could stand for two things stands for none; answers do not depend on what was asked before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

from krins.context.facts import Import, Kind
from krins.context.resolving.family import Binding, Family
from krins.context.resolving.names import TOP, Names

_MAX_DEPTH = 64
"""Modules that a name is followed through."""
_MAX_LINEAGE = 128
"""Classes that a member is looked for in."""
_SEPARATOR = re.compile(r"[?&]?(?:\.|::|->|\\)")


class Module(NamedTuple):
    name: str


class Defined(NamedTuple):
    """Definitions of one name: overloads, or a type and its implementations."""

    file: int
    definitions: tuple[int, ...]
    is_class: bool


Meaning = Module | Defined | None


class _Question:
    """What following one name has met on its way."""

    def __init__(self) -> None:
        self.met: dict[tuple[str, str], Meaning] = {}
        """By module and name; None while it is under way: names may go in circles."""
        self.depth = 0


class Scopes:
    """The names of all files of one family."""

    def __init__(self, family: Family, files: Sequence[int]) -> None:
        self.family = family
        self.files = files
        self._names: dict[int, Names] = {}
        self._modules: dict[tuple[int, str, int, int], str | None] = {}
        self._in_modules: dict[tuple[str, str], Meaning] = {}
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
            self._in_modules[key] = self._followed(module, name, _Question())
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
        if name in names.local:
            if (unit, name) in names.nested:
                return None
            if (unit, name) in names.imported_by_unit:
                bindings = names.imported_by_unit[unit, name]
                return _one(self._imported(file, binding, _Question()) for binding in bindings)
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

    def run_by(self, called: Defined) -> Sequence[tuple[int, int]]:
        """Files and definitions that a call runs: of a class its constructor as well, of a declaration its body."""
        if called not in self._run_by:
            found = (called, *(self._constructors(called) if called.is_class else self._bodies(called)))
            self._run_by[called] = [(one.file, at) for one in found for at in one.definitions]
        return self._run_by[called]

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
        return [of, *(base for at, base in enumerate(below) if base is None or base not in below[at + 1 :])]

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
        return self._defined(of.file, found)

    def _found_in_file(self, file: int, name: str) -> Meaning:
        if self.names(file).binds(name):
            return self._bound(file, name, _Question())
        root = self.family.root(file, name)
        if root is not None:
            return Module(root)
        own = self.family.own(file)
        if len(self.family.files(own)) > 1:
            found = self.in_module(own, name)
            if found is not None:
                return found
        return self._in_stars((file,), name, _Question())

    def _followed(self, module: str, name: str, question: _Question) -> Meaning:
        key = module, name
        if key not in question.met:
            question.met[key] = None
            if question.depth < _MAX_DEPTH:
                question.depth += 1
                question.met[key] = self._found_in_module(module, name, question)
                question.depth -= 1
        return question.met[key]

    def _found_in_module(self, module: str, name: str, question: _Question) -> Meaning:
        files = self.family.files(module)
        if self.family.reexports:
            holders = [file for file in files if self.names(file).binds(name)]
        else:
            holders = [*frozenset(files).intersection(self.definers.get(name, ()))]
        if holders:
            return self._bound(holders[0], name, question) if len(holders) == 1 else None
        inner = self.family.inside(module, name)
        if inner is not None:
            return Module(inner)
        return self._in_stars(files, name, question) if self.family.reexports else None

    def _bound(self, file: int, name: str, question: _Question) -> Meaning:
        names = self.names(file)
        definitions, bindings = names.members.get((TOP, name), ()), names.imported.get(name, ())
        if not definitions:
            return _one(self._imported(file, binding, question) for binding in bindings)
        return None if bindings else self._defined(file, definitions)

    def _defined(self, file: int, found: Sequence[int]) -> Meaning:
        kinds = {self.names(file).definitions[at].kind for at in found}
        is_one = len(kinds) == 1 and Kind.VARIABLE not in kinds and (len(found) == 1 or self.family.has_overloads)
        return Defined(file, tuple(found), Kind.CLASS in kinds) if is_one else None

    def _imported(self, file: int, binding: Binding, question: _Question) -> Meaning:
        module = self.module(file, binding.imported)
        if module is None:
            return None
        return self._followed(module, binding.name, question) if binding.name else Module(module)

    def _in_stars(self, files: Collection[int], name: str, question: _Question) -> Meaning:
        found: set[Meaning] = set()
        for file in files:
            for imported in self.names(file).stars:
                module = self.module(file, imported)
                if module is not None:
                    found.add(self._followed(module, name, question))
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
