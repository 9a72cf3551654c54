from __future__ import annotations

import numpy as np
import pytest

from krins.context.excerpt import Level, Range, around, excerpt, lines_of, ranges_of, skeleton
from krins.context.parsing import parse
from tests.context.trees import SHOP, numbered_lines

MONEY = SHOP["shop/money.py"]
FACTS = parse(MONEY.encode(), "python")
LINES = lines_of(MONEY.encode())


def shown(level: Level) -> list[str]:
    return [line for line, is_shown in zip(LINES, skeleton(FACTS, level), strict=True) if is_shown]


def test_an_outline_has_what_stands_at_the_top() -> None:
    assert shown(Level.OUTLINE) == ["class Money:", "def total(amounts):"]


def test_signatures_are_those_of_all_functions_and_classes() -> None:
    assert shown(Level.SIGNATURES) == [
        "class Money:",
        "    def __init__(self, amount):",
        "    def rounded(self):",
        "def total(amounts):",
    ]


def test_a_skeleton_has_docstrings_too() -> None:
    assert shown(Level.SKELETON) == [
        "class Money:",
        '    """An amount."""',
        "    def __init__(self, amount):",
        "    def rounded(self):",
        '        """To the cent."""',
        "def total(amounts):",
        '    """The sum."""',
    ]


def test_below_an_outline_nothing_is_shown() -> None:
    assert shown(Level.PATH) == []


def test_a_method_comes_with_the_class_that_it_stands_in() -> None:
    method = int(FACTS.unit_of_line[LINES.index("    def rounded(self):")])
    shown = np.zeros(len(LINES), dtype=np.bool_)
    around(FACTS, 0, shown)
    assert not shown.any()
    around(FACTS, method, shown)
    assert [LINES[at] for at in np.flatnonzero(shown)] == ["class Money:"]


def test_an_excerpt_says_where_its_lines_begin() -> None:
    lines = ["a", "b", "c", "d", "e"]
    found = excerpt("x.py", Level.BODIES, lines, np.array([True, False, False, True, True]))
    assert found.text == "=== x.py (3 of 5 lines)\n1:a\n4:d\ne\n"
    assert found.ranges == (Range(1, 1), Range(4, 5))
    assert found.level is Level.BODIES


def test_blank_lines_between_shown_ones_are_not_worth_leaving_out() -> None:
    found = excerpt(
        "x.py", Level.BODIES, ["", "a", "", " ", "b", "c"], np.array([False, True, False, False, True, False])
    )
    assert found.text == "=== x.py (4 of 6 lines)\n2:a\n\n \nb\n"


def test_blank_lines_alone_are_not_worth_showing() -> None:
    found = excerpt("x.py", Level.BODIES, ["a", "b", " ", "c"], np.array([True, False, True, False]))
    assert found.text == "=== x.py (1 of 4 lines)\n1:a\n"
    assert found.ranges == (Range(1, 1),)


def test_lines_that_look_like_marks_have_numbers_of_their_own() -> None:
    lines = ["x", "7: a", "=== b.py (1 line)", "12 :", "y"]
    found = excerpt("x.py", Level.BODIES, lines, np.array([True, True, True, True, False]))
    assert found.text == "=== x.py (4 of 5 lines)\n1:x\n2:7: a\n3:=== b.py (1 line)\n12 :\n"
    assert numbered_lines(found.text) == {"x.py": dict(enumerate(lines[:4], start=1))}


@pytest.mark.parametrize("lines", [[], ["a"], ["a", "b"]])
def test_a_whole_file_needs_no_numbers(lines: list[str]) -> None:
    found = excerpt("x.py", Level.SKELETON, lines, np.ones(len(lines), dtype=np.bool_))
    assert found.level is Level.WHOLE
    head = f"=== x.py ({len(lines)} {'line' if len(lines) == 1 else 'lines'})"
    assert found.text == "".join(f"{line}\n" for line in [head, *lines])


def test_a_path_stays_on_its_line() -> None:
    found = excerpt("a\nb.py", Level.WHOLE, ["x"], np.ones(1, dtype=np.bool_))
    assert found.text == '=== "a\\nb.py" (1 line)\nx\n'


@pytest.mark.parametrize(
    ("source", "lines"),
    [(b"", []), (b"\n", [""]), (b"a", ["a"]), (b"a\n", ["a"]), (b"a\r\nb\x0cc\r", ["a\r", "b\x0cc\r"])],
)
def test_lines_end_at_line_feeds_alone(source: bytes, lines: list[str]) -> None:
    assert lines_of(source) == lines


def test_ranges_are_runs() -> None:
    assert ranges_of(np.array([True, True, False, True])) == (Range(1, 2), Range(4, 4))
    assert ranges_of(np.zeros(0, dtype=np.bool_)) == ()
