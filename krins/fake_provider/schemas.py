"""A small value that a JSON schema allows: what a fake model answers where it is asked for structured output.

It knows what the SDKs make of a Pydantic model, in JSON Schema and in Gemini's dialect of OpenAPI (types in capitals,
`nullable`). Invariant: the same schema gives the same value. Left out: `not`, `if`, dependent keys, and regular
expressions, whose strings a script has to supply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from krins.fake_provider.wire import Malformed

Schema = Mapping[str, Any]

FAKE_TEXT = "[fake answer]"
_DEEPEST = 24
_FORMATS = {
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "fake@example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.org/fake",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "binary": "",
    "byte": "",
}


def instance(schema: Schema) -> Any:
    """Raises Malformed where the schema allows nothing that this module can make."""
    return _value(schema, schema, 0)


def _value(schema: Schema, root: Schema, depth: int) -> Any:
    if depth > _DEEPEST:
        raise Malformed("the schema has no end")
    if "$ref" in schema:
        return _value(
            _resolve(schema["$ref"], root) | {k: v for k, v in schema.items() if k != "$ref"}, root, depth + 1
        )
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "any_of", "oneOf"):
        if key in schema:
            return _first(schema, schema[key], root, depth)
    if "allOf" in schema:
        return _value(_merged(schema, root), root, depth + 1)
    return _of_type(schema, root, depth)


def _resolve(reference: str, root: Schema) -> dict[str, Any]:
    found: Any = root
    try:
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")] if step else found
    except (KeyError, TypeError):
        raise Malformed(f"{reference} is not in the schema") from None
    return dict(found)


def _first(schema: Schema, options: list[Schema], root: Schema, depth: int) -> Any:
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "any_of", "oneOf")}
    for option in options:
        try:
            return _value({**rest, **option}, root, depth + 1)
        except Malformed:
            continue
    raise Malformed("no alternative of the schema can be made")


def _merged(schema: Schema, root: Schema) -> dict[str, Any]:
    """All of `allOf` in one schema: keys of objects add up, of anything else the last one holds."""
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        plain = _resolve(part["$ref"], root) if "$ref" in part else part
        properties = {**merged.get("properties", {}), **plain.get("properties", {})}
        needed = [*merged.get("required", []), *plain.get("required", [])]
        merged |= plain
        if properties:
            merged |= {"properties": properties, "required": needed}
    return merged


def _of_type(schema: Schema, root: Schema, depth: int) -> Any:
    match _type(schema):
        case "object":
            properties = schema.get("properties", {})
            needed = schema.get("required", [])
            return {key: _value(properties.get(key, {}), root, depth + 1) for key in needed}
        case "array":
            return _array(schema, root, depth)
        case "string":
            return _string(schema)
        case "integer":
            return int(_number(schema, 1))
        case "number":
            return _number(schema, 0)
        case "boolean":
            return False
        case _:
            return None


def _type(schema: Schema) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        named = next((name for name in named if name != "null"), "null")
    if named is None:
        named = next((kind for key, kind in _IMPLIED.items() if key in schema), "string")
    return str(named).lower()


_IMPLIED = {"properties": "object", "items": "array", "prefixItems": "array", "minimum": "number"}


def _array(schema: Schema, root: Schema, depth: int) -> list[Any]:
    first = [_value(item, root, depth + 1) for item in schema.get("prefixItems", [])]
    missing = max(0, int(schema.get("minItems", 0)) - len(first))
    if not missing:
        return first
    item = schema.get("items", {})
    values = [_value(item, root, depth + 1)] * missing
    if schema.get("uniqueItems") and missing > 1:
        values = _different(item, missing)
    return [*first, *values]


def _different(item: Schema, number: int) -> list[Any]:
    if len(item.get("enum", [])) >= number:
        return list(item["enum"][:number])
    if _type(item) in ("integer", "number"):
        step = item.get("multipleOf", 1)
        return [_value(item, item, 0) + step * position for position in range(number)]
    if _type(item) == "string" and "format" not in item:
        return [f"{FAKE_TEXT} {position}" for position in range(number)]
    raise Malformed("no such set can be made")


def _string(schema: Schema) -> str:
    if "pattern" in schema:
        raise Malformed("strings of a pattern have to come from a script")
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    text = FAKE_TEXT.ljust(int(schema.get("minLength", schema.get("min_length", 0))), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _number(schema: Schema, integer_step: int) -> float:
    """The least multiple that is allowed, or the greatest where there is no least, or 0."""
    step = schema.get("multipleOf", integer_step)
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above, below = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    if step:
        low, high = _whole(max(low, above), step, above, 1), _whole(min(high, below), step, below, -1)
    elif above >= low or below <= high:
        low, high = _between(low, high, above, below)
    if low > high:
        raise Malformed("no number fits")
    return float(min(max(0, low), high)) if step != 1 else min(max(0, low), high)


def _whole(limit: float, step: float, excluded: float, direction: int) -> float:
    """The multiple of `step` closest to `limit` from within."""
    if math.isinf(limit):
        return limit
    multiple = math.ceil(limit / step) if direction > 0 else math.floor(limit / step)
    multiple += direction if multiple * step == excluded else 0
    return multiple * step


def _between(low: float, high: float, above: float, below: float) -> tuple[float, float]:
    """Limits that may be taken themselves, just inside those that may not."""
    ends = max(low, above), min(high, below)
    room = min(1.0, (ends[1] - ends[0]) / 4)
    return (ends[0] + room if above >= low else low), (ends[1] - room if below <= high else high)
