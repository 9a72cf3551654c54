"""Structured answers: the schema that a provider is given, and the check of what came back.

Invariants: every object of a schema lists all its properties as required and allows no others, as strict modes demand;
an answer counts only if it validates against the type itself, whatever the provider promised.
Left out: how each provider is asked for it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from krins.errors import InvalidAnswer


@lru_cache(maxsize=256)
def answer_schema(answer_type: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of the type, strict. The result is shared: do not change it."""
    schema: dict[str, Any] = _strict(answer_type.model_json_schema())
    return schema


def answer_name(answer_type: type[BaseModel]) -> str:
    """The type's name in the characters that providers allow, which a generic type's has others than."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", answer_type.__name__)[:64]


_DROPPED = frozenset({"default", "discriminator"})
_NAMED = frozenset({"properties", "$defs"})
"""Hold schemas by names of the type's own, which may be any word of JSON Schema."""
_LISTED = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NESTED = frozenset({"items", "additionalProperties"})


def _strict(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # strict modes take nothing beside it
    strict = dict(_strict_entry(key, value) for key, value in schema.items() if key not in _DROPPED)
    if "properties" in strict:
        strict |= {"required": list(strict["properties"]), "additionalProperties": False}
    return strict


def _strict_entry(key: str, value: Any) -> tuple[str, Any]:
    if key in _NAMED:
        return key, {name: _strict(schema) for name, schema in value.items()}
    if key in _LISTED:
        # Which alternative a union takes is told by its fields; strict modes know only `anyOf`.
        return ("anyOf" if key == "oneOf" else key), [_strict(schema) for schema in value]
    return key, _strict(value) if key in _NESTED else value


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
