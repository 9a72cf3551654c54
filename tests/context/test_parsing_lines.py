"""Which line belongs to what, and sources at the limits: empty, huge, deep, unreadable."""

from __future__ import annotations

import pytest

from krins.context.facts import FileFacts
from krins.context.parsing import parse


def facts(source: str) -> FileFacts:
    return parse(source.encode(), "python")


@pytest.mark.parametrize(
    ("source", "owners"),
    [
        ("def f(): pass\n", [1]),
        ("def f(): pass; x = 1", [1]),
        ("class A: x = 1; y = 2\n", [1]),
        ("class A:\n  def f(self): return 1; x = 1\n  def g(self): pass\n", [1, 2, 3]),
        ("x = 1\n\n\ndef f():\n    pass\n\n\n", [0, 0, 0, 1, 1, 0, 0]),
        ("def f():\n\tif 1:\n\t\tpass\n", [1, 1, 1]),
        ("def f():\n    pass\n    # the end\n# not of it\n", [1, 1, 1, 0]),
        ("def f():\n    class A:\n        def m(self): pass\n", [1, 1, 1]),
        ("class A:\n    class B:\n        def m(self):\n            pass\n    x = 1\n", [1, 2, 3, 3, 1]),
    ],
)
def test_a_line_belongs_to_what_is_innermost_on_it(source: str, owners: list[int]) -> None:
    assert facts(source).unit_of_line.tolist() == owners


def test_a_line_of_two_definitions_is_the_first_one_s() -> None:
    source = b"class A { f() { return 1; } g() {\n  return 2;\n} h() { return 3; } }\nfunction k() {}\n"
    found = parse(source, "javascript")
    assert [one.name for one in found.definitions] == ["A", "f", "g", "h", "k"]
    assert found.unit_definitions.tolist() == [-1, 0, 2, 4]
    assert found.unit_of_line.tolist() == [1, 2, 2, 3]


def test_a_line_that_begins_outside_all_definitions_is_the_first_definition_s() -> None:
    found = parse(b"run(); function f() {\n}\nrun();\n", "javascript")
    assert found.unit_of_line.tolist() == [1, 1, 0]


def test_a_class_whose_lines_are_all_others_is_no_unit() -> None:
    found = parse(b"function a() {\n} class B { c() {\n} }\n", "javascript")
    assert [one.name for one in found.definitions] == ["a", "B", "c"]
    assert found.unit_definitions.tolist() == [-1, 0, 2]
    assert found.unit_of_line.tolist() == [1, 1, 2]


def test_nothing_is_a_file_of_no_lines() -> None:
    found = facts("")
    assert (found.n_lines, found.n_units, found.unit_tokens.tolist()) == (0, 1, [0])
    assert (found.definitions, found.words, found.imports, found.calls) == ((), (), (), ())
    assert found.unit_of_line.shape == found.mention_units.shape == (0,)


@pytest.mark.parametrize(
    ("source", "n_lines"), [("\n", 1), ("x", 1), ("x\n", 1), ("x\n\n", 2), ("x\r\ny\r", 2), ("\f\n", 1)]
)
def test_lines_end_at_line_feeds_alone(source: str, n_lines: int) -> None:
    assert facts(source).n_lines == n_lines


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        parse(b"x = '\xff'", "python")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(KeyError):
        parse(b"", "cobol")


@pytest.mark.parametrize(
    "source", ["(" * 3000, "-" * 3000 + "x", "[" * 3000 + "]" * 3000, "f(" * 3000, "a." * 9000 + "b()"]
)
def test_deep_nesting_does_not_overflow(source: str) -> None:
    assert facts(source).n_lines == 1


def test_deeply_nested_functions_are_one_unit() -> None:
    source = "".join(f"{' ' * depth}def f{depth}():\n" for depth in range(300)) + " " * 300 + "pass\n"
    found = facts(source)
    assert [one.parent for one in found.definitions] == list(range(-1, 299))
    assert found.unit_of_line.tolist() == [1] * 301


def test_a_file_of_one_huge_line_works() -> None:
    source = ";".join(f"x{number} = f{number}(x{number})" for number in range(20_000))
    found = facts(source)
    assert (found.n_lines, found.n_units) == (1, 1)
    assert len(found.definitions) == len(found.calls) == 20_000
