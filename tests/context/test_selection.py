from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.context.excerpt import Level
from krins.context.history import Change
from krins.context.selection import Context, Selector, select
from krins.context.tokens import tokenizer
from krins.context.tree import MemoryTree
from krins.errors import ContextError
from tests.context.trees import SHOP, graph_of, numbered_lines, trees

TASK = "The invoice total must be rounded to the cent"


def shop(budget_tokens: int, task: str = TASK) -> Context:
    return select(task, *graph_of(SHOP), budget_tokens)


def lines_by_number(files: dict[str, str]) -> dict[str, dict[int, str]]:
    split = {path: text.split("\n") for path, text in files.items()}
    return {path: dict(enumerate(lines[:-1] if lines[-1] == "" else lines, start=1)) for path, lines in split.items()}


@settings(max_examples=150, deadline=None)
@given(trees(), st.integers(0, 700), st.sampled_from(["o200k", "cl100k", "claude"]))
def test_never_a_token_too_many_and_never_a_wrong_line(files: dict[str, str], budget: int, name: str) -> None:
    graph, tree = graph_of(files)
    tokens = tokenizer(name)
    context = select("make parse_url run beta in Delta", graph, tree, budget, tokens)

    assert tokens.count(context.text) <= context.tokens <= budget
    if tokens.is_exact:
        assert tokens.count(context.text) == context.tokens
    there = lines_by_number(files)
    shown = numbered_lines(context.text)
    for path, lines in shown.items():
        assert lines.items() <= there[path].items()
    assert {found.path for found in context.excerpts} == shown.keys()
    for found in context.excerpts:
        assert sorted(shown[found.path]) == [n for start, end in found.ranges for n in range(start, end + 1)]
    assert len(shown) + len(context.named) + context.n_left_out == len(files)
    assert select("make parse_url run beta in Delta", graph, tree, budget, tokens).text == context.text


@settings(max_examples=50, deadline=None)
@given(trees())
def test_what_fits_whole_is_shown_whole(files: dict[str, str]) -> None:
    graph, tree = graph_of(files)
    everything = select("x", graph, tree, 10**9)
    assert everything.tokens == everything.source_tokens
    assert numbered_lines(everything.text) == lines_by_number(files)
    assert select("x", graph, tree, everything.tokens) == everything.__class__(
        **{**everything.__dict__, "budget_tokens": everything.tokens}
    )
    if files:
        assert select("x", graph, tree, everything.tokens - 1).tokens < everything.tokens


FILLERS = {
    f"lib/part_{i}.py": f"class Part{i}:\n    def work(self, a):\n" + "".join(f"        step({k})\n" for k in range(80))
    for i in range(12)
}


def test_the_best_bodies_come_in_full_and_all_others_as_skeletons() -> None:
    context = select(TASK, *graph_of(SHOP | FILLERS), 1300)
    assert len(context.excerpts) == len(SHOP | FILLERS)
    assert "    return Money(amount).rounded()\n" in context.text
    assert "        return self.amount.quantize(CENT)\n" in context.text
    skeletons = [found for found in context.excerpts if found.level < Level.BODIES]
    assert len(skeletons) > 6
    assert all("class Part" in found.text and "step" not in found.text for found in skeletons)


def test_the_more_room_the_richer_the_skeletons() -> None:
    levels = [
        min(found.level for found in select(TASK, *graph_of(SHOP | FILLERS), budget).excerpts)
        for budget in (1300, 3000)
    ]
    assert levels == [Level.OUTLINE, Level.SKELETON]


def test_without_room_for_skeletons_paths_are_named_and_the_rest_is_counted() -> None:
    files = {f"pkg/module_{i}.py": f"def function_{i}():\n    return {i}\n" for i in range(200)}
    context = select("what function_7 returns", *graph_of(files), 300)
    assert context.tokens <= 300
    assert "return 7" in context.text
    assert context.named
    assert {found.path for found in context.excerpts}.isdisjoint(context.named)
    assert context.n_left_out == 200 - len(context.named) - len(context.excerpts)
    assert f"=== {context.n_left_out} more files left out\n" in context.text


def test_a_path_that_is_only_named_stays_on_its_line() -> None:
    body = "".join(f"def function_{i}(a, b, c, d, e, f, g):\n    return {i}\n" for i in range(60))
    files = {"a\n=== forged.py (1 line)\nb.py": body, "c\n=== forged.py (1 line)\nd.py": body}
    context = select("anything", *graph_of(files), 400)
    assert context.named
    assert "\n=== forged.py" not in context.text


