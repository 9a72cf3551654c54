"""`parse`: one file's facts, from its bytes and its language.

One query of the language's grammar finds everything that has a place in the syntax; words and tokens are counted in
each unit's own lines. A line belongs to the innermost unit among the definitions whose text is first on it: of two that
share a line, the outer has it if it is there first, and the earlier has the line that it ends on.

Invariants: a pure function; syntax errors never raise, they leave out what the grammar could not recover; no recursion,
so nesting is no limit. Left out: reading files (`krins.context.tree`) and everything across files.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, groupby

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from tree_sitter import Node, Parser, QueryCursor

from krins.context.bpe import encoder
from krins.context.facts import Call, Definition, FileFacts, Import, Kind
from krins.context.languages import GRAMMARS
from krins.context.languages.grammar import Captures, Grammar
from krins.context.lines import Lines
from krins.context.outline import outline
from krins.interfaces import IntArray

_NOBODY = -1
_DTYPE: DTypeLike = np.int32
_CALL_HEAD = re.compile(rb"[^\s({\[]*")


def parse(source: bytes, language: str) -> FileFacts:
    """The facts of one file.

    Args:
        language: one of `krins.context.languages.LANGUAGES`.

    Raises:
        UnicodeDecodeError: the source is not UTF-8.
        KeyError: there is no such language.
    """
    grammar = GRAMMARS[language]
    is_ascii = source.decode().isascii()
    root = Parser(grammar.language).parse(source).root_node
    captures = _captures(root, grammar)
    lines = Lines(source)
    definitions, starts = outline(captures, lines)
    unit_definitions, unit_of_line = _units(definitions, starts, lines)
    texts = _unit_texts(lines, unit_of_line, len(unit_definitions))
    tokenizer = encoder("o200k_base")
    words, *mentions = _mentions(texts, grammar.ascii_words if is_ascii else grammar.words)
    return FileFacts(
        language=language,
        n_lines=lines.count,
        has_errors=root.has_error,
        definitions=tuple(definitions),
        unit_definitions=_integers(unit_definitions),
        unit_of_line=_integers(unit_of_line),
        unit_tokens=_integers([tokenizer.count(text) for text in texts]),
        words=words,
        mention_units=mentions[0],
        mention_words=mentions[1],
        mention_counts=mentions[2],
        imports=tuple(_imports(captures.get("import", ()), grammar, lines)),
        calls=_calls(captures, grammar, lines, unit_of_line),
    )


def _integers(values: ArrayLike) -> IntArray:
    return np.asarray(values, _DTYPE)


def _captures(root: Node, grammar: Grammar) -> Captures:
    """What the language's query finds, and what its grammar adds."""
    cursor = QueryCursor(grammar.query)
    if grammar.is_shallow:
        captures = cursor.captures(root)
    else:
        captures = {}
        for _, match in cursor.matches(root):
            for label, nodes in match.items():
                captures.setdefault(label, []).extend(nodes)
    grammar.more(root, captures)
    return captures


def _units(definitions: Sequence[Definition], starts: Sequence[int], lines: Lines) -> tuple[list[int], list[int]]:
    """Which definition each unit is of, and which unit each line belongs to."""
    owners = [_NOBODY] * (lines.count + 1)
    """Of each line, the definition; line 0 stands for unit 0, which is there without lines, too."""
    is_in_function: list[bool] = []
    for index, definition in enumerate(definitions):
        kind, parent, start, end = definition.kind, definition.parent, definition.start_line, definition.end_line
        is_inside = parent >= 0 and is_in_function[parent]
        is_in_function.append(is_inside or kind is Kind.FUNCTION)
        if not is_inside and kind is not Kind.VARIABLE:
            # A line where another has text before it is the other's; text of no definition does not count.
            if owners[start] != _NOBODY and not lines.is_first(starts[index], start):
                start += 1
            owners[start : end + 1] = [index] * (end + 1 - start)
    unit_definitions = sorted(set(owners))
    units = {definition: unit for unit, definition in enumerate(unit_definitions)}
    return unit_definitions, [units[owner] for owner in owners[1:]]


def _unit_texts(lines: Lines, unit_of_line: Sequence[int], n_units: int) -> list[str]:
    """Each unit's own lines, joined."""
    parts: list[list[bytes]] = [[] for _ in range(n_units)]
    line = 1
    for unit, run in groupby(unit_of_line):
        end = line + len(list(run))
        parts[unit].append(lines.source[lines.start(line) : lines.start(end)])
        line = end
    return [b"".join(part).decode() for part in parts]


def _mentions(texts: Sequence[str], word: re.Pattern[str]) -> tuple[tuple[str, ...], IntArray, IntArray, IntArray]:
    """The file's words, and of each mention its unit, its word and its count."""
    ids: defaultdict[str, int] = defaultdict(count().__next__)
    """Each new word gets the next number."""
    found: list[int] = []
    sizes: list[int] = []
    for text in texts:
        in_unit = word.findall(text)
        found += map(ids.__getitem__, in_unit)
        sizes.append(len(in_unit))
    units = np.repeat(np.arange(len(texts)), sizes)
    pairs, counts = np.unique(units * len(ids) + np.array(found, np.int64), return_counts=True)
    units, words = np.divmod(pairs, max(len(ids), 1))
    return tuple(ids), _integers(units), _integers(words), _integers(counts)


def _imports(nodes: Sequence[Node], grammar: Grammar, lines: Lines) -> Iterator[Import]:
    for start, node in sorted({node.start_byte: node for node in nodes}.items()):
        line = lines.line(start)
        for module, names, alias, level, _ in grammar.imports(node):
            yield Import(module, names, alias, level, line)


def _calls(captures: Captures, grammar: Grammar, lines: Lines, unit_of_line: Sequence[int]) -> tuple[Call, ...]:
    """Distinct calls of what is names alone, by unit."""
    source, nodes, invocations = lines.source, captures.get("call", []), captures.get("invocation", [])
    starts = [node.start_byte for node in (*nodes, *invocations)]
    # Python's grammar has the star of `[*f()]` inside what is called.
    callees = [source[start : node.end_byte].lstrip(b"*") for start, node in zip(starts, nodes, strict=False)]
    for node in invocations:
        head = _CALL_HEAD.match(source, node.start_byte, node.end_byte)
        callees.append(head.group() if head else b"")
    units = [unit_of_line[lines.line(start) - 1] for start in starts]
    found = sorted(set(zip(units, callees, strict=True)))
    split = grammar.split_callee
    return tuple([Call(unit, *names) for unit, callee in found if (names := split(callee)) is not None])


__all__ = ["parse"]
