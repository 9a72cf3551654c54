"""Which Python tests may run a function, as far as names tell.

Who runs a function names it: so a unit may run it if it mentions its name, or the name of what may run it in turn, and
so on back to the tests. Nothing is scoped: a name means everything that is called so. A method is reached by the name
of its class, or of a class that derives from it, for its own name need not be written anywhere: operators, properties,
protocols of other libraries call it, but each needs an instance, and whoever makes one names the class. What is run
while a file is loaded (`krins.context.load_time`), or may have been given away then (to an unknown decorator,
metaclass or base class of another library), is reached by whatever loads the file (`krins.context.loading`).

Invariants: more is reached than runs, never less, but for what is left out: objects that come without their class's
name (unpickled from a file), names that differ from the function's by more than a prefix or suffix, names that stand in
files of other kinds besides Python's, what one test leaves to the next, sources read as text by other means than
`inspect`, and doctests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from krins.context.facts import Definition
from krins.context.load_time import is_harmless
from krins.context.python_code import PythonCode
from krins.context.python_units import CLASS, FUNCTION

_EVERYTHING = (
    *("subprocess", "Popen", "create_subprocess_exec", "create_subprocess_shell", "posix_spawn", "execv", "execve"),
    *("pexpect", "runpy", "pytester", "testdir", "getsource", "getsourcelines", "linecache", "getmembers"),
    *("iter_modules", "walk_packages", "__subclasses__"),
)
"""Whoever mentions these may run or read anything: in another process, as text, or by listing what there is."""
_STRING = re.compile(r"""["'](\w+)["']""")
_RUN_BY_CLASSES = frozenset(
    [
        *("__class_getitem__", "__init_subclass__", "__instancecheck__", "__mro_entries__", "__prepare__"),
        *("__set_name__", "__subclasscheck__", "__subclasshook__"),
    ]
)
"""What class statements and types run, without an instance."""
_RUN_BY_TEST_RUNNERS = frozenset(
    [
        *("load_tests", "setUpModule", "tearDownModule", "setup_module", "teardown_module"),
        *("setup_function", "teardown_function", "setup", "teardown"),
    ]
)


class Reach(NamedTuple):
    files: frozenset[int]
    """Test files all of whose tests are reached."""
    classes: frozenset[int]
    """Units of classes all of whose tests are reached."""
    tests: frozenset[int]
    """Units of tests that are reached one by one."""
    reasons: tuple[str, ...]
    """Why whole files are reached; in words for the user."""


def reach(code: PythonCode, functions: Iterable[int], file: int) -> Reach:
    """What may reach functions of a file, given by their units; what may run anything at all is always among it."""
    universe = code.loaders[file]
    if not universe:
        why = f"no test file is known to load {code.units.graph.paths[file]}"
        return Reach(code.tests.files, frozenset(), frozenset(), (why,))
    walk = _Walk(code, universe)
    walk.go(functions)
    return walk.reach()


class _Walk:
    """One walk back from functions to tests. `universe` is the set of test files that may be reached at all."""

    def __init__(self, code: PythonCode, universe: int) -> None:
        self._code = code
        self._units = code.units
        self._open = universe
        """Test files that have not been reached as a whole."""
        self._universe = universe
        self._files = code.tests.file_set(universe)
        self._classes: set[int] = set()
        self._tests: set[int] = set()
        self._reasons: dict[int, str] = {}
        self._seen_units: set[int] = set()
        self._seen_words: set[str] = set()
        self._waiting: list[int] = []
        self._loading: list[tuple[int, str]] = []
        """Units with a word that they mention."""

    def go(self, functions: Iterable[int]) -> None:
        for word in _EVERYTHING:
            self._word(word)
        for function in functions:
            self._reach(function)
        while (self._waiting or self._loading) and self._open:
            while self._waiting:
                self._follow(self._waiting.pop())
            # What most tests load comes first: once it is reached, what only they load need not be looked at.
            pairs = sorted(set(self._loading), key=lambda pair: (-self._n_loaders(pair[0]), pair))
            self._loading.clear()
            for unit, word in pairs:
                self._look_at_loading(unit, word)

    def reach(self) -> Reach:
        reached = self._universe & ~self._open
        return Reach(
            self._code.tests.file_set(reached),
            frozenset(self._classes),
            frozenset(self._tests),
            tuple(self._reasons.values()),
        )

    def _is_open(self, file: int) -> bool:
        return self._code.loaders[file] & self._open != 0

    def _n_loaders(self, unit: int) -> int:
        return self._code.loaders[int(self._units.graph.file_of_unit[unit])].bit_count()

    def _reach(self, unit: int) -> None:
        if unit not in self._seen_units and self._is_open(int(self._units.graph.file_of_unit[unit])):
            self._seen_units.add(unit)
            self._waiting.append(unit)

    def _follow(self, unit: int) -> None:
        if self._units.kind[unit] == CLASS:
            self._follow_class(unit)
        else:
            self._follow_function(unit)

    def _follow_class(self, unit: int) -> None:
        name, file = self._units.definition(unit).name, int(self._units.graph.file_of_unit[unit])
        for derived in self._units.subclasses.get(name, ()):
            self._reach(derived)
        if file in self._files:
            self._classes.add(unit)
        if self._code.keeps(unit):
            self._load(file, f"may keep the class {name} while it is loaded")
        self._named(name, file)

    def _follow_function(self, unit: int) -> None:
        definition, owner = self._units.definition(unit), int(self._units.owner[unit])
        name, file = definition.name, int(self._units.graph.file_of_unit[unit])
        if unit in self._code.tests.tests and (owner < 0 or self._code.tests.is_collected(owner)):
            self._word(name)
            if file in self._files:
                self._tests.add(unit)
            return
        if _is_run_by_loading(definition, owner >= 0):
            self._load(file, f"may run or keep {name} while it is loaded")
        if any(decorator.endswith("fixture") for decorator in definition.decorators):
            self._follow_fixture(unit, file)
            self._word(name)
        elif owner >= 0:
            self._reach(owner)
        else:
            self._named(name, file)
            self._computed(name)

    def _follow_fixture(self, unit: int, file: int) -> None:
        """It may be called by the name that its decorator gives it, or run for every test that can see it."""
        signature = self._code.signature(unit)
        if signature is None or "autouse" in signature:
            self._load(file, f"has the fixture {self._units.definition(unit).name} for all tests")
        else:
            for text in _STRING.findall(signature):
                self._word(text)

    def _named(self, name: str, file: int) -> None:
        """Whoever mentions it is reached; if nobody does, files of other kinds may name it, unless it is a test's."""
        self._word(name)
        if not len(self._code.mentioning(name)) and file not in self._code.tests.files:
            self._load(file, f"has {name}, which nothing in Python names")

    def _computed(self, name: str) -> None:
        """Units that may put a name together from its first or last part and something else."""
        cuts = [at for at, letter in enumerate(name) if letter == "_"]
        for part in {part for at in cuts for part in (name[: at + 1], name[at:])} - {"_", "__", name}:
            for unit in self._code.computing(part).tolist():
                self._mentioned(unit, part)

    def _word(self, word: str) -> None:
        """Whoever mentions a word is reached."""
        if word in self._seen_words:
            return
        self._seen_words.add(word)
        for unit in self._code.mentioning(word).tolist():
            self._mentioned(unit, word)
        for alias in self._code.aliases.get(word, ()):
            self._word(alias)

    def _mentioned(self, unit: int, word: str) -> None:
        if self._units.kind[unit] == FUNCTION:
            self._reach(unit)
        self._loading.append((unit, word))

    def _look_at_loading(self, unit: int, word: str) -> None:
        """Follow what loading does with a word, outside of functions and where functions are declared."""
        file = int(self._units.graph.file_of_unit[unit])
        if not self._is_open(file):
            return
        if self._units.kind[unit] == FUNCTION and word not in (self._code.signature(unit) or word):
            return
        loading = self._code.load_time(file)
        if loading is None or word in loading.runs:
            self._load(file, f"may run {word} while it is loaded")
            return
        for naming in loading.namings:
            if word in naming.words:
                for target in naming.targets:
                    self._word(target)
                for line in naming.classes:
                    self._reach(self._code.unit_at(file, line))

    def _load(self, file: int, what: str) -> None:
        """All tests that load a file are reached."""
        if self._is_open(file):
            self._open &= ~self._code.loaders[file]
            self._reasons[file] = f"{self._units.graph.paths[file]} {what}"


def _is_run_by_loading(definition: Definition, is_method: bool) -> bool:
    """Whether a function may be run or kept when its file is loaded, or be called by its name from outside."""
    name = definition.name
    if name.startswith("pytest_") or name in _RUN_BY_CLASSES or name in _RUN_BY_TEST_RUNNERS:
        return True
    keeps = any(not is_harmless(decorator) for decorator in definition.decorators)
    if is_method:  # whoever is given a method needs an instance all the same
        return keeps and any(decorator in ("staticmethod", "classmethod") for decorator in definition.decorators)
    return keeps or (name.startswith("__") and name.endswith("__"))


__all__ = ["Reach", "reach"]
