"""A graph's arrays, put together from those of its files.

What is the same for every tree that a content stands in is made once (`Content`); a graph is then joins of arrays and
one look-up of ranks for all mentions. Invariants: arrays are those that `krins.context.graph` describes. Left out:
which contents a tree has (`krins.context.index`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from krins.context.facts import FileFacts
from krins.context.graph import CodeGraph, joined
from krins.context.resolve import Resolver
from krins.context.word_table import WordTable
from krins.interfaces import IntArray

_DTYPE: DTypeLike = np.int32


class Content(NamedTuple):
    """Facts of one content, with its words as ids of a table. int32 arrays."""

    facts: FileFacts
    words: IntArray
    """Shape (n_words + n_definitions,): all that it has, some of them twice."""
    mention_words: IntArray
    """Shape (n_mentions,)."""
    n_mentions: IntArray
    """Shape (n_units,): of each unit."""
    definition_words: IntArray
    """Shape (n_definitions,)."""
    definition_units: IntArray
    """Shape (n_definitions,): the file's unit that is its body, or else that holds its first line."""


def content_of(facts: FileFacts, table: WordTable) -> Content:
    words = table.ids((*facts.words, *(definition.name for definition in facts.definitions)))
    return Content(
        facts=facts,
        words=words,
        mention_words=words[facts.mention_words],
        n_mentions=np.bincount(facts.mention_units, minlength=facts.n_units),
        definition_words=words[len(facts.words) :],
        definition_units=_definition_units(facts),
    )


def assemble(
    contents: Mapping[str, Content],
    table: WordTable,
    *,
    skipped: Mapping[str, int],
    digests: Mapping[str, str],
    warnings: tuple[str, ...],
    resolver: Resolver,
) -> CodeGraph:
    """The graph of the files whose contents, and their digests, are given by path, sorted."""
    all_contents = contents.values()
    facts = tuple(one.facts for one in all_contents)
    first_unit = _starts([one.n_units for one in facts])
    definition_files = _spread([len(one.definitions) for one in facts])
    definition_units = joined(one.definition_units for one in all_contents)
    words, ranks = table.ranked(joined(one.words for one in all_contents))
    return CodeGraph(
        paths=tuple(contents),
        facts=facts,
        digests=tuple(digests[path] for path in contents),
        first_unit=first_unit,
        file_of_unit=_spread([one.n_units for one in facts]),
        words=words,
        mention_starts=_starts(joined(one.n_mentions for one in all_contents)),
        mention_words=ranks[joined(one.mention_words for one in all_contents)],
        mention_counts=joined(one.mention_counts for one in facts),
        definition_words=ranks[joined(one.definition_words for one in all_contents)],
        definition_units=definition_units + first_unit[definition_files],
        definition_files=definition_files,
        skipped=skipped,
        warnings=warnings,
        resolver=resolver,
    )


def _definition_units(facts: FileFacts) -> IntArray:
    units = facts.unit_of_line[[definition.start_line - 1 for definition in facts.definitions]]
    units[facts.unit_definitions[1:]] = np.arange(1, facts.n_units)
    return units


def _starts(lengths: ArrayLike) -> IntArray:
    """Where each of consecutive parts begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(_DTYPE)


def _spread(lengths: list[int]) -> IntArray:
    """The number of each part, as many times as it is long."""
    return np.repeat(np.arange(len(lengths), dtype=_DTYPE), lengths)


__all__ = ["Content", "assemble", "content_of"]
