"""Structured answers: schemas that strict modes take, and the check of what comes back."""

from __future__ import annotations

import re
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from pydantic import BaseModel, Field

from krins.errors import InvalidAnswer
from krins.models.providers.structured import answer_name, answer_schema, validate

T = TypeVar("T")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    friends: list[Dog] = []


class Home(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind", description="Who lives there.")]
    other: Cat | None = Field(None, description="Who visits.")


class Words(BaseModel):
    """Fields that are called as words of JSON Schema are."""

    default: int
    properties: str
    required: bool = True
    anyOf: int = 3


class Box(BaseModel, Generic[T]):
    content: T


def objects(node: Any) -> list[dict[str, Any]]:
    """Every schema of an object, wherever it stands."""
    if isinstance(node, list):
        return [found for item in node for found in objects(item)]
    if not isinstance(node, dict):
        return []
    own = [node] if node.get("type") == "object" else []
    return own + [found for value in node.values() for found in objects(value)]


@pytest.mark.parametrize("answer_type", [Home, Words, Box[int]])
def test_every_object_requires_all_that_it_may_have(answer_type: type[BaseModel]) -> None:
    found = objects(answer_schema(answer_type))
    assert found
    for schema in found:
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False


def test_strict_modes_know_no_other_union_and_nothing_beside_a_reference() -> None:
    properties = answer_schema(Home)["properties"]
    assert properties["pet"]["anyOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    assert not {"oneOf", "discriminator"} & set(properties["pet"])
    assert "default" not in str(properties["other"])


def test_fields_may_be_called_as_words_of_the_schema_are() -> None:
    assert list(answer_schema(Words)["properties"]) == ["default", "properties", "required", "anyOf"]


def test_a_name_has_only_characters_that_providers_allow() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", answer_name(Box[dict[str, list[int]]]))
    assert answer_name(Home) == "Home"


def test_an_answer_is_validated_by_the_type_and_the_fault_names_the_place() -> None:
    assert validate('{"kind": "cat", "lives": 3}', Cat) == Cat(kind="cat", lives=3)
    with pytest.raises(InvalidAnswer, match="no Cat: lives: Input should be a valid integer"):
        validate('{"kind": "cat", "lives": "many"}', Cat)
    with pytest.raises(InvalidAnswer, match="no Cat: the whole: Invalid JSON"):
        validate('{"kind": "ca', Cat)
