"""What tests can do with a solution that is elsewhere, what a verdict says, and who is blamed for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from krins.errors import SandboxFault, TaskError
from krins.interfaces import Limits, Sandbox, SandboxedProcess, Verifier
from krins.quality.hidden_tests import HiddenTests
from krins.quality.unsafe import Unsafe
from tests.quality.conftest import of

SOLUTION = """
class ParseError(ValueError):
    pass

class Cache:
    "Keeps items."
    size = 2
    def __init__(self, *items): self.items = list(items)
    def put(self, item): self.items.append(item); return self
    def same(self, other): return other is self
    def __len__(self): return len(self.items)
    def __getitem__(self, index): return self.items[index]
    def __setitem__(self, index, item): self.items[index] = item
    def __delitem__(self, index): del self.items[index]
    def __iter__(self): return iter(self.items)
    def __enter__(self): self.items.append("in"); return self
    def __exit__(self, *_): self.items.append("out")
    def __call__(self, *, times): return self.items * times

def big(): return "x" * 2**20
def parse(text): raise ParseError("no " + text)
def decode(data): return data.decode("utf-8")
def count(n): yield from range(n)
def forever():
    while True: yield 0
def startswith(text, start): return text[:len(start)] == start
def echo(*arguments, **named): return [arguments, named]
"""

GOOD_TESTS = {
    "plain data": "assert solution.echo(1, 2.5, b'x', key={1: (2, {3})}) == [(1, 2.5, b'x'), {'key': {1: (2, {3})}}]",
    "exact types": "assert [type(x) for x in solution.echo(True, 1, 1.0)[0]] == [bool, int, float]",
    "attributes": "assert solution.Cache.size == solution.Cache().size == 2 and not hasattr(solution, 'nothing')",
    "methods": "cache = solution.Cache(1); cache.put(2).put(3); assert cache.items == [1, 2, 3]",
    "setting": "a = solution.Cache(); a.size = 5; assert a.size == 5; del a.size; assert a.size == 2",
    "length": "assert len(solution.Cache(1, 2)) == 2",
    "items": "a = solution.Cache(1, 2); a[0] = 5; del a[1]; assert a[0] == 5 and 5 in list(a)",
    "iteration": "assert list(solution.Cache(1, 2)) == [1, 2] and [*solution.count(3)] == [0, 1, 2]",
    "next": "numbers = solution.count(1); assert next(numbers) == 0\n    with raises(StopIteration): next(numbers)",
    "handing back": "a = solution.Cache(); assert a.same(a) is True and a.same(solution.Cache()) is False",
    "identity": "cache = solution.Cache(); assert cache.put(1) is cache and solution.Cache is solution.Cache",
    "mappings": "assert dict([solution.Cache(1, 2)]) == {1: 2} and sum(solution.Cache(1, 2)) == 3",
    "backwards": "assert list(reversed(solution.Cache(1, 2))) == [2, 1] and sorted(solution.Cache(2, 1)) == [1, 2]",
    "documentation": "assert solution.Cache.__doc__ == 'Keeps items.' and solution.Cache.__name__ == 'Cache'",
    "plain subclasses": "assert isinstance(solution.echo(), list) and solution.echo('x')[0][0].startswith('x')",
    "a function named as a predicate": "assert solution.startswith('ab', 'a') is True",
    "absence": "assert solution.Cache().put(1) is not None and solution.echo(None)[0][0] is None",
    "context": "with solution.Cache() as cache: assert cache.items == ['in']\n    assert cache.items == ['in', 'out']",
    "calling": "assert solution.Cache('x')(times=3) == ['x', 'x', 'x']",
    "a builtin class": "with raises(ValueError) as caught: solution.parse('x')\n    assert str(caught.value) == 'no x'",
    "its own class": "with raises(solution.ParseError): solution.parse('x')",
    "one of several": "with raises(KeyError, ValueError): solution.parse('x')",
    "one of a tuple": "with raises((KeyError, ValueError)): solution.parse('x')",
    "a class with arguments": "with raises(UnicodeDecodeError): solution.decode(b'\\xff')",
    "local exceptions": "with raises(IndexError): solution.Cache().items[0]",
    "data classes": "import dataclasses\n    @dataclasses.dataclass\n    class P: x: 'int'\n    assert P(1).x == 1",
    "printing": 'print(\'["verdict", 0, ""]\'); assert solution.echo() == [(), {}]',
}


@pytest.mark.parametrize("body", GOOD_TESTS.values(), ids=GOOD_TESTS.keys())
def test_what_tests_can_do(hidden_tests: HiddenTests, body: str) -> None:
    verdict = hidden_tests.verify(of(SOLUTION), f"def test_it(solution, raises):\n    {body}")
    assert (verdict.quality, verdict.evidence) == (1.0, "")


BAD_TESTS = {
    "assert solution.echo(1) == 2": "AssertionError: assert solution.echo(1) == 2",
    "assert solution.Cache() == solution.Cache()": "(Cache) cannot be compared",
    "assert solution.Cache() != 5": "(Cache) cannot be compared",
    "assert [solution.Cache()] == [5]": "(Cache) cannot be compared",
    "assert solution.Cache()": "(Cache) has no truth",
    "assert not solution.Cache()": "(Cache) has no truth",
    "{solution.Cache()}": "(Cache) cannot be hashed",
    "sorted([solution.Cache(), solution.Cache()])": "(Cache) cannot be compared",
    "with raises(TypeError): solution.Cache() < solution.Cache()": "(Cache) cannot be compared",
    "try: solution.Cache() == 5\n    except TypeError: pass": "(Cache) cannot be compared",
    "with raises(solution.Cache()): solution.parse('x')": "ValueError: no x",
    "with raises(ValueError): solution.echo()": "AssertionError: nothing was raised",
    "with raises(KeyError): solution.parse('x')": "ValueError: no x: with raises(KeyError)",
    "solution.echo(lambda: 0)": "function is not plain data",
    "with raises(TypeError): solution.echo(print)": "builtin_function_or_method is not plain data",
    "with raises(TypeError): solution.big()": "data of",
    "solution.echo('x' * 2**20)": "at most 1048576 may be passed",
    "solution.Cache()[0:1]": "slices cannot be passed",
    "list(solution.forever())": "it yields more than 10000 items",
    "solution.nothing()": "AttributeError: module 'solution' has no attribute 'nothing'",
    "return solution.echo() == []": "a test returns nothing",
    "raise SystemExit(0)": "SystemExit",
}


@pytest.mark.parametrize("body", BAD_TESTS)
def test_what_fails(hidden_tests: HiddenTests, body: str) -> None:
    verdict = hidden_tests.verify(of(SOLUTION), f"def test_it(solution, raises):\n    {body}\n")
    assert (verdict.quality, verdict.checks_passed, verdict.checks_total) == (0.0, 0, 1)
    assert BAD_TESTS[body] in verdict.evidence


def test_every_test_runs_though_an_earlier_one_failed(hidden_tests: HiddenTests) -> None:
    tests = """
