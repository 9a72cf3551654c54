"""Which paths a change must leave alone, whatever it says of them.

Refused are paths that may lie outside the tree or mean something else on another machine, git's own files, tests that
are there and what tests run with, what a task protects, names that one file system keeps apart and another does not,
and changes that are too large. Files of new tests are welcome.

Invariants: looks at paths and sizes alone, so that it holds for changes however they were made; the first reason found,
by path, is the one that is told. Left out: links and submodules, which a tree cannot hold and a diff is refused for
(`krins.pipeline.patches.unified`); what is in the files, which is the gates'.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from krins.context.languages import language_of
from krins.context.test_files import is_test_file
from krins.domain import Change
from krins.errors import PatchRefused
from krins.pipeline.paths import check_collisions, why_malformed

MOST_BYTES = 2**20
"""Of all files that a change writes together."""
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
    check_collisions(change.after, change.written)


def why_not(path: str, change: Change, protected: Sequence[str]) -> str:
    """Why a change must leave a path alone; empty if it need not."""
    if reason := why_malformed(path):
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


__all__ = ["MOST_BYTES", "check_paths", "why_not"]
