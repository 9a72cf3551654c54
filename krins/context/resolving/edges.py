"""The edges that leave one file: files that it imports, and definitions that its units call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from krins.context.facts import Call, Import
from krins.context.resolving.scopes import Defined, Meaning, Module, Scopes, split
from krins.interfaces import IntArray


class Edges(NamedTuple):
    """Distinct and sorted. Of calls: the file's unit that calls, and file and definition that are called."""

    imports: IntArray
    """Shape (n_imports,): files."""
    units: IntArray
    """Shape (n_calls,)."""
    files: IntArray
    """Shape (n_calls,)."""
    definitions: IntArray
    """Shape (n_calls,): of that file."""


def edges(scopes: Scopes, file: int) -> Edges:
    imports = sorted(set(_imports(scopes, file)) - {file})
    calls = np.array(sorted(set(_calls(scopes, file))), dtype=np.int32).reshape(-1, 3)
    return Edges(np.array(imports, dtype=np.int32), *calls.T)


NO_EDGES = Edges(*np.zeros((4, 0), dtype=np.int32))


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


def _named(scopes: Scopes, file: int, files: Sequence[int]) -> Iterator[int]:
    """Those of `files` that define, at their top, something that `file` has a word for."""
    among = frozenset(files)
    for word in scopes.family.sources.facts[file].words:
        yield from among.intersection(scopes.definers.get(word, ()))


def _calls(scopes: Scopes, file: int) -> Iterator[tuple[int, int, int]]:
    for call in scopes.family.sources.facts[file].calls:
        called = _called(scopes, file, call)
        if isinstance(called, Defined):
            for definition in scopes.run_by(called):
                yield (call.unit, *definition)


def _called(scopes: Scopes, file: int, call: Call) -> Meaning:
    family = scopes.family
    if not call.receiver:
        return scopes.in_unit(file, call.unit, call.name) if family.tells_methods else None
    first, *rest = split(call.receiver)
    own = scopes.own_class(file, call.unit) if first in family.own_names else None
    receiver = scopes.along(own or scopes.in_unit(file, call.unit, first), rest)
    if call.name == family.maker and isinstance(receiver, Defined) and scopes.is_class(receiver):
        return receiver
    return scopes.along(receiver, (call.name,))


__all__ = ["NO_EDGES", "Edges", "edges"]
