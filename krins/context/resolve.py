"""Imports resolved to files, and calls to the units that they call, where that is certain.

Invariants: edges are a function of paths and facts, whatever was resolved before; a call has an edge only if its name
can mean nothing else in the tree (`krins.context.resolving.scopes`), never for being likely. Left out: what only
running tells: `self.m` is the method that the class has or inherits, whatever a subclass makes of it, and a name is
what it is at the top of its file, though a function may use it for a variable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from threading import Lock

from krins.context.collector import uncollected
from krins.context.facts import FileFacts
from krins.context.resolving.ecmascript import EcmaScript
from krins.context.resolving.edges import NO_EDGES, Edges, edges
from krins.context.resolving.family import Family
from krins.context.resolving.included import Bash, C, Ruby
from krins.context.resolving.packaged import PHP, CSharp, Go, Java
from krins.context.resolving.python import Python
from krins.context.resolving.rust import Rust
from krins.context.resolving.scopes import Scopes
from krins.context.resolving.sources import Sources
from krins.interfaces import IntArray

_FAMILIES: Mapping[str, type[Family]] = {
    "python": Python,
    "javascript": EcmaScript,
    "typescript": EcmaScript,
    "tsx": EcmaScript,
    "go": Go,
    "java": Java,
    "rust": Rust,
    "c": C,
    "cpp": C,
    "ruby": Ruby,
    "c-sharp": CSharp,
    "php": PHP,
    "bash": Bash,
}
"""By language."""


class Resolver:
    """Resolves one state of a tree after another, each file again only if its edges may have changed.

    May be asked from several threads. What it remembers is not pickled.
    """

    def __init__(self) -> None:
        self._sources = Sources((), (), ())
        self._scopes: Mapping[str, Scopes] = {}
        """By language."""
        self._edges: list[Edges] = []
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[Resolver], tuple[()]]:
        return Resolver, ()

    def edges(
        self, paths: Sequence[str], facts: Sequence[FileFacts], definition_units: Sequence[IntArray]
    ) -> Sequence[Edges]:
        """The edges of each file. `definition_units` are, of each file, its unit that each definition stands in."""
        with self._lock, uncollected():
            changed = self._changed(paths, facts)
            if changed is None:
                self._sources = Sources(paths, facts, definition_units)
                self._scopes = _scopes(self._sources)
                self._edges = [NO_EDGES] * len(paths)
                changed = range(len(paths))
            else:
                self._sources.facts, self._sources.definition_units = facts, definition_units
            try:
                self._resolve(changed)
            except BaseException:
                self._sources = Sources((), (), ())  # nothing of what is half done counts
                raise
            return tuple(self._edges)

    def _resolve(self, changed: Collection[int]) -> None:
        scopes = {file: self._scopes.get(self._sources.facts[file].language) for file in changed}
        there = {file: found for file, found in scopes.items() if found is not None}
        for file, found in there.items():
            found.forget(file)
        for file, found in there.items():
            self._edges[file] = edges(found, file)

    def _changed(self, paths: Sequence[str], facts: Sequence[FileFacts]) -> Collection[int] | None:
        """Files whose edges may have changed since the last call; None for all of them."""
        if paths != self._sources.paths:
            return None
        pairs = enumerate(zip(self._sources.facts, facts, strict=True))
        changed = {file: (old, new) for file, (old, new) in pairs if old is not new}
        is_inside = all(_interface(old) == _interface(new) for old, new in changed.values())
        return changed if is_inside else None


def _scopes(sources: Sources) -> Mapping[str, Scopes]:
    files: dict[type[Family], list[int]] = defaultdict(list)
    for file, facts in enumerate(sources.facts):
        if facts.language in _FAMILIES:
            files[_FAMILIES[facts.language]].append(file)
    scopes = {family: Scopes(family(sources), of_family) for family, of_family in files.items()}
    return {language: scopes[family] for language, family in _FAMILIES.items() if family in scopes}


def _interface(facts: FileFacts) -> object:
    """What the edges of other files may depend on."""
    owners = facts.unit_definitions[facts.unit_of_line[[imported.line - 1 for imported in facts.imports]]]
    return (
        facts.language,
        [(one.name, one.kind, one.parent, one.bases) for one in facts.definitions],
        [one._replace(line=0) for one in facts.imports],
        owners.tolist(),
    )


__all__ = ["Resolver"]
