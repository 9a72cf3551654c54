"""No object of a candidate can pose as the plain value that a test expects, whatever its methods say."""

from __future__ import annotations

import pytest

from krins.quality.hidden_tests import HiddenTests
from tests.quality.conftest import of

YES_MAN = """
class Word(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__

heard = []

class YesMan:
    def __getattr__(self, name):
        return lambda *arguments: heard.append(arguments) or True
    def __call__(self, *arguments): return heard.append(arguments) or True
    def __len__(self): return 12
    def __iter__(self): return iter([])
    __class__ = property(lambda self: int)
    __int__ = __index__ = __round__ = __trunc__ = __floor__ = __ceil__ = lambda self, *_: 12
    __float__ = lambda self: 12.566
    __complex__ = lambda self: 12.566 + 0j
    __str__ = __repr__ = __fspath__ = lambda self: Word("expected")
    __format__ = lambda self, how: "expected"
    __bytes__ = lambda self: b"expected"
    __dir__ = lambda self: ["expected"]

def agree(result):
    return lambda self, *arguments: heard.append(arguments) or result

for name in "eq ne lt le gt ge contains bool instancecheck subclasscheck".split():
    setattr(YesMan, f"__{name}__", agree(True))
for name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift divmod".split():
    for prefix in ("", "r", "i"):
        setattr(YesMan, f"__{prefix}{name}__", agree(0.0))
for name in "neg pos invert abs".split():
    setattr(YesMan, f"__{name}__", agree(0))
YesMan.__hash__ = agree(12)

def f(*_): return YesMan()
def module(): import sys; return sys.modules[__name__]
def startswith(*_): return True
def seen(): return heard
"""

ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>")
ORDER = ("==", "!=", "<", "<=", ">", ">=")
PASSED_BY_A_YES_MAN = [
    "abs(solution.f(2) - 12.566) < 1e-3",
    "abs(12.566 - solution.f(2)) < 1e-3",
    *(
        f"not solution.f() {sign} 12.566"
        for sign in ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>"]
    ),
    *(
        f"not 12.566 {sign} solution.f()"
        for sign in ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>"]
    ),
    *(f"solution.f() {sign} 12.566" for sign in ["==", "!=", "<", "<=", ">", ">="]),
    *(f"12.566 {sign} solution.f()" for sign in ["==", "!=", "<", "<=", ">", ">="]),
    *(f"solution.f().__{name}__(12.566)" for name in ("eq", "ge", "contains", "radd", "isub", "instancecheck")),
    "'expected' in solution.f()",
    "'expected' not in solution.f() or True",
    "solution.f() in ['expected']",
    "solution.f() in {'expected': 1}",
    "solution.f()",
    "not solution.f() or True",
    "[solution.f()] == ['expected']",
    "{'a': solution.f()} == {'a': 'expected'}",
    "divmod(solution.f(), 5) == 0.0",
    "(-solution.f(), +solution.f(), ~solution.f()) == (0, 0, 0)",
    "round(solution.f()) == 12",
    "round(solution.f(), 3) == 12",
    "int(solution.f()) == 12",
    "float(solution.f()) == 12.566",
    "complex(solution.f()) == 12.566",
    "list(range(20))[solution.f()] == 12",
    "len(range(solution.f())) == 12",
    "'x' * solution.f() == 'x' * 12",
    "__import__('math').isclose(solution.f(), 12.566)",
    "__import__('math').floor(solution.f()) == 12",
    "__import__('math').trunc(solution.f()) == 12",
    "__import__('math').ceil(solution.f()) == 12",
    "__import__('os').fspath(solution.f()) == 'expected'",
    "__import__('fractions').Fraction(1, 2) + solution.f() == 0.0",
    "str(solution.f()) == 'expected'",
    "repr(solution.f()) == 'expected'",
    "f'{solution.f()}' == 'expected'",
    "f'{solution.f()!r}' == 'expected'",
    "f'{solution.f():>8}' == 'expected'",
    "'%s' % solution.f() == 'expected'",
    "'%s' % (solution.f(),) == 'expected'",
    "'{}'.format(solution.f()) == 'expected'",
    "bytes(solution.f()) in (b'expected', b'')",
    "dir(solution.f()) == ['expected']",
    "hash(solution.f()) == 12",
    "isinstance(solution.f(), int)",
    "not isinstance(solution.f(), str)",
    "isinstance(solution.f(), __import__('collections.abc').abc.Iterable)",
    "isinstance(solution.f(), __import__('collections.abc').abc.Callable)",
    "isinstance(5, solution.f())",
    "issubclass(int, solution.f())",
    "issubclass(solution.f(), int)",
    "solution.f().__class__ is not str",
    "sum([solution.f()]) == 0.0",
    "max([solution.f(), 5]) is not 5",
    "all([solution.f()])",
    "any([solution.f()])",
    "sorted([solution.f(), 5])",
    "__import__('copy').copy(solution.f()) is not None",
    "solution.f().startswith('expected')",
    "solution.f().title.endswith('expected')",
    "solution.f().isdigit()",
    "solution.f().issubset({12})",
    "solution.f().is_integer()",
    "solution.module().startswith('expected')",
    "solution.module() == solution",
]


_AT_ONCE = 6
"""As many reasons as fit into the evidence."""


@pytest.mark.parametrize("start", range(0, len(PASSED_BY_A_YES_MAN), _AT_ONCE))
def test_no_object_can_pose_as_what_a_test_expects(hidden_tests: HiddenTests, start: int) -> None:
    assertions = PASSED_BY_A_YES_MAN[start : start + _AT_ONCE]
    tests = "\n".join(f"def test_{at}(solution):\n    assert {one}" for at, one in enumerate(assertions))
    sent = "def test_sent(solution):\n    assert solution.seen() == [], 'something was sent'"
    verdict = hidden_tests.verify(of(YES_MAN), f"{tests}\n{sent}")
    reasons = verdict.evidence.splitlines()
    assert verdict.checks_passed == 1, verdict.evidence
    assert [reason.partition(":")[0] for reason in reasons] == [f"test_{at}" for at in range(len(assertions))]
    assert all("an object of the solution (" in reason for reason in reasons), verdict.evidence


def test_no_object_can_pose_as_a_sum(hidden_tests: HiddenTests) -> None:
    body = "def test_{at}(solution):\n    total = solution.f()\n    total {sign}= 5\n    assert total == 0.0"
    tests = "\n".join(body.format(at=at, sign=sign) for at, sign in enumerate(ARITHMETIC))
    verdict = hidden_tests.verify(of(YES_MAN), tests)
    assert (verdict.checks_passed, verdict.checks_total) == (0, len(ARITHMETIC))
    assert "cannot be computed with" in verdict.evidence


def test_a_match_statement_is_not_fooled(hidden_tests: HiddenTests) -> None:
    tests = """
def test_it(solution):
    match solution.f():
        case 12 | 12.566 | "expected" | int() | [*_] | {}:
            return
    assert False
"""
    assert hidden_tests.verify(of(YES_MAN), tests).quality == 0.0
