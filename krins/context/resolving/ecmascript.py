"""JavaScript and TypeScript: relative paths, with suffixes and index files left out or not."""

from __future__ import annotations

from posixpath import dirname, join, normpath
from typing import ClassVar

from krins.context.facts import Import
from krins.context.resolving.family import Family

_SUFFIXES = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_WRITTEN = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
"""Suffixes of sources by that of what they are compiled to, which is what may be written."""


class EcmaScript(Family):
    """A module is the path of its file. Names of packages, and paths mapped by settings, are not resolved."""

    constructors: ClassVar[tuple[str, ...]] = ("constructor",)

    def imported(self, file: int, imported: Import) -> str | None:
        if not imported.module.startswith("."):
            return None
        path = normpath(join(dirname(self.sources.paths[file]), imported.module))
        candidates = [path, *(path + suffix for suffix in _SUFFIXES)]
        for written, sources in _WRITTEN.items():
            if path.endswith(written):
                candidates += [path.removesuffix(written) + suffix for suffix in sources]
        candidates += [join(path, f"index{suffix}") for suffix in _SUFFIXES]
        return next((candidate for candidate in candidates if candidate in self.sources.ids), None)


__all__ = ["EcmaScript"]
