"""Languages that take in whole files by path: C and C++, Ruby, Bash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath
from typing import ClassVar

from krins.context.facts import Import
from krins.context.resolving.family import Binding, Family

_C_STANDARD = re.compile(
    r"(?:assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdarg|stdatomic|stdbool"
    r"|stddef|stdint|stdio|stdlib|string|tgmath|threads|time|unistd|wchar|wctype)\.h"
)
_HEADERS = (".h", ".hpp", ".hh", ".hxx", ".h++")
_BODIES = (".c", ".cpp", ".cc", ".cxx", ".c++")
_VARIABLE = re.compile(r"^(?:\$\w+|\$\{[^}]*\}|\$\(.*\))/")


class Included(Family):
    """A module is the path of its file: beside the importing one, or else the only one in the tree that ends so."""

    def _beside(self, file: int, path: str) -> str | None:
        found = normpath(join(dirname(self.sources.paths[file]), path))
        return found if found in self.sources.ids else None

    def _ending(self, path: str) -> str | None:
        found = self.sources.ending(normpath(path))
        return self.sources.paths[found[0]] if len(found) == 1 else None


class C(Included):
    """C and C++. A header stands for the source of its name beside it, too: there the bodies are."""

    sees_members: ClassVar[bool] = True

    def imported(self, file: int, imported: Import) -> str | None:
        path = imported.module
        return self._beside(file, path) or (None if _C_STANDARD.fullmatch(path) else self._ending(path))

    def bodies(self, file: int) -> Iterable[int]:
        stem, dot, suffix = self.sources.paths[file].rpartition(".")
        if dot + suffix in _HEADERS:
            for body in _BODIES:
                if stem + body in self.sources.ids:
                    yield self.sources.ids[stem + body]

    implied = bodies


class Ruby(Included):
    """`require_relative` names a path, `require` one below a folder on the load path, usually `lib`."""

    own_names: ClassVar[frozenset[str]] = frozenset({"self"})
    constructors: ClassVar[tuple[str, ...]] = ("initialize",)
    maker: ClassVar[str] = "new"
    sees_members: ClassVar[bool] = True

    def imported(self, file: int, imported: Import) -> str | None:
        path = imported.module if imported.module.endswith(".rb") else f"{imported.module}.rb"
        if imported.level:
            return self._beside(file, path)
        return self._ending(join("lib", path)) or self._ending(path)

    def bindings(self, imported: Import) -> Iterator[Binding]:
        yield Binding("*", imported, "*")


class Bash(Included):
    """A sourced path often begins with a variable, for the folder of the script."""

    def imported(self, file: int, imported: Import) -> str | None:
        path = _VARIABLE.sub("", imported.module)
        return None if "$" in path else self._beside(file, path) or self._ending(path)


__all__ = ["Bash", "C", "Ruby"]
