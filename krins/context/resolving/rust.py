"""Rust: paths of modules, each of which is a file or a folder with `mod.rs`."""

from __future__ import annotations

from collections.abc import Collection
from posixpath import basename, dirname, join
from typing import ClassVar

from krins.context.facts import Import, Kind
from krins.context.resolving.family import Family

_CRATE_ROOTS = ("lib.rs", "main.rs")


class Rust(Family):
    """A module is the path of its file without `.rs` or `/mod.rs`; a crate's root is the folder of `lib.rs`."""

    own_names: ClassVar[frozenset[str]] = frozenset({"self", "Self"})

    def own(self, file: int) -> str:
        path = self.sources.paths[file]
        return dirname(path) if basename(path) in (*_CRATE_ROOTS, "mod.rs") else path.removesuffix(".rs")

    def files(self, module: str) -> Collection[int]:
        for path in (f"{module}.rs", *(join(module, name) for name in ("mod.rs", *_CRATE_ROOTS))):
            file = self.sources.ids.get(path)
            if file is not None:
                return (file,)
        return ()

    def imported(self, file: int, imported: Import) -> str | None:
        first, *rest = imported.module.removeprefix("::").split("::")
        for _ in range(self._inline_depth(file, imported.line)):  # `super` of a module inside a file is the file
            if first == "super":
                first, *rest = rest or ["self"]
        module = self.root(file, first) or self.inside(self.own(file), first) or self._crate(first)
        for name in rest:
            module = module and (dirname(module) if name == "super" else self.inside(module, name))
        return module

    def _inline_depth(self, file: int, line: int) -> int:
        facts = self.sources.facts[file]
        definition = int(facts.unit_definitions[facts.unit_of_line[line - 1]])
        depth = 0
        while definition >= 0:
            depth += facts.definitions[definition].kind is Kind.CLASS
            definition = facts.definitions[definition].parent
        return depth

    def inside(self, module: str, name: str) -> str | None:
        inner = join(module, name)
        return inner if self.files(inner) else None

    def root(self, file: int, name: str) -> str | None:
        own = self.own(file)
        if name == "self":
            return own
        if name == "super":
            return dirname(own)
        return self._crate_root(own) if name == "crate" else None

    def _crate_root(self, module: str) -> str:
        """The innermost folder around a module that has a crate's root in it; else the module is a crate of its own."""
        folder = module
        while not any(join(folder, name) in self.sources.ids for name in _CRATE_ROOTS):
            if not folder:
                return module
            folder = dirname(folder)
        return folder

    def _crate(self, name: str) -> str | None:
        """Another crate of the tree, in a folder of its name."""
        found = {
            dirname(self.sources.paths[file])
            for written in {name, name.replace("_", "-")}
            for file in self.sources.ending(f"{written}/src/lib.rs")
        }
        return found.pop() if len(found) == 1 else None


__all__ = ["Rust"]
