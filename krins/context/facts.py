"""What one source file holds, as parsing finds it: definitions, units, words, imports, calls.

A file's lines are shared out among its *units*: every class and every function that is not inside another function has
its own lines, and unit 0 has the rest of the file (imports, constants, statements). A class's unit is what its methods
and inner classes leave. Selection keeps or drops whole units; the graph's nodes are units.

Invariants: facts are a pure function of language and bytes, whatever path they stand at, so they are kept by content
hash; every line belongs to exactly one unit; lines count from 1, both ends inclusive, as editors and patches count
them, and end at "\\n" alone. Left out: how facts are found (`krins.context.parsing`), and what spans files
(`krins.context.graph`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from krins.interfaces import IntArray


class Kind(IntEnum):
    FUNCTION = 0
    """Function, method, constructor, macro with parameters."""
    CLASS = 1
    """Whatever has members or names a type: class, struct, interface, trait, enum, impl, module, namespace."""
    VARIABLE = 2
    """Constant, variable or field, of a module or a class; never a unit."""


class Definition(NamedTuple):
    name: str
    kind: Kind
    parent: int
    """Index of the definition around it, among the file's; -1 at the top level."""
    start_line: int
    """Of the whole, decorators and the comment directly above included."""
    end_line: int
    signature_start: int
    signature_end: int
    """Lines that declare it, decorators included, body excluded as far as lines can tell them apart."""
    doc_start: int = 0
    doc_end: int = 0
    """Its docstring or doc comment; 0 where it has none."""
    decorators: tuple[str, ...] = ()
    """Names as written, without arguments: `app.route`."""
    bases: tuple[str, ...] = ()
    """What a class derives from, as written, without type arguments."""


class Import(NamedTuple):
    module: str
    """As written: `a.b`, `./util`, `fmt`, `std::io`, `stdio.h`; without quotes and Python's leading dots."""
    names: tuple[tuple[str, str], ...] = ()
    """Names taken out of it, each with the name that it has here; `*` for all."""
    alias: str = ""
    """Name under which the module itself is known here; empty where it is not."""
    level: int = 0
    """Python's leading dots; 1 where Ruby's `require_relative` or PHP's `__DIR__` make it relative to the file."""
    line: int = 0


class Call(NamedTuple):
    unit: int
    receiver: str
    """What stands before the last dot, where that is names only (`self`, `os.path`); empty for a plain name."""
    name: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    language: str
    n_lines: int
    has_errors: bool
    """The grammar found errors; the rest of the facts is what could be had."""
    definitions: tuple[Definition, ...]
    """In order of their start; an outer one before what is inside it."""
    unit_definitions: IntArray
    """Shape (n_units,): which definition a unit is the body of; -1 for unit 0. int32, as all arrays here."""
    unit_of_line: IntArray
    """Shape (n_lines,): of line i + 1."""
    unit_tokens: IntArray
    """Shape (n_units,): o200k tokens of its lines."""
    words: tuple[str, ...]
    """Distinct identifiers and words of the file, as written; comments and strings included."""
    mention_units: IntArray
    mention_words: IntArray
    mention_counts: IntArray
    """Shape (n_mentions,): how many times a unit's lines hold a word (index into `words`); sorted by unit."""
    imports: tuple[Import, ...]
    calls: tuple[Call, ...]
    """Distinct."""

    @property
    def n_units(self) -> int:
        return len(self.unit_definitions)


__all__ = ["Call", "Definition", "FileFacts", "Import", "Kind"]
