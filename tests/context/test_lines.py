"""Lines by offset, by hand."""

from __future__ import annotations

import pytest

from krins.context.lines import Lines

LINES = Lines(b"ab\n\n\t c \r\nd")


@pytest.mark.parametrize(("offset", "line"), [(0, 1), (2, 1), (3, 2), (4, 3), (9, 3), (10, 4), (11, 4)])
def test_a_byte_is_on_the_line_whose_break_ends_it(offset: int, line: int) -> None:
    assert LINES.line(offset) == line


@pytest.mark.parametrize(("offset", "line"), [(0, 1), (1, 1), (3, 1), (4, 1), (6, 1), (7, 3), (10, 3), (11, 4)])
def test_white_space_before_an_offset_does_not_count(offset: int, line: int) -> None:
    assert LINES.line_before(offset) == line


def test_lines_are_counted_with_and_without_a_last_break() -> None:
    assert [Lines(source).count for source in (b"", b"\n", b"a", b"a\n", b"a\nb", b"\n\n")] == [0, 1, 1, 1, 2, 2]


def test_the_texts_of_all_lines_are_the_source() -> None:
    assert [LINES.text(line) for line in range(1, LINES.count + 1)] == [b"ab\n", b"\n", b"\t c \r\n", b"d"]


@pytest.mark.parametrize(("offset", "line", "is_first"), [(0, 1, True), (1, 1, False), (6, 3, True), (7, 3, False)])
def test_indentation_does_not_take_a_line(offset: int, line: int, is_first: bool) -> None:
    assert LINES.is_first(offset, line) == is_first