def test_one(solution):
    assert solution.echo() is None
def test_two(solution):
    pass
def test_three(solution):
    assert solution.Cache().size == 3, "three!"
"""
    verdict = hidden_tests.verify(of(SOLUTION), tests)
    assert (verdict.quality, verdict.checks_passed, verdict.checks_total) == (0.0, 1, 3)
    assert verdict.evidence.splitlines() == [
        "test_one: AssertionError: assert solution.echo() is None",
        'test_three: AssertionError: three!: assert solution.Cache().size == 3, "three!"',
    ]


def test_a_candidate_that_died_fails_the_rest_without_a_wait(sandbox: Sandbox) -> None:
    tests = "\n".join(
        ["def test_first(solution): assert solution.f() == 1", "def test_dies(solution): solution.die()"]
        + [f"def test_{number}(solution): assert solution.f() == 1" for number in range(500)]
    )
    code = "import os\ndef f(): return 1\ndef die(): os._exit(0)"
    verdict = HiddenTests(sandbox, Limits(wall_seconds=600.0)).verify(of(code), tests)
    assert (verdict.checks_passed, verdict.checks_total) == (1, 502)
    assert verdict.evidence == "test_dies: CandidateFailure: the solution's process ended with exit code 0: " + (
        "def test_dies(solution): solution.die()"
    )


def test_last_words_of_a_candidate_are_evidence(hidden_tests: HiddenTests) -> None:
    code = "import os, sys\nsys.stderr.write('some\\nlast words\\n')\nsys.stderr.flush()\nos._exit(3)"
    evidence = hidden_tests.verify(of(code), "def test_it(solution): pass").evidence
    assert "ended with exit code 3: last words" in evidence


def test_evidence_is_bounded_and_printable(hidden_tests: HiddenTests) -> None:
    code = "def fail(): raise ValueError('\\x1b[31m\\ud800\\n\\u202e' + 'x' * 10_000)"
    tests = "\n".join(f"def test_{number}(solution): solution.fail()" for number in range(50))
    evidence = hidden_tests.verify(of(code), tests).evidence
    assert len(evidence) <= 2000
    assert all(line.startswith("test_") and len(line) <= 300 for line in evidence.splitlines()[:-1])
    assert evidence.replace("\n", "").isprintable()
    assert evidence.encode("utf-8")


UNUSABLE = {
    "": "there is no function test_*",
    "def check(solution): pass": "there is no function test_*",
    "def test_it(": "SyntaxError",
    "import krins_no_such_module": "ModuleNotFoundError",
    "def test_it(fixture): pass": "takes ['fixture']",
    "def test_it(solution): yield": "generator or a coroutine",
    "async def test_it(solution): pass": "generator or a coroutine",
    "raise SystemExit(0)": "SystemExit",
    "\ud800": "UnicodeDecodeError",
}


@pytest.mark.parametrize("tests", UNUSABLE, ids=UNUSABLE.values())
def test_tests_that_cannot_be_run_are_a_fault_of_the_task(hidden_tests: HiddenTests, tests: str) -> None:
    with pytest.raises(TaskError) as fault:
        hidden_tests.verify(of(SOLUTION), tests)
    assert UNUSABLE[tests] in fault.value.message


@pytest.mark.parametrize(
    "body",
    ["while True: pass", "import time; time.sleep(600)", "solution.echo()\n    while True: pass"],
)
def test_tests_that_never_end_are_to_blame_themselves(hasty_hidden_tests: HiddenTests, body: str) -> None:
    with pytest.raises(SandboxFault, match="the tests did not end within 3 s"):
        hasty_hidden_tests.verify(of(SOLUTION), f"def test_it(solution):\n    {body}")


@pytest.mark.parametrize("body", ["import os; os._exit(0)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_tests_that_end_their_process_are_to_blame_themselves(hidden_tests: HiddenTests, body: str) -> None:
    with pytest.raises(SandboxFault, match="the tests ended their own process"):
        hidden_tests.verify(of(SOLUTION), f"def test_it(solution):\n    solution.echo()\n    {body}")


def test_tests_that_fork_without_bound_are_bounded(hidden_tests: HiddenTests) -> None:
    bomb = "import os\n    while True: os.fork()"
    verdict = hidden_tests.verify(of(SOLUTION), f"def test_it(solution):\n    {bomb}")
    assert verdict.quality == 0.0
    assert "BlockingIOError" in verdict.evidence


class HalfBroken:
    """Starts the tests' sandbox, but in place of the candidate's something that ends at once."""

    name = "half broken"

    def __init__(self, breaks: str) -> None:
        self._breaks = breaks

    def start(self, command: Sequence[str], files: Mapping[str, str | bytes], limits: Limits) -> SandboxedProcess:
        broken = ["sh", "-c", "echo cannot mount >&2; exit 1"]
        return Unsafe().start(broken if self._breaks in files else command, files, limits)


@pytest.mark.parametrize("breaks", ["tree.json", "tests.py"])
def test_a_sandbox_that_does_not_start_says_nothing_about_the_code(breaks: str) -> None:
    with pytest.raises(SandboxFault, match="sandbox did not start: cannot mount"):
        HiddenTests(HalfBroken(breaks)).verify(of(SOLUTION), "def test_it(solution): solution.echo()")


def test_the_unsafe_sandbox_gives_the_same_verdicts() -> None:
    verifier: Verifier = HiddenTests(Unsafe())
    assert verifier.verify(of(SOLUTION), "def test_it(solution): assert solution.echo() == [(), {}]").quality == 1.0
    assert verifier.verify(of(SOLUTION), "def test_it(solution): assert solution.echo() == 1").quality == 0.0


def test_one_verifier_serves_several_threads(hidden_tests: HiddenTests) -> None:
    def verify(number: int) -> float:
        return hidden_tests.verify(of(f"x = {number}"), "def test_even(solution): assert solution.x % 2 == 0").quality

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(verify, range(12))) == [1.0, 0.0] * 6
