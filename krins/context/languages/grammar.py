"""What parsing knows about one language: its grammar, one query over it, and how its imports read.

The query's captures mean the same in each language:

| capture | marks |
|---|---|
| `@function`, `@class` | a definition; its grammar fields `name` and `body` are taken for what they say |
| `@prototype` | a declaration of a function |
| `@variable` | a statement that defines the variables or fields whose `@name`s are in it |
| `@name` | the name of the innermost definition around it that has none yet |
| `@body` | the body of the innermost definition around it that has none yet |
| `@doc` | the docstring of the innermost definition around it |
| `@base` | what the innermost class around it derives from |
| `@decorator` | a decorator, annotation or attribute, in the head of a definition or before it |
| `@prefix` | what is around a definition and part of it: `export`, `template` |
| `@comment` | a comment; those that stand directly above a definition are its documentation |
| `@import` | a whole import |
| `@call` | what is called: one name, or some with dots or the like between them, else it is passed over |
| `@invocation` | a whole call; what is called is at its start |

Of a name that is a path, `a::b`, the last part counts. Variables and prototypes inside functions are passed over.

A query that is long, or whose patterns begin far above what they capture, takes longer than parsing: `more` may find
the rest by hand. Invariant: whatever tells languages apart is here and in their own modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from typing import TypeAlias

from tree_sitter import Language, Node, Query

from krins.context.facts import Import

Captures: TypeAlias = dict[str, list[Node]]
"""Nodes by the name of their capture, in no order."""

_N_CALLEES = 2**15
"""Most files of a project call the same things."""


def _nothing(root: Node, captures: Captures) -> None:
    """The query finds all."""


@dataclass(frozen=True)
class Grammar:
    """One language."""

    name: str
    package: str
    """The grammar's wheel: the module that is imported on first use."""
    suffixes: tuple[str, ...]
    query_source: str
    imports: Callable[[Node], Iterable[Import]]
    """What an `@import` node says, lines left out."""
    more: Callable[[Node, Captures], None] = _nothing
    """Adds captures to those of the query, given the root of the tree."""
    is_shallow: bool = False
    """Whether no pattern waits for anything below the children of the node that it begins at. Only then are captures,
    which take less time than matches, found in linear time, and none of patterns that failed later on."""
    entry_point: str = "language"
    """The function of the wheel that gives the grammar."""
    file_names: tuple[str, ...] = ()
    """Whole names of files that have no suffix of their own."""
    word: str = r"[^\W\d]\w*"
    """A regular expression of identifiers and words."""
    name_in_callee: str = ""
    """The same of the names in a callee, where they differ."""
    separator: str = r"\."
    """What stands between the names of a callee."""

    @cached_property
    def language(self) -> Language:
        return Language(getattr(import_module(self.package), self.entry_point)())

    @cached_property
    def query(self) -> Query:
        return Query(self.language, self.query_source)

    @cached_property
    def words(self) -> re.Pattern[str]:
        return re.compile(self.word)

    @cached_property
    def ascii_words(self) -> re.Pattern[str]:
        """The same for text that is ASCII: more than twice as fast."""
        return re.compile(self.word, re.ASCII)

    @cached_property
    def split_callee(self) -> Callable[[bytes], tuple[str, str] | None]:
        """A function that splits a callee into receiver and name; None where it is not names alone."""
        name, separator = self.name_in_callee or self.word, self.separator
        names = re.compile(rf"(?:({name}(?:(?:{separator}){name})*)(?:{separator}))?({name})")

        @lru_cache(_N_CALLEES)
        def split(callee: bytes) -> tuple[str, str] | None:
            match = names.fullmatch(callee.decode())
            return (match[1] or "", match[2]) if match else None

        return split


def text_of(node: Node) -> str:
    """The node's text; a parsed tree holds its source."""
    assert node.text is not None
    return node.text.decode()
