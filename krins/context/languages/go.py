"""Go. A method stands at the top level under its own name: its receiver's type may be in another file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_QUERY = """
(comment) @comment
[(type_declaration "type" . [(type_spec) (type_alias)]) (const_declaration "const" . (const_spec))
 (var_declaration "var" . (var_spec))] @prefix
[(function_declaration) (method_declaration) (method_elem)] @function
[(type_spec) (type_alias)] @class
(type_spec type: [(struct_type (field_declaration_list) @body) (interface_type "{" @body)])
(field_declaration name: (_) @name) @variable
(field_declaration !name type: (_) @base)
(type_elem . (_) @base .)
(source_file (const_declaration (const_spec name: (identifier) @name) @variable))
(source_file (var_declaration (var_spec name: (identifier) @name) @variable))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @variable)))
(import_spec) @import
(call_expression function: [(identifier) (selector_expression)] @call)
"""
_MAJOR_VERSION = re.compile(r"v\d+")


def _imports(node: Node) -> Iterator[Import]:
    path, name = node.child_by_field_name("path"), node.child_by_field_name("name")
    if path is None:
        return
    module = text_of(path).strip('"`')
    if name is None:
        *before, last = module.split("/")
        yield Import(module, alias=before[-1] if before and _MAJOR_VERSION.fullmatch(last) else last)
    elif name.type == "dot":
        yield Import(module, (("*", "*"),))
    else:
        yield Import(module, alias="" if name.type == "blank_identifier" else text_of(name))


GO = Grammar(
    name="go",
    package="tree_sitter_go",
    suffixes=(".go",),
    query_source=_QUERY,
    imports=_imports,
)
