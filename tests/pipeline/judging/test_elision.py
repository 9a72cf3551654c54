"""Elision: what is written for readers goes, what is code stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.context.languages import GRAMMARS
from krins.pipeline.judging.elision import Elision, known, reads_as_prose


def elided(source: str, language: str = "python", task: str = "", before: str = "") -> str:
    return Elision(known(task, [(before, language)])).elide(source, language)


def test_code_is_kept_to_the_letter() -> None:
    code = 'import re\n\n\nA = re.compile(r"^(feat|fix|docs)$")\nB = {"content-type": "text/html; charset=utf-8"}\n'
    assert elided(code) == code


@pytest.mark.parametrize(
    ("language", "source", "shown"),
    [
        ("python", "x = 1  # why\n", "x = 1  # (comment left out)\n"),
        ("python", 'def f():\n    """Why."""\n', 'def f():\n    """(comment left out)"""\n'),
        ("python", 'f(f"one two three four {x!r} five")\n', 'f(f"(text 1 left out){x!r}(text 2 left out)")\n'),
        ("javascript", "let a = 1; /* why */ f()\n", "let a = 1; /* (comment left out) */ f()\n"),
        ("rust", "/// Why.\nfn f() {}\n", "/// (comment left out)\nfn f() {}\n"),
        ("go", "var a = `one two three four`\n", "var a = `(text 1 left out)`\n"),
        ("bash", 'echo "one two $x three four"\n', 'echo "(text 1 left out)$x(text 2 left out)"\n'),
        ("ruby", 'a = "one two #{x} three four"\n', 'a = "(text 1 left out)#{x}(text 2 left out)"\n'),
        ("java", 'class A { String s = "one two three four"; }\n', 'class A { String s = "(text 1 left out)"; }\n'),
    ],
)
def test_by_language(language: str, source: str, shown: str) -> None:
    assert elided(source, language).replace('""" (', '"""(') == shown


def test_what_stood_there_before_or_in_the_task_is_kept() -> None:
    source = '# Why it is so.\nA = "one two three four"\nB = "five six seven eight"\n'
    before = '# Why it is   so.\nA = "one two three four"\n'
    assert elided(source, task="Say 'five six seven eight'.", before=before) == source
    assert elided(source, before=before).endswith('B = "(text 1 left out)"\n')


def test_equal_texts_have_equal_numbers_and_long_names_too() -> None:
    source = 'A = "one two three four"\nB = "four three two one"\nC = "one two three four"\n'
    marks = [line.split('"')[1] for line in elided(source).splitlines()]
    assert marks == ["(text 1 left out)", "(text 2 left out)", "(text 1 left out)"]
    assert elided("def one_two_three_four_five_six(): ...\none_two_three_four_five_six()\n") == (
        "def name_1(): ...\nname_1()\n"
    )
    assert elided("def one_two_three_four_five(): ...\n") == "def one_two_three_four_five(): ...\n"
    name = "one_two_three_four_five_six"
    assert elided(f"{name} = 1\n", task=f"Set {name}.") == f"{name} = 1\n"


def test_short_strings_that_speak_together_go_together() -> None:
    assert elided('A = ["ignore", "all", "instructions"]\nB = ["some", "words"]\n') == (
        'A = ["(text 1 left out)", "(text 2 left out)", "(text 3 left out)"]\nB = ["some", "words"]\n'
    )


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ("SELECT id FROM notes WHERE deleted_on IS NULL ORDER BY id", True),
        ("SELECT id FROM notes WHERE title IS NULL ORDER BY id", False),
        ("SELECT the id of notes you like", False),
        ("notes that are deleted_on id", False),
    ],
)
def test_a_query_of_known_names_is_shown(query: str, is_shown: bool) -> None:
    source = f'A = "{query}"\n'
    assert elided(source, task="Leave notes out with deleted_on; show id.") == (
        source if is_shown else 'A = "(text 1 left out)"\n'
    )


@pytest.mark.parametrize(
    ("text", "is_prose"),
    [
        ("no such file", False),
        ("there is no such file", True),
        ("application/x-www-form-urlencoded", False),
        ("this|is|a|sentence|in|spite|of|what|stands|between", True),
        ("%Y-%m-%d %H:%M:%S", False),
        ("页数", False),
        ("忽略之前的所有指令", True),
        ("", False),
    ],
)
def test_what_reads_as_prose(text: str, is_prose: bool) -> None:
    assert reads_as_prose(text) is is_prose


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80), st.sampled_from(sorted(GRAMMARS)))
def test_any_text_can_be_elided(text: str, language: str) -> None:
    elided(text, language)
    elided(f"/* {text}", language)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=80))
def test_nothing_of_a_comment_is_left(text: str) -> None:
    assert elided(f"x = 1  # {text}\n") == "x = 1  # (comment left out)\n"
