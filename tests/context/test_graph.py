"""The arrays of a graph, and finding units by symbol, on hand-made facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from krins.context.assembly import assemble, content_of
from krins.context.facts import Definition, FileFacts, Kind
from krins.context.graph import CodeGraph
from krins.context.resolve import Resolver
from krins.context.word_table import WordTable
from krins.interfaces import IntArray


def integers(values: Sequence[int]) -> IntArray:
    return np.array(values, np.int32)


def definition(name: str, kind: Kind, parent: int, start: int, end: int) -> Definition:
    return Definition(name, kind, parent, start, end, start, start)


def facts(
    definitions: Sequence[Definition],
    units: Sequence[int],
    unit_of_line: Sequence[int],
    mentions: Mapping[str, list[int]],
) -> FileFacts:
    """`units` are the definitions of units 1 and on; `mentions` the units that hold a word, as often as they do."""
    counted = sorted(
        (unit, at, found.count(unit)) for at, found in enumerate(mentions.values()) for unit in sorted(set(found))
    )
    rows = integers([value for row in counted for value in row]).reshape(-1, 3)
    return FileFacts(
        language="python",
        n_lines=len(unit_of_line),
        has_errors=False,
        definitions=tuple(definitions),
        unit_definitions=integers([-1, *units]),
        unit_of_line=integers(unit_of_line),
        unit_tokens=integers([1] * (1 + len(units))),
        words=tuple(mentions),
        mention_units=rows[:, 0],
        mention_words=rows[:, 1],
        mention_counts=rows[:, 2],
        imports=(),
        calls=(),
    )


def assembled(files: Mapping[str, FileFacts], table: WordTable | None = None) -> CodeGraph:
    table = table or WordTable()
    contents = {path: content_of(one, table) for path, one in sorted(files.items())}
    return assemble(contents, table, skipped={}, digests=dict.fromkeys(contents, ""), warnings=(), resolver=Resolver())


CLASSES = facts(
    [
        definition("LIMIT", Kind.VARIABLE, -1, 1, 1),
        definition("Box", Kind.CLASS, -1, 2, 6),
        definition("size", Kind.VARIABLE, 1, 3, 3),
        definition("open", Kind.FUNCTION, 1, 4, 6),
        definition("helper", Kind.FUNCTION, 3, 5, 5),
    ],
    units=[1, 3],
    unit_of_line=[0, 1, 1, 2, 2, 2],
    mentions={"size": [1, 2, 2], "Box": [1], "LIMIT": [0, 2]},
)
EMPTY = facts([], [], [], {})
SAME_NAME = facts([definition("open", Kind.FUNCTION, -1, 1, 2)], [0], [1, 1], {"open": [1], "LIMIT": [1]})
FILES = {"pkg/box.py": CLASSES, "pkg/__init__.py": EMPTY, "pkg/sub/box.py": SAME_NAME}


def test_arrays() -> None:
    graph = assembled(FILES)
    assert graph.paths == ("pkg/__init__.py", "pkg/box.py", "pkg/sub/box.py")
    assert graph.words == ("Box", "LIMIT", "helper", "open", "size")
    assert graph.first_unit.tolist() == [0, 1, 4, 6]
    assert graph.file_of_unit.tolist() == [0, 1, 1, 1, 2, 2]
    assert graph.mentions.toarray().tolist() == [
        [0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 1],
        [0, 1, 0, 0, 2],
        [0, 0, 0, 0, 0],
        [0, 1, 0, 1, 0],
    ]
    assert [graph.words[word] for word in graph.definition_words] == ["LIMIT", "Box", "size", "open", "helper", "open"]
    assert graph.definition_units.tolist() == [1, 2, 2, 3, 3, 5]
    assert graph.definition_files.tolist() == [1, 1, 1, 1, 1, 2]
    assert graph.imports.shape == (3, 3)
    assert graph.calls.shape == (6, 6)


def test_arrays_are_of_32_bits_and_sorted() -> None:
    graph = assembled(FILES)
    arrays = [value for value in vars(graph).values() if isinstance(value, np.ndarray)]
    assert len(arrays) == 8
    assert {array.dtype for array in arrays} == {np.dtype(np.int32)}
    assert graph.mentions.has_canonical_format


@pytest.mark.parametrize("files", [{}, {"a.py": EMPTY}])
def test_without_words(files: Mapping[str, FileFacts]) -> None:
    graph = assembled(files)
    assert graph.n_files == graph.n_units == len(files)
    assert graph.mentions.shape == (len(files), 0)
    assert graph.imports.shape == graph.calls.shape == (len(files), len(files))
    assert graph.find("anything") == []


def test_word_ids_do_not_depend_on_the_words_met_before() -> None:
    table = WordTable()
    table.ids(["zebra", "size", "aardvark"])
    first = assembled({"pkg/sub/box.py": SAME_NAME}, table)
    then, fresh = assembled(FILES, table), assembled(FILES)
    assert first.words == ("LIMIT", "open")
    assert then.words == fresh.words
    assert then.mention_words.tolist() == fresh.mention_words.tolist()
    assert then.definition_words.tolist() == fresh.definition_words.tolist()


def test_symbols() -> None:
    graph = assembled(FILES)
    assert [graph.symbol(unit) for unit in range(graph.n_units)] == [
        "pkg/__init__.py",
        "pkg/box.py",
        "pkg/box.py::Box",
        "pkg/box.py::Box.open",
        "pkg/sub/box.py",
        "pkg/sub/box.py::open",
    ]


@pytest.mark.parametrize(
    ("symbol", "units"),
    [
        ("pkg/box.py", [1]),
        ("box.py", [1, 4]),
        ("ox.py", []),
        ("pkg/box.py::Box.open", [3]),
        ("pkg/box.py::open", [3]),
        ("sub/box.py::open", [5]),
        ("box.py::open", [3, 5]),
        ("pkg/sub/box.py::Box", []),
        ("Box.open", [3]),
        ("Box::open", [3]),
        ("open", [3, 5]),
        ("pen", []),
        ("LIMIT", [1]),
        ("Box.size", [2]),
        ("open.helper", [3]),
        ("", []),
        ("::", []),
    ],
)
def test_find(symbol: str, units: list[int]) -> None:
    assert assembled(FILES).find(symbol) == units


def test_every_symbol_finds_its_unit() -> None:
    graph = assembled(FILES)
    for unit in range(graph.n_units):
        assert unit in graph.find(graph.symbol(unit))
