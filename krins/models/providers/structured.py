"""Structured answers: the schema that a provider is given, and the check of what came back.

Invariants: every object of a schema lists all its properties as required and allows no others, as strict modes demand;
an answer counts only if it validates against the type itself, whatever the provider promised.
Left out: how each provider is asked for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from krins.errors import InvalidAnswer


@lru_cache(maxsize=256)
def answer_schema(answer_type: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of the type, strict. The result is shared: do not change it."""
    schema: dict[str, Any] = _strict(answer_type.model_json_schema())
    return schema


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    strict = {key: _strict(value) for key, value in node.items() if key != "default"}
    if "properties" in strict:
        strict |= {"required": list(strict["properties"]), "additionalProperties": False}
    return strict


def validate(text: str, answer_type: type[BaseModel]) -> BaseModel:
    """The answer as the type that was asked for.

    Raises:
        InvalidAnswer: it is not of that type.
    """
    try:
        return answer_type.model_validate_json(text)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise InvalidAnswer(
            f"the answer is no {answer_type.__name__}: {where}: {first['msg']}",
            "ask a model that supports structured output, or allow more output tokens if it was cut off",
        ) from failure
