"""Python's facts, by hand: definitions, lines, words, imports, calls. Other languages are in test_languages."""

from __future__ import annotations

import pytest

from krins.context.bpe import encoder
from krins.context.facts import Call, Definition, FileFacts, Import, Kind
from krins.context.parsing import parse

SOURCE = '''\
"""Module."""
import os, a.b as c
from ..x import (y, z as w)
from . import *

LIMIT: int = 3
first, second = third = 1, 2


@app.route("/x")
# between
@cached
async def fetch(url, *, tries=LIMIT) -> str:
    # a comment before the body

    """Get it."""

    def inner(x): return os.path.join(x)
    LOCAL = 1
    return inner(await get(url))  # trailing


class Pot(Base, pkg.Mixin, Generic[T], metaclass=Meta):
    """A pot.

    Of tea.
    """

    size = 1
    if LIMIT:
        lid: bool

    @property
    def full(self): return self.size.real

    class Handle:
        pass

    def pour(self):
        self.tilt(); cup().fill()


if os.name == "nt":
    def path(): return 1
else:
    def path():
        return 2
    SEP = "/"
try:
    import json
except ImportError:
    json = None
'''


def facts(source: str) -> FileFacts:
    return parse(source.encode(), "python")


def named(found: FileFacts, name: str) -> Definition:
    (definition,) = (one for one in found.definitions if one.name == name)
    return definition


def lines_of(found: FileFacts, name: str) -> list[int]:
    """The lines of the unit that a definition is; none where it is no unit."""
    index = found.definitions.index(named(found, name))
    units = found.unit_definitions.tolist()
    unit = units.index(index) if index in units else -1
    return [line for line, owner in enumerate(found.unit_of_line.tolist(), 1) if owner == unit]


@pytest.fixture(scope="module")
def found() -> FileFacts:
    return facts(SOURCE)


def test_definitions_are_found_with_their_places(found: FileFacts) -> None:
    assert [(one.name, one.kind.name, one.parent, one.start_line, one.end_line) for one in found.definitions] == [
        ("LIMIT", "VARIABLE", -1, 6, 6),
        ("first", "VARIABLE", -1, 7, 7),
        ("second", "VARIABLE", -1, 7, 7),
        ("third", "VARIABLE", -1, 7, 7),
        ("fetch", "FUNCTION", -1, 10, 20),
        ("inner", "FUNCTION", 4, 18, 18),
        ("Pot", "CLASS", -1, 23, 40),
        ("size", "VARIABLE", 6, 29, 29),
        ("lid", "VARIABLE", 6, 31, 31),
        ("full", "FUNCTION", 6, 33, 34),
        ("Handle", "CLASS", 6, 36, 37),
        ("pour", "FUNCTION", 6, 39, 40),
        ("path", "FUNCTION", -1, 44, 44),
        ("path", "FUNCTION", -1, 46, 47),
        ("SEP", "VARIABLE", -1, 48, 48),
        ("json", "VARIABLE", -1, 52, 52),
    ]
    assert not found.has_errors


def test_a_signature_ends_before_comments_and_body(found: FileFacts) -> None:
    places = {
        one.name: (one.signature_start, one.signature_end, one.doc_start, one.doc_end) for one in found.definitions
    }
    assert places["fetch"] == (10, 13, 16, 16)
    assert places["inner"] == (18, 18, 0, 0)
    assert places["Pot"] == (23, 23, 24, 27)
    assert places["full"] == (33, 34, 0, 0)


def test_decorators_and_bases_are_names_as_written(found: FileFacts) -> None:
    assert named(found, "fetch").decorators == ("app.route", "cached")
    assert named(found, "full").decorators == ("property",)
    assert named(found, "Pot").bases == ("Base", "pkg.Mixin", "Generic")


def test_every_line_has_its_unit(found: FileFacts) -> None:
    assert found.n_lines == 52
    owners = ["", *(found.definitions[index].name for index in found.unit_definitions[1:])]
    assert owners == ["", "fetch", "Pot", "full", "Handle", "pour", "path", "path"]
    assert found.unit_of_line.tolist() == [
        *[0] * 9,
        *[1] * 11,
        *[0] * 2,
        *[2] * 10,
        *[3] * 2,
        2,
        *[4] * 2,
        2,
        *[5] * 2,
        *[0] * 3,
        6,
        0,
        *[7] * 2,
        *[0] * 5,
    ]


def test_imports_keep_levels_names_and_aliases(found: FileFacts) -> None:
    assert found.imports == (
        Import("os", alias="os", line=2),
        Import("a.b", alias="c", line=2),
        Import("x", (("y", "y"), ("z", "w")), level=2, line=3),
        Import("", (("*", "*"),), level=1, line=4),
        Import("json", alias="json", line=50),
    )
    assert facts("import a.b").imports == (Import("a.b", alias="a.b", line=1),)
    assert facts("from __future__ import annotations").imports == (
        Import("__future__", (("annotations", "annotations"),), line=1),
    )


