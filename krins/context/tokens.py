"""How many tokens a text is to a model: exactly for OpenAI's, by a stated estimate for Claude and Gemini.

`o200k` (GPT-4o and later) and `cl100k` (GPT-4, GPT-3.5) are tiktoken's encodings, counted offline by `bpe-openai`; the
names of special tokens in a text are text. Streams are counted in pieces cut where no token can reach across, so the
sum is that of the whole; memory stays that of a piece.

`claude` and `gemini` are o200k's count times a factor, rounded up (`CLAUDE_PERCENT`, `GEMINI_PERCENT`, which state
their errors). A budget in them is kept to the token in estimated tokens, not in the provider's.

Left out: what providers add around a text (roles, tools, system prompts).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Protocol

from krins.context.bpe import encoder
from krins.errors import ContextError

CLAUDE_PERCENT = 180
"""Of o200k's count; for Opus 4.7 and later, which count more than any Claude before. Tokenizers after Claude 2's are
unpublished: the errors are against a reconstruction of the provider's counts, and those of later models are not known.

Of contexts of about 8,000 tokens of o200k (17 repositories, 13 languages, experiments/token_estimates.py), 90% are
estimated between 1.7% too low and 25.7% too high; the median is 13.9% too high. For Claude 3 to Opus 4.6 it is 47%.
"""
GEMINI_PERCENT = 130
"""Likewise, against Gemma 3's, which is that of Gemini 2.0 to 3: 2.1% to 22.1% too high, median 11.5%. The one of
Gemini 3.1 and later, Gemma 4's, was not to be had."""

_PIECE_CHARS = 1 << 14

# Where a token always ends, whatever is around. Both encodings first cut a text by a regular expression (tiktoken,
# `openai_public.py`) in which
# - white space other than line ends only ever starts a match or follows other white space,
# - letters and digits, and digits and letters, are never in one match,
# - of the other characters only an apostrophe follows a letter (in o200k a combining mark, too), and none a digit,
# and whose one look-ahead, at the end of white space, is behind such a place. Merges stay within a match.
_BOUNDARY = re.compile(r"(?<=\S)(?=[ \t])|(?<=[A-Za-z])(?=[0-9])|(?<=[^\W_])(?=[!-&(-/:-@\[-`{-~、。，：；])")


class Tokenizer(Protocol):
    """Counts tokens. Counts are the same on every machine, and may be asked for from several threads."""

    @property
    def name(self) -> str: ...

    @property
    def is_exact(self) -> bool:
        """Whether counts are those of the model, or estimates."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text on its own; 0 only for the empty one."""
        ...


class Exact:
    """An encoding of OpenAI. A lone surrogate, which no UTF-8 has, counts as U+FFFD."""

    is_exact = True

    def __init__(self, name: str, encoding: str) -> None:
        self.name = name
        self._encoding = encoding

    def count(self, text: str) -> int:
        try:
            return encoder(self._encoding).count(text)
        except UnicodeEncodeError:
            return encoder(self._encoding).count(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


class Estimate:
    """A share of another tokenizer's count, rounded up."""

    is_exact = False

    def __init__(self, name: str, base: Tokenizer, percent: int) -> None:
        self.name = name
        self._base = base
        self._percent = percent

    def count(self, text: str) -> int:
        return -(-self._base.count(text) * self._percent // 100)


def count_stream(tokenizer: Tokenizer, texts: Iterable[str]) -> int:
    """Tokens of the texts joined together, read one after another, as an open file gives its lines.

    The count of the whole for exact tokenizers; at most one more for each 16,384 characters for estimates, which round
    each piece up.
    """
    return sum(map(tokenizer.count, _pieces(texts)))


@cache
def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of that name: `o200k`, `cl100k`, `claude` or `gemini`. Its data are loaded when it first counts.

    Raises:
        ContextError: there is none of that name.
    """
    o200k = Exact("o200k", "o200k_base")
    known: dict[str, Tokenizer] = {
        "o200k": o200k,
        "cl100k": Exact("cl100k", "cl100k_base"),
        "claude": Estimate("claude", o200k, CLAUDE_PERCENT),
        "gemini": Estimate("gemini", o200k, GEMINI_PERCENT),
    }
    if name not in known:
        raise ContextError(f"no tokenizer {name!r}", f"use one of {', '.join(known)}")
    return known[name]


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """The joined texts again, cut at the first boundary after `_PIECE_CHARS` characters, and so on."""
    held, looked_at = "", 0
    for text in _joined(texts):
        held, start = held + text, 0
        while boundary := _BOUNDARY.search(held, max(start + _PIECE_CHARS, looked_at)):
            yield held[start : boundary.start()]
            start = boundary.start()
        held = held[start:]
        looked_at = len(held)
    yield held


def _joined(texts: Iterable[str]) -> Iterator[str]:
    """The same in fewer texts: short ones are put together until they are as long as a piece."""
    parts: list[str] = []
    n_chars = 0
    for text in texts:
        parts.append(text)
        n_chars += len(text)
        if n_chars >= _PIECE_CHARS:
            yield "".join(parts)
            parts, n_chars = [], 0
    yield "".join(parts)


__all__ = ["CLAUDE_PERCENT", "GEMINI_PERCENT", "Estimate", "Exact", "Tokenizer", "count_stream", "tokenizer"]
