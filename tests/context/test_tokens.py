"""Counts of tokens: published ones, a textbook's byte-pair encoding, and the same sum however a text is cut."""

from __future__ import annotations

import subprocess
import sys
import warnings
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.context.tokens import _BOUNDARY, CLAUDE_PERCENT, GEMINI_PERCENT, count_stream, tokenizer
from krins.errors import ContextError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of how the package reads its tables
    import bpe_openai

ENCODINGS = {"o200k": bpe_openai.get_encoding("o200k_base"), "cl100k": bpe_openai.get_encoding("cl100k_base")}
EXACT = pytest.mark.parametrize("name", ENCODINGS)


@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        # From "How to count tokens with tiktoken", OpenAI Cookbook.
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 8, 9),
        ("hello world", 2, 2),
        ("", 0, 0),
    ],
)
def test_published_counts(text: str, o200k: int, cl100k: int) -> None:
    assert tokenizer("o200k").count(text) == o200k
    assert tokenizer("cl100k").count(text) == cl100k


def byte_pairs(word: bytes, ranks: dict[bytes, int]) -> int:
    """Sennrich, Haddow and Birch 2016, algorithm 1: merge the pair of least rank until none is known."""
    parts = [bytes([byte]) for byte in word]
    while True:
        ranked = [(ranks[a + b], place) for place, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not ranked:
            return len(parts)
        place = min(ranked)[1]
        parts[place : place + 2] = [parts[place] + parts[place + 1]]


@pytest.fixture(scope="module")
def ranks() -> dict[str, dict[bytes, int]]:
    return {
        name: {token: rank for rank, token in enumerate(encoding.token_byte_values()) if token}
        for name, encoding in ENCODINGS.items()
    }


@EXACT
@given(word=st.text(st.sampled_from("etaoinshrdlux"), min_size=1, max_size=12))
def test_words_are_merged_as_the_textbook_says(ranks: dict[str, dict[bytes, int]], name: str, word: str) -> None:
    assert tokenizer(name).count(f" {word}") == byte_pairs(f" {word}".encode(), ranks[name])


# Everything that one of the two regular expressions treats in a way of its own.
SIGNS = """
    a Z é É ab The HTTPServer 's 'LL ' ’ ſ _ __init__ 1 23 4567 ² Ⅷ ١ 日 本語 。 ， ー ǅ ß \u0301 ः 🙂 \u200d \ufeff
    . ( ) { [ == // / \\ - # $ @ ` ~ : ; & % + < | <|endoftext|> \x00 don't
"""
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", "\x0b", "\x1c", "\x85", "\u00a0", "\u2028", "\u3000"]
pieces = st.sampled_from([*SIGNS.split(), *SPACES])
texts = st.lists(pieces, max_size=25).map("".join)


@EXACT
@given(text=texts)
def test_no_token_crosses_a_boundary(name: str, text: str) -> None:
    def count(part: str) -> int:
        return len(ENCODINGS[name].encode_ordinary(part))

    cuts = [0, *(found.start() for found in _BOUNDARY.finditer(text)), len(text)]
    assert sum(count(text[a:b]) for a, b in pairwise(cuts)) == count(text)


@EXACT
@given(text=texts)
def test_tokens_give_the_text_back(name: str, text: str) -> None:
    tokens = ENCODINGS[name].encode_ordinary(text)
    assert ENCODINGS[name].decode(tokens) == text
    assert tokenizer(name).count(text) == len(tokens)


@EXACT
@settings(max_examples=30, deadline=None)
@given(unit=texts.filter(bool), others=st.lists(texts, max_size=3), n_chars=st.integers(1, 45_000))
def test_long_texts_count_as_at_once(name: str, unit: str, others: list[str], n_chars: int) -> None:
    """Counts need not grow in proportion, so this is compared with encoding all at once, which goes up to a million."""
    text = " ".join([unit * (n_chars // len(unit)), *others])
    at_once = len(ENCODINGS[name].encode_ordinary(text))
    assert tokenizer(name).count(text) == at_once
    size = max(1, len(text) // 7)
    assert count_stream(tokenizer(name), [text[i : i + size] for i in range(0, len(text), size)]) == at_once


@EXACT
def test_texts_beyond_what_the_encoder_takes(name: str) -> None:
    line = "    value_1 = compute(value_2, 'text', 3.14)  # comment\n"
    each = tokenizer(name).count(line * 2) - tokenizer(name).count(line)
    text = line * 40_000
    assert len(text) > 2_000_000
    assert tokenizer(name).count(text) == each * 40_000 + tokenizer(name).count(line) - each
    assert count_stream(tokenizer(name), [line] * 40_000) == tokenizer(name).count(text)


@EXACT
@pytest.mark.parametrize("sign", ["a", "é", "=", "7", "\n", " ", "🙂"])
def test_text_without_a_boundary_counts_as_at_once(name: str, sign: str) -> None:
    text = sign * 60_000
    assert tokenizer(name).count(text) == len(ENCODINGS[name].encode_ordinary(text))
    assert count_stream(tokenizer(name), [text[:100], text[100:]]) == tokenizer(name).count(text)


def test_lone_surrogates_count() -> None:
    assert tokenizer("o200k").count("a\ud800b") == tokenizer("o200k").count("a\ufffdb")


def test_estimates_are_a_share_rounded_up() -> None:
    assert (CLAUDE_PERCENT, GEMINI_PERCENT) == (180, 130)
    assert [tokenizer("claude").count(text) for text in ("", "hello", "hello world")] == [0, 2, 4]
    assert [tokenizer("gemini").count(text) for text in ("", "hello", "hello world")] == [0, 2, 3]
    assert {name: tokenizer(name).is_exact for name in ("o200k", "cl100k", "claude", "gemini")} == {
        "o200k": True,
        "cl100k": True,
        "claude": False,
        "gemini": False,
    }


@given(text=texts)
def test_estimates_are_not_below_their_share(text: str) -> None:
    o200k = tokenizer("o200k").count(text)
    for name, percent in (("claude", CLAUDE_PERCENT), ("gemini", GEMINI_PERCENT)):
        assert 0 <= 100 * tokenizer(name).count(text) - percent * o200k < 100


def test_stream_of_an_estimate_rounds_each_piece_up() -> None:
    text = "some words " * 10_000
    whole = tokenizer("claude").count(text)
    assert whole <= count_stream(tokenizer("claude"), [text]) <= whole + len(text) // 16_384 + 1


def test_names() -> None:
    assert tokenizer("o200k") is tokenizer("o200k")
    assert tokenizer("claude").name == "claude"
    with pytest.raises(ContextError, match="no tokenizer 'gpt2'") as caught:
        tokenizer("gpt2")
    assert "o200k, cl100k, claude, gemini" in caught.value.remedy


def test_the_package_with_its_tables_is_never_imported() -> None:
    asked = "import sys; from krins.context.tokens import tokenizer; tokenizer('claude').count('a')"
    script = f"{asked}; sys.exit('bpe_openai' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
