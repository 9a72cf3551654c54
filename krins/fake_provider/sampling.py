"""How probable the tokens of an answer were, for those who ask: as a script says it, or drawn.

Invariants: the same question gets the same numbers; where nothing is scripted, what was said has more than half of the
probability; drawn probabilities never add up to more than 1; tokens after the first are certain. Left out: what comes
after the first tokens of a long answer, and a vocabulary: a token is a word with the space before it.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from itertools import islice

from krins.fake_provider.wire import Ask, Json, Reply, Token

_UNLIKELY = -9999.0
"""What OpenAI tells of a token that is not among the most probable ones."""
_MOST_TOKENS = 256
_OTHERS = {"The": 0.02, "I": 0.01}
"""What a model might say in place of an answer, by probability."""


def word_of(ask: Ask) -> str:
    """The word that the fake model says, out of `ask.words`."""
    return ask.words[_digest(ask)[0] % len(ask.words)]


def sampled(ask: Ask, text: str, probabilities: Mapping[str, float] | None) -> tuple[Token, ...]:
    """The first tokens of `text`; `probabilities` are those of the first one's alternatives."""
    pieces = [piece[0] for piece in islice(re.finditer(r"\s*\S+|\s+$", text), _MOST_TOKENS)]
    if not pieces:
        return ()
    first, *rest = pieces
    known = _drawn(ask, first) if probabilities is None else probabilities
    logprobs = {
        token: math.log(known[token]) for token in sorted(known, key=lambda token: -known[token]) if known[token]
    }
    top = tuple(logprobs.items())[: ask.n_alternatives]
    certain = [Token(piece, 0.0, ((piece, 0.0),)[: ask.n_alternatives]) for piece in rest]
    return (Token(first, logprobs.get(first, _UNLIKELY), top), *certain)


def token_logprobs(reply: Reply) -> list[Json]:
    """As both of OpenAI's APIs have it."""
    return [
        _scored(token.text, token.logprob)
        | {"top_logprobs": [_scored(*alternative) for alternative in token.alternatives]}
        for token in reply.sampled
    ]


def _scored(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _drawn(ask: Ask, first: str) -> Mapping[str, float]:
    """More than half for what was said, and most of the rest for the other words."""
    said = 0.5 + _digest(ask)[1] / 1024
    others = [word for word in ask.words if word != first]
    rest = (1.0 - said - sum(_OTHERS.values())) / max(1, len(others))
    return _OTHERS | dict.fromkeys(others, rest) | {first: said}


def _digest(ask: Ask) -> bytes:
    return hashlib.sha256(f"{ask.model} {ask.prompt} {ask.seed} words".encode()).digest()
