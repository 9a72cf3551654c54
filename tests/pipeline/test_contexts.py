"""What prompts show of a task's source tree, and how many tokens that is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from krins.context.tokens import Tokenizer, tokenizer
from krins.domain import GivenContext, Task
from krins.pipeline.contexts import Shown, describe_contexts, whole, with_contexts
from krins.pipeline.proposing import CHANGED_FILES, ONE_FILE, request_for
from krins.pipeline.tasks import CodingTask
from krins.suite import ContextOption, SelectedContext

TREE = {"a/one.py": "ONE = 1\n", "b.md": "No grammar\nand no end", "empty.py": ""}
WHOLE = """\
=== a/one.py (1 line)
ONE = 1
=== b.md (2 lines)
No grammar
and no end
=== empty.py (0 lines)
"""
COUNT = tokenizer("o200k").count
WITH_TREE = CodingTask(Task("t", "Use ONE.\n"), "TESTS", TREE)
WITHOUT = CodingTask(Task("u", "Use nothing."), "TESTS", answer_file="solution.py")
SELECT = SelectedContext.model_validate({"select": {"budget_tokens": 7}})


def first_file(prompt: str, tree: Mapping[str, str], budget_tokens: int, counting: Tokenizer) -> Shown:
    assert (prompt, budget_tokens) == ("Use ONE.\n", 7)
    text = next(iter(tree.values()))
    return Shown(text, counting.count(text))


def given(option: ContextOption) -> tuple[CodingTask, CodingTask]:
    one, other = with_contexts([WITH_TREE, WITHOUT], option, first_file)
    return one, other


def test_a_whole_tree_is_every_file_in_full() -> None:
    assert whole(TREE) == WHOLE


@pytest.mark.parametrize(
    ("option", "text", "kind"),
    [("none", "", "none"), ("whole", WHOLE, "whole"), (SELECT, "ONE = 1\n", "select")],
    ids=["none", "whole", "select"],
)
def test_a_context_is_counted_against_the_whole_tree(option: ContextOption, text: str, kind: str) -> None:
    coding, _ = given(option)
    assert coding.context_text == text
    assert coding.context is not None
    assert (coding.context.kind, coding.context.tokens) == (kind, COUNT(text))
    assert coding.context.whole_tokens == COUNT(WHOLE) > 20
    assert coding.task == WITH_TREE.task, "routers look at the same prompt, whatever models are shown"


@pytest.mark.parametrize("option", ["none", "whole", SELECT], ids=["none", "whole", "select"])
def test_a_task_without_a_tree_is_asked_the_same_whatever_the_option(option: ContextOption) -> None:
    _, coding = given(option)
    assert coding == WITHOUT
    [message] = request_for(coding, 0).messages
    assert message.text == f"Use nothing.\n\n{ONE_FILE}\n"
    assert with_contexts([WITHOUT], option) == [WITHOUT]


def test_context_comes_first_so_that_prompts_share_their_beginning() -> None:
    texts = {option: request_for(given(option)[0], 2).messages[0].text for option in ("none", "whole")}
    assert texts["none"] == f"Use ONE.\n\n{CHANGED_FILES}\n"
    assert texts["whole"] == f"{WHOLE}\n=== Task\n\n{texts['none']}"


def test_what_is_selected_keeps_to_the_budget_and_is_the_same_each_time() -> None:
    tree = {
        "shop/money.py": "def half_up(numerator, denominator):\n    return numerator // denominator\n" * 20,
        "shop/mail.py": "def send(address, text):\n    raise NotImplementedError\n" * 20,
        "README.md": "Not code.",
    }
    coding = CodingTask(Task("t", "Round with half_up."), "TESTS", tree)
    option = SelectedContext.model_validate({"select": {"budget_tokens": 400}})
    [first], [again] = with_contexts([coding], option), with_contexts([coding], option)
    assert first == again
    assert first.context is not None
    assert 0 < first.context.tokens == COUNT(first.context_text) <= 400 < first.context.whole_tokens
    assert "numerator // denominator" in first.context_text


def test_contexts_in_words() -> None:
    contexts = [GivenContext("select", 10, 100), GivenContext("select", 30, 100)]
    tasks = [
        CodingTask(Task(str(i)), "TESTS", TREE, context_text="...", context=context)
        for i, context in enumerate(contexts)
    ]
    words = "20 of the 100 o200k tokens that a whole tree takes, 80.0% saved; 2 of 3 tasks have a tree"
    assert describe_contexts([*tasks, WITHOUT]) == words
    assert describe_contexts([WITHOUT]) is None
