"""What names stand for at the top of files and modules: a module, or definitions beside each other in one file.

Invariants: a name that could stand for two things stands for none; answers do not depend on what was asked before.
Left out: names inside functions and classes (`krins.context.resolving.scopes`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from krins.context.facts import Import, Kind
from krins.context.resolving.family import Binding, Family
from krins.context.resolving.names import TOP, Names

_MAX_DEPTH = 64
"""Modules that a name is followed through."""


class Module(NamedTuple):
    name: str


class Defined(NamedTuple):
    """Definitions of one name: overloads, or a type and its implementations."""

    file: int
    definitions: tuple[int, ...]
    is_class: bool


Meaning = Module | Defined | None


class Question:
    """What following one name has met on its way."""

    def __init__(self) -> None:
        self.met: dict[tuple[str, str], Meaning] = {}
        """By module and name; None while it is under way: names may go in circles."""
        self.depth = 0


class Modules:
    """The files of one family, and the modules that they make up."""

    def __init__(self, family: Family, files: Sequence[int]) -> None:
        self.family = family
        self.files = files
        self._names: dict[int, Names] = {}
        self._modules: dict[int, dict[tuple[str, int, int], str | None]] = defaultdict(dict)
        self._in_modules: dict[tuple[str, str], Meaning] = {}
        self._in_files: dict[tuple[int, str], Meaning] = {}

    def names(self, file: int) -> Names:
        if file not in self._names:
            sources = self.family.sources
            self._names[file] = Names(sources.facts[file], sources.definition_units[file], self.family)
        return self._names[file]

    def forget(self, file: int) -> None:
        """A file has changed in what others do not see: drop what depends on its lines and units."""
        self._names.pop(file, None)
        self._modules.pop(file, None)

    def module(self, file: int, imported: Import) -> str | None:
        """The module that an import names."""
        modules, key = self._modules[file], (imported.module, imported.level, imported.line)
        if key not in modules:
            modules[key] = self.family.imported(file, imported)
        return modules[key]

    def in_module(self, module: str, name: str) -> Meaning:
        """What `name` is to those who import it from `module`."""
        key = module, name
        if key not in self._in_modules:
            self._in_modules[key] = self._followed(module, name, Question())
        return self._in_modules[key]

    def in_file(self, file: int, name: str) -> Meaning:
        """What `name` is at the top of a file, without a receiver."""
        key = file, name
        if key not in self._in_files:
            self._in_files[key] = self._found_in_file(file, name)
        return self._in_files[key]

    @cached_property
    def definers(self) -> Mapping[str, Sequence[int]]:
        """Files by the names that they define at their top."""
        definers: dict[str, list[int]] = defaultdict(list)
        for file in self.files:
            for around, name in self.names(file).members:
                if around == TOP:
                    definers[name].append(file)
        return definers

    def _found_in_file(self, file: int, name: str) -> Meaning:
        if self.names(file).binds(name):
            return self._bound(file, name, Question())
        root = self.family.root(file, name)
        if root is not None:
            return Module(root)
        own = self.family.own(file)
        if len(self.family.files(own)) > 1:
            found = self.in_module(own, name)
            if found is not None:
                return found
        return self._in_stars((file,), name, Question())

    def _followed(self, module: str, name: str, question: Question) -> Meaning:
        key = module, name
        if key not in question.met:
            question.met[key] = None
            if question.depth < _MAX_DEPTH:
                question.depth += 1
                question.met[key] = self._found_in_module(module, name, question)
                question.depth -= 1
        return question.met[key]

    def _found_in_module(self, module: str, name: str, question: Question) -> Meaning:
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

    def _bound(self, file: int, name: str, question: Question) -> Meaning:
        names = self.names(file)
        definitions, bindings = names.members.get((TOP, name), ()), names.imported.get(name, ())
        if not definitions:
            return one_of_all(self.imported(file, binding, question) for binding in bindings)
        return None if bindings else self.defined(file, definitions)

    def defined(self, file: int, found: Sequence[int]) -> Meaning:
        kinds = {self.names(file).definitions[at].kind for at in found}
        is_one = len(kinds) == 1 and Kind.VARIABLE not in kinds and (len(found) == 1 or self.family.has_overloads)
        return Defined(file, tuple(found), Kind.CLASS in kinds) if is_one else None

    def imported(self, file: int, binding: Binding, question: Question) -> Meaning:
        module = self.module(file, binding.imported)
        if module is None:
            return None
        return self._followed(module, binding.name, question) if binding.name else Module(module)

    def _in_stars(self, files: Collection[int], name: str, question: Question) -> Meaning:
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


def one_of_all(meanings: Iterable[Meaning]) -> Meaning:
    """What all of them are."""
    found = set(meanings)
    return found.pop() if len(found) == 1 else None


__all__ = ["Defined", "Meaning", "Module", "Modules", "Question", "one_of_all"]
