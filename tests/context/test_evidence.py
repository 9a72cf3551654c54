from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.context.evidence import EVIDENCE, Evidence, bm25, unit_names, unit_parents
from krins.context.graph import CodeGraph
from krins.context.history import Change
from krins.interfaces import FloatArray
from tests.context.trees import SHOP, graph_of, trees

GRAPH, _ = graph_of(SHOP)


def column(name: str, task: str, history: list[Change] | None = None, graph: CodeGraph = GRAPH) -> dict[str, float]:
    """By symbol: one kind of evidence."""
    values: FloatArray = Evidence(task, graph, history or []).matrix()[:, EVIDENCE.index(name)]
    return {graph.symbol(unit): float(value) for unit, value in enumerate(values)}


def best(values: dict[str, float]) -> str:
    return min(values, key=values.__getitem__)


def test_bm25_by_hand() -> None:
    # Two documents of 4 and 2 words (3 on average); one term, twice in the first: idf ln(1 + 1.5 / 1.5).
    scores = bm25(np.array([[2.0], [0.0]]), np.array([4.0, 2.0]), np.array([3.0]))
    norm = 1.2 * (0.25 + 0.75 * 4 / 3)
    assert scores == pytest.approx([3 * math.log(2) * 2 * 2.2 / (2 + norm), 0.0])


def test_words_of_the_task_rank_files_and_units() -> None:
    assert best(column("file_rank", "print an invoice")).startswith("shop/invoice.py")
    assert best(column("unit_rank", "the quantize call")) == "shop/money.py::Money.rounded"
    assert column("unit_score", "the quantize call")["shop/money.py::Money.rounded"] == 1.0


def test_names_speak_and_those_around_them_half() -> None:
    scores = column("name_score", "money")
    assert scores["shop/money.py::Money"] == 1.0
    assert scores["shop/money.py::Money.rounded"] == 0.5
    assert scores["shop/money.py::total"] == 0.0


def test_paths_speak() -> None:
    scores = column("path_score", "money")
    assert {symbol for symbol, score in scores.items() if score} == {s for s in scores if s.startswith("shop/money.py")}


def test_what_changed_last_is_near() -> None:
    history = [Change("b", ("shop/invoice.py",)), Change("a", ("shop/money.py",)), Change("c", ("gone.py",))]
    recency = column("recency", "x", history)
    assert recency["shop/invoice.py"] == 0.0
    assert recency["shop/money.py"] == pytest.approx(math.log(2) / math.log(1001))
    assert recency["tests/test_invoice.py"] == 1.0
    assert column("frequency", "x", history)["shop/invoice.py"] == pytest.approx(math.log(2))


def test_past_messages_that_read_like_the_task_point_to_files() -> None:
    history = [Change("Format currency", ("shop/money.py",)), Change("Print twice", ("shop/invoice.py",))]
    assert best(column("message_rank", "print is wrong", history)).startswith("shop/invoice.py")


def test_what_changed_with_the_best_match_is_near() -> None:
    history = [Change("x", ("shop/invoice.py", "tests/test_invoice.py")), Change("y", ("shop/money.py",))]
    ranks = column("co_change_rank", "print_invoice", history)
    assert ranks["tests/test_invoice.py"] < 1.0
    assert ranks["shop/money.py"] == 1.0


def test_sweeping_commits_tell_nothing() -> None:
    sweep = [Change("x", ("shop/money.py", *(f"f{i}.py" for i in range(30))))]
    assert set(column("recency", "x", sweep).values()) == {1.0}


def test_definitions_that_the_best_match_uses_are_near_and_users_too() -> None:
    used = column("used_rank", "price")
    assert used["shop/money.py::Money.rounded"] < 1.0
    assert used["shop/invoice.py::print_invoice"] == 1.0
    assert column("using_rank", "quantize")["shop/invoice.py::invoice_total"] < 1.0


def test_units_know_their_names_and_what_they_stand_in() -> None:
    names = {GRAPH.symbol(unit): name for unit, name in enumerate(unit_names(GRAPH).tolist())}
    assert GRAPH.words[names["shop/money.py::Money.rounded"]] == "rounded"
    assert names["shop/money.py"] == -1
    parents = {GRAPH.symbol(unit): parent for unit, parent in enumerate(unit_parents(GRAPH).tolist())}
    assert GRAPH.symbol(parents["shop/money.py::Money.rounded"]) == "shop/money.py::Money"
    assert parents["shop/money.py::Money"] == parents["shop/money.py"] == -1


@settings(max_examples=60, deadline=None)
@given(
    trees(),
    st.sampled_from(["", "zzz", "alpha beta Delta parse_url", "x = 1"]),
    st.lists(st.sampled_from(["a.py", "pkg/b.py", "gone.py"]), max_size=3),
)
def test_evidence_is_finite_and_bounded_whatever_is_empty(files: dict[str, str], task: str, paths: list[str]) -> None:
    graph, _ = graph_of(files)
    matrix = Evidence(task, graph, [Change("alpha run", tuple(paths))]).matrix()
    assert matrix.shape == (graph.n_units, len(EVIDENCE))
    assert np.isfinite(matrix).all()
    ranks = matrix[:, [at for at, name in enumerate(EVIDENCE) if name.endswith("rank")]]
    assert ((ranks >= 0) & (ranks <= 1)).all()
