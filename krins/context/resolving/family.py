"""What resolving must know of a family of languages that import alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import ClassVar, NamedTuple

from krins.context.facts import FileFacts, Import
from krins.context.resolving.sources import Sources


class Binding(NamedTuple):
    """What an import says about a name that it brings into a file."""

    here: str
    imported: Import
    name: str
    """In the module; empty for the module itself."""


class Family:
    """Languages whose files may import each other. Modules are strings, of the family's own making."""

    own_names: ClassVar[frozenset[str]] = frozenset({"this"})
    """What a method calls its object or its class."""
    constructors: ClassVar[tuple[str, ...]] = ()
    """Names of constructors; none where they have that of their class."""
    sees_members: ClassVar[bool] = False
    """Whether a method knows the members of its class without a receiver."""
    has_overloads: ClassVar[bool] = True
    """Whether definitions of one name beside each other may be one thing."""

    reexports: ClassVar[bool] = True
    """Whether a module passes on what it imports."""
    stars_may_hide: ClassVar[bool] = False
    """Whether a name that one star brings may be hidden by that of another, which is not in the tree."""
    tells_methods: ClassVar[bool] = True
    """Whether methods are told from functions, and types from variables of their names: else calls into modules alone
    are sure."""
    maker: ClassVar[str] = ""
    """What is called on a class to make an object, where that is no member of it."""
    rootless: ClassVar[frozenset[str]] = frozenset()
    """Bases without members of interest."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def own(self, file: int) -> str:
        """The module that a file belongs to."""
        return self.sources.paths[file]

    def files(self, module: str) -> Collection[int]:
        """The files of a module, without those of modules inside it."""
        file = self.sources.ids.get(module)
        return () if file is None else (file,)

    def imported(self, file: int, imported: Import) -> str | None:
        """The module that an import of `file` names; None if it is not in the tree, or which one it is is not sure."""
        raise NotImplementedError

    def inside(self, module: str, name: str) -> str | None:
        """The module `name` inside `module`, which does not define that name."""
        return None

    def bindings(self, imported: Import) -> Iterator[Binding]:
        for name, here in imported.names:
            yield Binding(here, imported, name)
        if imported.alias:
            yield Binding(imported.alias, imported, "")

    def root(self, file: int, name: str) -> str | None:
        """The module that the language itself calls `name` in a file."""
        return None

    def spaces(self, facts: FileFacts) -> frozenset[int]:
        """Definitions of a file that are no classes but namespaces, whose names are the module's."""
        return frozenset()

    def bodies(self, file: int) -> Iterable[int]:
        """Files that hold the bodies of what a file declares."""
        return ()

    def implied(self, file: int) -> Iterable[int]:
        """Files that a file needs without naming them."""
        return ()


__all__ = ["Binding", "Family"]
