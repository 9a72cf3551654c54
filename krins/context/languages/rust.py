"""Rust. An `impl` is a class under its type's name, the trait its base; `mod m;` is an import of `self::m`."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_TYPE_NAME = "(type_identifier) @name (scoped_type_identifier name: (_) @name)"

_QUERY = f"""
[(line_comment !inner) (block_comment !inner)] @comment
(attribute_item) @decorator
[(function_item) (function_signature_item) (macro_definition)] @function
[(struct_item) (enum_item) (union_item) (trait_item) (type_item) (associated_type) (mod_item body: (_))] @class
(impl_item type: [{_TYPE_NAME} (generic_type type: [{_TYPE_NAME}]) (reference_type type: [{_TYPE_NAME}])]) @class
(impl_item trait: (_) @base)
(trait_item bounds: (trait_bounds [(type_identifier) (scoped_type_identifier) (generic_type)] @base))
[(const_item name: (_) @name) (static_item name: (_) @name) (field_declaration name: (_) @name)
 (enum_variant name: (_) @name)] @variable
[(use_declaration) (extern_crate_declaration) (mod_item !body)] @import
(call_expression function: [(identifier) (field_expression) (scoped_identifier)] @call)
(macro_invocation macro: [(identifier) (scoped_identifier)] @call)
"""


def _imports(node: Node) -> Iterator[Import]:
    name = node.child_by_field_name("name")
    if name is not None:
        alias = text_of(node.child_by_field_name("alias") or name)
        yield Import(f"self::{alias}" if node.type == "mod_item" else text_of(name), alias=alias)
        return
    pending = [("", node.child_by_field_name("argument"))]
    while pending:
        path, used = pending.pop(0)
        if used is None:
            continue
        inner = used.child_by_field_name("list") or (used if used.type == "use_list" else None)
        if inner is not None:
            around = used.child_by_field_name("path")
            path = _joined(path, text_of(around)) if around is not None else path
            pending[:0] = [(path, child) for child in inner.named_children]
        else:
            yield _used(path, used)


def _used(path: str, used: Node) -> Import:
    """One name of a `use`: the last of its path, out of what stands before."""
    if used.type == "use_wildcard":
        within = _joined(path, "::".join(text_of(child) for child in used.named_children[:1]))
        return Import(within, (("*", "*"),))
    written, alias = used.child_by_field_name("path"), used.child_by_field_name("alias")
    whole = text_of(written) if alias is not None and written is not None else text_of(used)
    if whole == "self":
        return Import(path, alias=text_of(alias) if alias is not None else path.rpartition("::")[2])
    module, _, name = _joined(path, whole).rpartition("::")
    return Import(module, ((name, text_of(alias) if alias is not None else name),))


def _joined(path: str, more: str) -> str:
    return f"{path}::{more}" if path and more else path or more


RUST = Grammar(
    name="rust",
    package="tree_sitter_rust",
    suffixes=(".rs",),
    query_source=_QUERY,
    imports=_imports,
    separator=r"\.|::",
)
