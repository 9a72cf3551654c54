"""C and C++. A function's name is deep in its declarator; `A::f` is named `f`. A prototype is a definition, too.

A header is taken for C++: that grammar reads C as well, the other way round it would not.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_TAGGED = ("struct_specifier", "union_specifier", "enum_specifier")


def _any(*patterns: str) -> str:
    """One of some patterns, none of which is such a choice itself: tree-sitter does not find all of nested ones."""
    return f"[{' '.join(patterns)}]"


def _in(nodes: tuple[str, ...], pattern: str) -> tuple[str, ...]:
    return tuple(f"({node} {pattern})" for node in nodes)


def _behind(wrappers: tuple[str, ...], *declarators: str) -> tuple[str, ...]:
    """Declarators, alone or behind one or two stars and ampersands."""
    once = _in(wrappers, _any(*declarators))
    return (*declarators, *once, *_in(wrappers, _any(*once)))


def _variables(wrappers: tuple[str, ...], kind: str) -> tuple[str, ...]:
    name = f"({kind}) @name"
    array = f"(array_declarator {name})"
    pointer_to_function = f"(function_declarator (parenthesized_declarator (pointer_declarator {name})))"
    return _behind(wrappers, name, array, f"(array_declarator {array})", pointer_to_function)


def _shared(wrappers: tuple[str, ...], names: tuple[str, ...]) -> str:
    functions = _any(*_behind(wrappers, f"(function_declarator declarator: {_any(*names)})"))
    variables = _variables(wrappers, "identifier")
    named = _in(_TAGGED, "name: (_) body: (_)")
    return f"""
(comment) @comment
(function_definition declarator: {functions}) @function
(declaration declarator: {functions}) @prototype
(declaration declarator: {_any(*variables, f"(init_declarator declarator: {_any(*variables)})")}) @variable
(field_declaration declarator: {_any(*_variables(wrappers, "field_identifier"))}) @variable
(enumerator name: (_) @name) @variable
(preproc_function_def) @function
(preproc_def name: (_) @name) @variable

{_any(*named)} @class
(type_definition type: {_any(*named)}) @prefix
(type_definition type: {_any(*named)} declarator: (type_identifier) @class @name)
(type_definition type: {_any(*_in(_TAGGED, "!name body: (_) @body"))} declarator: (type_identifier) @name) @class
(type_definition
  type: {_any(*_in(_TAGGED, "!body"), "(type_identifier)", "(primitive_type)", "(sized_type_specifier)")}
  declarator: {_any(*_variables(("pointer_declarator",), "type_identifier"))}) @class

(preproc_include path: [(system_lib_string) (string_literal)]) @import
"""


_C_QUERY = (
    _shared(("pointer_declarator",), ("(identifier) @name",))
    + "(call_expression function: [(identifier) (field_expression)] @call)"
)

_WRAPPERS = ("pointer_declarator", "reference_declarator")
_NAMES = tuple(f"({kind}) @name" for kind in ("identifier", "field_identifier", "operator_name", "destructor_name"))
_SCOPED_NAMES = (*_NAMES, "(template_function name: (_) @name)", "(qualified_identifier) @name")
_METHOD = _any(*_behind(_WRAPPERS, f"(function_declarator declarator: {_any(*_NAMES)})"))
_CPP_QUERY = (
    _shared(_WRAPPERS, _SCOPED_NAMES)
    + f"""
(template_declaration) @prefix
[(class_specifier body: (_)) (namespace_definition) (alias_declaration) (concept_definition)] @class
(field_declaration declarator: {_METHOD}) @prototype
(base_class_clause [(type_identifier) (template_type) (qualified_identifier)] @base)
(using_declaration) @import
(call_expression function: [(identifier) (field_expression) (qualified_identifier)] @call)
(call_expression function: (template_function name: (_) @call))
(new_expression type: [(type_identifier) (qualified_identifier)] @call)
"""
)


def _imports(node: Node) -> Iterator[Import]:
    if node.type == "using_declaration":
        yield from _used(node)
        return
    path = node.child_by_field_name("path")
    if path is not None:
        yield Import(text_of(path).strip('<>"'), (("*", "*"),))


def _used(node: Node) -> Iterator[Import]:
    """`using namespace a::b`, or `using a::b`."""
    if not node.named_children:
        return
    path = text_of(node.named_children[0])
    if any(child.type == "namespace" for child in node.children):
        yield Import(path, (("*", "*"),))
    else:
        scope, _, name = path.rpartition("::")
        yield Import(scope, ((name, name),))


C = Grammar(
    name="c",
    package="tree_sitter_c",
    suffixes=(".c",),
    query_source=_C_QUERY,
    imports=_imports,
    separator=r"\.|->",
)
CPP = Grammar(
    name="cpp",
    package="tree_sitter_cpp",
    suffixes=(".cpp", ".cc", ".cxx", ".c++", ".h", ".hpp", ".hh", ".hxx", ".h++", ".ipp", ".inl"),
    query_source=_CPP_QUERY,
    imports=_imports,
    separator=r"\.|->|::",
)
