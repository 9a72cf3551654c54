"""Terms: what words of code and of a task have in common.

`parseHTTPResponse_v2` has the terms parse, http, response, v, 2 and parsehttpresponse_v2: an identifier is found by its
parts as well as by all of it. Invariants: terms are lower case; a word's terms depend on the word alone. Left out:
stemming, and weights of terms (`krins.context.ranking`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")
_WORDS = re.compile(r"[^\W\d]\w*")
_MIN_LENGTH = 2
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        the a an of to in is it its for and or on with that this be by as from at if not no when are was were has have
        do does but so than then there these those which what into only also can could should would will may might must
        we you i he she they them their our your more most some any all each every such same other another both either
        neither very just now how why where who fix fixed fixes fixing add added adds adding use used uses using
        """,
    )
)
"""Of English, and what every commit and every task says."""


def terms_of(word: str) -> tuple[str, ...]:
    """The parts of an identifier, and the whole where that is more than a part."""
    parts = [part.lower() for part in _PARTS.findall(word)]
    return tuple(parts) if len(parts) == 1 else (*parts, word.lower().strip("_"))


def query_terms(text: str) -> Counter[str]:
    """The terms of a task, counted; stop words and single characters left out."""
    found = Counter(term for word in _WORDS.findall(text) for term in terms_of(word))
    return Counter({term: n for term, n in found.items() if len(term) >= _MIN_LENGTH and term not in _STOP_WORDS})


def holders(words: Sequence[str], terms: Iterable[str]) -> Mapping[str, list[int]]:
    """By term: the indices of the words that have it."""
    found: dict[str, list[int]] = {term: [] for term in terms}
    if not found:
        return found
    # Most words hold none: one search sorts them out before any is taken apart.
    might = re.compile("|".join(map(re.escape, found)))
    for index, word in enumerate(words):
        if might.search(word.lower()):
            for term in set(terms_of(word)):
                if term in found:
                    found[term].append(index)
    return found


__all__ = ["holders", "query_terms", "terms_of"]
