"""What files are, by their names: tests that can be run, and files that say rather than do.

Invariant: pure functions of the path. Left out: conventions that a project sets for itself.
"""

from __future__ import annotations

import re
from enum import StrEnum

_PYTHON = re.compile(r"(?:^|/)(?:test[^/]*|[^/]*_test)\.py$")
_NODE = re.compile(r"\.test\.[cm]?js$")
_SHELL = re.compile(r"\.test\.sh$")
_OTHER_TEST = re.compile(r"(?:^|/)(?:tests?|__tests__)/|[._]test\.|[._]spec\.", re.IGNORECASE)
_PROSE = re.compile(r"\.(?:md|rst|txt|adoc)$", re.IGNORECASE)


class TestKind(StrEnum):
    """Who runs a test file."""

    __test__ = False  # its name is one that pytest collects

    PYTHON = "python"
    """unittest; functions `test*` without parameters run as well."""
    NODE = "node"
    """node --test"""
    SHELL = "shell"
    """Its exit code."""


def test_kind(path: str) -> TestKind | None:
    """How a file of tests is run; None where it is none, or one that cannot be run here."""
    for pattern, kind in ((_PYTHON, TestKind.PYTHON), (_NODE, TestKind.NODE), (_SHELL, TestKind.SHELL)):
        if pattern.search(path):
            return kind
    return None


def is_test(path: str) -> bool:
    """Whether a file holds tests or belongs to them."""
    return test_kind(path) is not None or _OTHER_TEST.search(path) is not None


def is_prose(path: str) -> bool:
    return _PROSE.search(path) is not None
