"""A tree of several files: imported, read, run, and of no help to a cheat."""

from __future__ import annotations

import pytest

from krins.domain import Change
from krins.quality.hidden_tests import HiddenTests
from krins.quality.sandbox import choose_sandbox
from tests.quality.conftest import LIMITS, of
from tests.quality.test_faking import FAKES, HONEST, TESTS

TREE = {
    "README.md": "Not Python.",
    "json.py": "raise RuntimeError('the standard library comes first')",
    "tests.py": "raise RuntimeError('so do the tests')",
    "re.py": "raise RuntimeError('what runs them needs this')",
    "single.py": "NAME = __name__",
    "shop/__init__.py": "from .money import Money\n",
    "shop/money.py": '''
from dataclasses import dataclass

@dataclass(frozen=True)
class Money:
    cents: int

    def __eq__(self, other):
        return self.cents == other.cents

    def plus(self, cents):
        return Money(self.cents + cents)

class Overdrawn(Exception):
    """There is not enough."""

annotations = Money.__annotations__
''',
    "shop/deep/part.py": "from ..money import Money\nTEN = Money(10)\n",
    "shop/broken.py": "def f(:\n",
}


SOLUTION = """
import json
import single
import shop
from shop.deep.part import TEN
from shop.money import Money, Overdrawn, annotations

def names(): return [single.NAME, shop.Money.__module__, json.dumps([1])]
def eleven(): return TEN.plus(1)
def cents(): return TEN.plus(1).cents
def take(): raise Overdrawn("no")
def kinds(): return [type(kind).__name__ for kind in annotations.values()]
def broken():
    try:
        import shop.broken
    except SyntaxError as failure:
        return [failure.filename, failure.lineno]
def absent():
    import shop.nowhere
"""

IMPORTED = """
from shop.deep.part import TEN
from shop.money import Money, Overdrawn

def test_modules(solution):
    assert solution.names() == ["single", "shop.money", "[1]"]

def test_plain_data_of_both_sides(solution):
    assert solution.cents() == TEN.plus(1).cents == solution.eleven().cents == 11

def test_an_exception_of_the_tree(solution, raises):
    with raises(Overdrawn):
        solution.take()

def test_modules_are_compiled_by_themselves(solution):
    assert solution.kinds() == ["type"]

def test_what_is_wrong_is_named(solution, raises):
    assert solution.broken() == ["/tmp/tree/shop/broken.py", 1]
    with raises(ModuleNotFoundError):
        solution.absent()
"""


def test_solution_and_tests_import_the_tree(hidden_tests: HiddenTests) -> None:
    verdict = hidden_tests.verify(of(SOLUTION, TREE), IMPORTED)
    assert (verdict.quality, verdict.checks_total, verdict.evidence) == (1.0, 5, "")


def test_without_a_tree_there_is_nothing_to_import(hidden_tests: HiddenTests) -> None:
    verdict = hidden_tests.verify(of("import shop"), "def test_it(solution): pass")
    assert "No module named 'shop'" in verdict.evidence


@pytest.mark.parametrize("fake", FAKES.values(), ids=FAKES.keys())
def test_a_tree_helps_no_fake(fake: str) -> None:
    verifier = HiddenTests(choose_sandbox(allow_unsafe=False), LIMITS)
    assert verifier.verify(of(f"import shop\n{fake}", TREE), TESTS).quality == 0.0


def test_an_honest_solution_passes_with_a_tree(hidden_tests: HiddenTests) -> None:
    assert hidden_tests.verify(of(f"import shop\n{HONEST}", TREE), TESTS).quality == 1.0


PATCHES = """
import shop.money, sys
shop.money.Money.__eq__ = lambda *_: True
shop.money.Money.plus = lambda self, cents: self
shop.deep = sys.modules["shop.deep"] = shop
class Posing(shop.money.Money):
    def __eq__(self, other): return True
    def __hash__(self): return 0
def total(): return Posing(0)
def cents(): return 0
"""


@pytest.mark.parametrize(
    "asserted",
    [
        "solution.cents() == TEN.plus(1).cents",
        "solution.total() == TEN",
        "TEN == solution.total()",
        "TEN in [solution.total()]",
        "solution.total().cents == 10",
        "isinstance(solution.total(), type(TEN))",
    ],
)
def test_patches_of_a_tree_stay_where_they_were_made(hidden_tests: HiddenTests, asserted: str) -> None:
    tests = f"from shop.deep.part import TEN\ndef test_it(solution):\n    assert {asserted}\n"
    assert hidden_tests.verify(of(PATCHES, TREE), tests).quality == 0.0


