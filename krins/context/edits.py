"""Edits of files, and which of them change nothing but bodies of Python functions.

An edit inside a body has an effect only where that function runs, so tests can be told apart by it; any other edit may
act wherever the file is loaded or read. Invariants: whatever is not certain to be inside bodies counts as not; a
function is one outside of other functions, what is nested in it is its body; docstrings are no part of bodies, for
programs read them. Left out: edits that only move lines, though a test may look at line numbers; syntax that this
Python knows and that of the project does not; who runs a function (`krins.context.tests_for`).
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import NamedTuple

_LONE_RETURN = re.compile(rb"\r(?!\n)")
"""Ends a line for Python, but not for git and the code graph."""
_COMPOUND_FIELDS = ("body", "orelse", "handlers", "finalbody", "cases")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Edit(NamedTuple):
    """Of a file that is not as it was. Where its content is, its mode or its kind are not."""

    path: str
    """Relative to the tree's root, with "/"."""
    before: bytes | None
    """None: the file is new."""
    after: bytes | None
    """None: the file is deleted."""


class EditedFunction(NamedTuple):
    name: str
    """`Class.method`"""
    start_line: int
    """Of its first decorator, or of its `def`, before the edit."""
    end_line: int


class EditedBodies(NamedTuple):
    functions: tuple[EditedFunction, ...]
    """Whose bodies differ."""
    beyond: str
    """What else the edit does, in words for the user; empty where it changes bodies alone."""


def edited_bodies(edit: Edit) -> EditedBodies:
    """What an edit changes."""
    if edit.before == edit.after:
        return EditedBodies((), f"{edit.path} changes in something else than its content")
    if edit.before is None or edit.after is None:
        return EditedBodies((), f"{edit.path} is {'new' if edit.before is None else 'deleted'}")
    if not edit.path.endswith(".py"):
        return EditedBodies((), f"{edit.path} is no Python source")
    before, after = parsed(edit.before), parsed(edit.after)
    if before is None or after is None:
        when = "before" if before is None else "after"
        return EditedBodies((), f"{edit.path} is not valid Python with plain lines {when} the edit")
    if not _complaints(edit.after) <= _complaints(edit.before):
        return EditedBodies((), f"{edit.path} compiles with other complaints than before")
    try:
        return _compared(edit.path, before, after)
    except RecursionError:
        return EditedBodies((), f"{edit.path} is nested too deeply to be compared")


def parsed(source: bytes) -> ast.Module | None:
    """The syntax tree of a Python source; None where there is none, or its lines are not those that end in "\\n"."""
    if _LONE_RETURN.search(source):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings of whoever wrote the source
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _complaints(source: bytes) -> set[str]:
    """Warnings and errors of the compiler: they come when a file is loaded, wherever in it they are from.

    Some syntax trees are of no program: one with `return 1` in an asynchronous generator, say.
    """
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            compile(source, "source", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as failure:
            return {f"{type(failure).__name__}: {failure}"}
    return {f"{warning.category.__name__}: {warning.message}" for warning in found}


def first_line(function: _Function) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _compared(path: str, before: ast.Module, after: ast.Module) -> EditedBodies:
    pairs = list(zip(_emptied(before, ""), _emptied(after, ""), strict=False))
    if ast.dump(before) != ast.dump(after):
        return EditedBodies((), f"{path} changes outside of function bodies")
    changed = tuple(
        EditedFunction(name, first_line(function), function.end_lineno or function.lineno)
        for (name, function, body), (_, _, new_body) in pairs
        if body != new_body
    )
    return EditedBodies(changed, "")


def _emptied(node: ast.AST, prefix: str) -> Iterator[tuple[str, _Function, str]]:
    """Take the bodies out of all functions of a tree that are not inside others; each function's name, node and body.

    What a caller sees of a function without running it stays: its docstring, and whether it is a generator.
    """
    for field in _COMPOUND_FIELDS:
        for child in getattr(node, field, ()):
            if isinstance(child, _FUNCTIONS):
                body = ast.dump(ast.Module(child.body, []))
                documented = ast.get_docstring(child, clean=False) is not None
                child.body = [*child.body[:documented], *([ast.Expr(ast.Yield())] if _is_generator(child) else [])]
                yield prefix + child.name, child, body
            elif isinstance(child, ast.ClassDef):
                yield from _emptied(child, f"{prefix}{child.name}.")
            else:
                yield from _emptied(child, prefix)


def _is_generator(function: _Function) -> bool:
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return False


__all__ = ["Edit", "EditedBodies", "EditedFunction", "edited_bodies", "first_line", "parsed"]
