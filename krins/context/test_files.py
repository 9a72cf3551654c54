"""Which files of a tree hold tests, and what the tests in them are called.

Files are told by the naming conventions of each language's common runners; a name that may only tell what a source is
about, such as `openapi-spec.js` or `smoke-test.sh`, is a test's in a folder of tests alone. In Python, tests are told
one by one, by their pytest node id; elsewhere a file is one test. Invariants: pytest takes every id; where what it
would collect cannot be told from the text, as for tests that a class inherits, the id is that of the class or file
around it. Left out: conventions that a project sets for itself, but for tests in folders called `test`, `tests` or
`testing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from krins.context.python_units import FUNCTION, PYTHON, PythonUnits

_TEST = re.compile(r"^test_|[._](?:test|tests|spec)$", re.IGNORECASE)
_TEST_IN_FOLDER = re.compile(r"(?:^|[._-])(?:test|tests|spec)(?:[._-]|$)", re.IGNORECASE)
_CAMEL_CASE = re.compile(r"^Test[A-Z0-9_]|(?:Test|Tests|TestCase|Spec|IT)$")
_CAMEL_CASE_LANGUAGES = frozenset(["java", "csharp", "php"])
_PYTHON_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests)\.py$")
_FOLDERS = frozenset(["test", "tests", "testing"])
_OTHER_FOLDERS = _FOLDERS | {"spec", "specs", "e2e"}


def is_test_file(path: str, language: str) -> bool:
    """Whether a file's name is one of tests."""
    *folders, name = path.split("/")
    stem = name.rpartition(".")[0]
    if language == PYTHON:
        return _PYTHON_FILE.search(path) is not None
    if language in _CAMEL_CASE_LANGUAGES and _CAMEL_CASE.search(stem):
        return True
    if "__tests__" in folders or (language == "rust" and ("tests" in folders or stem in ("test", "tests"))):
        return True
    pattern = _TEST if _OTHER_FOLDERS.isdisjoint(folders) else _TEST_IN_FOLDER
    return pattern.search(stem) is not None


class TestFiles:
    """The tests of a graph's tree."""

    __test__ = False  # its name is one that pytest collects

    def __init__(self, units: PythonUnits) -> None:
        self._units = units
        self.python: list[int] = []
        """Files of Python tests, by number."""
        self.other: list[str] = []
        """Files of other tests, by path."""
        for file, (path, facts) in enumerate(zip(units.graph.paths, units.graph.facts, strict=True)):
            if facts.language != PYTHON:
                self.other += [path] if is_test_file(path, facts.language) else []
            elif is_test_file(path, PYTHON) or (_FOLDERS & {*path.split("/")[:-1]} and any(self._tests(file))):
                self.python.append(file)

    @cached_property
    def tests(self) -> Mapping[int, int]:
        """Units of Python tests, each with its file."""
        return {unit: file for file in self.python for unit in self._tests(file)}

    @cached_property
    def files(self) -> frozenset[int]:
        """Of Python tests, as a set."""
        return frozenset(self.python)

    def file_set(self, bits: int) -> frozenset[int]:
        """Files whose places among the Python ones are the bits of a number."""
        return frozenset(file for bit, file in enumerate(self.python) if bits >> bit & 1)

    @property
    def n_tests(self) -> int:
        """Functions and methods, as written: one with many parameters is one."""
        return len(self.tests) + len(self.other)

    def ids(self, test: int) -> set[str]:
        """Ids that run a test, by its unit, in its class and in all that inherit it."""
        units = self._units
        name, path = units.definition(test).name, units.path(test)
        owner = int(units.owner[test])
        if owner < 0:
            return {f"{path}::{name}"}
        heirs = units.derived(units.definition(owner).name) - {owner}
        found = set().union(*(self.class_ids(heir) for heir in heirs if units.graph.file_of_unit[heir] in self.files))
        own = self._class_id(owner)
        return found | ({f"{own}::{name}"} if own else {path} if not found else set())

    def class_ids(self, unit: int) -> set[str]:
        """Ids that run all tests of a class: its own, or its file's if pytest would not collect it."""
        return {self._class_id(unit) or self._units.path(unit)}

    def _tests(self, file: int) -> Iterator[int]:
        """Units of functions that are called as tests are."""
        units, graph = self._units, self._units.graph
        for unit in range(int(graph.first_unit[file]) + 1, int(graph.first_unit[file + 1])):
            if units.kind[unit] == FUNCTION:
                definition = units.definition(unit)
                if definition.name.startswith("test") and not any(d.endswith("fixture") for d in definition.decorators):
                    yield unit

    def _class_id(self, unit: int) -> str:
        """Empty if pytest would not collect it, or might not."""
        units = self._units
        names = []
        for one in (unit, *units.around(unit)):
            if not self.is_collected(one):
                return ""
            names.append(units.definition(one).name)
        return "::".join([units.path(unit), *reversed(names)])

    def is_collected(self, unit: int) -> bool:
        """Whether pytest would look for tests in a class, where it is in no other."""
        units = self._units
        if units.definition(unit).name.startswith("Test"):
            return all(units.definition(member).name != "__init__" for member in units.members(unit))
        return unit in self._test_cases

    @cached_property
    def _test_cases(self) -> set[int]:
        """Classes that derive from one of unittest's."""
        units = self._units
        bases = [name for name in units.subclasses if name.endswith("TestCase")]
        return set().union(*(units.derived(base) for base in bases))


__all__ = ["TestFiles", "is_test_file"]
