"""Makes the source tree of a task importable inside a sandbox, out of one file that was carried in with the code.

The file holds a JSON object, path to text. Invariants: the standard library and whatever is in the working directory
come first, so that a tree can hide neither the solution nor the tests; nothing is written, and what a solution does to
the modules that it imports stays in its own sandbox. A folder without `__init__.py` is a namespace package.
Left out: files that are no Python source, which a prompt may show and code cannot open.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType
    from typing import Any

FILE = "tree.json"


class TreeFinder:
    """A finder and loader of modules, as `sys.meta_path` takes them (PEP 451)."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._folders = {path[:end] for path in files for end in range(len(path)) if path[end] == "/"}

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        place = name.replace(".", "/")
        loader: Any = self  # types ask for a subclass of importlib.abc.Loader, which is slow to import
        for file, is_package in ((f"{place}/__init__.py", True), (f"{place}.py", False)):
            if file in self._files:
                return ModuleSpec(name, loader, origin=file, is_package=is_package)
        return ModuleSpec(name, None, is_package=True) if place in self._folders else None

    def create_module(self, spec: ModuleSpec) -> None:
        """None: the interpreter makes it."""

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        file = module.__spec__.origin
        assert file is not None
        exec(compile(self._files[file], file, "exec", dont_inherit=True), module.__dict__)


def install() -> None:
    """Let modules of the carried tree be imported, after all others."""
    with open(FILE, encoding="utf-8") as file:  # noqa: PTH123 -- pathlib is slow to import
        sys.meta_path.append(TreeFinder(json.load(file)))
