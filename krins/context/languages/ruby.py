"""Ruby. `include` makes a module a base; `require_relative` is an import of level 1."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from krins.context.facts import Import
from krins.context.languages.grammar import Grammar, text_of

_QUERY = """
(comment) @comment
[(method) (singleton_method)] @function
[(class) (module)] @class
(superclass (_) @base)
(call !receiver
  method: (identifier) @_mixin
  arguments: (argument_list [(constant) (scope_resolution)] @base)
  (#any-of? @_mixin "include" "extend" "prepend"))
(assignment left: [(constant) @name (left_assignment_list (constant) @name)]) @variable
(call !receiver
  method: (identifier) @_require
  arguments: (argument_list . (string))
  (#any-of? @_require "require" "require_relative" "load")) @import
(call !receiver method: (identifier) @call)
(call receiver: [(identifier) (constant) (scope_resolution) (self)] method: (identifier)) @invocation
"""


def _imports(node: Node) -> Iterator[Import]:
    method, arguments = node.child_by_field_name("method"), node.child_by_field_name("arguments")
    if method is not None and arguments is not None:
        module = text_of(arguments.named_children[0]).strip("\"'")
        yield Import(module, level=int(text_of(method) == "require_relative"))


RUBY = Grammar(
    name="ruby",
    package="tree_sitter_ruby",
    suffixes=(".rb", ".rake", ".gemspec"),
    file_names=("Rakefile", "Gemfile"),
    query_source=_QUERY,
    imports=_imports,
    word=r"[^\W\d]\w*(?:[?!](?!=))?",
    separator=r"&?\.|::",
)
