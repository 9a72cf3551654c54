"""Puts a source tree, carried into a sandbox as one file, on the sandbox's private disk, where it can be imported.

The file holds a JSON object, path to text. Invariants: the standard library comes first, so that a tree can hide
nothing that tests or the calls to a candidate stand on; a module is always compiled from its source.
Left out: whether paths are harmless (`krins.pipeline.patches`); here they can only do harm to their own sandbox.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Mapping

DISK = os.environ.get("TMPDIR", "/tmp")
FOLDER = f"{DISK}/tree"


def load(name: str) -> dict[str, str]:
    with open(name, encoding="utf-8", errors="surrogatepass") as file:  # noqa: PTH123 -- pathlib is slow to import
        files: dict[str, str] = json.load(file)
    return files


def write(files: Mapping[str, str], folder: str) -> None:
    """Write a tree under `folder`, which need not exist.

    Raises:
        OSError: the disk is full, or a path is no file's.
    """
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    for path, text in files.items():
        place = f"{folder}/{path}"
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
        with open(place, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:  # noqa: PTH123
            file.write(text)


def install(files: Mapping[str, str]) -> None:
    """Let the tree's modules be imported, after all others."""
    write(files, FOLDER)
    sys.dont_write_bytecode = True
    sys.path.append(FOLDER)
