"""Is a document good OpenAPI 3.1, is it complete, and are its examples examples of what it says?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs
from schemathesis.specs.openapi import definitions

from serve.web import Route


def check_complete(document: Mapping[str, Any], routes: Sequence[Route]) -> None:
    operations = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert operations == {(route.method, route.path) for route in routes}


def check_document(document: Mapping[str, Any]) -> int:
    """Return how many examples were checked."""
    definitions.OPENAPI_31_VALIDATOR.validate(document)
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)
    for reference in _references(document):
        _resolve(document, reference)
    examples = list(_examples(document))
    for schema, example in examples:
        whole = {"allOf": [schema], "components": document["components"]}
        jsonschema_rs.Draft202012Validator(whole).validate(example)
    return len(examples)


def unused_schemas(document: Mapping[str, Any]) -> set[str]:
    used = {reference.rpartition("/")[2] for reference in _references(document) if "/schemas/" in reference}
    return set(document["components"]["schemas"]) - used


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _resolve(document: Mapping[str, Any], reference: str) -> Any:
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def _examples(part: Any) -> Iterator[tuple[Any, Any]]:
    """Examples of media types, each with the schema beside it."""
    if isinstance(part, Mapping):
        if "schema" in part and "example" in part:
            yield part["schema"], part["example"]
        for value in part.values():
            yield from _examples(value)
    elif isinstance(part, list):
        for value in part:
            yield from _examples(value)
