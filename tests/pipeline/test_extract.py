"""Code out of answers, as small models really write them."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.pipeline.extract import extract_code

CODE = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{CODE}```",
        f"Sure! Here it is:\n\n```py\n{CODE}```\nIt adds one.",
        f"~~~\n{CODE}~~~\n",
        f"```python\n{CODE}",
        f"{CODE}```",
        CODE,
        f"```sh\npip install x\n```\n\n```python\n{CODE}```",
        f"```python\n{CODE}```\n\n```python\nprint(f(1))\n```",
        f"1. First:\n\n   ```python\n   {CODE.replace(chr(10), chr(10) + '   ')}\n   ```\n",
    ],
    ids=["fence", "prose", "tildes", "unclosed", "unopened", "bare", "second block", "usage after", "in a list"],
)
def test_the_code_is_found(answer: str) -> None:
    code = extract_code(answer)
    assert code is not None
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(CODE))


@pytest.mark.parametrize(
    "answer",
    ["", "I cannot do that.", "```python\ndef f(x:\n```", "```python\nprint('hello')\n```", "```\n\n```", "word", "\0"],
)
def test_an_answer_without_code_has_none(answer: str) -> None:
    assert extract_code(answer) is None


@given(st.text())
def test_whatever_comes_out_is_python(answer: str) -> None:
    code = extract_code(answer)
    assert code is None or ast.parse(code).body


def test_code_nested_too_deep_to_parse_is_no_code() -> None:
    assert extract_code("x = " + "(" * 10_000 + "1" + ")" * 10_000) is None
