"""Near-twins: tasks whose prompts are so alike that whoever has met one has met the other.

Two prompts are near-twins where the Jaccard similarity of their sets of word shingles (`SHINGLE_WORDS` words in a row,
case and punctuation aside) is at least `SIMILARITY`. Invariants: the answer is exact, no pair is missed, and it does
not depend on the order of the prompts; an empty prompt has no twin. Left out: meaning. A task that says the same in
other words is no near-twin.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

SHINGLE_WORDS = 3
SIMILARITY = 0.7
"""Half of the shingles of a prompt of 60 words survive some six changed words; boilerplate around a request rarely
makes up so much."""
_WORD = re.compile(r"\w+")


def shingles(prompt: str) -> frozenset[tuple[str, ...]]:
    """The distinct runs of `SHINGLE_WORDS` words; of a shorter prompt the whole of it."""
    words = _WORD.findall(prompt.lower())
    if not words:
        return frozenset()
    length = min(SHINGLE_WORDS, len(words))
    return frozenset(tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def near_twins(prompts: Sequence[str], similarity: float = SIMILARITY) -> Iterator[tuple[int, int]]:
    """Every pair (i, j), i < j, of prompts whose similarity is at least `similarity`, in (0, 1].

    Sets A and B of a Jaccard similarity of at least t share an element among the first |A| - ceil(t |A|) + 1 of A and
    as many of B, counted in one order for all; with rare elements first, few pairs are left to be compared (Bayardo, Ma
    and Srikant 2007, "Scaling up all pairs similarity search", section 3.2 carries the bound over to sets).
    """
    sets = [shingles(prompt) for prompt in prompts]
    frequency = Counter(shingle for one in sets for shingle in one)
    with_rare: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for j, ours in enumerate(sets):
        candidates: set[int] = set()
        n_first = len(ours) - math.ceil(similarity * len(ours) - 1e-9) + 1 if ours else 0
        for shingle in sorted(ours, key=lambda each: (frequency[each], each))[:n_first]:
            candidates.update(with_rare[shingle])
            with_rare[shingle].append(j)
        yield from ((i, j) for i in sorted(candidates) if _jaccard(sets[i], ours) >= similarity - 1e-9)


def _jaccard(some: frozenset[tuple[str, ...]], others: frozenset[tuple[str, ...]]) -> float:
    shared = len(some & others)
    return shared / (len(some) + len(others) - shared)
