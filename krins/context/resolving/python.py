"""Python: dotted modules, found from where `sys.path` can point to."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from posixpath import basename, dirname, join
from typing import ClassVar

from krins.context.facts import Import
from krins.context.resolving.family import Binding, Family

_SUFFIXES = (".py", ".pyw", ".pyi")


class Python(Family):
    """A module is its path without suffix or `/__init__.py`, as `src/pkg/mod`; a folder without `__init__.py` is one.

    A name that is not relative is looked for in every folder that can be on `sys.path`: those that hold modules or
    packages and are no packages themselves. If several have it, the innermost around the importing file is meant, as
    for scripts and for tests; if none of them is around it, the meaning is not sure. A name of the standard library is
    meant to be of the tree only if it is found around the importing file.
    """

    own_names: ClassVar[frozenset[str]] = frozenset({"self", "cls"})
    stars_may_hide: ClassVar[bool] = True
    rootless: ClassVar[frozenset[str]] = frozenset({"object", "ABC", "abc.ABC", "Generic", "typing.Generic"})
    constructors: ClassVar[tuple[str, ...]] = ("__init__", "__new__")

    def own(self, file: int) -> str:
        stem = self.sources.paths[file].rpartition(".")[0]
        return dirname(stem) if _is_package_file(self.sources.paths[file]) else stem

    def files(self, module: str) -> Collection[int]:
        file = self._files.get(module)
        return () if file is None else (file,)

    def imported(self, file: int, imported: Import) -> str | None:
        root = self._above(file, imported.level) if imported.level else self._root(file, imported.module)
        if root is None:
            return None
        module = join(root, imported.module.replace(".", "/")).rstrip("/")
        return module if self._exists(module) else None

    def inside(self, module: str, name: str) -> str | None:
        inner = join(module, name)
        return inner if self._exists(inner) else None

    def bindings(self, imported: Import) -> Iterator[Binding]:
        top, dot, _ = imported.alias.partition(".")
        if dot:  # `import a.b` makes `a` known
            yield Binding(top, Import(top, line=imported.line), "")
        else:
            yield from super().bindings(imported)

    def implied(self, file: int) -> Iterable[int]:
        """Its package, which is imported before it."""
        module = self.own(file)
        package = dirname(module)
        return self.files(package) if module and package in self._packages else ()

    def _exists(self, module: str) -> bool:
        return module in self._files or module in self._folders

    def _above(self, file: int, level: int) -> str | None:
        folder = dirname(self.sources.paths[file])
        for _ in range(level - 1):
            if not folder:
                return None
            folder = dirname(folder)
        return folder

    def _root(self, file: int, module: str) -> str | None:
        found = self._having.get(module)
        if found is None:
            found = self._having[module] = self._roots_having(module)
        around = [root for root in found if not root or self.sources.paths[file].startswith(f"{root}/")]
        if around:
            return max(around, key=len)
        return found[0] if len(found) == 1 and not _is_standard(module) else None

    def _roots_having(self, module: str) -> Sequence[str]:
        first, path = module.partition(".")[0], module.replace(".", "/")
        places = [self._roots] if _is_standard(module) else [self._roots, self._namespace_roots]
        having = ([root for root in roots.get(first, ()) if self._exists(join(root, path))] for roots in places)
        return next(filter(None, having), ())

    @cached_property
    def _having(self) -> dict[str, Sequence[str]]:
        """Answers of `_roots_having`."""
        return {}

    @cached_property
    def _files(self) -> Mapping[str, int]:
        """By module; a package rather than a module beside it, a source rather than its stub."""
        found: dict[str, tuple[bool, int, int]] = {}
        for file, facts in enumerate(self.sources.facts):
            if facts.language == "python":
                path = self.sources.paths[file]
                rank = not _is_package_file(path), _SUFFIXES.index(path[path.rindex(".") :]), file
                module = self.own(file)
                found[module] = min(found.get(module, rank), rank)
        return {module: file for module, (_, _, file) in found.items()}

    @cached_property
    def _folders(self) -> frozenset[str]:
        """Folders with Python in them, at any depth."""
        folders = {""}
        for path, facts in zip(self.sources.paths, self.sources.facts, strict=True):
            folder = dirname(path) if facts.language == "python" else ""
            while folder not in folders:
                folders.add(folder)
                folder = dirname(folder)
        return frozenset(folders)

    @cached_property
    def _packages(self) -> frozenset[str]:
        files = (self.sources.paths[file] for file in self._files.values())
        return frozenset(dirname(path) for path in files if _is_package_file(path))

    @cached_property
    def _roots(self) -> Mapping[str, Sequence[str]]:
        """Where a module or package of a name may be imported from."""
        return self._parents(self._files)

    @cached_property
    def _namespace_roots(self) -> Mapping[str, Sequence[str]]:
        """The same for folders that are no packages."""
        return self._parents(self._folders - self._packages)

    def _parents(self, modules: Iterable[str]) -> Mapping[str, Sequence[str]]:
        roots: dict[str, list[str]] = defaultdict(list)
        for module in sorted(modules):
            if module and dirname(module) not in self._packages:
                roots[basename(module)].append(dirname(module))
        return roots


def _is_package_file(path: str) -> bool:
    return basename(path).startswith("__init__.")


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


__all__ = ["Python"]
