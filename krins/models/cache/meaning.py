"""When two prompts say the same: the gate of the semantic layer, which must never take "remove retry" for "add retry".

Similarity alone cannot tell these apart, so the gate asks for two things. The prompts have the same content words, in
the same order: only a closed list of words of politeness, the case of a sentence's first letter, spacing within prose
and the punctuation that ends a sentence may differ. Negations, numbers, prepositions, identifiers with their case,
operators and quoted text are content; code, in fences, in backquotes or by its looks, is compared byte for byte. And
their similarity, the cosine of counts of character 3-grams, reaches the threshold. Invariants: the gate is symmetric,
and equal prompts pass. Left out: paraphrases in other words, which no gate without a model can judge.
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

_POLITE = re.compile(
    r"(?<![\w'-])(?:please|kindly|thanks|thank you|hello|hi|could you|can you|would you)(?![\w'-])[,!.?]?",
    re.IGNORECASE,
)
_FENCE = re.compile(r"(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z))", re.DOTALL)
_CODE_LINE = re.compile(r"^(?:\s{2,}|\t|>>>|\.\.\.|[#@$])|[{}=;<>\\|`\"\[\]]|\w\(|->|::")
_ENDS = re.compile(r"[.!?]+(?=\s|$)")
_FIRST = re.compile(r"(?:^|(?<=[.!?]\s))[A-Z](?=[a-z]*(?:\s|$))")


def same_meaning(a: str, b: str, threshold: float) -> bool:
    """Whether two prompts say the same, and are at least `threshold` similar, between 0 and 1."""
    return _content(a) == _content(b) and similarity(a, b) >= threshold


def meaning_of(request: Request, spec: ModelSpec) -> str:
    """Equal for questions that may be the same: all but the last message must be equal, and of that the content."""
    *before, last = request.messages
    content = "\x00".join(_content(last.text))
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


def _content(prompt: str) -> list[str]:
    """What must be equal, in order: code as it stands, and the words of prose."""
    content: list[str] = []
    for part in _FENCE.split(prompt):
        if _FENCE.fullmatch(part):
            content.append(part)
        else:
            content += [item for line in part.splitlines() for item in _line_content(line)]
    return content


def _line_content(line: str) -> list[str]:
    if _CODE_LINE.search(line):
        return [line]
    prose = _POLITE.sub(" ", line.strip()).strip()
    prose = _FIRST.sub(lambda first: first[0].lower(), _ENDS.sub(" .", prose))
    return [word for word in prose.split() if word != "."]
