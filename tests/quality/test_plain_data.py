"""Plain data arrive as they left, and no line from outside does more than arrive or be refused."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from enum import IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.quality.plain_data import MAX_DEPTH, MAX_MESSAGE_BYTES, NotPlain, dumps, loads, no_references

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(),
    st.text(st.characters(exclude_categories=[])),
    st.binary(),
)
KEYS = st.one_of(SCALARS, st.lists(SCALARS, max_size=2).map(tuple), st.frozensets(SCALARS, max_size=2))
PLAIN = st.recursive(
    SCALARS,
    lambda values: st.one_of(
        st.lists(values, max_size=4),
        st.lists(values, max_size=4).map(tuple),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.dictionaries(KEYS, values, max_size=4),
    ),
)


def no_objects(number: int, name: str) -> object:
    raise NotPlain(f"object {number} of class {name}")


def there_and_back(value: object) -> object:
    return loads(dumps(value, no_references), no_objects)


def anatomy(value: Any) -> object:
    """A form of `value` in which two are equal only if exact types and values are, nan and -0.0 included."""
    if isinstance(value, dict):
        return ("dict", [(anatomy(key), anatomy(item)) for key, item in value.items()])
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, sorted(map(repr, map(anatomy, value))))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [anatomy(item) for item in value])
    return (type(value).__name__, repr(value))


@given(PLAIN)
def test_what_arrives_is_what_left(value: object) -> None:
    assert anatomy(there_and_back(value)) == anatomy(value)


@given(PLAIN)
def test_a_message_is_one_line_of_ascii(value: object) -> None:
    line = dumps(value, no_references)
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1


@pytest.mark.parametrize(
    "value",
    [2**30_000, -(2**30_000), "\ud800\udc00", float("-inf"), -0.0, 2**53, -(2**53) - 1],
    ids=lambda value: type(value).__name__,
)
def test_values_that_json_alone_would_lose(value: object) -> None:
    arrived = there_and_back(value)
    assert type(arrived) is type(value)
    assert arrived == value


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "42"

    def __int__(self) -> int:
        return 42

    __index__ = __int__


class Louder(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "louder"


class Colour(IntEnum):
    RED = 3


class Point(NamedTuple):
    x: int


@pytest.mark.parametrize(
    ("value", "builtin"),
    [
        (Liar(7), 7),
        (Louder("soft"), "soft"),
        (Colour.RED, 3),
        (Point(1), (1,)),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=[Liar(8)]), {"a": [8]}),
    ],
)
def test_a_subclass_arrives_as_its_builtin_type(value: object, builtin: object) -> None:
    assert anatomy(there_and_back(value)) == anatomy(builtin)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: (
        st.lists(values) | st.dictionaries(st.sampled_from(["t", "s", "f", "d", "i", "u", "b", "h"]), values)
    ),
)


@given(st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_a_line_from_outside_is_read_or_refused(line: bytes) -> None:
    try:
        value = loads(line, no_objects)
    except NotPlain:
        return
    assert anatomy(there_and_back(value)) == anatomy(value)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"t":' * 900 + b"1" + b"}" * 900,
        b"9" * 100_000,
        b'{"i":"' + b"f" * 100 + b'g"}',
        b'{"s":[[]]}',
        b'{"d":[[1]]}',
        b'{"h":[true,"x"]}',
        b'{"h":[1]}',
        b'{"b":"0"}',
        b'{"x":1}',
        b'{"t":1,"s":2}',
        b"{}",
        b"",
        b"\xff\xfe",
        b" " * (MAX_MESSAGE_BYTES + 1),
    ],
)
def test_a_line_off_the_format_is_refused(line: bytes) -> None:
    with pytest.raises(NotPlain):
        loads(line, no_objects)


def test_depth_is_bounded() -> None:
    value: list[object] = []
    for _ in range(MAX_DEPTH):
        value = [value]
    assert there_and_back(value) == value
    with pytest.raises(NotPlain, match="deep"):
        dumps([value], no_references)


def test_a_list_in_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(NotPlain, match="deep"):
        dumps(value, no_references)


def test_size_is_bounded() -> None:
    with pytest.raises(NotPlain, match="bytes"):
        dumps("x" * MAX_MESSAGE_BYTES, no_references)


def test_what_is_not_plain_goes_through_refer_and_resolve() -> None:
    thing = object()
    line = dumps([thing, {(1, thing): 2}], lambda value: (5, type(value).__name__))
    assert loads(line, lambda number, name: (number, name)) == [(5, "object"), (5, "dict")]


def test_without_references_only_plain_data_pass() -> None:
    with pytest.raises(NotPlain, match="object is not plain data"):
        dumps(object(), no_references)
