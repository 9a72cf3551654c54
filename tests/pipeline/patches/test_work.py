"""Reading an answer takes work in proportion to its length: counted in lines of Python run, not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from krins.errors import AnswerFault, PatchFailed
from krins.pipeline.patches import MOST_ANSWER_CHARACTERS, change_of

CODE = "".join(f"def f{number}(x):\n    return x + {number}\n" for number in range(9))


def work(answer: str, tree: dict[str, str], only_path: str | None = None) -> int:
    """Lines of the package that run while an answer is read."""
    n_lines = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal n_lines
        if "patches" not in frame.f_code.co_filename:
            return None
        n_lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        with suppress(AnswerFault):
            change_of(answer, tree, only_path)
    finally:
        sys.settrace(before)
    return n_lines


def repeated(n: int) -> str:
    return "x\n" * n


TRAPS: dict[str, Callable[[int], tuple[str, dict[str, str]]]] = {
    "prose": lambda n: ("word " * 20 * n + "\n", {}),
    "lines": lambda n: ("word\n" * n, {}),
    "opened blocks": lambda n: ("```py\n" * n, {}),
    "backticks": lambda n: ("`" * n + "x`\n", {}),
    "empty blocks": lambda n: ("```\n```\n" * n, {}),
    "headings": lambda n: ("## a.py\n" * n + "```\n```\n", {}),
    "paths above blocks": lambda n: ("a.py\n```\nx\n```\n" * n, {}),
    "markdown files": lambda n: ("".join(f"{i}.md\n```\nx\n```\n" for i in range(n)), {}),
    "searches that do not end": lambda n: ("a.py\n" + "<<<<<<< SEARCH\n" * n, {}),
    "dividers": lambda n: ("a.py\n<<<<<<< SEARCH\n" + "=======\n" * n + ">>>>>>> REPLACE\n", {"a.py": "x\n"}),
    "diff headers": lambda n: ("```diff\n" + "--- a/a.py\n+++ b/a.py\n" * n + "```\n", {"a.py": "x\n"}),
    "hunks that fail": lambda n: ("```diff\n--- a/a\n+++ b/a\n" + "@@\n x\n-y\n" * n + "```\n", {"a": repeated(n)}),
    "blank hunks": lambda n: ("```diff\n--- a/a\n+++ b/a\n@@ -1,9 +1,9 @@\n" + "\n" * n + "```\n", {"a": repeated(n)}),
    "near misses": lambda n: (
        "```diff\n--- a/a\n+++ b/a\n@@\n" + " x\n" * (n // 2) + "-y\n```\n",
        {"a": (repeated(n // 2 - 1) + "y\n") * 2},
    ),
    "a long search": lambda n: (
        f"a\n<<<<<<< SEARCH\n{repeated(n)}y\n=======\nz\n>>>>>>> REPLACE\n",
        {"a": f"{repeated(2 * n)}y\n"},
    ),
    "whole file of one line": lambda n: (f"a\n```\n{repeated(n)}```\n", {"a": repeated(n - 1)}),
    "numbers": lambda n: ("a.py\n```\n" + "".join(f"{i}:x\n" for i in range(n)) + "```\n", {"a.py": repeated(n)}),
    "blanks": lambda n: (" " * n + "\n" + "\t" * n + "```\n" + " " * n, {}),
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS.keys())
def test_twice_the_answer_is_at_most_about_twice_the_work(trap: Callable[[int], tuple[str, dict[str, str]]]) -> None:
    small, large = (work(*trap(n)) for n in (200, 400))
    assert large <= 2.2 * small + 100


def test_one_block_a_line_is_read_in_proportion() -> None:
    def changed(n: int) -> tuple[str, dict[str, str]]:
        block = "<<<<<<< SEARCH\nline {0}\n=======\n{0}\n>>>>>>> REPLACE\n"
        return "a\n" + "".join(map(block.format, range(n))), {"a": "".join(map("line {}\n".format, range(n)))}

    assert change_of(*changed(50), "a").after == {"a": "".join(f"{number}\n" for number in range(50))}
    small, large = (work(*changed(n), "a") for n in (200, 400))
    assert large <= 2.2 * small


def test_one_hunk_a_line_is_read_in_proportion() -> None:
    def changed(n: int) -> tuple[str, dict[str, str]]:
        hunks = "".join(f"@@\n-line {number}\n+{number}\n" for number in range(n))
        return f"```diff\n--- a/a\n+++ b/a\n{hunks}```\n", {"a": "".join(f"line {number}\n" for number in range(n))}

    assert change_of(*changed(50)).after == {"a": "".join(f"{number}\n" for number in range(50))}
    small, large = (work(*changed(n)) for n in (300, 600))
    assert large <= 2.2 * small


def test_an_answer_of_a_megabyte_is_read() -> None:
    text = "".join(f"line {number} of it\n" for number in range(70_000))
    assert len(text) > 2**20
    tree = {"a.txt": text.replace("line 9 of it", "nine")}
    assert change_of(f"a.txt\n```\n{text}```\n", tree).diff.count("\n") < 20
    diff = "".join(
        f"@@ -{number},1 +{number},1 @@\n-line {number} of it\n+{number}\n" for number in range(0, 70_000, 30)
    )
    assert change_of(f"```diff\n--- a/a.txt\n+++ b/a.txt\n{diff}```\n", {"a.txt": text}).after["a.txt"][:4] == "0\nli"


def test_more_than_an_answer_may_have_is_refused_unread() -> None:
    with pytest.raises(PatchFailed, match="4,194,305 characters"):
        change_of("x" * (MOST_ANSWER_CHARACTERS + 1), {})
