"""Seeded faults for impact_safety.py: what may be broken in a Python project, and how."""

from __future__ import annotations

import ast
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from krins.context.edits import Edit

KINDS = ("function", "constant", "data", "fixture")
_TURNS = ("function", "function", "function", "fixture", "function", "constant", "function", "function", "data")
"""Of nine faults: bodies of functions are where tests are told apart, so they are most."""
_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Fault(NamedTuple):
    kind: str
    what: str
    edit: Edit


class _Span(NamedTuple):
    """A piece of a source and what to put there."""

    start: int
    """Byte."""
    end: int
    text: str
    what: str


def draw(root: Path, package: str, n_faults: int, rng: random.Random) -> Iterator[Fault]:
    """Faults in a tree, of each kind in turn, all different; fewer of a kind that has no more."""
    places = {
        "function": _shuffled(
            rng, [place for path in _sources(root, package) for place in _functions(root, path, False)]
        ),
        "fixture": _shuffled(rng, [place for path in _sources(root, ".") for place in _functions(root, path, True)]),
        "constant": _shuffled(rng, [place for path in _sources(root, package) for place in _constants(root, path)]),
        "data": _shuffled(rng, _data(root, package)),
    }
    for turn in range(n_faults):
        waiting = places[_TURNS[turn % len(_TURNS)]]
        if waiting:
            yield waiting.pop()(rng)


_Place = Callable[[random.Random], Fault]


def _shuffled(rng: random.Random, places: list[_Place]) -> list[_Place]:
    rng.shuffle(places)
    return places


def _tracked(root: Path) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    return [path for path in done.stdout.split("\0") if path and (root / path).is_file()]


def _sources(root: Path, folder: str) -> list[str]:
    prefix = "" if folder == "." else folder.rstrip("/") + "/"
    return [path for path in _tracked(root) if path.endswith(".py") and path.startswith(prefix)]


def _functions(root: Path, path: str, fixtures: bool) -> Iterator[_Place]:
    source = (root / path).read_bytes()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_fixture(node) is fixtures:
            body = node.body[ast.get_docstring(node) is not None :]
            if body and body[0].lineno > node.lineno:

                def place(rng: random.Random, node: _Function = node, body: list[ast.stmt] = body) -> Fault:
                    spans = _body_spans(source, node, body)
                    span = rng.choice(spans)
                    return _fault("fixture" if fixtures else "function", path, source, span)

                yield place


def _is_fixture(node: _Function) -> bool:
    calls = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
    return any(ast.unparse(call).endswith("fixture") for call in calls)


def _body_spans(source: bytes, node: _Function, body: list[ast.stmt]) -> list[_Span]:
    """Ways to break a body; the whole of it counts as much as all details together."""
    start, end = (
        _offset(source, body[0].lineno, body[0].col_offset),
        _offset(source, body[-1].end_lineno, body[-1].end_col_offset),
    )
    is_generator = any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in ast.walk(node))
    keep = "; yield" if is_generator else ""
    whole = [
        _Span(start, end, f'raise RuntimeError("fault"){keep}', f"{node.name} raises"),
        _Span(start, end, f"return None{keep}", f"{node.name} returns None"),
    ]
    details = [span for statement in body for span in _details(source, statement, node.name)]
    return whole * max(1, len(details) // 2) + details


def _details(source: bytes, statement: ast.stmt, name: str) -> Iterator[_Span]:
    in_strings = {
        id(part) for node in ast.walk(statement) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    }
    for node in ast.walk(statement):
        if id(node) in in_strings or not isinstance(node, ast.expr):
            continue
        text = _changed(node)
        if text:
            span = _offset(source, node.lineno, node.col_offset), _offset(source, node.end_lineno, node.end_col_offset)
            yield _Span(*span, text, f"{name}: {ast.unparse(node)[:40]!r} is {text[:40]!r}")


def _changed(node: ast.expr) -> str:
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=right):
            return f"({ast.unparse(ast.Compare(left, [_OPPOSITES[type(operator)]()], right))})"
        case ast.BoolOp(op=operator, values=values):
            return f"({ast.unparse(ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            return repr(not value)
        case ast.Constant(value=int(value)):
            return repr(value + 1)
        case ast.Constant(value=str(value)) if len(value) < 40:
            return repr(value + "x")
    return ""


def _constants(root: Path, path: str) -> Iterator[_Place]:
    source = (root / path).read_bytes()
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            value = statement.value
            spans = [
                *_details(source, ast.Expr(value), ast.unparse(statement)[:30]),
                _Span(
                    _offset(source, value.lineno, value.col_offset),
                    _offset(source, value.end_lineno, value.end_col_offset),
                    "None",
                    f"{ast.unparse(statement)[:30]!r} is None",
                ),
            ]

            def place(rng: random.Random, spans: list[_Span] = spans) -> Fault:
                return _fault("constant", path, source, rng.choice(spans))

            yield place


def _data(root: Path, package: str) -> list[_Place]:
    """Files that are not Python, beside the package's sources and the tests."""

    def place_of(path: str) -> _Place:
        content = (root / path).read_bytes()

        def place(rng: random.Random) -> Fault:
            after = rng.choice([content + b"\n{% fault %}\n", content[: len(content) // 2], b"fault"])
            return Fault("data", "other content", Edit(path, content, after))

        return place

    folders = (package.rstrip("/") + "/", "tests/")
    return [place_of(path) for path in _tracked(root) if path.startswith(folders) and not path.endswith(".py")]


def _fault(kind: str, path: str, source: bytes, span: _Span) -> Fault:
    after = source[: span.start] + span.text.encode() + source[span.end :]
    return Fault(kind, span.what, Edit(path, source, after))


def _offset(source: bytes, line: int | None, column: int | None) -> int:
    assert line is not None
    assert column is not None
    return sum(len(one) for one in source.splitlines(keepends=True)[: line - 1]) + column
