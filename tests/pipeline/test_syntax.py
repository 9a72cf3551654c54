"""Lines with syntax errors."""

from __future__ import annotations

import pytest

from krins.pipeline.syntax import syntax_error_lines


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("a.py", "x = 1\n", []),
        ("a.py", "x = 1\n)\ny = 2\n", [2]),
        ("a.go", "package a\nfunc f() {\n", [2]),
        ("a.rs", "fn f() {}\n", []),
        ("a.txt", "(", None),
        ("noname", "(", None),
    ],
)
def test_lines_of_errors(path: str, text: str, lines: list[int] | None) -> None:
    assert syntax_error_lines(path, text) == lines


def test_nesting_and_number_of_errors_are_no_limit() -> None:
    assert syntax_error_lines("a.js", "(" * 50_000) == [1]
    found = syntax_error_lines("a.py", "x = 1\n)\n" * 1000)
    assert found is not None and 0 < len(found) <= 20
