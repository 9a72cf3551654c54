"""What the fake provider answers to which question."""

from __future__ import annotations

import pytest

from krins.fake_provider.answers import Question, Solutions

SOLUTIONS = Solutions({"Add one.": "```python\ndef add(x): return x + 1\n```", "Halve.": "```python\nhalve = 1\n```"})


@pytest.mark.parametrize(
    ("prompt", "earlier"),
    [("Add one.\n\nOne block.", ()), ("- tests: they fail. Answer again.", ("Add one.\n\nOne block.", "my answer"))],
)
def test_a_task_is_solved_when_it_is_asked_and_when_it_is_asked_again(prompt: str, earlier: tuple[str, ...]) -> None:
    assert "x + 1" in SOLUTIONS.answer(Question("p-100", prompt, earlier, 0, {})).text
    assert "def nothing" in SOLUTIONS.answer(Question("p-0", prompt, earlier, 0, {})).text


def test_a_task_that_it_does_not_know_is_answered_wrongly() -> None:
    assert "def nothing" in SOLUTIONS.answer(Question("p-100", "Add two.", ("Hello", "Hi"), 0, {})).text
