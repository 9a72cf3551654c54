"""The walk back from what changed, on trees small enough to walk by hand, and against a plain walk on random ones."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings

from krins.context.graph import CodeGraph
from krins.context.impact import Edge, impact
from krins.errors import ContextError
from tests.context.trees import SHOP, graph_of, trees

FILES = {
    "low.py": "def low():\n    return 1\n",
    "middle.py": "from low import low\n\n\ndef middle():\n    return low()\n",
    "top.py": "import middle\n\n\ndef top():\n    return middle.middle()\n",
    "far.py": "HANDLERS = ['low']\n",
    "other.py": "def alone():\n    pass\n",
}


def reached(files: Mapping[str, str], *changed: str) -> list[tuple[int, str, str, str]]:
    graph, _ = graph_of(files)
    found = impact(graph, changed)
    rows = zip(found.distances, found.edges, found.units, found.sources, strict=True)
    return [
        (int(distance), Edge(edge).name, graph.symbol(unit), graph.symbol(source))
        for distance, edge, unit, source in rows
    ]


def test_callers_come_first_then_those_that_mention_the_name_and_then_what_they_reach() -> None:
    assert reached(FILES, "low.py::low") == [
        (1, "CALL", "middle.py::middle", "low.py::low"),
        (1, "NAME", "far.py", "low.py::low"),
        (1, "NAME", "middle.py", "low.py::low"),
        (2, "CALL", "top.py::top", "middle.py::middle"),
        (2, "IMPORT", "top.py", "middle.py"),
    ]


def test_a_path_stands_for_all_of_the_file_and_reaches_its_importers() -> None:
    found = reached(FILES, "middle.py")
    assert [row[:3] for row in found] == [(1, "CALL", "top.py::top"), (1, "IMPORT", "top.py")]


def test_the_last_parts_of_a_path_stand_for_all_of_the_file_too() -> None:
    files = {f"pkg/{path}": text.replace("import middle", "import pkg.middle") for path, text in FILES.items()}
    assert reached(files, "low.py") == reached(files, "pkg/low.py") != []


def test_a_constant_reaches_who_mentions_it() -> None:
    assert (1, "NAME", "shop/money.py::Money.rounded", "shop/money.py") in reached(SHOP, "CENT")


def test_what_nobody_uses_reaches_nothing() -> None:
    assert reached(FILES, "other.py::alone") == []


def test_several_changes_do_not_reach_one_another() -> None:
    assert {row[2] for row in reached(FILES, "low.py::low", "middle.py::middle")} == {
        "far.py",
        "middle.py",
        "top.py::top",
        "top.py",
    }


def test_cycles_end() -> None:
    files = {"a.py": "def f():\n    g()\n\n\ndef g():\n    f()\n"}
    assert reached(files, "f") == [(1, "CALL", "a.py::g", "a.py::f")]


def test_units_that_have_the_same_name_do_not_mention_each_other() -> None:
    files = {
        "a.py": "class A:\n    def get(self):\n        pass\n",
        "b.py": "class B:\n    def get(self):\n        pass\n",
    }
    assert reached(files, "A.get") == []


def test_what_is_called_by_nobody_is_refused_with_what_is_near() -> None:
    graph, _ = graph_of(SHOP)
    with pytest.raises(ContextError, match="invoice_totl") as caught:
        impact(graph, ["shop/invoice.py::invoice_totl"])
    assert "invoice_total" in caught.value.remedy
    with pytest.raises(ContextError) as caught:
        impact(graph, ["shop/mony.py"])
    assert "shop/money.py" in caught.value.remedy


def plain_distances(graph: CodeGraph, start: int) -> dict[int, int]:
    """By sets and loops, as the module's docstring says it."""
    calls, imports, mentions = (matrix.toarray() for matrix in (graph.calls, graph.imports, graph.mentions))
    defined = set(zip(graph.definition_units.tolist(), graph.definition_words.tolist(), strict=True))
    distances, level = {start: 0}, [start]
    while level:
        following = []
        for unit in level:
            for other in range(graph.n_units):
                file, others = graph.file_of_unit[unit], graph.file_of_unit[other]
                is_import = (
                    graph.first_unit[file] == unit and graph.first_unit[others] == other and imports[others, file]
                )
                is_mention = any(
                    one == unit and mentions[other, word] > ((other, word) in defined) for one, word in defined
                )
                if other not in distances and (calls[other, unit] or is_import or is_mention):
                    distances[other] = distances[unit] + 1
                    following.append(other)
        level = following
    return distances


@settings(max_examples=40, deadline=None)
@given(trees())
def test_distances_are_those_of_a_plain_walk(files: dict[str, str]) -> None:
    graph, _ = graph_of(files)
    for unit in range(0, graph.n_units, 3):
        symbol = graph.symbol(unit)
        if "::" not in symbol or graph.find(symbol) != [unit]:
            continue
        found = impact(graph, [symbol])
        expected = plain_distances(graph, unit)
        del expected[unit]
        assert dict(zip(found.units.tolist(), found.distances.tolist(), strict=True)) == expected
        assert found.distances.tolist() == sorted(found.distances.tolist())
        known = {unit: 0, **expected}
        pairs = zip(found.sources.tolist(), found.distances.tolist(), strict=True)
        assert all(known[source] == distance - 1 for source, distance in pairs)
