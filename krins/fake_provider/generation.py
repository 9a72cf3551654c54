"""An answer made ready for the wire: as structured as it was asked for, as long as it may be, its tokens counted.

Invariants: output never exceeds max tokens, thought included, whatever a script says; the same question costs the same
tokens, for caching is drawn from the question too and nothing is remembered. Left out: what is said
(`krins.fake_provider.answers`).
"""

from __future__ import annotations

import json
from typing import NamedTuple

from krins.fake_provider.answers import Answer
from krins.fake_provider.faults import Fault, Kind
from krins.fake_provider.sampling import sampled, word_of
from krins.fake_provider.schemas import instance
from krins.fake_provider.wire import CHARACTERS_PER_TOKEN, Ask, Finish, Token, Tokens, count

OWN_LIMIT_TOKENS = 4096
"""The most that is generated where a request states no limit."""
_LEAST_CACHED_TOKENS = 1024
_CACHE_STEP_TOKENS = 128
_MIB = 2**20


class Generated(NamedTuple):
    text: str
    finish: Finish
    tokens: Tokens
    sampled: tuple[Token, ...] = ()


def generate(ask: Ask, answer: Answer, fault: Fault | None) -> Generated:
    """The answer, as it comes under that fault.

    Raises:
        Malformed: structured output is asked for by a schema that nothing can be made of.
    """
    generated = _generated(ask, answer, fault)
    if ask.n_alternatives is None or generated.finish not in ("stop", "length", "none"):
        return generated
    return generated._replace(sampled=sampled(ask, generated.text, answer.probabilities))


def _generated(ask: Ask, answer: Answer, fault: Fault | None) -> Generated:
    kind = fault.kind if fault else None
    limit = ask.max_tokens or OWN_LIMIT_TOKENS
    tokens = answer.tokens or _estimate(ask, answer.text, limit)
    match kind:
        case Kind.REFUSAL:
            return _limited("[fake answer] I cannot help with that.", "refusal", tokens, limit)
        case Kind.BLOCKED:
            return Generated("", "blocked", tokens._replace(output=0, reasoning=0))
        case Kind.EMPTY_ANSWER:
            return Generated("", "stop", tokens._replace(output=min(limit, tokens.reasoning + 1)))
        case Kind.HUGE_ANSWER:
            return Generated(_filler(int((fault.number if fault else 0) * _MIB)), "stop", tokens._replace(output=limit))
        case Kind.LENGTH:
            text = answer.text + _filler(limit * CHARACTERS_PER_TOKEN)
            return _limited(text, "length", tokens._replace(output=limit + 1), limit)
        case _:
            finish: Finish = "none" if kind is Kind.MISSING_FINAL_EVENT and not ask.is_streamed else "stop"
            return _said(ask, answer, finish, tokens, limit)


def _said(ask: Ask, answer: Answer, finish: Finish, tokens: Tokens, limit: int) -> Generated:
    text = answer.text
    if ask.schema is not None and not _is_object(text):
        text = json.dumps(instance(ask.schema), ensure_ascii=False)
    if ask.words and text not in ask.words:
        text = word_of(ask)
    if answer.tokens is None:
        tokens = tokens._replace(output=tokens.reasoning + max(1, count(len(text))))
    return _limited(text, finish, tokens, limit)


def _limited(text: str, finish: Finish, tokens: Tokens, limit: int) -> Generated:
    """Cut off where output passes the limit."""
    if tokens.output <= limit:
        return Generated(text, finish, tokens)
    reasoning = min(tokens.reasoning, limit)
    room = (limit - reasoning) * CHARACTERS_PER_TOKEN
    return Generated(text[:room], "length", tokens._replace(output=limit, reasoning=reasoning))


def _estimate(ask: Ask, text: str, limit: int) -> Tokens:
    n_input = max(1, count(ask.n_characters))
    said = max(1, count(len(text)))
    reasoning = min(-(-said // 2), limit // 4) if ask.thinks else 0
    cached = cache_write = 0
    if ask.caches and n_input >= _LEAST_CACHED_TOKENS:
        cached = n_input // 2 // _CACHE_STEP_TOKENS * _CACHE_STEP_TOKENS
        cache_write = _CACHE_STEP_TOKENS if ask.provider == "anthropic" else 0
    return Tokens(n_input, reasoning + said, cached, cache_write, reasoning)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _filler(n_characters: int) -> str:
    pattern = "[fake answer] and so on, and on, and on. "
    return (pattern * (n_characters // len(pattern) + 1))[:n_characters]
