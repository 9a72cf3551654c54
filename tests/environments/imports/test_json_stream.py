"""Large JSON a piece at a time: the same values as all at once, whatever the blocks that it is read in."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from krins.environments.imports import json_stream
from krins.environments.imports.json_stream import members
from krins.errors import TableError

repeated = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(text: str, array: str = "data", name: str = "a.json") -> list[tuple[str, Any]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        return list(members(path, array))


@repeated
@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 2]), st.booleans())
def test_an_array_and_lines_give_their_items(values: list[Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    assert read(text) == [("data", value) for value in values]
    lines = "\n".join(json.dumps(value, ensure_ascii=ascii_only) for value in values)
    assert read(lines, name="a.jsonl") == [("data", value) for value in values]


@repeated
@given(st.dictionaries(st.text(), VALUES, max_size=4), st.lists(VALUES, max_size=4), st.sampled_from([None, 2]))
def test_an_object_gives_its_members_and_the_items_of_one(
    others: dict[str, Any], items: list[Any], indent: int | None
) -> None:
    whole = others | {"data": items}
    expected = [
        pair
        for key, value in whole.items()
        for pair in ([(key, v) for v in value] if key == "data" else [(key, value)])
    ]
    assert read(json.dumps(whole, indent=indent)) == expected


@repeated
@given(st.lists(VALUES, min_size=1, max_size=3), st.data())
def test_whatever_is_cut_off_is_refused(values: list[Any], data: st.DataObject) -> None:
    text = json.dumps(values)
    with pytest.raises(TableError, match=r"a\.json"):
        read(text[: data.draw(st.integers(0, len(text) - 1))])


def test_values_longer_than_a_block_and_numbers_across_its_end() -> None:
    size = json_stream._BLOCK
    values = [12345678] * (size // 4) + ["x" * (3 * size)] + [1.5e10] * 20
    assert read(json.dumps(values)) == [("data", value) for value in values]


@pytest.mark.parametrize("text", ["", "  ", "7", "[1] 2", '{"a": 1} x', "[1,]x", "[1 2]", '{"a" 1}', "nonsense"])
def test_what_is_no_log(text: str) -> None:
    with pytest.raises(TableError, match="no JSON, or cut off"):
        read(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, "[1, " + "[" * 100_000])
def test_what_is_nested_without_end(text: str) -> None:
    with pytest.raises(TableError, match=r"a\.json: nested too deeply,.* before "):
        read(text)