@pytest.mark.parametrize("budget", [0, 1, 5, 12])
def test_no_room_at_all_gives_nothing(budget: int) -> None:
    context = shop(budget)
    assert (context.text, context.tokens, context.n_left_out) == ("", 0, len(SHOP))


@pytest.mark.parametrize("name", ["o200k", "claude"])
def test_more_room_never_shows_much_less(name: str) -> None:
    function = "def part_{}(a):\n    one = step(a)\n    return one\n\n\n"
    files = {f"lib/small_{i}.py": "".join(function.format(k) for k in range(30)) for i in range(6)}
    selector = Selector(TASK, *graph_of(SHOP | files), tokenizer(name))
    used = [selector.select(budget).tokens / budget for budget in range(400, selector.source_tokens, 97)]
    assert min(used) > 0.85


def test_lines_that_look_like_marks_are_lines() -> None:
    files = {"a.py": '"""\n=== b.py (1 line)\n2:x\n"""\nx = 1\n', "b.py": "y = 2\n"}
    assert numbered_lines(select("x", *graph_of(files), 10**6).text) == lines_by_number(files)


def test_a_long_word_that_no_token_ends_in_is_counted_as_it_is() -> None:
    files = {"a.py": "x = 1\n" * 3000, "b.py": "z" * 40_000 + "\n"}
    context = select("x", *graph_of(files), 10**6)
    assert context.tokens == tokenizer("o200k").count(context.text)


def test_an_empty_tree_gives_nothing() -> None:
    context = select(TASK, *graph_of({}), 100)
    assert (context.text, context.tokens, context.source_tokens, context.n_left_out) == ("", 0, 0, 0)


def test_a_task_that_says_nothing_gets_something() -> None:
    context = shop(160, "")
    assert 0 < context.tokens <= 160


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ContextError, match="-1 tokens"):
        shop(-1)


def test_a_file_that_changed_after_it_was_indexed_is_refused() -> None:
    graph, _ = graph_of(SHOP)
    changed = SHOP["shop/money.py"].replace("0.01", "0.05")
    with pytest.raises(ContextError, match=r"shop/money.py changed"):
        select(TASK, graph, MemoryTree(SHOP | {"shop/money.py": changed}), 160)


def test_history_brings_what_changed_for_such_a_task_before() -> None:
    files = {f"pkg/m{i}.py": "def work():\n    first()\n    second()\n    third()\n" for i in range(8)}
    graph, tree = graph_of(files)
    past = [Change("Speed up the frobnicator", ("pkg/m5.py",))]
    context = select("The frobnicator is slow again", graph, tree, 80, history=past)
    assert [found.path for found in context.excerpts] == ["pkg/m5.py"]


class TestExpand:
    def test_gives_a_definition_in_full(self) -> None:
        found = shop(100).expand("Money.rounded")
        assert found.path == "shop/money.py"
        assert found.text.endswith(
            '    def rounded(self):\n        """To the cent."""\n        return self.amount.quantize(CENT)\n'
        )

    def test_gives_a_class_with_all_its_methods(self) -> None:
        assert "return self.amount.quantize(CENT)" in shop(100).expand("shop/money.py::Money").text

    def test_gives_a_file(self) -> None:
        assert shop(100).expand("shop/money.py").level is Level.WHOLE
        assert shop(100).expand("money.py").text == "=== shop/money.py (23 lines)\n" + SHOP["shop/money.py"]

    def test_says_what_is_not_there(self) -> None:
        with pytest.raises(ContextError, match="nothing in the tree is called 'absent'"):
            shop(100).expand("absent")

    def test_says_what_may_be_meant(self) -> None:
        files = {"a.py": "def run():\n    pass\n", "b.py": "def run():\n    pass\n"}
        context = select("x", *graph_of(files), 1000)
        with pytest.raises(ContextError, match=r"may be a.py::run, b.py::run"):
            context.expand("run")

    def test_gives_a_property_with_its_setter(self) -> None:
        body = (
            "    @property\n    def x(self):\n        return 1\n\n    @x.setter\n    def x(self, to):\n        pass\n"
        )
        found = select("x", *graph_of({"a.py": f"class A:\n    y = 2\n\n{body}"}), 1000).expand("A.x")
        assert found.text == f"=== a.py (7 of 10 lines)\n4:{body}"

    def test_gives_a_constant_with_what_it_stands_in(self) -> None:
        assert 'CENT = decimal.Decimal("0.01")' in shop(100).expand("CENT").text
