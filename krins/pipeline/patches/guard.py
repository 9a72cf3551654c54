"""Which paths a change must leave alone, whatever it says of them.

Refused are paths that may lie outside the tree or mean something else on another machine, git's own files, tests that
are there and what tests run with, what a task protects, names that one file system keeps apart and another does not,
and changes that are too large. Files of new tests are welcome.

Invariants: looks at paths and sizes alone, so that it holds for changes however they were made; the first reason found,
by path, is the one that is told. Left out: links and submodules, which a tree cannot hold and a diff is refused for
(`krins.pipeline.patches.unified`); what is in the files, which is the gates'.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from krins.context.languages import language_of
from krins.context.test_files import is_test_file
from krins.domain import Change
from krins.errors import PatchRefused

MOST_BYTES = 2**20
"""Of all files that a change writes together."""
_MOST_PATH_BYTES = 1024
_MOST_NAME_BYTES = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GITS = frozenset([".git", "git~1", ".gitmodules"])
_TEST_FOLDERS = frozenset(["test", "tests", "__tests__"])
_TEST_SETTINGS = frozenset(["conftest.py", "pytest.ini", "sitecustomize.py", "usercustomize.py"])


def check_paths(change: Change, protected: Sequence[str]) -> None:
    """`protected`: patterns of paths, as fnmatch has them.

    Raises:
        PatchRefused: a path must be left alone, or the change is too large.
    """
    n_bytes = 0
    for path in [*change.deleted, *change.written]:
        if reason := why_not(path, change, protected):
            raise PatchRefused(f"{path[:200]!r}: {reason}", "leave it alone")
        n_bytes += len(change.after.get(path, "").encode(errors="replace"))
    if n_bytes > MOST_BYTES:
        raise PatchRefused(f"the change writes {n_bytes:,} bytes; it may write {MOST_BYTES:,}", "change less")
    _check_collisions(change)


def why_not(path: str, change: Change, protected: Sequence[str]) -> str:
    """Why a change must leave a path alone; empty if it need not."""
    if reason := next((reason for holds, reason in _SHAPES if holds(path)), ""):
        return reason
    if pattern := next((pattern for pattern in protected if fnmatchcase(path, pattern)), None):
        return f"protected by {pattern}"
    *folders, name = path.split("/")
    if name.casefold() in _TEST_SETTINGS:
        return "tests run with it"
    is_test = is_test_file(path, language_of(path) or "") if language_of(path) else False
    if is_test and path in change.before:
        return "is a test"
    if not is_test and not _TEST_FOLDERS.isdisjoint(folder.casefold() for folder in folders):
        return "tests run with it"
    return ""


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


def _check_collisions(change: Change) -> None:
    """Names that differ in case or in Unicode's forms alone, and files in the place of folders."""
    written = change.written
    spelled: dict[str, str] = {}
    for path in change.after:
        if path not in written:
            spelled.update((_folded(prefix), prefix) for prefix in _prefixes(path))
    files = {_folded(path) for path in change.after}
    folders = {_folded(prefix) for path in change.after for prefix in list(_prefixes(path))[:-1]}
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


__all__ = ["MOST_BYTES", "check_paths", "why_not"]
