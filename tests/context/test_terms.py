from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.context.terms import holders, query_terms, terms_of


@pytest.mark.parametrize(
    ("word", "terms"),
    [
        ("parse", ("parse",)),
        ("parseHTTPResponse", ("parse", "http", "response", "parsehttpresponse")),
        ("_parse_url2", ("parse", "url", "2", "parse_url2")),
        ("__init__", ("init",)),
        ("XMLHttpRequest", ("xml", "http", "request", "xmlhttprequest")),
        ("größe", ("gr", "öß", "e", "größe")),
        ("_", ("",)),
    ],
)
def test_words_come_apart_at_case_digits_and_underscores(word: str, terms: tuple[str, ...]) -> None:
    assert terms_of(word) == terms


def test_a_task_is_counted_without_what_every_task_says() -> None:
    assert query_terms("Fix the cookie: a cookie's CrossSite_x is x") == {
        "cookie": 2,
        "cross": 1,
        "site": 1,
        "crosssite_x": 1,
    }


def test_words_are_found_by_their_parts_and_not_by_chance() -> None:
    words = ["Cookie", "SecureCookie", "cookies", "secure"]
    assert holders(words, ["cookie", "secure", "absent"]) == {"cookie": [0, 1], "secure": [1, 3], "absent": []}
    assert holders(words, []) == {}


@given(st.lists(st.text(alphabet="abXY1_é", min_size=1), max_size=8), st.lists(st.text(alphabet="abxy1_é", min_size=1)))
def test_the_short_cut_finds_all_that_splitting_finds(words: list[str], terms: list[str]) -> None:
    expected = {term: [i for i, word in enumerate(words) if term in terms_of(word)] for term in terms}
    assert holders(words, terms) == expected
