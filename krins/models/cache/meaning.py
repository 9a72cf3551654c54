"""When two prompts say the same: the gate of the semantic layer, which must never take "remove retry" for "add retry".

Similarity alone cannot tell these apart, and folding case, punctuation or spacing cannot either: "Do not stop. Retry"
is no "Do not stop retry", `List` is no `list`, and a greeting in mid-sentence may be what is to be printed. So all
content is compared as it stands, character by character, and only two things may differ: one phrase of politeness out
of a closed list at the very beginning, and white space at the very end. A prompt with a system prompt or a
conversation before it may be text to work on rather than a request, and is compared whole. Besides, similarity, the
cosine of counts of character 3-grams, must reach the threshold. Invariants: the gate is symmetric, and equal prompts
pass. Left out: paraphrases, which no gate without a model can judge.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from krins.domain import Message, Request
from krins.models.cache.fingerprint import fingerprint

if TYPE_CHECKING:
    from krins.models.spec import ModelSpec

_POLITE = re.compile(r"(?:Please|please|Kindly|kindly|Hello,|Hi,) (?=\S)")
_LEAST_WORDS = 3
"""What is left of a prompt without its politeness; less may be no request but a phrase: "Hello, world"."""


def same_meaning(a: str, b: str, threshold: float) -> bool:
    """Whether two prompts say the same, and are at least `threshold` similar, between 0 and 1."""
    return _content(a) == _content(b) and similarity(a, b) >= threshold


def meaning_of(request: Request, spec: ModelSpec) -> str:
    """Equal for questions that may be the same: all but the last message must be equal, and of that the content."""
    *before, last = request.messages
    content = last.text if request.system or before else _content(last.text)
    asked = replace(request, messages=(*before, Message(last.role, content)))
    return hashlib.sha256(f"meaning {fingerprint(asked, spec)}".encode()).hexdigest()


def similarity(a: str, b: str) -> float:
    """Cosine of the counts of character 3-grams, case and runs of space folded; 1 for equal texts."""
    left, right = _trigrams(a), _trigrams(b)
    product = sum(n * right[gram] for gram, n in left.items())
    norm = math.sqrt(sum(n * n for n in left.values()) * sum(n * n for n in right.values()))
    return min(1.0, product / norm) if norm else float(a == b)


def _trigrams(text: str) -> Counter[str]:
    folded = f"  {' '.join(text.lower().split())}  "
    return Counter(folded[i : i + 3] for i in range(len(folded) - 2))


def _content(prompt: str) -> str:
    """What must be equal."""
    whole = prompt.rstrip()
    rest = _POLITE.sub("", whole, count=1) if _POLITE.match(whole) else whole
    return rest if len(rest.split()) >= _LEAST_WORDS else whole
