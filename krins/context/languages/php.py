"""PHP. Variables are named without their dollar sign; `require` and `include` are imports where they name a file."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_CLASSES = ("class_declaration", "interface_declaration", "trait_declaration", "enum_declaration")
_FUNCTIONS = ("function_definition", "method_declaration")
_INCLUDES = ("require_expression", "require_once_expression", "include_expression", "include_once_expression")
_PATH = "[(string) (encapsed_string) (binary_expression right: [(string) (encapsed_string)])]"


def _any(nodes: tuple[str, ...], inside: str = "") -> str:
    return "[" + " ".join(f"({node} {inside})" for node in nodes) + "]"


_QUERY = f"""
(comment) @comment
{_any(_CLASSES)} @class
(namespace_definition body: (_)) @class
{_any(_FUNCTIONS)} @function
{_any((*_CLASSES, *_FUNCTIONS), "attributes: (attribute_list (attribute_group (attribute) @decorator))")}
(property_declaration (property_element name: (variable_name (name) @name))) @variable
(const_declaration (const_element . (name) @name)) @variable
(enum_case name: (_) @name) @variable
(program (expression_statement (assignment_expression left: (variable_name (name) @name))) @variable)
(base_clause (_) @base)
(class_interface_clause (_) @base)
(use_declaration [(name) (qualified_name)] @base)
(namespace_use_declaration) @import
{_any(_INCLUDES, _PATH)} @import
(function_call_expression function: [(name) (qualified_name)] @call)
(object_creation_expression [(name) (qualified_name)] @call)
(member_call_expression object: [(variable_name) (member_access_expression)] name: (name)) @invocation
(nullsafe_member_call_expression object: [(variable_name) (member_access_expression)] name: (name)) @invocation
(scoped_call_expression scope: [(name) (qualified_name) (relative_scope)] name: (name)) @invocation
"""


def _imports(node: Node) -> Iterator[Import]:
    if node.type != "namespace_use_declaration":
        path = node.named_children[0]
        literal = path.child_by_field_name("right") if path.type == "binary_expression" else path
        yield Import(text_of(literal or path).strip("\"'"), (("*", "*"),), level=int(literal != path))
        return
    prefix = "".join(text_of(child) + "\\" for child in node.named_children if child.type == "namespace_name")
    group = node.child_by_field_name("body") or node
    for clause in group.named_children:
        if clause.type == "namespace_use_clause":
            yield _used(prefix, clause)


def _used(prefix: str, clause: Node) -> Import:
    alias = clause.child_by_field_name("alias")
    path = next(child for child in clause.named_children if child.type in ("name", "qualified_name"))
    module, _, name = f"{prefix}{text_of(path)}".lstrip("\\").rpartition("\\")
    return Import(module, ((name, text_of(alias) if alias else name),))


PHP = Grammar(
    name="php",
    package="tree_sitter_php",
    entry_point="language_php",
    suffixes=(".php", ".phtml"),
    query_source=_QUERY,
    imports=_imports,
    name_in_callee=r"\$?[^\W\d]\w*",
    separator=r"\??->|::|\\",
)
