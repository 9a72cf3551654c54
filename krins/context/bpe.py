"""The byte-pair encoders of `bpe-openai`, without what its Python package does when it is imported.

Importing the package unpacks the ranks of every encoding, for a second; the extension inside has its own, and is there
in a tenth of that. So the extension is loaded by itself. Invariants: special tokens in a text are text. Left out: texts
that are too long for one call (`krins.context.tokens`).
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Protocol


class Encoder(Protocol):
    def count(self, text: str) -> int:
        """Tokens of a text."""
        ...


@cache
def encoder(encoding: str) -> Encoder:
    """The encoder of `o200k_base` or `cl100k_base`."""
    made: Encoder = _extension().tokenizer_for_encoding(encoding)
    return made


@cache
def _extension() -> ModuleType:
    package = importlib.util.find_spec("bpe_openai")
    folders = package.submodule_search_locations if package else None
    for path in (Path(folder) / f"_bindings{suffix}" for folder in folders or () for suffix in EXTENSION_SUFFIXES):
        if path.is_file():
            loader = ExtensionFileLoader("bpe_openai._bindings", str(path))
            spec = importlib.util.spec_from_loader(loader.name, loader)
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            loader.exec_module(module)
            return module
    raise ImportError("bpe-openai is not installed, or has no extension for this platform", name="bpe_openai")


__all__ = ["Encoder", "encoder"]
