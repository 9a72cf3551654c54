"""Answers of one word out of a few: how they are asked for, how they are read, and how probable each of them was.

P(word) is taken from the alternatives to the first token of the answer that says something, for all that follows
depends on it (Kadavath et al. 2022, "Language Models (Mostly) Know What They Know", 3.1: P(True) of a forced choice).
Invariants: probabilities add up to 1 over the choices, and `mass` tells what share of the probability fell on them at
all, before; a token that could begin two choices counts for none. `Unweighed` asks again without log-probabilities
where an API refuses to give them, which some do for some of their models.
Left out: how each provider is asked for log-probabilities.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from krins.domain import Message, Request
from krins.errors import BadRequest
from krins.interfaces import OnText, Provider, Reply
from krins.models.spec import ModelSpec

N_ALTERNATIVES = 20
"""To each token: the most that any API tells."""
_LEAST_LIMIT_TOKENS = 16
"""OpenAI's Responses takes no lower limit on output."""
_AROUND_A_WORD = re.compile(r"^[\W_]+|[\W_]+$")
_REFUSED = re.compile(r"log_?prob|grammar", re.IGNORECASE)


class Alternative(NamedTuple):
    """A token that might have come, or came."""

    token: str
    logprob: float | None


class Weights(NamedTuple):
    """How probable the choices were."""

    probabilities: Mapping[str, float] | None
    """Of each choice, adding up to 1; None where nothing that begins one was among the alternatives."""
    mass: float
    """What they added up to before, at most 1."""


def messages_of(request: Request) -> tuple[Message, ...]:
    """The request's, and where it gives choices, at their end that one of them is to be the whole answer.

    At the end, for providers cache prompts by their prefix, and the same text may be asked about in several ways.
    """
    if not request.choices:
        return request.messages
    *before, last = request.messages
    asked = f"Answer with one word and nothing else: {' or '.join(request.choices)}."
    return (*before, Message(last.role, f"{last.text.rstrip()}\n\n{asked}"))


def output_limit(request: Request, spec: ModelSpec) -> int:
    """Most tokens of output. A word takes at most a token for each byte; a model that reasons needs all that it has."""
    if not request.choices or spec.reasons:
        return spec.max_output_tokens
    longest = max(len(choice.encode("utf-8", "surrogatepass")) for choice in request.choices)
    return min(spec.max_output_tokens, _LEAST_LIMIT_TOKENS + longest)


def grammar(choices: Sequence[str]) -> str:
    """GBNF of llama.cpp: one of the choices as it stands, capitalised or in capitals, which models prefer each."""
    variants = {variant: None for choice in choices for variant in (choice, choice.capitalize(), choice.upper())}
    return f"root ::= {' | '.join(json.dumps(variant, ensure_ascii=False) for variant in variants)}"


def chosen(text: str, choices: Sequence[str]) -> str | None:
    """The choice that is all that the text says, whatever its case, and whatever stands around it; None: there is
    none."""
    word = _word(text)
    return next((choice for choice in choices if _word(choice) == word), None)


def weigh(answer: Sequence[Sequence[Alternative]], choices: Sequence[str]) -> Weights | None:
    """The choices' weights.

    `answer` is for each token of the answer the one that came, and then those that were most probable, which may hold
    it again. None: no token of it says anything, or nobody told how probable they were.
    """
    position = next((tokens for tokens in answer if tokens and _word(tokens[0].token)), ())
    known = {
        token: math.exp(min(logprob, 0.0))
        for token, logprob in position
        if logprob is not None and math.isfinite(logprob)
    }
    if not known:
        return None
    weights = dict.fromkeys(choices, 0.0)
    for token, probability in known.items():
        choice = _begun(_word(token), choices)
        if choice is not None:
            weights[choice] += probability
    mass = math.fsum(weights.values())
    if mass == 0.0:
        return Weights(None, 0.0)
    return Weights({choice: weight / mass for choice, weight in weights.items()}, min(mass, 1.0))


def _begun(word: str, choices: Sequence[str]) -> str | None:
    """The choice that `word` is, or else the only one that it begins."""
    begun = [choice for choice in choices if word and _word(choice).startswith(word)]
    exact = [choice for choice in begun if _word(choice) == word]
    found = exact or begun
    return found[0] if len(found) == 1 else None


def _word(text: str) -> str:
    return _AROUND_A_WORD.sub("", text.replace("\u2581", " ").replace("\u0120", " ")).casefold()


class Weigher(Provider, Protocol):
    """A provider that asks for log-probabilities where a request has choices, and can do without."""

    weighs: bool


class Unweighed:
    """`inner`, which is asked without log-probabilities once its API has refused them: that costs nothing."""

    def __init__(self, inner: Weigher) -> None:
        self._inner = inner

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Raises ModelFault, as `inner`."""
        has_weighed = bool(request.choices) and self._inner.weighs
        try:
            return await self._inner.reply(request, on_text)
        except BadRequest as refusal:
            if not has_weighed or not _REFUSED.search(refusal.message):
                raise
        self._inner.weighs = False
        return await self._inner.reply(request, on_text)

    async def check(self) -> None:
        await self._inner.check()

    async def close(self) -> None:
        await self._inner.close()
