"""Which Python tests may run a function, as far as names tell.

Who runs a function names it: so a unit may run it if it mentions its name, or the name of what may run it in turn, and
so on back to the tests. Nothing is scoped: a name means everything that is called so. A method is reached by the name
of its class, or of a class that derives from it, for its own name need not be written anywhere: operators, properties,
protocols of other libraries call it, but each needs an instance, and whoever makes one names the class. What is run
while a file is loaded (`krins.context.load_time`), or may have been given away then (to an unknown decorator,
metaclass or base class of another library), is reached by whatever loads the file (`krins.context.loading`).

Invariants: more is reached than runs, never less, but for what is left out: objects that come without their class's
name (unpickled from a file), names that differ from the function's by more than a prefix or suffix, what one test
leaves to the next, sources read as text by other means than `inspect`, and doctests.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from krins.context.facts import Definition
from krins.context.load_time import WORD, LoadTime, is_harmless, is_of_standard_library, load_time
from krins.context.loading import loaders
from krins.context.python_units import CLASS, FUNCTION, PYTHON, PythonUnits
from krins.context.test_files import TestFiles
from krins.context.tree import Tree, Unreadable
from krins.interfaces import IntArray

_EVERYTHING = (
    *("subprocess", "Popen", "create_subprocess_exec", "create_subprocess_shell", "posix_spawn", "execv", "execve"),
    *("pexpect", "runpy", "pytester", "testdir", "getsource", "getsourcelines", "linecache", "getmembers"),
    *("iter_modules", "walk_packages", "__subclasses__"),
)
"""Whoever mentions these may run or read anything: in another process, as text, or by listing what there is."""
_COMPUTED = ("getattr", "globals", "locals", "vars", "__dict__", "attrgetter", "methodcaller", "eval", "exec")
"""Whoever mentions these may put a name together."""
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


class PythonReach:
    """What may reach functions of one tree; its sources are read as far as they are needed."""

    def __init__(self, units: PythonUnits, tests: TestFiles, tree: Tree) -> None:
        self.units = units
        self.tests = tests
        self._tree = tree
        self._load_times: dict[int, LoadTime | None] = {}
        self._keeps: dict[int, bool] = {}

    def of(self, functions: Iterable[int], file: int) -> Reach:
        """What may reach functions of a file, given by their units."""
        universe = self.loaders[file]
        if not universe:
            why = f"no test file is known to load {self.units.graph.paths[file]}"
            return Reach(self.tests.files, frozenset(), frozenset(), (why,))
        walk = _Walk(self, universe)
        walk.go(functions)
        return walk.reach()

    @cached_property
    def loaders(self) -> list[int]:
        """For each file, the set of test files that may load it, see `krins.context.loading`."""
        return loaders(self.units, self.tests.python)

    @cached_property
    def computing(self) -> IntArray:
        """Units that may put names together."""
        found = [self.mentioning(word) for word in _COMPUTED]
        return np.unique(np.concatenate(found))

    @cached_property
    def aliases(self) -> Mapping[str, set[str]]:
        """Other names under which imports know a name."""
        found: dict[str, set[str]] = {}
        for facts in self.units.graph.facts:
            if facts.language == PYTHON:
                for name, alias in (pair for one in facts.imports for pair in one.names if pair[0] != pair[1]):
                    found.setdefault(name, set()).add(alias)
        return found

    def mentioning(self, word: str) -> IntArray:
        """Units that mention a word."""
        known = self.units.graph.word_ids.get(word)
        return np.zeros(0, dtype=np.int32) if known is None else self.units.mentioning(known)

    def source(self, file: int) -> bytes | None:
        """None where it cannot be read, any more or at all."""
        try:
            return self._tree.read(self.units.graph.paths[file])
        except Unreadable:
            return None

    def load_time(self, file: int) -> LoadTime | None:
        """What loading a file does; None where that is not known."""
        if file not in self._load_times:
            source = self.source(file)
            self._load_times[file] = None if source is None else load_time(source)
        return self._load_times[file]

    def unit_at(self, file: int, line: int) -> int:
        return int(self.units.graph.first_unit[file] + self.units.graph.facts[file].unit_of_line[line - 1])

    def keeps(self, unit: int) -> bool:
        """Whether something may keep a class from when its file is loaded: a decorator, a metaclass, an outer base."""
        if unit not in self._keeps:
            self._keeps[unit] = False  # a class that derives from itself, by name
            file = int(self.units.graph.file_of_unit[unit])
            loading = self.load_time(file)
            statements = loading.classes if loading else ()
            own = [statement for statement in statements if self.unit_at(file, statement.line) == unit]
            self._keeps[unit] = (
                loading is None
                or len(own) != 1
                or not own[0].is_plain
                or self._has_hook(unit)
                or any(self._base_keeps(base, loading) for base in own[0].bases)
            )
        return self._keeps[unit]

    def _has_hook(self, unit: int) -> bool:
        return any(self.units.definition(member).name == "__init_subclass__" for member in self.units.members(unit))

    def _base_keeps(self, base: str, loading: LoadTime) -> bool:
        module = loading.modules.get(base.partition(".")[0], ".")
        if module.startswith(".") or module.partition(".")[0] in self._module_names:
            of_tree = self.units.classes.get(base.rpartition(".")[2])
            if of_tree:
                return any(self.keeps(unit) for unit in of_tree)
        return not (is_of_standard_library(module) or (module == "." and hasattr(builtins, base)))

    @cached_property
    def _module_names(self) -> frozenset[str]:
        parts = (path.removesuffix(".py").split("/") for path in self.units.graph.paths)
        return frozenset(name for names in parts for name in names)


class _Walk:
    """One walk back from functions to tests. `universe` is the set of test files that may be reached at all."""

    def __init__(self, code: PythonReach, universe: int) -> None:
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
        """Files outside of whose functions a word stands, with the word."""

    def go(self, functions: Iterable[int]) -> None:
        for word in _EVERYTHING:
            self._word(word)
        for function in functions:
            self._reach(function)
        while (self._waiting or self._loading) and self._open:
            while self._waiting:
                self._follow(self._waiting.pop())
            # What most tests load comes first: once it is reached, what only they load need not be looked at.
            pairs = sorted(set(self._loading), key=lambda pair: (-self._code.loaders[pair[0]].bit_count(), pair))
            self._loading.clear()
            for file, word in pairs:
                self._look_at_loading(file, word)

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
        name = self._units.definition(unit).name
        self._word(name)
        for derived in self._units.subclasses.get(name, ()):
            self._reach(derived)
        file = int(self._units.graph.file_of_unit[unit])
        if file in self._files:
            self._classes.add(unit)
        if self._code.keeps(unit):
            self._load(file, f"may keep the class {name}")

    def _follow_function(self, unit: int) -> None:
        definition, owner = self._units.definition(unit), int(self._units.owner[unit])
        name, file = definition.name, int(self._units.graph.file_of_unit[unit])
        if unit in self._code.tests.tests:
            if file in self._files:
                self._tests.add(unit)
            self._word(name)
            return
        if _is_run_by_loading(definition, owner >= 0):
            self._load(file, f"may run or keep {name}")
        if any(decorator.endswith("fixture") for decorator in definition.decorators):
            self._follow_fixture(unit, file)
        if owner >= 0:
            self._reach(owner)
        else:
            self._word(name)
            self._computed(name)

    def _follow_fixture(self, unit: int, file: int) -> None:
        """It may be called by the name that its decorator gives it, or run for every test that can see it."""
        source = self._code.source(file)
        definition = self._units.definition(unit)
        lines = source.split(b"\n")[definition.signature_start - 1 : definition.signature_end] if source else []
        words = {word for line in lines for word in WORD.findall(line.decode(errors="replace"))}
        if not lines or "autouse" in words:
            self._load(file, f"has the fixture {definition.name} for all tests")
        elif "name" in words:
            for word in words:
                self._word(word)

    def _computed(self, name: str) -> None:
        """Units that may put a name together from its first or last part and something else."""
        cuts = [at for at, letter in enumerate(name) if letter == "_"]
        for part in {part for at in cuts for part in (name[: at + 1], name[at:])} - {"_", "__", name}:
            for unit in np.intersect1d(self._code.mentioning(part), self._code.computing).tolist():
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
        else:
            self._loading.append((int(self._units.graph.file_of_unit[unit]), word))

    def _look_at_loading(self, file: int, word: str) -> None:
        if not self._is_open(file):
            return
        loading = self._code.load_time(file)
        if loading is None or word in loading.runs:
            self._load(file, f"may run {word}")
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
            self._reasons[file] = f"{self._units.graph.paths[file]} {what} while it is loaded"


def _is_run_by_loading(definition: Definition, is_method: bool) -> bool:
    """Whether a function may be run or kept when its file is loaded, or be called by its name from outside."""
    name = definition.name
    if name.startswith("pytest_") or name in _RUN_BY_CLASSES or name in _RUN_BY_TEST_RUNNERS:
        return True
    keeps = any(not is_harmless(decorator) for decorator in definition.decorators)
    if is_method:  # whoever is given a method needs an instance all the same
        return keeps and any(decorator in ("staticmethod", "classmethod") for decorator in definition.decorators)
    return keeps or (name.startswith("__") and name.endswith("__"))


__all__ = ["PythonReach", "Reach"]
