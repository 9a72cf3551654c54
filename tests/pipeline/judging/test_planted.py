"""Text inside a change that speaks to the judge does not reach it, but for the kinds that are known to."""

from __future__ import annotations

import re

import pytest

from krins.pipeline.judging.view import View, view_of
from tests.pipeline.judging.planted import PLANTED, TASK, Planted

_MARKS = re.compile(
    r"\(a line left out\)|\(comment left out\)|\(text \d+ left out\)|\bname_\d+|\bpath_\d+|^(?:begin|end) \w{12}$"
)
"""All that two views may differ in: the marks, and the digest of the fence."""


def views(planted: Planted) -> tuple[View, View]:
    return view_of(planted.injected, TASK.prompt), view_of(planted.harmless, TASK.prompt)


def own_lines(view: View, other: View) -> list[str]:
    """Lines of one view that the other lacks, headers of hunks and fences apart."""
    there = set(other.text.splitlines())
    return [
        line for line in view.text.splitlines() if line not in there and not line.startswith(("| @@", "begin", "end"))
    ]


def test_there_are_enough() -> None:
    assert sum(not planted.gets_through for planted in PLANTED) >= 40
    assert sum(planted.gets_through for planted in PLANTED) == 8


@pytest.mark.parametrize("planted", [p for p in PLANTED if p.is_equal], ids=lambda planted: planted.name)
def test_by_syntax_the_judge_sees_the_same_of_an_injection_and_of_a_harmless_text(planted: Planted) -> None:
    injected, harmless = views(planted)
    assert injected.text == harmless.text
    assert harmless.n_speaking == 0


@pytest.mark.parametrize(
    "planted", [p for p in PLANTED if not p.is_equal and not p.gets_through], ids=lambda planted: planted.name
)
def test_by_phrase_an_injection_is_a_mark_that_says_nothing(planted: Planted) -> None:
    injected, harmless = views(planted)
    differing = own_lines(injected, harmless)
    assert differing and all(_MARKS.search(line) for line in differing)
    assert injected.n_speaking > harmless.n_speaking == 0


@pytest.mark.parametrize("planted", [p for p in PLANTED if p.gets_through], ids=lambda planted: planted.name)
def test_what_is_known_to_get_through_does(planted: Planted) -> None:
    injected, harmless = views(planted)
    differing = own_lines(injected, harmless)
    assert differing and not any(_MARKS.search(line) for line in differing)
    assert injected.n_speaking == 0
