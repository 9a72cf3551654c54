"""The most that one call can cost: what is reserved for it before it is sent.

Input is bounded without any tokenizer: models count byte-level tokens, or fall back to bytes, so every token stands for
at least one byte of UTF-8 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", 2.2; Kudo and
Richardson 2018, "SentencePiece", with byte fallback), and what a chat template adds is bounded by a stated overhead.
Output is bounded by the limit sent, which providers keep to, reasoning included. For text in English or code the
bound on input is about four times what is billed. Invariants: prices may depend on the prompt's length only so that a
longer one is never cheaper, as all known ones do; then no call that keeps to both bounds costs more. The bound is not
cut at the context window: providers truncate nothing but refuse what is too long, and do so by their own count.
Left out: tokenizers that rewrite text into more bytes before they split it, of which no provider's is known.
"""

from __future__ import annotations

import json
from decimal import Decimal

from krins.domain import Request, Usage
from krins.models.ledger import Amount
from krins.models.providers.choices import messages_of, output_limit
from krins.models.providers.structured import answer_schema
from krins.models.spec import ModelSpec

_TOKENS_A_MESSAGE = 16
"""Role and delimiters."""
_TOKENS_A_REQUEST = 64
"""What begins and ends a prompt, the system prompt's delimiters among it."""
_TOKENS_A_STRUCTURED_REQUEST = 1024
"""Providers put their own instructions for tools or formats around a schema: the longest that is published takes some
500 tokens (Anthropic, "Tool use", pricing)."""


def worst_case(request: Request, spec: ModelSpec, now_seconds: float) -> Amount:
    """The bound for one call of `spec` at `now_seconds` since the epoch.

    `usd` is 0 for a model without a price: a budget in USD refuses those (`krins.models.catalogue.check_prices`).
    """
    input_tokens, output_tokens = most_input_tokens(request), output_limit(request, spec)
    return Amount(_most_usd(spec, input_tokens, output_tokens, now_seconds), input_tokens + output_tokens, 1)


def most_input_tokens(request: Request) -> int:
    """No provider counts more tokens of input than this."""
    texts = [request.system, *(message.text for message in messages_of(request))]
    overhead = _TOKENS_A_REQUEST
    if request.answer_type is not None:
        texts.append(json.dumps(answer_schema(request.answer_type)))
        overhead = _TOKENS_A_STRUCTURED_REQUEST
    return sum(map(_n_bytes, texts)) + _TOKENS_A_MESSAGE * len(request.messages) + overhead


def _n_bytes(text: str) -> int:
    """A lone surrogate, which no provider is sent as it is, counts as the three bytes of its replacement."""
    return len(text.encode("utf-8", "surrogatepass"))


def _most_usd(spec: ModelSpec, input_tokens: int, output_tokens: int, now_seconds: float) -> Decimal:
    """A price is linear in how much of the input is written to the cache or read from it, and reading is the cheapest,
    so the dearest split is one of two: all of it plain, or all of it written."""
    if spec.price is None:
        return Decimal(0)
    plain = Usage(input_tokens, output_tokens)
    written = Usage(input_tokens, output_tokens, cache_write_tokens=input_tokens)
    return max(spec.price.cost_usd(usage, now_seconds) for usage in (plain, written))
