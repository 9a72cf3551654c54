"""Bash. Names of functions may hold dashes, so words may, too; commands are calls, `source` is an import."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_QUERY = """
(comment) @comment
(function_definition) @function
(program (variable_assignment name: (variable_name) @name) @variable)
(program (declaration_command (variable_assignment name: (variable_name) @name)) @variable)
(command
  name: (command_name) @_source
  . argument: (_)
  (#any-of? @_source "source" ".")) @import
(command name: (command_name (word) @call))
"""


def _imports(node: Node) -> Iterator[Import]:
    argument = node.child_by_field_name("argument")
    if argument is not None:
        yield Import(text_of(argument).strip("\"'"), (("*", "*"),))


BASH = Grammar(
    name="bash",
    package="tree_sitter_bash",
    suffixes=(".sh", ".bash"),
    query_source=_QUERY,
    imports=_imports,
    word=r"[^\W\d]\w*(?:-\w+)*",
)
