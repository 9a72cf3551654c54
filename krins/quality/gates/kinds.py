"""What files are, by their names: tests that can be run, files that say rather than do, and Python.

Invariant: pure functions of the path and, where it has no suffix, the first line. Left out: conventions that a project
sets for itself.
"""

from __future__ import annotations

import re
from enum import StrEnum

_PYTHON = re.compile(r"(?:^|/)(?:test[^/]*|[^/]*_test)\.py$")
_NODE = re.compile(r"\.test\.[cm]?js$")
_SHELL = re.compile(r"\.test\.sh$")
_OTHER_TEST = re.compile(r"(?:^|/)(?:tests?|__tests__)/|[._]test\.|[._]spec\.", re.IGNORECASE)
_PROSE = re.compile(r"\.(?:md|rst|txt|adoc)$", re.IGNORECASE)
_PYTHON_CODE = re.compile(r"\.py[iw]?$", re.IGNORECASE)
_SUFFIX = re.compile(r"\.\w+$")
_PYTHON_SHEBANG = re.compile(r"#!.*\bpython(?:3[\d.]*)?(?![\w.])")
"""Of Python 2, a parser of today says nothing true."""


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


def is_python(path: str, text: str) -> bool:
    if _PYTHON_CODE.search(path):
        return True
    return _SUFFIX.search(path) is None and _PYTHON_SHEBANG.match(text) is not None
