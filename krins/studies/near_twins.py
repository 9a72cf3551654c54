"""Near-twins: tasks whose prompts are so alike that whoever has met one has met the other.

Two prompts are near-twins where the Jaccard similarity of their sets of word shingles (`SHINGLE_WORDS` words in a row,
case and punctuation aside) is at least `SIMILARITY`. In scripts without spaces between words (Chinese, Japanese, Thai,
Lao, Khmer, Burmese) each character counts as a word. Invariants: the answer is exact: what the pairs tie together does
not depend on the order of the prompts, and no twin is missed; an empty prompt has no twin. Left out: meaning. A task
that says the same in other words is no near-twin.
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
_UNSPACED = (
    r"\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana
    r"\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Chinese characters
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def shingles(prompt: str) -> frozenset[tuple[str, ...]]:
    """The distinct runs of `SHINGLE_WORDS` words; of a shorter prompt the whole of it."""
    words = _WORD.findall(prompt.lower())
    if not words:
        return frozenset()
    length = min(SHINGLE_WORDS, len(words))
    return frozenset(tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def near_twins(prompts: Sequence[str], similarity: float = SIMILARITY) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of prompts whose similarity is at least `similarity`, in (0, 1]: each prompt with the first
    that has the same shingles, and of those first ones every pair. What is similar is tied together by them.

    Sets A and B of a Jaccard similarity of at least t share an element among the first |A| - ceil(t |A|) + 1 of A and
    as many of B, counted in one order for all; with rare elements first, few pairs are left to be compared (Bayardo, Ma
    and Srikant 2007, "Scaling up all pairs similarity search", section 3.2 carries the bound over to sets).
    """
    first: dict[frozenset[tuple[str, ...]], int] = {}
    for j, prompt in enumerate(prompts):
        ours = shingles(prompt)
        if ours and (i := first.setdefault(ours, j)) != j:
            yield i, j
    numbers, sets = list(first.values()), list(first)
    frequency = Counter(shingle for one in sets for shingle in one)
    with_rare: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for j, ours in enumerate(sets):
        candidates: set[int] = set()
        n_first = len(ours) - math.ceil(similarity * len(ours) - 1e-9) + 1
        for shingle in sorted(ours, key=lambda each: (frequency[each], each))[:n_first]:
            candidates.update(with_rare[shingle])
            with_rare[shingle].append(j)
        yield from (
            (numbers[i], numbers[j]) for i in sorted(candidates) if _jaccard(sets[i], ours) >= similarity - 1e-9
        )


def _jaccard(some: frozenset[tuple[str, ...]], others: frozenset[tuple[str, ...]]) -> float:
    shared = len(some & others)
    return shared / (len(some) + len(others) - shared)