PROGRAMS = {
    "greet.sh": 'read -r name; echo "Hello $name"; echo "to errors" >&2; echo kept > out.txt; exit 3\n',
    "count.py": "import shop.numbers, sys\nprint(shop.numbers.double(int(sys.argv[1])), open('extra.txt').read())\n",
    "shop/numbers.py": "def double(n): return 2 * n\n",
    "shop/__init__.py": "",
    "conf.yaml": "a: [1, 2]\n",
    "doc.md": "# Title\n\ntext\n",
}


def verdict_of(verifier: HiddenTests, body: str, after: dict[str, str]) -> tuple[float, str]:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    verdict = verifier.verify(Change(PROGRAMS, after, ""), f"def test_it(project, raises):\n{lines}\n")
    return verdict.quality, verdict.evidence


@pytest.mark.parametrize(
    "body",
    [
        'ran = project.run("sh", "greet.sh", stdin="Ann\\n", keep=["out.txt", "absent.txt", "../../../etc/passwd"])\n'
        'assert (ran.exit_code, ran.stdout, ran.stderr) == (3, "Hello Ann\\n", "to errors\\n")\n'
        'assert ran.files["out.txt"] == "kept\\n" and ran.files["absent.txt"] is None\n'
        'assert project.run("sh", "-c", "ls out.txt").exit_code != 0, "each run has a copy of its own"',
        'ran = project.run("python", "count.py", "21", files={"extra.txt": "more"})\n'
        'assert ran.stdout == "42 more\\n", ran',
        'assert project.module("shop.numbers").double(4) == 8',
        'import yaml\nassert yaml.safe_load(project.texts["conf.yaml"]) == {"a": [1, 2]}',
        "from markdown_it import MarkdownIt\n"
        'assert MarkdownIt().parse(project.texts["doc.md"])[0].tag == "h1"\n'
        'assert project.texts == project.before and sorted(project.texts)[0] == "conf.yaml"',
        'with raises(FileNotFoundError): project.run("no-such-program")',
        'assert project.run("sh", "-c", "kill -9 $$").exit_code == -9',
        'assert len(project.run("sh", "-c", "head -c 3000000 /dev/zero").stdout) == 2**17, "the start of it"',
        'assert project.run("sh", "-c", "sleep 99 & echo done").stdout == "done\\n", "nobody waits for sleep"',
    ],
)
def test_what_a_test_can_ask_of_a_project(hidden_tests: HiddenTests, body: str) -> None:
    assert verdict_of(hidden_tests, body, PROGRAMS) == (1.0, "")


def test_texts_are_those_after_the_change(hidden_tests: HiddenTests) -> None:
    after = {"new.md": "é\r\n", "conf.yaml": "a: 2\n"}
    body = 'assert project.texts == {"new.md": "é\\r\\n", "conf.yaml": "a: 2\\n"} and "doc.md" in project.before\n'
    body += 'assert project.run("sh", "-c", "ls").stdout == "conf.yaml\\nnew.md\\n"'
    assert verdict_of(hidden_tests, body, after) == (1.0, "")


@pytest.mark.parametrize(
    "cheat",
    [
        {"count.py": "import os\nprint(42, 'more', flush=True)\nos._exit(0)\n"},
        {"shop/numbers.py": "import os\nos._exit(0)\n"},
        {"sitecustomize.py": "print('42 more')\nimport os\nos._exit(0)\n"},
        {"unittest/__init__.py": "", "json/__init__.py": "raise SystemExit(0)"},
        {"tests.py": "def test_it(project): pass\n", "test_runner.py": 'print(\'["verdict", 1, ""]\')\n'},
    ],
    ids=["answers the visible input", "exits at import", "site", "stdlib", "another runner"],
)
def test_no_file_of_a_tree_makes_wrong_code_right(hidden_tests: HiddenTests, cheat: dict[str, str]) -> None:
    wrong = {**PROGRAMS, "shop/numbers.py": "def double(n): return 3 * n\n", **cheat}
    body = 'assert project.run("python", "count.py", "5", files={"extra.txt": "x"}).stdout == "10 x\\n"\n'
    body += 'assert project.module("shop.numbers").double(5) == 10'
    quality, evidence = verdict_of(hidden_tests, body, wrong)
    assert quality == 0.0 and evidence


@pytest.mark.parametrize("forged", ["[]", "['0', '', '', {}]", "[0, '', '', {'x': 'y'}]", "[0, '', '', {'out': 1}]"])
def test_a_forged_answer_of_a_program_is_a_failure(hidden_tests: HiddenTests, forged: str) -> None:
    """The candidate's module takes its server over and answers for programs."""
    takes_over = f"import sys\nsys.modules['__main__'].OPERATIONS['run'] = lambda *_: {forged}\n"
    body = 'project.module("shop.numbers")\nran = project.run("sh", "-c", "true", keep=["out"])'
    quality, evidence = verdict_of(hidden_tests, body, {**PROGRAMS, "shop/numbers.py": takes_over})
    assert quality == 0.0 and "does not follow the protocol" in evidence
