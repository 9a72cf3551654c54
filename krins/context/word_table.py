"""Numbers for words, across all files and all updates of an index.

A word gets the next number when it is first seen and keeps it; what a graph shows are its *ranks*, the places of the
words in use among themselves. Invariants: ranks depend on the set of words in use alone. Left out: what words are of.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import DTypeLike

from krins.interfaces import IntArray

_DTYPE: DTypeLike = np.int32


class WordTable:
    """Grows only: whoever keeps one for long starts anew when most of it is out of use."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._sorted = np.zeros(0, np.object_)
        """All words but those that have come since they were last sorted."""
        self._sorted_ids = np.zeros(0, _DTYPE)
        self._in_use = np.zeros(0, np.bool_)
        """Of each word, at the last answer; and that answer."""
        self._words: tuple[str, ...] = ()
        self._ranks = np.zeros(0, _DTYPE)

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self, words: Iterable[str]) -> IntArray:
        """Shape (n_words,), int32."""
        ids = self._ids
        return np.array([ids.setdefault(word, len(ids)) for word in words], _DTYPE)

    def ranked(self, used: IntArray) -> tuple[tuple[str, ...], IntArray]:
        """The words whose ids are in `used`, sorted; and the rank of each of them, by id.

        Shape of the ranks: (len(self),); int32; whatever at ids that are not used.
        """
        in_use = np.zeros(len(self), np.bool_)
        in_use[used] = True
        if not np.array_equal(in_use, self._in_use):
            self._sort_new()
            is_shown = in_use[self._sorted_ids]
            self._words = tuple(self._sorted[is_shown].tolist())
            self._ranks = np.empty(len(self), _DTYPE)
            self._ranks[self._sorted_ids] = np.cumsum(is_shown) - 1
            self._in_use = in_use
        return self._words, self._ranks

    def _sort_new(self) -> None:
        new = sorted(islice(self._ids, len(self._sorted), None))
        places = np.searchsorted(self._sorted, np.array(new, np.object_))
        self._sorted = np.insert(self._sorted, places, new)
        self._sorted_ids = np.insert(self._sorted_ids, places, [self._ids[word] for word in new])


__all__ = ["WordTable"]
