"""Imports resolved to files, and calls to the units that they call, where that is certain.

Invariants: edges are a function of paths and facts, whatever was resolved before; a call has an edge only if its name
can mean nothing else in the tree (`krins.context.resolving.scopes`), never for being likely. Left out: what only
running tells: `self.m` is the method that the class has or inherits, whatever a subclass makes of it, and a name is
what it is at the top of its file, though a function may use it for a variable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence

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
    """Resolves one state of a tree after another, each file again only if its edges may have changed."""

    def __init__(self) -> None:
        self._paths: Sequence[str] = ()
        self._facts: Sequence[FileFacts] = ()
        self._edges: list[Edges] = []

    def edges(
        self, paths: Sequence[str], facts: Sequence[FileFacts], definition_units: Sequence[IntArray]
    ) -> list[Edges]:
        """The edges of each file. `definition_units` are, of each file, its unit that each definition stands in."""
        changed: Container[int] = range(len(paths))
        found = [NO_EDGES] * len(paths)
        if paths == self._paths:
            pairs = zip(self._facts, facts, strict=True)
            differing = {file for file, (old, new) in enumerate(pairs) if old is not new}
            if all(_interface(self._facts[file]) == _interface(facts[file]) for file in differing):
                changed, found = differing, self._edges.copy()
        sources = Sources(paths, facts, definition_units)
        for family, files in _by_family(facts).items():
            scopes = Scopes(family(sources), files)
            for file in files:
                if file in changed:
                    found[file] = edges(scopes, file)
        self._paths, self._facts, self._edges = paths, facts, found
        return found


def _by_family(facts: Sequence[FileFacts]) -> Mapping[type[Family], Sequence[int]]:
    files: dict[type[Family], list[int]] = defaultdict(list)
    for file, one in enumerate(facts):
        if one.language in _FAMILIES:
            files[_FAMILIES[one.language]].append(file)
    return files


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
