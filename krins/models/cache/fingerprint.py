"""When two questions to a model are the same: the SHA-256 of everything that can change its answer or what that costs.

Invariants: equal fingerprints mean the same provider, address, model, messages, system prompt, schema of a structured
answer, choices, settings and sample, byte for byte; they are the same in every process and under every version of
Python. Texts are not normalised: a model sees code points, so an accent composed or decomposed is another prompt, and
may be what the task is about. Left out: the key, limits of time, tries, hedges, fallbacks and prices, which change no
answer of the model, and the name that the suite gives it.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING

from krins.domain import Request

if TYPE_CHECKING:
    from pydantic import BaseModel

    from krins.models.spec import ModelSpec

FORMAT = 1
"""Goes up when the same request comes to be sent in other words, so that old answers are not taken for new ones."""


def fingerprint(request: Request, spec: ModelSpec) -> str:
    """64 hexadecimal digits."""
    settings = spec.settings
    content: dict[str, object] = {
        "format": FORMAT,
        "provider": spec.provider,
        "base_url": spec.base_url,
        "model": spec.model,
        "system": request.system,
        "messages": [[message.role, message.text] for message in request.messages],
        "schema": None if request.answer_type is None else _schema(request.answer_type),
        "sample": request.sample,
        "temperature": settings.temperature,
        "max_output_tokens": spec.max_output_tokens,
        "prompt_caching": settings.prompt_caching,
    }
    if request.choices:  # left out otherwise, so that answers from before there were any are still found
        content["choices"] = list(request.choices)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # Lone surrogates come out of broken JSON and are no valid UTF-8; passed on, they still tell texts apart.
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _schema(answer_type: type[BaseModel]) -> str:
    """As text, with keys in the order of the fields: models write them in that order, and reason by it."""
    return json.dumps(answer_type.model_json_schema(), separators=(",", ":"), ensure_ascii=False)
