"""What paths tell by convention: whether a file is a test.

Left out: what a test needs, and running it.
"""

from __future__ import annotations

import re

_FOLDERS = frozenset(["test", "tests", "testing", "spec", "specs", "__tests__", "e2e"])
_FILE = re.compile(
    r"(?:tests?|test_.*|.*[_.\-](?:test|tests|spec)|conftest|.*[a-z0-9](?:Test|Tests|TestCase|IT)|Test[A-Z].*|.*_spec)\.\w+"
)


def is_test(path: str) -> bool:
    """Whether a path is that of a test or of what tests are made with, by the usual names of all languages."""
    *folders, name = path.split("/")
    return not _FOLDERS.isdisjoint(folders) or _FILE.fullmatch(name) is not None


__all__ = ["is_test"]
