"""Which paths a source tree may have: relative POSIX paths that mean the same on every machine.

Refused are paths that may lie outside the tree or mean something else elsewhere, git's own files, and names that one
file system keeps apart and another does not. Invariants: looks at paths alone; the first reason found is the one that
is told. Left out: which files a change must leave alone (`krins.pipeline.patches.guard`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from krins.errors import PatchRefused

_MOST_PATH_BYTES = 1024
_MOST_NAME_BYTES = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GITS = frozenset([".git", "git~1", ".gitmodules"])


def why_malformed(path: str) -> str:
    """Why no tree may have such a path; empty if it may."""
    return next((reason for holds, reason in _SHAPES if holds(path)), "")


def _parts(path: str) -> list[str]:
    return path.split("/")


def _is_gits(name: str) -> bool:
    """Whether a file system may take a name for one of git's: without case, ignorable characters, or a blank end."""
    visible = "".join(character for character in name if unicodedata.category(character) != "Cf")
    return visible.rstrip(" .").casefold() in _GITS


def _is_utf8(path: str) -> bool:
    try:
        return bool(path.encode())
    except UnicodeEncodeError:
        return False


_SHAPES: Sequence[tuple[Callable[[str], bool], str]] = (
    (lambda path: not _is_utf8(path), "no path in UTF-8"),
    (lambda path: _CONTROL.search(path) is not None, "has control characters"),
    (lambda path: "\\" in path, "has a backslash"),
    (lambda path: ":" in path, "has a colon, as drives and streams have"),
    (lambda path: path.startswith(("/", "~")), "is not relative to the tree"),
    (lambda path: not {"", ".", ".."}.isdisjoint(_parts(path)), "leads out of the tree, or by a detour"),
    (lambda path: any(map(_is_gits, _parts(path))), "is git's own"),
    (lambda path: any(part != part.strip() or part.endswith(".") for part in _parts(path)), "has a blank or dot end"),
    (lambda path: len(path.encode()) > _MOST_PATH_BYTES, "is too long"),
    (lambda path: any(len(part.encode()) > _MOST_NAME_BYTES for part in _parts(path)), "has a name that is too long"),
)
"""In this order: what comes first is what later ones rely on."""


def check_collisions(paths: Iterable[str], written: Collection[str]) -> None:
    """Names that differ in case or in Unicode's forms alone, and files in the place of folders.

    `paths`: of the whole tree, in which those that are `written` are new or changed and can be at fault.

    Raises:
        PatchRefused: two are one.
    """
    every = list(paths)
    spelled: dict[str, str] = {}
    for path in every:
        if path not in written:
            spelled.update((_folded(prefix), prefix) for prefix in _prefixes(path))
    files = {_folded(path) for path in every}
    folders = {_folded(prefix) for path in every for prefix in list(_prefixes(path))[:-1]}
    for path in written:
        for prefix in _prefixes(path):
            other = spelled.setdefault(_folded(prefix), prefix)
            if other != prefix:
                raise PatchRefused(
                    f"{path!r}: {prefix} and {other} are one name where case does not count", "rename it"
                )
            if (prefix != path and _folded(prefix) in files) or (prefix == path and _folded(path) in folders):
                raise PatchRefused(f"{path!r}: {prefix} is both a file and a folder", "rename it")


def _prefixes(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


__all__ = ["check_collisions", "why_malformed"]
