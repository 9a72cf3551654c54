"""Facts of krins's own sources against those of Python's own parser."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import krins
from krins.context.facts import Kind
from krins.context.parsing import parse


def _expected(tree: ast.AST, parent: str = "") -> Iterator[tuple[str, int, int, tuple[int, int], tuple[str, ...], str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            has_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            has_doc = has_doc and isinstance(first.value.value, str)  # type: ignore[attr-defined]
            doc = (first.lineno, first.end_lineno or 0) if has_doc else (0, 0)
            written = [ast.unparse(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list]
            start = min(one.lineno for one in (node, *node.decorator_list))
            yield node.name, start, node.end_lineno or 0, doc, tuple(written), parent
            yield from _expected(node, node.name)
        else:
            yield from _expected(node, parent)


def _last_statement(lines: list[bytes], end: int) -> int:
    """A body ends with its comments; Python's parser sees none."""
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(b"#"):
        end -= 1
    return end


@pytest.mark.parametrize("path", sorted(Path(krins.__file__).parent.rglob("*.py"))[::4], ids=lambda path: path.stem)
def test_facts_agree_with_python_s_own_parser(path: Path) -> None:
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    found, lines = parse(source, "python"), source.split(b"\n")
    assert not found.has_errors
    assert sorted(_expected(tree)) == sorted(
        (
            one.name,
            one.start_line,
            _last_statement(lines, one.end_line),
            (one.doc_start, one.doc_end),
            one.decorators,
            found.definitions[one.parent].name if one.parent >= 0 else "",
        )
        for one in found.definitions
        if one.kind is not Kind.VARIABLE
    )
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    calls = {call for call in calls if call.replace(".", "_").isidentifier()}
    assert Counter(calls) == Counter({f"{one.receiver}.{one.name}".lstrip(".") for one in found.calls})
