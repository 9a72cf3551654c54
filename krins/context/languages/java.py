"""Java. An import is of a name out of a package; a static one is of a name out of a class."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_CLASSES = ("class", "interface", "enum", "record", "annotation_type")
_FUNCTIONS = ("method", "constructor", "compact_constructor", "annotation_type_element")


def _declarations(kinds: tuple[str, ...], inside: str = "") -> str:
    return "[" + " ".join(f"({kind}_declaration {inside})" for kind in kinds) + "]"


_QUERY = f"""
[(line_comment) (block_comment)] @comment
{_declarations(_CLASSES)} @class
{_declarations(_FUNCTIONS)} @function
{_declarations(("field", "constant"), "declarator: (variable_declarator name: (_) @name)")} @variable
(enum_constant name: (_) @name) @variable
{_declarations((*_CLASSES, *_FUNCTIONS, "field"), "(modifiers [(annotation) (marker_annotation)] @decorator)")}
(superclass (_) @base)
(super_interfaces (type_list (_) @base))
(extends_interfaces (type_list (_) @base))
(import_declaration) @import
(method_invocation !object name: (_) @call)
(method_invocation object: [(identifier) (field_access) (this) (super)]) @invocation
(object_creation_expression type: [(type_identifier) (scoped_type_identifier)] @call)
(object_creation_expression type: (generic_type . (_) @call))
"""


def _imports(node: Node) -> Iterator[Import]:
    path = next((child for child in node.named_children if child.type in ("scoped_identifier", "identifier")), None)
    if path is None:
        return
    module = text_of(path)
    if any(child.type == "asterisk" for child in node.named_children):
        yield Import(module, (("*", "*"),))
    else:
        package, _, name = module.rpartition(".")
        yield Import(package, ((name, name),))


JAVA = Grammar(
    name="java",
    package="tree_sitter_java",
    suffixes=(".java",),
    query_source=_QUERY,
    imports=_imports,
    word=r"(?!\d)[\w$]+",
)
