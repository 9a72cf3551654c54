"""C#. A namespace with braces is a class around what is in it, one without is not: it has no end."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_CLASSES = ("class", "interface", "struct", "record", "enum", "delegate")
_FUNCTIONS = ("method", "constructor", "destructor")


def _declarations(kinds: tuple[str, ...], inside: str = "") -> str:
    return "[" + " ".join(f"({kind}_declaration {inside})" for kind in kinds) + "]"


_NAMES = "(variable_declaration (variable_declarator name: (_) @name))"
_QUERY = f"""
(comment) @comment
{_declarations((*_CLASSES, "namespace"))} @class
{_declarations(_FUNCTIONS)} @function
(local_function_statement) @function
(operator_declaration operator: _ @name) @function
{_declarations(("property", "event"), "name: (_) @name")} @variable
{_declarations(("field", "event_field"), _NAMES)} @variable
(enum_member_declaration name: (_) @name) @variable
{_declarations((*_CLASSES, *_FUNCTIONS, "property", "field"), "(attribute_list (attribute) @decorator)")}
(base_list (_) @base)
(using_directive) @import
(invocation_expression function: [(identifier) (member_access_expression)] @call)
(invocation_expression function: (generic_name . (identifier) @call))
(object_creation_expression type: [(identifier) (qualified_name)] @call)
(object_creation_expression type: (generic_name . (identifier) @call))
"""


def _imports(node: Node) -> Iterator[Import]:
    alias = node.child_by_field_name("name")
    path = next((child for child in reversed(node.named_children) if child != alias), None)
    if path is not None:
        yield Import(text_of(path), () if alias else (("*", "*"),), alias=text_of(alias) if alias else "")


CSHARP = Grammar(
    name="c-sharp",
    package="tree_sitter_c_sharp",
    suffixes=(".cs",),
    query_source=_QUERY,
    imports=_imports,
)
