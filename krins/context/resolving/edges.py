"""The edges that leave one file: files that it imports, and definitions that its units call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from krins.context.facts import Import
from krins.context.resolving.modules import Defined, Meaning, Module
from krins.context.resolving.names import TOP
from krins.context.resolving.scopes import Scopes, split
from krins.interfaces import IntArray

_DTYPE: DTypeLike = np.int32


class Edges(NamedTuple):
    imports: IntArray
    """Shape (n_imports,): files, sorted."""
    calls: IntArray
    """Shape (n_calls, 3): the file's unit that calls, and file and definition that are called; not all distinct."""


def edges(scopes: Scopes, file: int) -> Edges:
    imports = sorted(set(_imports(scopes, file)) - {file})
    calls = np.fromiter(chain.from_iterable(_calls(scopes, file)), _DTYPE)
    return Edges(np.array(imports, _DTYPE), calls.reshape(-1, 3))


NO_EDGES = Edges(np.zeros(0, _DTYPE), np.zeros((0, 3), _DTYPE))


def _imports(scopes: Scopes, file: int) -> Iterator[int]:
    yield from scopes.family.implied(file)
    own = scopes.family.files(scopes.family.own(file))
    if len(own) > 1:
        yield from _named(scopes, file, own)
    for imported in scopes.family.sources.facts[file].imports:
        module = scopes.module(file, imported)
        if module is not None:
            yield from _imported(scopes, file, module, imported)


def _imported(scopes: Scopes, file: int, module: str, imported: Import) -> Iterator[int]:
    """The module, and wherever the names come from that are taken out of it.

    A module of several files is as many as the importing one has words for: not all of a package is meant.
    """
    files = scopes.family.files(module)
    names = [name for name, _ in imported.names if name != "*"]
    if len(files) < 2:
        yield from files
    elif not names:
        yield from _named(scopes, file, files)
    for name in names:
        meaning = scopes.in_module(module, name)
        if isinstance(meaning, Module):
            yield from scopes.family.files(meaning.name)
        elif meaning is not None:
            yield meaning.file


def _named(scopes: Scopes, file: int, files: Collection[int]) -> Iterator[int]:
    """Those of `files` that define, at their top, something that `file` has a word for."""
    among = frozenset(files)
    for word in scopes.family.sources.facts[file].words:
        yield from among.intersection(scopes.definers.get(word, ()))


def _calls(scopes: Scopes, file: int) -> Iterator[tuple[int, int, int]]:
    names, family = scopes.names(file), scopes.family
    known: dict[tuple[int, int, str, str], Sequence[tuple[int, int]]] = {}
    """Callees by what they depend on: the unit, the class around it, or neither (`TOP`), and the call as written."""
    for unit, receiver, name in family.sources.facts[file].calls:
        first = split(receiver)[0] or name
        local = unit if first in names.local else TOP
        own = names.class_of_unit[unit] if family.sees_members or first in family.own_names else TOP
        key = local, own, receiver, name
        if key not in known:
            called = _called(scopes, file, unit, receiver, name)
            known[key] = scopes.run_by(called) if isinstance(called, Defined) else ()
        for other, definition in known[key]:
            yield unit, other, definition


def _called(scopes: Scopes, file: int, unit: int, written: str, name: str) -> Meaning:
    family = scopes.family
    if not written:
        return scopes.in_unit(file, unit, name) if family.tells_methods else None
    first, *rest = split(written)
    own = scopes.own_class(file, unit) if first in family.own_names else None
    begin = own or scopes.in_unit(file, unit, first)
    if not family.tells_methods and not isinstance(begin, Module):
        return None
    receiver = scopes.along(begin, rest)
    is_made = name == family.maker and isinstance(receiver, Defined) and receiver.is_class
    return receiver if is_made else scopes.along(receiver, (name,))


__all__ = ["NO_EDGES", "Edges", "edges"]