def test_calls_are_those_of_names_alone(found: FileFacts) -> None:
    assert found.calls == (
        Call(1, "app", "route"),
        Call(1, "", "get"),
        Call(1, "", "inner"),
        Call(1, "os.path", "join"),
        Call(5, "", "cup"),
        Call(5, "self", "tilt"),
    )


def test_calls_are_distinct_in_each_unit() -> None:
    found = facts("def f():\n    g(); g(1)\ndef h():\n    g()\n")
    assert found.calls == (Call(1, "", "g"), Call(2, "", "g"))


def test_a_star_is_no_part_of_what_is_called() -> None:
    assert facts("x = [*f(1), *a.b(2)]\ng(*h(3))\n").calls == (
        Call(0, "a", "b"),
        Call(0, "", "f"),
        Call(0, "", "g"),
        Call(0, "", "h"),
    )


def test_mentions_are_counted_in_a_unit_s_own_lines() -> None:
    found = facts("class A:\n    naïve = 1\n    def f(self): # naïve self\n        'self 1st x_1'\nA.f\n")
    counted = [
        (int(unit), found.words[word], int(n))
        for unit, word, n in zip(found.mention_units, found.mention_words, found.mention_counts, strict=True)
    ]
    assert [unit for unit, _, _ in counted] == sorted(unit for unit, _, _ in counted)
    assert sorted(counted) == [
        (0, "A", 1),
        (0, "f", 1),
        (1, "A", 1),
        (1, "class", 1),
        (1, "naïve", 1),
        (2, "def", 1),
        (2, "f", 1),
        (2, "naïve", 1),
        (2, "self", 3),
        (2, "st", 1),
        (2, "x_1", 1),
    ]


def test_tokens_are_those_of_a_unit_s_own_lines() -> None:
    found = facts("class A:\n    x = 1\n    def f(self):\n        return 1\n    y = 2\n")
    count = encoder("o200k_base").count
    texts = ["", "class A:\n    x = 1\n    y = 2\n", "    def f(self):\n        return 1\n"]
    assert found.unit_tokens.tolist() == [count(text) for text in texts]


def test_carriage_returns_change_no_line() -> None:
    plain, with_returns = facts(SOURCE), facts(SOURCE.replace("\n", "\r\n"))
    assert with_returns.definitions == plain.definitions
    assert with_returns.unit_of_line.tolist() == plain.unit_of_line.tolist()
    assert with_returns.imports == plain.imports
    assert set(with_returns.calls) == set(plain.calls)


def test_names_may_be_of_any_script() -> None:
    found = facts("class Größe:\n    def 計算(self): return self.计()\n")
    assert [one.name for one in found.definitions] == ["Größe", "計算"]
    assert found.calls == (Call(2, "self", "计"),)
    assert {"Größe", "計算", "计"} <= set(found.words)


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    found = parse(b"\xef\xbb\xbfdef f():\n    pass\n", "python")
    assert [(one.name, one.start_line) for one in found.definitions] == [("f", 1)]
    assert found.unit_of_line.tolist() == [1, 1]


def test_a_type_alias_names_a_type() -> None:
    found = facts("type Pair[T] = tuple[T, T]\ntype Number = int\n")
    assert [(one.name, one.kind) for one in found.definitions] == [("Pair", Kind.CLASS), ("Number", Kind.CLASS)]


def test_overloads_and_properties_stay_apart() -> None:
    found = facts("@overload\ndef f(x: int): ...\n@overload\ndef f(x: str): ...\ndef f(x): return x\n")
    assert [(one.name, one.start_line, one.end_line) for one in found.definitions] == [
        ("f", 1, 2),
        ("f", 3, 4),
        ("f", 5, 5),
    ]
    assert found.unit_of_line.tolist() == [1, 1, 2, 2, 3]


def test_a_signature_of_several_lines_ends_with_its_colon() -> None:
    found = facts("def f(\n    a,  # one\n    b=':',\n) -> dict[\n    str, int\n]:\n    return {}\n")
    assert (found.definitions[0].signature_start, found.definitions[0].signature_end) == (1, 6)


def test_broken_syntax_leaves_the_rest() -> None:
    found = facts("def good():\n    return 1\n\nclass (:\n\ndef also_good():\n    return 2\n")
    assert found.has_errors
    assert {"good", "also_good"} <= {one.name for one in found.definitions}
    assert lines_of(found, "good") == [1, 2]


def test_a_file_cut_off_keeps_what_is_whole() -> None:
    found = facts(SOURCE[: SOURCE.index("self.tilt(") + len("self.tilt(")])
    assert found.has_errors
    assert {"fetch", "size", "full", "Handle"} <= {one.name for one in found.definitions}
