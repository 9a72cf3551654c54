"""Which models a turn of a conversation may go to, as far as prompt caches and prices are concerned.

Providers bill a prompt that they have in their cache at a fraction of its price, and only they have it; so a turn
that goes elsewhere pays for the whole prompt. A model is worth leaving for where this turn costs less there without a
cache than here with it.
Invariants: pure but for the map of conversations; unknown prices keep a conversation where it is; money is Decimal USD.
Left out: which of the cheaper models to take (the router), and writing to caches, which some bill at a quarter more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from krins.domain import Usage
from krins.models.spec import ModelSpec
from serve.interfaces import Turn
from serve.learning.events import Pin, Pinned

CACHE_SECONDS = 300.0
"""How long providers keep a prompt since it was last used. Anthropic: 5 minutes by default, begun anew at each use
(platform.claude.com/docs/en/build-with-claude/prompt-caching); OpenAI: 5 to 10 minutes of inactivity, an hour at most,
unless a request or a newer model asks for 24 hours (developers.openai.com/api/docs/guides/prompt-caching). The shortest
is taken: a conversation that is held for a cache which is gone costs more than one that leaves too early."""
LEAST_CACHED_TOKENS = 1024
"""Shorter prompts are not cached: so at OpenAI; at Anthropic from 512 to 4,096 by model (same pages). What a model does
with prompts between is seen from what it says it had cached."""
MAX_CONVERSATIONS = 100_000
_UNKNOWN_OUTPUT_TOKENS = 1024


class Pins:
    """Conversations by hash; beyond `capacity` the one that was quiet longest goes."""

    def __init__(self, capacity: int = MAX_CONVERSATIONS) -> None:
        self._capacity = capacity
        self._pins: OrderedDict[str, Pin] = OrderedDict()

    def get(self, conversation: str) -> Pin | None:
        return self._pins.get(conversation)

    def put(self, conversation: str, pin: Pin) -> None:
        """The latest word counts, whatever the order in which words come."""
        known = self._pins.get(conversation)
        if known is not None and known.at_seconds > pin.at_seconds:
            return
        if known is not None and known.arm == pin.arm:
            is_kept = pin.at_seconds - known.at_seconds <= CACHE_SECONDS
            tokens = pin.prompt_tokens or (known.prompt_tokens if is_kept else 0)
            share = known.cached_share if pin.cached_share is None else pin.cached_share
            pin = pin._replace(prompt_tokens=tokens, cached_share=share)
        self._pins[conversation] = pin
        self._pins.move_to_end(conversation)
        if len(self._pins) > self._capacity:
            self._pins.popitem(last=False)

    def __iter__(self) -> Iterator[Pinned]:
        return (Pinned(conversation, pin) for conversation, pin in self._pins.items())

    def __len__(self) -> int:
        return len(self._pins)


def cached_share(pin: Pin | None, arm: str, cached_tokens: int | None) -> float | None:
    """What part of the turn before a provider had in its cache, as it says with the answer to a turn.

    Args:
        pin: of the conversation, before the answer. A turn that had nothing long enough before it tells nothing.
    """
    if pin is None or pin.arm != arm or cached_tokens is None or pin.prompt_tokens < LEAST_CACHED_TOKENS:
        return None
    return min(1.0, cached_tokens / pin.prompt_tokens)


class OutputTokens:
    """Running mean length of each arm's answers, in tokens."""

    def __init__(self, means: Mapping[str, float] | None = None) -> None:
        self._means: dict[str, tuple[float, int]] = {arm: (mean, 1) for arm, mean in (means or {}).items()}

    def saw(self, arm: str, tokens: int) -> None:
        mean, n = self._means.get(arm, (0.0, 0))
        self._means[arm] = mean + (tokens - mean) / (n + 1), n + 1

    def expected(self, arm: str, limit: int | None) -> int:
        """Of the next answer; of an arm that nothing is known of, as of all, else 1,024."""
        if arm in self._means:
            mean = self._means[arm][0]
        elif self._means:
            mean = sum(mean for mean, _ in self._means.values()) / len(self._means)
        else:
            mean = _UNKNOWN_OUTPUT_TOKENS
        tokens = round(mean)
        return tokens if limit is None else min(tokens, limit)


class Weighed(NamedTuple):
    """What a turn costs here and elsewhere."""

    cached_tokens: int
    cache_usd: Decimal
    """What the cache takes off the price of this turn."""
    saving_usd: Mapping[str, Decimal]
    """By arm that is cheaper without a cache than staying is with it: how much."""
    is_priced: bool
    """Whether the price of staying is known."""


def weigh(
    pin: Pin, turn: Turn, specs: Mapping[str, ModelSpec], arms: tuple[str, ...], outputs: OutputTokens, now: float
) -> Weighed:
    """Compare staying on `pin.arm` with each other arm for this turn alone.

    Of the last prompt the provider is taken to have what it had of the one before; all of it while it did not say.

    Args:
        now: seconds since the epoch.
    """
    share = 1.0 if pin.cached_share is None else pin.cached_share
    cached = min(int(share * pin.prompt_tokens), turn.prompt_tokens) if now - pin.at_seconds <= CACHE_SECONDS else 0
    cached = cached if cached >= LEAST_CACHED_TOKENS else 0

    def price(arm: str, cached_tokens: int) -> Decimal | None:
        spec = specs.get(arm)
        if spec is None or spec.price is None:
            return None
        output_tokens = outputs.expected(arm, turn.max_output_tokens)
        return spec.price.cost_usd(Usage(turn.prompt_tokens, output_tokens, cached_tokens=cached_tokens), now)

    stay = price(pin.arm, cached)
    if stay is None:
        return Weighed(cached, Decimal(0), {}, False)
    plain = (price(pin.arm, 0) if cached else stay) or stay
    elsewhere = ((arm, price(arm, 0)) for arm in arms if arm != pin.arm)
    savings = {arm: stay - usd for arm, usd in elsewhere if usd is not None and usd < stay}
    return Weighed(cached, plain - stay, savings, True)


def stayed(weighed: Weighed) -> str:
    """Why a conversation stays, in ASCII, as it goes into a header."""
    if not weighed.is_priced:
        return "sticky: the price of this model is unknown"
    if weighed.saving_usd:
        return f"sticky: the router chose none of the {len(weighed.saving_usd)} models that are cheaper for this turn"
    if weighed.cache_usd > 0:
        return f"sticky: the prompt cache of {weighed.cached_tokens:,} tokens is worth ${weighed.cache_usd:.4f}"
    return "sticky: no other model is cheaper for this turn"


def switched(weighed: Weighed, arm: str) -> str:
    tokens = weighed.cached_tokens
    lost = f"the lost prompt cache of {tokens:,} tokens included" if tokens else "no prompt cache is lost"
    return f"switched: saves ${weighed.saving_usd[arm]:.4f} on this turn, {lost}"
