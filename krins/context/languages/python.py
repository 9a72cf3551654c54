"""Python: a definition's docs stand inside it, its decorators before it."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Captures, Grammar, text_of

_QUERY = """
(function_definition) @function
(class_definition) @class
(type_alias_statement . (type [(identifier) @name (generic_type . (identifier) @name)])) @class
(decorator) @decorator
[(import_statement) (import_from_statement) (future_import_statement)] @import
(call function: [(identifier) (attribute) (list_splat)] @call)
"""
_BASES = frozenset(("identifier", "attribute", "subscript"))
_STATEMENTS = ("if_statement", "try_statement", "with_statement")
_CLAUSES = ("elif_clause", "else_clause", "except_clause", "except_group_clause", "finally_clause")
_CONDITIONAL = frozenset((*_STATEMENTS, *_CLAUSES, "block"))
"""What may define variables of a module or a class in blocks inside it."""


def _more(root: Node, captures: Captures) -> None:
    """Docstrings, bases and variables: they are few, and never deep inside a body."""
    _add_variables(root, captures)
    for definition in captures.get("function", ()):
        _add_doc(definition.child_by_field_name("body"), captures)
    for definition in captures.get("class", ()):
        superclasses, body = definition.child_by_field_name("superclasses"), definition.child_by_field_name("body")
        if superclasses is not None:
            captures.setdefault("base", []).extend(node for node in superclasses.named_children if node.type in _BASES)
        if body is not None:
            _add_doc(body, captures)
            _add_variables(body, captures)


def _add_doc(body: Node | None, captures: Captures) -> None:
    statement = _first(body)
    if statement is not None and statement.type == "expression_statement":
        value = _first(statement)
        if value is not None and value.type == "string":
            captures.setdefault("doc", []).append(value)


def _first(node: Node | None) -> Node | None:
    return node.named_child(0) if node is not None and node.named_child_count else None


def _add_variables(scope: Node, captures: Captures) -> None:
    """What is assigned in a module or class, also where that is inside `if`, `try` or `with`."""
    pending = [scope]
    while pending:
        for statement in pending.pop().named_children:
            kind = statement.type
            if kind == "expression_statement":
                names = list(_assigned(_first(statement)))
                if names:
                    captures.setdefault("variable", []).append(statement)
                    captures.setdefault("name", []).extend(names)
            elif kind in _CONDITIONAL:
                pending.append(statement)


def _assigned(value: Node | None) -> Iterator[Node]:
    while value is not None and value.type == "assignment":
        target = value.child_by_field_name("left")
        if target is not None and target.type == "identifier":
            yield target
        elif target is not None and target.type in ("pattern_list", "tuple_pattern"):
            yield from (part for part in target.named_children if part.type == "identifier")
        value = value.child_by_field_name("right")


def _imports(node: Node) -> Iterator[Import]:
    if node.type == "import_statement":
        for name, alias in _names(node):
            yield Import(name, alias=alias)
    elif node.type == "future_import_statement":
        yield Import("__future__", tuple(_names(node)))
    else:
        module = node.child_by_field_name("module_name")
        written = text_of(module) if module is not None else ""
        name = written.lstrip(". \t")
        names = tuple(_names(node)) or (("*", "*"),)
        yield Import(name, names, level=written.count(".", 0, len(written) - len(name)))


def _names(node: Node) -> Iterator[tuple[str, str]]:
    for child in node.children_by_field_name("name"):
        if child.type == "aliased_import":
            name, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
            if name is not None and alias is not None:
                yield text_of(name), text_of(alias)
        else:
            name_here = text_of(child)
            yield name_here, name_here


PYTHON = Grammar(
    name="python",
    package="tree_sitter_python",
    suffixes=(".py", ".pyi", ".pyw"),
    query_source=_QUERY,
    is_shallow=True,
    more=_more,
    imports=_imports,
)
