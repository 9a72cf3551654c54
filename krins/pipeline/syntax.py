"""Where a text has syntax errors, by the tree-sitter grammars that the context room knows.

Invariants: a pure function; no recursion, so nesting is no limit. Left out: what a compiler would say on top.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node, Parser

from krins.context.languages import GRAMMARS, language_of

_MOST_LINES = 20


def syntax_error_lines(path: str, text: str) -> list[int] | None:
    """The first lines with an error, from 1, ascending; None for a language without a grammar."""
    language = language_of(path)
    if language is None:
        return None
    root = Parser(GRAMMARS[language].language).parse(text.encode("utf-8", "replace")).root_node
    return sorted({node.start_point.row + 1 for node in _wrong(root)})[:_MOST_LINES]


def _wrong(root: Node) -> Iterator[Node]:
    """The nodes that the parser could not make sense of, or had to make up."""
    waiting = [root] if root.has_error else []
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node
        else:
            waiting += [child for child in node.children if child.has_error or child.is_missing]
