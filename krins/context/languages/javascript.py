"""JavaScript, TypeScript and TSX: three grammars that share most of their names.

A function is a definition under the name that it is declared with, or assigned to, or exported by; `export default` of
something without a name is called `default`, as importers call it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_FUNCTION = """[
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)
  (generator_function body: (_) @body)
]"""
_PATTERN = """[
  (identifier) @name
  (object_pattern [(shorthand_property_identifier_pattern) @name (pair_pattern value: (identifier) @name)])
  (array_pattern (identifier) @name)
]"""
_DECLARATION = f"""[
  (lexical_declaration (variable_declarator name: {_PATTERN}) @variable)
  (variable_declaration (variable_declarator name: {_PATTERN}) @variable)
]"""

_CLASS = "(class body: (_) @body)"
_TARGET = "[(identifier) @name (member_expression property: (_) @name)]"

_SHARED = f"""
(comment) @comment
(decorator) @decorator
[(export_statement declaration: (_)) (lexical_declaration (variable_declarator value: {_FUNCTION}))
 (variable_declaration (variable_declarator value: {_FUNCTION}))] @prefix

[(function_declaration) (generator_function_declaration) (method_definition)] @function
(variable_declarator name: (identifier) value: {_FUNCTION}) @function
(expression_statement (assignment_expression left: {_TARGET} right: {_FUNCTION})) @function
(assignment_expression right: (object (pair key: (property_identifier) @name value: {_FUNCTION}) @function))
(variable_declarator value: (object (pair key: (property_identifier) @name value: {_FUNCTION}) @function))
(export_statement value: (object (pair key: (property_identifier) @name value: {_FUNCTION}) @function))
(export_statement "default" @name value: {_FUNCTION}) @function

(class_declaration) @class
(variable_declarator name: (identifier) value: {_CLASS}) @class
(expression_statement (assignment_expression left: {_TARGET} right: {_CLASS})) @class
(export_statement "default" @name value: {_CLASS}) @class

(program {_DECLARATION})
(program (export_statement declaration: {_DECLARATION}))

(import_statement source: (_)) @import
(export_statement source: (_)) @import
(call_expression
  function: [(identifier) @_require (import)]
  arguments: (arguments . (string))
  (#eq? @_require "require")) @import

(call_expression function: [(identifier) (member_expression)] @call)
(new_expression constructor: [(identifier) (member_expression)] @call)
"""

_JSX = """
(jsx_opening_element name: [(identifier) (member_expression)] @call)
(jsx_self_closing_element name: [(identifier) (member_expression)] @call)
"""

_JAVASCRIPT = f"""
(class_heritage [(identifier) (member_expression)] @base)
(field_definition property: (_) @name value: {_FUNCTION}) @function
(field_definition property: (_) @name) @variable
"""

_TYPESCRIPT = f"""
(extends_clause value: [(identifier) (member_expression)] @base)
(implements_clause (_) @base)
(extends_type_clause (_) @base)
(public_field_definition value: {_FUNCTION}) @function
(public_field_definition name: (_) @name) @variable
(property_signature name: (_) @name) @variable
[(function_signature) (method_signature) (abstract_method_signature)] @function
[(abstract_class_declaration) (interface_declaration) (enum_declaration) (type_alias_declaration)
 (internal_module) (module)] @class
(enum_body name: (_) @variable @name)
(enum_assignment name: (_) @name) @variable
(internal_module body: (statement_block {_DECLARATION}))
(internal_module body: (statement_block (export_statement declaration: {_DECLARATION})))
(module body: (statement_block {_DECLARATION}))
(module body: (statement_block (export_statement declaration: {_DECLARATION})))
(import_statement (import_require_clause)) @import
"""


def _imports(node: Node) -> Iterator[Import]:
    if node.type == "call_expression":
        yield _required(node)
        return
    source = node.child_by_field_name("source")
    clauses = [child for child in node.named_children if child.type.endswith(("_clause", "namespace_export"))]
    if source is not None:
        module = _unquoted(source)
        bound = [found for clause in clauses for found in _bound(clause)]
        names = [(name, here) for name, here in bound if name]
        if node.type == "export_statement" and not clauses:
            names = [("*", "*")]
        alias = next((here for name, here in bound if not name), "")
        yield Import(module, tuple(names), alias)
    for clause in clauses:
        inner = clause.child_by_field_name("source")
        if inner is not None:
            yield Import(_unquoted(inner), alias=_first_identifier(clause))


def _bound(clause: Node) -> Iterator[tuple[str, str]]:
    """What a clause takes out of the module, by its name there and here; no name there: the module itself."""
    if clause.type == "namespace_export":
        yield "", _first_identifier(clause)
    for child in clause.named_children:
        if child.type == "identifier" and clause.type == "import_clause":
            yield "default", text_of(child)
        elif child.type == "namespace_import":
            yield "", _first_identifier(child)
        elif child.type == "named_imports":
            yield from _bound(child)
        elif child.type in ("import_specifier", "export_specifier"):
            name, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
            if name is not None:
                yield text_of(name), text_of(alias or name)


def _required(node: Node) -> Import:
    """`require("m")`, and what its value is assigned to; the same for `import("m")`."""
    arguments = node.child_by_field_name("arguments")
    module = _unquoted(arguments.named_children[0]) if arguments is not None else ""
    around = node.parent
    if around is not None and around.type == "await_expression":
        around = around.parent
    target = around.child_by_field_name("name") if around is not None and around.type == "variable_declarator" else None
    if target is None:
        return Import(module)
    if target.type == "identifier":
        return Import(module, alias=text_of(target))
    return Import(module, tuple(_destructured(target)))


def _destructured(pattern: Node) -> Iterator[tuple[str, str]]:
    for child in pattern.named_children:
        if child.type == "shorthand_property_identifier_pattern":
            yield text_of(child), text_of(child)
        elif child.type == "pair_pattern":
            key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
            if key is not None and value is not None and value.type == "identifier":
                yield text_of(key), text_of(value)


def _first_identifier(node: Node) -> str:
    return next((text_of(child) for child in node.named_children if child.type == "identifier"), "")


def _unquoted(node: Node) -> str:
    return text_of(node).strip("\"'`")


_WORD = r"#?(?!\d)[\w$]+"
_SEPARATOR = r"\??\."

JAVASCRIPT = Grammar(
    name="javascript",
    package="tree_sitter_javascript",
    suffixes=(".js", ".jsx", ".mjs", ".cjs"),
    query_source=_SHARED + _JSX + _JAVASCRIPT,
    imports=_imports,
    word=_WORD,
    separator=_SEPARATOR,
)
TYPESCRIPT = Grammar(
    name="typescript",
    package="tree_sitter_typescript",
    entry_point="language_typescript",
    suffixes=(".ts", ".mts", ".cts"),
    query_source=_SHARED + _TYPESCRIPT,
    imports=_imports,
    word=_WORD,
    separator=_SEPARATOR,
)
TSX = Grammar(
    name="tsx",
    package="tree_sitter_typescript",
    entry_point="language_tsx",
    suffixes=(".tsx",),
    query_source=_SHARED + _JSX + _TYPESCRIPT,
    imports=_imports,
    word=_WORD,
    separator=_SEPARATOR,
)
