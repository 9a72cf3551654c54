"""Languages whose modules are folders or namespaces of several files: Go, Java, PHP, C#.

What a file imports is its own; the files of a module know each other's definitions without importing them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from posixpath import basename, dirname, join, normpath
from typing import ClassVar

from krins.context.facts import FileFacts, Import, Kind
from krins.context.resolving.family import Family

_TEST = "_test.go"


class Packaged(Family):
    language: ClassVar[str]
    reexports: ClassVar[bool] = False

    def files(self, module: str) -> Collection[int]:
        return self._modules.get(module) or super().files(module)

    @cached_property
    def _modules(self) -> Mapping[str, frozenset[int]]:
        modules: dict[str, list[int]] = defaultdict(list)
        for file, facts in enumerate(self.sources.facts):
            if facts.language == self.language:
                for module in self._modules_of(file):
                    modules[module].append(file)
        return {module: frozenset(files) for module, files in modules.items()}

    def _modules_of(self, file: int) -> Sequence[str]:
        """The modules that a file is part of."""
        return (self.own(file),)


class Go(Packaged):
    """A module is a folder, and as `FOLDER/_test.go` the folder with its tests, which others do not know.

    What the tree is called is not in its Go files: it is taken to be what most imports of its folders begin with, if
    whatever begins so is one of its folders.
    """

    language: ClassVar[str] = "go"
    own_names: ClassVar[frozenset[str]] = frozenset()
    has_overloads: ClassVar[bool] = False
    tells_methods: ClassVar[bool] = False

    def own(self, file: int) -> str:
        path = self.sources.paths[file]
        return join(dirname(path), _TEST) if path.endswith(_TEST) else dirname(path)

    def imported(self, file: int, imported: Import) -> str | None:
        if imported.module.startswith("."):
            folder = normpath(join(dirname(self.sources.paths[file]), imported.module))
        elif self._name and f"{imported.module}/".startswith(f"{self._name}/"):
            folder = imported.module[len(self._name) + 1 :]
        else:
            return None
        return folder if folder in self._modules else None

    def _modules_of(self, file: int) -> Sequence[str]:
        path = self.sources.paths[file]
        with_tests = join(dirname(path), _TEST)
        return (with_tests,) if path.endswith(_TEST) else (dirname(path), with_tests)

    @cached_property
    def _name(self) -> str:
        written = {one.module for facts in self.sources.facts if facts.language == "go" for one in facts.imports}
        folders: dict[str, set[str]] = defaultdict(set)
        for path in written:
            for at, letter in enumerate(path):
                if letter == "/" and path[at + 1 :] in self._modules:
                    folders[path[:at]].add(path[at + 1 :])
        for name in sorted(folders, key=lambda name: (-len(folders[name]), name)):
            if all(path[len(name) + 1 :] in self._modules for path in written if f"{path}/".startswith(f"{name}/")):
                return name
        return ""


class Java(Packaged):
    """A module is a package, by the folders below `java/` or `src/`, or else below the root; or a class's file."""

    language: ClassVar[str] = "java"
    sees_members: ClassVar[bool] = True

    def own(self, file: int) -> str:
        folder = f"/{dirname(self.sources.paths[file])}/"
        for root in ("/java/", "/src/"):
            if root in folder:
                folder = folder.rpartition(root)[2]
                break
        return folder.strip("/").replace("/", ".")

    def imported(self, file: int, imported: Import) -> str | None:
        package = self._package(imported.module)
        if package is None:  # of a class: what is static in it, or a class inside it
            around, _, name = imported.module.rpartition(".")
            files = self.files(self._package(around) or "")
            paths = [self.sources.paths[other] for other in files]
            return next((path for path in paths if basename(path) == f"{name}.java"), None)
        return package

    def _package(self, name: str) -> str | None:
        """The package itself, or the only one whose name ends so, its folders beginning above the root of sources."""
        if name in self._modules:
            return name
        ending = [package for package in self._modules if package.endswith(f".{name}")]
        return ending[0] if len(ending) == 1 and "." in name else None


class PHP(Packaged):
    """A module is a folder, of classes whose files have their names (PSR-4); or a file, that is required."""

    language: ClassVar[str] = "php"
    own_names: ClassVar[frozenset[str]] = frozenset({"$this", "self", "static"})
    constructors: ClassVar[tuple[str, ...]] = ("__construct",)

    def own(self, file: int) -> str:
        return dirname(self.sources.paths[file])

    def imported(self, file: int, imported: Import) -> str | None:
        if any(name == "*" for name, _ in imported.names):
            return self._required(file, imported)
        space = [part for part in imported.module.split("\\") if part]
        for at in range(len(space)):  # a prefix of the namespace may stand for any folder
            found = self.sources.ending("/".join((*space[at:], f"{imported.names[0][0]}.php")))
            if found:
                return dirname(self.sources.paths[found[0]]) if len(found) == 1 else None
        return None

    def _required(self, file: int, imported: Import) -> str | None:
        """`__DIR__` goes before a path of level 1; others are relative to the script that runs."""
        path = normpath(imported.module.lstrip("/"))
        beside = normpath(join(dirname(self.sources.paths[file]), path))
        if beside in self.sources.ids:
            return beside
        found = [] if imported.level else self.sources.ending(path)
        return self.sources.paths[found[0]] if len(found) == 1 else None


class CSharp(Packaged):
    """A module is a namespace with braces: what one without braces holds is not known to parsing."""

    language: ClassVar[str] = "c-sharp"
    sees_members: ClassVar[bool] = True

    def own(self, file: int) -> str:
        spaces = self._modules_of(file)
        return spaces[0] if len(spaces) == 1 else self.sources.paths[file]

    def imported(self, file: int, imported: Import) -> str | None:
        return imported.module if imported.module in self._modules else None

    def spaces(self, facts: FileFacts) -> frozenset[int]:
        """Definitions at the top that hold types and nothing else."""
        inside: dict[int, set[Kind]] = defaultdict(set)
        for definition in facts.definitions:
            inside[definition.parent].add(definition.kind)
        return frozenset(
            at
            for at, definition in enumerate(facts.definitions)
            if definition.parent < 0 and inside[at] == {Kind.CLASS}
        )

    def _modules_of(self, file: int) -> Sequence[str]:
        facts = self.sources.facts[file]
        return tuple({facts.definitions[at].name: None for at in sorted(self.spaces(facts))})


__all__ = ["PHP", "CSharp", "Go", "Java"]
