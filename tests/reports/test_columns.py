"""Columns are dealt out to tables: widths, groups and names."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from krins.reports.columns import Column, Rows, definitions, tables, wrap_name


def lines_of(groups: list[list[Column]], names: list[str], width: int) -> list[str]:
    output = io.StringIO()
    console = Console(file=output, width=width)
    for table in tables(Rows("name", names), groups, console):
        console.print(table, crop=False)
    return output.getvalue().splitlines()


def column(heading: str, *cells: str) -> Column:
    return Column(heading, [[cell] if cell else [] for cell in cells])


GROUPS = [
    [column("first", "1.00", "2.00"), column("second", "3.00", "4.00")],
    [column("third", "5.00", ""), column("fourth", "6.00", "")],
]


def test_everything_stands_in_one_table_where_it_fits() -> None:
    assert lines_of(GROUPS, ["alpha", "beta"], 80) == [
        "name   first  second  third  fourth",
        "-----------------------------------",
        "alpha   1.00    3.00   5.00    6.00",
        "beta    2.00    4.00",
    ]


def test_a_group_that_does_not_fit_gets_a_table_of_its_own_without_rows_that_it_is_silent_about() -> None:
    assert lines_of(GROUPS, ["alpha", "beta"], 34) == [
        "name   first  second",
        "--------------------",
        "alpha   1.00    3.00",
        "beta    2.00    4.00",
        "name   third  fourth",
        "--------------------",
        "alpha   5.00    6.00",
    ]


def test_a_group_wider_than_the_page_is_parted() -> None:
    assert lines_of(GROUPS[:1], ["alpha", "beta"], 14) == [
        "name   first",
        "------------",
        "alpha   1.00",
        "beta    2.00",
        "name   second",
        "-------------",
        "alpha    3.00",
        "beta     4.00",
    ]


def test_a_page_too_narrow_for_one_column_is_overrun_and_nothing_cut() -> None:
    assert lines_of([[column("n", "123456789")]], ["alpha"], 8)[-1] == "alpha  123456789"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("epsilon-greedy(epsilon=0.1)", ["epsilon-greedy(", "epsilon=0.1)"]),
        ("best single by quality", ["best single by", "quality"]),
        ("abcdefghijklmnopqrstuvwxyz", ["abcdefghijklmnop", "qrstuvwxyz"]),
    ],
)
def test_names_break_at_their_joints(name: str, lines: list[str]) -> None:
    assert wrap_name(name, 16) == lines


@given(st.text(st.sampled_from("abXYZ-/:@. (模"), min_size=1, max_size=60), st.integers(2, 30))
def test_a_wrapped_name_is_whole_but_for_blanks(name: str, width: int) -> None:
    lines = wrap_name(name, width)
    assert "".join("".join(lines).split()) == "".join(name.split())
    assert all(sum(2 if character == "模" else 1 for character in line) <= width for line in lines)


def test_definitions_wrap_beside_their_terms() -> None:
    output = io.StringIO()
    console = Console(file=output, width=20)
    console.print(definitions([("term", "what it means here"), ("t", "x")], console))
    assert output.getvalue().splitlines() == ["term  what it means", "      here", "t     x"]
