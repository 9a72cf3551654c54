"""Runs hidden tests inside their sandbox, against a changed tree that is in another, and reports what passed.

`tests.py` holds functions `test_*`; each takes, by name, what it likes of `project` (the changed tree,
changed_project.py), `solution` (its module of that name, from afar) and `raises`. What it imports are modules of the
unchanged tree. All run, in order of definition, whatever came of the earlier ones, until the candidate has ended.
What the parent reads, one JSON array a line: `["ready"]`, then `["call"]` followed by a request that it carries to the
candidate, `["received"]` once the answer has been understood; `["tests", total]` before the first call, and last
`["verdict", passed, evidence]`; or `["unusable", why]` where the tests themselves cannot be run.

Invariant: the verdict is made here, where the candidate has nothing but answers.
Left out: fixtures, parametrisation, setup: a test is one function.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from types import FunctionType
    from typing import IO

    from krins.quality import changed_project, plain_data, remote_object, tree_files
else:
    sys.path.insert(0, ".")
    import changed_project
    import plain_data
    import remote_object
    import tree_files

_FILE = "tests.py"
BEFORE, AFTER = "before.json", "after.json"
LIBRARIES = "libraries.zip"
_SOLUTION = "solution"
_GIVEN = frozenset({"project", _SOLUTION, "raises"})
_TEST_CHARACTERS = 300
_ALL_CHARACTERS = 2000
_GENERATOR_OR_COROUTINE = 0x20 | 0x80 | 0x200


class Raises:
    """`with raises(ValueError): ...` passes if the block raises that; `value` is then what it raised.

    Several classes may be given. A class of the candidate's own (`raises(solution.ParseError)`) is known by its name.
    """

    def __init__(self, *expected: object) -> None:
        first = expected[0]
        self._expected: tuple[object, ...] = first if type(first) is tuple else expected
        self.value: BaseException | None = None

    def __enter__(self) -> Raises:
        return self

    def __exit__(self, kind: object, value: BaseException | None, trace: object) -> bool:
        if value is None:
            raise AssertionError("nothing was raised")
        if isinstance(value, (remote_object.CandidateFailure, plain_data.NotPlain)):
            return False
        self.value = value
        return any(self._is(value, expected) for expected in self._expected)

    def _is(self, value: BaseException, expected: object) -> bool:
        is_local = type(expected) is not remote_object.RemoteObject  # which cannot be asked whether it is a class
        if is_local and isinstance(expected, type) and isinstance(value, expected):
            return True
        return getattr(expected, "__name__", None) in getattr(value, "candidate_classes", ())


def load_tests(source: str) -> dict[str, FunctionType]:
    """The test functions, in order of definition.

    Raises:
        Exception: whatever the file raises.
        ValueError: there is no test in it, or one that takes an unknown parameter.
    """
    module = sys.modules["tests"] = type(sys)("tests")
    exec(compile(source, _FILE, "exec"), module.__dict__)
    tests = {name: item for name, item in vars(module).items() if name.startswith("test_") and callable(item)}
    if not tests:
        raise ValueError("there is no function test_* in it")
    for name, test in tests.items():
        unknown = set(parameters(test)) - _GIVEN
        if unknown:
            raise ValueError(f"{name} takes {sorted(unknown)}; a test takes some of {sorted(_GIVEN)}")
        if test.__code__.co_flags & _GENERATOR_OR_COROUTINE:
            raise ValueError(f"{name} is a generator or a coroutine, whose body would never run")
    return tests


def parameters(test: FunctionType) -> tuple[str, ...]:
    code = test.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def run_one(test: FunctionType, link: remote_object.Link, given: dict[str, object], source: list[str]) -> str:
    """Why the test failed; empty if it passed."""
    link.misbehaved = ""
    try:
        result = test(**{name: given[name] for name in parameters(test)})
    except BaseException as failure:
        return explain(failure, source)
    if result is not None:
        return "a test returns nothing; this one returned a value, and may have meant to assert it"
    return link.misbehaved


def explain(failure: BaseException, source: list[str]) -> str:
    """Exception type, message, and the line of the tests that it passed through last."""
    line, trace = 0, failure.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == _FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = source[line - 1].strip() if 0 < line <= len(source) else ""
    try:
        message = str(failure)
    except BaseException:
        message = "(its message cannot be read)"
    return ": ".join(part for part in (type(failure).__name__, message[: _TEST_CHARACTERS // 2], text) if part)


def printable(text: str, limit: int) -> str:
    """`text` on one line, without control characters or surrogates, at most `limit` characters."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * limit])
    clean = " ".join(clean.split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def run_all(
    tests: dict[str, FunctionType], link: remote_object.Link, project: changed_project.Project, source: list[str]
) -> list[object]:
    given: dict[str, object] = {"project": project, "raises": Raises}
    passed, evidence, broken = 0, [], ""
    if any(_SOLUTION in parameters(test) for test in tests.values()):
        try:
            given[_SOLUTION] = project.module(_SOLUTION)
        except BaseException as failure:
            broken = f"{_SOLUTION}.py does not import: {type(failure).__name__}: {failure}"
            evidence.append(printable(broken, _TEST_CHARACTERS))
    for name, test in tests.items():
        if broken:
            break
        why = run_one(test, link, given, source)
        passed += not why
        if why:
            evidence.append(printable(f"{name}: {why}", _TEST_CHARACTERS))
        broken = link.failure
    return ["verdict", passed, "\n".join(evidence)[:_ALL_CHARACTERS]]


def private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Requests out and answers in, moved away from standard input and output, so that a `print` cannot meet them."""
    requests, answers = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, answers


def main() -> None:
    before = tree_files.load(BEFORE)
    tree_files.install(before)
    sys.path.append(LIBRARIES)
    link = remote_object.Link(*private_pipes())
    link.send(["ready"])
    try:
        with open(_FILE, encoding="utf-8") as file:  # noqa: PTH123 -- pathlib is slow to import
            source = file.read()
        tests = load_tests(source)
    except BaseException as failure:
        link.send(["unusable", printable(explain(failure, []), _TEST_CHARACTERS)])
        return
    link.send(["tests", len(tests)])
    project = changed_project.Project(link, before, tree_files.load(AFTER))
    link.send(run_all(tests, link, project, source.splitlines()))


if __name__ == "__main__":
    main()
