"""The source tree of a task, importable beside a solution and its tests, and of no help to a cheat."""

from __future__ import annotations

import pytest

from krins.interfaces import Sandbox
from krins.quality.hidden_tests import HiddenTests
from krins.quality.sandbox import choose_sandbox
from tests.quality.conftest import LIMITS
from tests.quality.test_faking import FAKES, HONEST, TESTS

TREE = {
    "README.md": "Not Python.",
    "json.py": "raise RuntimeError('the standard library comes first')",
    "solution.py": "raise RuntimeError('the solution comes first')",
    "tests.py": "raise RuntimeError('so do the tests')",
    "plain_data.py": "raise RuntimeError('and what runs them')",
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


@pytest.fixture
def with_tree(sandbox: Sandbox) -> HiddenTests:
    return HiddenTests(sandbox, LIMITS, TREE)


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
    assert solution.broken() == ["shop/broken.py", 1]
    with raises(ModuleNotFoundError):
        solution.absent()
"""


def test_solution_and_tests_import_the_tree(with_tree: HiddenTests) -> None:
    verdict = with_tree.verify(SOLUTION, IMPORTED)
    assert (verdict.quality, verdict.checks_total, verdict.evidence) == (1.0, 5, "")


def test_without_a_tree_there_is_nothing_to_import(hidden_tests: HiddenTests) -> None:
    verdict = hidden_tests.verify("import shop", "def test_it(solution): pass")
    assert "No module named 'shop'" in verdict.evidence


@pytest.mark.parametrize("fake", FAKES.values(), ids=FAKES.keys())
def test_a_tree_helps_no_fake(fake: str) -> None:
    verifier = HiddenTests(choose_sandbox(allow_unsafe=False), LIMITS, TREE)
    assert verifier.verify(f"import shop\n{fake}", TESTS).quality == 0.0


def test_an_honest_solution_passes_with_a_tree(with_tree: HiddenTests) -> None:
    assert with_tree.verify(f"import shop\n{HONEST}", TESTS).quality == 1.0


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
def test_patches_of_a_tree_stay_where_they_were_made(with_tree: HiddenTests, asserted: str) -> None:
    tests = f"from shop.deep.part import TEN\ndef test_it(solution):\n    assert {asserted}\n"
    assert with_tree.verify(PATCHES, tests).quality == 0.0
