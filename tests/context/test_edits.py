"""Which edits stay inside bodies of functions."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.context.edits import Edit, EditedBodies, edited_bodies

BEFORE = '''"""Module."""
import os

LIMIT = 3


@deco
def f(a, b=1):
    """Docs."""
    return a


class C:
    size = 2

    def m(self):
        def inner():
            return 1

        return inner()

    if LIMIT:

        async def n(self):
            yield 1
'''


def edited(old: str, new: str, path: str = "a.py") -> EditedBodies:
    assert BEFORE.count(old) == 1
    return edited_bodies(Edit(path, BEFORE.encode(), BEFORE.replace(old, new).encode()))


@pytest.mark.parametrize(
    ("old", "new", "name", "lines"),
    [
        ("return a\n", "return b\n", "f", (7, 10)),
        ("return a\n", "x = a\n    return x\n", "f", (7, 10)),
        ("return 1\n", "return 2\n", "C.m", (16, 20)),
        ("        return inner()\n", "        return None\n", "C.m", (16, 20)),
        ("yield 1", "yield 2", "C.n", (24, 25)),
    ],
)
def test_edits_of_bodies_name_the_function_and_its_lines_before(
    old: str, new: str, name: str, lines: tuple[int, int]
) -> None:
    found = edited(old, new)
    assert not found.beyond
    assert [(one.name, (one.start_line, one.end_line)) for one in found.functions] == [(name, lines)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("import os", "import sys"),
        ("b=1", "b=2"),
        ("@deco", "@other"),
        ("@deco\n", ""),
        ("size = 2", "size = 3"),
        ("Docs.", "Other docs."),
        ("    def m(self):", "    def m(self, x):"),
        ("    def m(self):", "    async def m(self):"),
        ("class C:", "class C(dict):"),
        ("class C:", "class D:"),
        ("yield 1", "return"),
        ("return a\n", "return a\n\ndef g():\n    return 1\n"),
        ("        return inner()\n", "        return inner()\n\n    x = 1\n"),
        ("if LIMIT", "if not LIMIT"),
        ("return a\n", "return (\n"),
        ("return a\n", "break\n"),
        ("return a\n", "return a is 1\n"),
        ("return a\n", "return '\\d'\n"),
        ("yield 1", "yield 1\n            return 1"),
    ],
)
def test_all_other_edits_are_beyond_bodies(old: str, new: str) -> None:
    found = edited(old, new)
    assert "a.py" in found.beyond
    assert found.functions == ()


def test_comments_and_blank_lines_change_no_body() -> None:
    assert edited("    return a\n", "\n    # why\n    return  a  # and so on\n") == EditedBodies((), "")


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (Edit("a.py", None, b"x = 1"), "new"),
        (Edit("a.py", b"x = 1", None), "deleted"),
        (Edit("a.txt", b"1", b"2"), "no Python"),
        (Edit("a.pyi", b"x: int", b"x: str"), "no Python"),
        (Edit("a.py", b"(", b"x = 1"), "not valid Python with plain lines before"),
        (Edit("a.py", b"x = 1", b"x = \xff"), "plain lines after"),
        (Edit("a.py", b"x = 1", b"x = 1\0"), "not valid Python"),
        (Edit("a.py", b"x = 1\r\ny = 1", b"x = 1\ry = 1"), "plain lines after"),
        (Edit("a.py", b"x = 1", b"x = 1"), "something else than its content"),
        (Edit("a.py", b"x = 1", b"x = " + b"-" * 20_000 + b"1"), "plain lines after"),
    ],
)
def test_what_is_no_edit_of_valid_python_is_beyond_bodies(edit: Edit, why: str) -> None:
    assert why in edited_bodies(edit).beyond


NAMES = st.sampled_from(["f", "g"])
STATEMENTS = st.sampled_from(["pass", "return 1", "x = 1", "yield 1", '"docs"'])


@st.composite
def sources(draw: st.DrawFn) -> str:
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        body = draw(st.lists(STATEMENTS, min_size=1, max_size=3))
        function = [f"def {draw(NAMES)}():", *(f"    {statement}" for statement in body)]
        parts += ["class C:", *(f"    {line}" for line in function)] if draw(st.booleans()) else function
        parts.append(draw(st.sampled_from(["", "y = 2"])))
    return "\n".join(parts)


@given(sources(), sources())
def test_edits_within_bodies_leave_the_same_file_once_bodies_are_put_back(before: str, after: str) -> None:
    """If nothing but bodies changed, then putting the old body into each named function gives the old file."""
    found = edited_bodies(Edit("a.py", before.encode(), after.encode()))
    if found.beyond or before == after:
        return
    old, new = ast.parse(before), ast.parse(after)
    changed = {one.start_line for one in found.functions}
    pairs = list(zip(functions(old), functions(new), strict=True))
    for one, other in pairs:
        assert (ast.dump(one) != ast.dump(other)) == (one.lineno in changed)
        other.body = one.body
    assert ast.dump(old) == ast.dump(new)


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
