"""A file's definitions, put together from the captures of its language's query.

One sweep over the captures in the order in which they begin: a definition stays open until its end, and names, bodies
and docstrings go to the innermost open definition that they can belong to. Invariants: definitions come in order of
their start, an outer one before what is inside it; variables and prototypes inside functions are left out. Left out:
which unit a line belongs to (`krins.context.parsing`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tree_sitter import Node

from krins.context.facts import Definition, Kind
from krins.context.languages.grammar import Captures, text_of
from krins.context.lines import Lines

_KINDS = {
    "class": Kind.CLASS,
    "function": Kind.FUNCTION,
    "prototype": Kind.FUNCTION,
    "variable": Kind.VARIABLE,
}
_NOT_IN_FUNCTIONS = ("prototype", "variable")
_BEFORE = ("comment", "prefix", "decorator")
_LABELS = ("comment", "prefix", *_KINDS, "decorator", "name", "base", "body", "doc")
"""Of two captures of the same text, the earlier here comes first: what a definition begins with belongs to it."""
_KIND_OF = tuple(_KINDS.get(label) for label in _LABELS)
_BLANK_OR_COMMENTS = re.compile(rb"(?:\s|#[^\n]*\n)*")
_DECORATOR = re.compile(r"[\w.:\\]+")
_LAST_NAME = re.compile(r"(?:operator\b.*|[^\s:]+)\s*\Z", re.DOTALL)
_TYPE_ARGUMENTS = re.compile(r"[\[<({]")
_NO_CODE = re.compile(rb"\s*(?:(?:#|//).*)?\s*")

_Place: TypeAlias = tuple[int, int, int]
"""Where a capture starts, minus where it ends, the index of its label: in order, outer ones come first."""


class _Open:
    """A definition that the sweep has met."""

    __slots__ = (
        "around",
        "bases",
        "body",
        "decorators",
        "doc",
        "end",
        "head",
        "index",
        "kind",
        "name_start",
        "names",
        "node_start",
        "start",
    )

    def __init__(self, node: Node, start: int, end: int, kind: Kind, around: _Open | None) -> None:
        self.start = self.head = self.node_start = start
        """The start includes the documentation above, start and head include decorators."""
        self.end = end
        self.kind = kind
        self.around = around
        self.index = -1
        self.names: list[str] = []
        self.name_start = self.body = -1
        self.doc: tuple[int, int] | None = None
        self.decorators: list[str] = []
        self.bases: list[str] = []
        if kind is not Kind.VARIABLE:
            name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
            if name is not None:
                self.take_name(name)
            if body is not None:
                self.body = body.start_byte

    def take_name(self, node: Node) -> None:
        name = text_of(node)
        if not name.isidentifier():
            if self.kind is Kind.CLASS:
                name = _TYPE_ARGUMENTS.split(name, maxsplit=1)[0]
            last = _LAST_NAME.search(name)
            name = last.group().strip("\"'") if last else ""
        if name:
            self.name_start = node.start_byte
            self.names.append(name)


def outline(captures: Captures, lines: Lines) -> tuple[list[Definition], list[int]]:
    """The definitions among a query's captures (see `krins.context.languages.grammar`).

    Returns:
        The definitions, and where the first byte of each is.
    """
    definitions: list[Definition] = []
    starts: list[int] = []
    for found in _sweep(captures, lines):
        around = found.around
        while around is not None and around.index < 0:  # it has no name
            around = around.around
        if found.names and found.kind is not Kind.VARIABLE:
            found.index = len(definitions)
        places = _places(found, lines)
        extras = tuple(found.decorators), tuple(found.bases)
        for name in found.names:
            definitions.append(Definition(name, found.kind, -1 if around is None else around.index, *places, *extras))
            starts.append(found.start)
    return definitions, starts


def _sweep(captures: Captures, lines: Lines) -> list[_Open]:
    found: list[_Open] = []
    around: _Open | None = None
    before: list[tuple[_Place, Node]] = []
    for place, node in _in_order(captures):
        start, minus_end, order = place
        while around is not None and around.end <= start:
            around = around.around
        kind = _KIND_OF[order]
        if kind is None:
            if not (around is not None and _take(around, _LABELS[order], node, start)) and _LABELS[order] in _BEFORE:
                before.append((place, node))
        elif around is None or not _is_passed_over(around, _LABELS[order], start, -minus_end):
            around = _Open(node, start, -minus_end, kind, around)
            if before:
                _take_what_is_before(around, before, lines)
                before.clear()
            found.append(around)
    return found


def _in_order(captures: Captures) -> list[tuple[_Place, Node]]:
    """Each node once under each label."""
    labelled = [(order, captures[label]) for order, label in enumerate(_LABELS) if label in captures]
    return sorted(
        {(node.start_byte, -node.end_byte, order): node for order, nodes in labelled for node in nodes}.items()
    )


def _is_passed_over(around: _Open, label: str, start: int, end: int) -> bool:
    if around.kind is Kind.FUNCTION and label in _NOT_IN_FUNCTIONS:
        return True
    # What is a function as well as a variable, as in `f = () => 1`, is the former.
    return around.node_start == start and around.end == end


def _take(around: _Open, label: str, node: Node, start: int) -> bool:
    """Give a capture to the innermost open definition that it can belong to; whether there may be one."""
    if label == "name":
        owner = around if around.kind is Kind.VARIABLE else _innermost(around, lambda definition: not definition.names)
        if owner is not None:
            owner.take_name(node)
    elif label == "body":
        owner = _innermost(around, lambda definition: definition.body < 0)
        if owner is not None:
            owner.body = start
    elif label == "doc":
        around.doc = around.doc or (start, node.end_byte)
    elif label == "base":
        if around.kind is Kind.CLASS:
            around.bases.append(_TYPE_ARGUMENTS.split(text_of(node), maxsplit=1)[0].strip())
    elif label == "decorator" and (around.name_start < 0 or start < around.name_start):
        around.decorators.append(_decorator(node))
    else:
        return False
    return True


def _innermost(definition: _Open | None, lacks: Callable[[_Open], bool]) -> _Open | None:
    while definition is not None and (definition.kind is Kind.VARIABLE or not lacks(definition)):
        definition = definition.around
    return definition


def _take_what_is_before(definition: _Open, before: Sequence[tuple[_Place, Node]], lines: Lines) -> None:
    """Give a definition the wrappers around it, and the decorators and comments directly above it."""
    for (start, minus_end, order), _ in before:
        if _LABELS[order] == "prefix" and -minus_end >= definition.end:
            definition.start = definition.head = min(definition.head, start)
    for (start, minus_end, order), node in reversed(before):
        if _LABELS[order] == "prefix":
            continue
        is_inside, is_decorator = start >= definition.head, _LABELS[order] == "decorator"
        if not is_inside and not _is_directly_above(start, -minus_end, is_decorator, definition.start, lines):
            return
        definition.start = min(definition.start, start)
        if is_decorator:
            definition.head = definition.start
            definition.decorators.insert(0, _decorator(node))
        elif not is_inside:
            definition.doc = start, definition.doc[1] if definition.doc else -minus_end


def _is_directly_above(start: int, end: int, is_decorator: bool, below: int, lines: Lines) -> bool:
    between = lines.source[end:below]
    if is_decorator:
        return _BLANK_OR_COMMENTS.fullmatch(between) is not None
    n_breaks = between.count(b"\n") + lines.source.endswith(b"\n", start, end)
    return n_breaks == 1 and not between.strip() and lines.is_first(start, lines.line(start))


def _decorator(node: Node) -> str:
    name = _DECORATOR.search(text_of(node))
    return name.group() if name else ""


def _places(found: _Open, lines: Lines) -> tuple[int, int, int, int, int, int]:
    """Where it starts and ends, and its signature, and its documentation."""
    start_line = lines.line(found.start)
    head_line = lines.line(found.head) if found.head != found.start else start_line
    end_line = lines.line_before(found.end)
    signature_end = end_line if found.body < 0 else _signature_end(found.head, head_line, found.body, lines)
    if not found.doc:
        return start_line, end_line, head_line, signature_end, 0, 0
    return start_line, end_line, head_line, signature_end, lines.line(found.doc[0]), lines.line_before(found.doc[1])


def _signature_end(head: int, head_line: int, body: int, lines: Lines) -> int:
    """The line of the last thing before the body that is no comment."""
    if lines.line(body) == head_line:
        return head_line
    signature = lines.source[head:body].rstrip()
    line = lines.line(head + len(signature) - 1)
    may_end_with_comments = b"#" in signature or b"//" in signature
    while may_end_with_comments and line > head_line and _NO_CODE.fullmatch(lines.text(line)):
        line -= 1
    return line


__all__ = ["outline"]
