"""What holds of the facts of any text, in any language: random, real, cut off and corrupted."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import krins
from krins.context.bpe import encoder
from krins.context.facts import FileFacts, Kind
from krins.context.languages import GRAMMARS, LANGUAGES
from krins.context.parsing import parse
from tests.context.samples import SAMPLES

_WORDS = """
def class function fn func struct enum interface namespace module end import require use using include export type
const let var return if else try self this async static public a b f A B 0 1
@ # // /* */ /// #[x] <?php ${ } { ( ) [ ] < > ; : , . = => -> :: == " ' ` \\ é 計
"""
_FRAGMENTS = st.sampled_from([*_WORDS.split(), "\n", "\r\n", "\t", "\x00", "\f", "\ufeff"])
_TEXTS = st.one_of(st.text(max_size=80), st.lists(_FRAGMENTS, max_size=40).map(" ".join))
_LANGUAGES = st.sampled_from(LANGUAGES)


def check(source: bytes, found: FileFacts) -> None:
    lines = source.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    assert found.n_lines == len(lines) == len(found.unit_of_line)
    _check_definitions(found)
    _check_units(found)
    _check_contents(lines, found)
    assert len(set(found.calls)) == len(found.calls)
    assert all(0 <= call.unit < found.n_units and call.name for call in found.calls)
    assert all(1 <= one.line <= found.n_lines for one in found.imports)


def _check_definitions(found: FileFacts) -> None:
    starts = [one.start_line for one in found.definitions]
    assert starts == sorted(starts)
    for index, one in enumerate(found.definitions):
        assert one.name
        assert 1 <= one.start_line <= one.signature_start <= one.signature_end <= one.end_line <= found.n_lines
        if one.doc_start or one.doc_end:
            assert one.start_line <= one.doc_start <= one.doc_end <= one.end_line
        assert -1 <= one.parent < index
        if one.parent >= 0:
            around = found.definitions[one.parent]
            assert around.kind is not Kind.VARIABLE
            assert around.start_line <= one.start_line <= one.end_line <= around.end_line


def _check_units(found: FileFacts) -> None:
    owned = set(found.unit_of_line.tolist())
    assert set(range(1, found.n_units)) <= owned <= set(range(found.n_units))
    assert found.unit_definitions.tolist()[0] == -1
    assert np.all(np.diff(found.unit_definitions) > 0)
    for unit, index in enumerate(found.unit_definitions.tolist()[1:], 1):
        one = found.definitions[index]
        own = np.flatnonzero(found.unit_of_line == unit) + 1
        assert one.kind is not Kind.VARIABLE
        assert one.start_line <= own[0] <= own[-1] <= one.end_line
        while one.parent >= 0:
            one = found.definitions[one.parent]
            assert one.kind is Kind.CLASS


def _check_contents(lines: list[bytes], found: FileFacts) -> None:
    words = GRAMMARS[found.language].words
    assert len(set(found.words)) == len(found.words)
    assert np.all(np.diff(found.mention_units) >= 0)
    for unit in range(found.n_units):
        text = b"".join(line for line, owner in zip(lines, found.unit_of_line, strict=True) if owner == unit).decode()
        own = found.mention_units == unit
        counts = zip(found.mention_words[own].tolist(), found.mention_counts[own].tolist(), strict=True)
        assert {found.words[word]: n for word, n in counts} == Counter(words.findall(text))
        assert found.unit_tokens[unit] == encoder("o200k_base").count(text)


@given(_TEXTS, _LANGUAGES)
@settings(max_examples=200, deadline=None)
@example("é", "python")
@example("class A:", "python")
def test_any_text(text: str, language: str) -> None:
    source = text.encode()
    check(source, parse(source, language))


@pytest.mark.parametrize("language", LANGUAGES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_samples_cut_off_and_corrupted(language: str, data: st.DataObject) -> None:
    source = SAMPLES[language]
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, len(source)))
    replacement = data.draw(st.one_of(st.just(""), _FRAGMENTS, st.text(max_size=5)))
    for changed in (source[:start] + replacement + source[end:], source[start:end]):
        encoded = changed.encode()
        check(encoded, parse(encoded, language))


@pytest.mark.parametrize("language", LANGUAGES)
@given(other=_LANGUAGES)
@settings(max_examples=5, deadline=None)
def test_samples_of_another_language(language: str, other: str) -> None:
    source = SAMPLES[other].encode()
    check(source, parse(source, language))


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_real_files_cut_off_and_corrupted(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(_files())).splitlines(keepends=True)
    start = data.draw(st.integers(0, len(lines)))
    end = data.draw(st.integers(start, len(lines)))
    replacement = data.draw(st.one_of(st.just([]), st.lists(_FRAGMENTS, max_size=3)))
    source = "".join([*lines[:start], *replacement, *lines[end:]]).encode()
    check(source, parse(source, "python"))


@given(_TEXTS, _LANGUAGES)
@settings(max_examples=50, deadline=None)
def test_facts_are_a_function_of_language_and_bytes(text: str, language: str) -> None:
    one, other = parse(text.encode(), language), parse(text.encode(), language)
    for name in FileFacts.__slots__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == np.int32
            assert np.array_equal(mine, theirs)
        else:
            assert mine == theirs


@given(st.lists(st.sampled_from(["def f():\n    return f()\n", "X = 1\n", "\n", "class A:\n    def m(self): g()\n"])))
@settings(max_examples=50, deadline=None)
def test_what_is_put_before_moves_lines_alone(parts: list[str]) -> None:
    source = "".join(parts)
    found, moved = (parse(text.encode(), "python") for text in (source, f"\n\n\n{source}"))
    assert [one.start_line + 3 for one in found.definitions] == [one.start_line for one in moved.definitions]
    assert [*[0] * 3, *found.unit_of_line.tolist()] == moved.unit_of_line.tolist()
    assert found.calls == moved.calls


@cache
def _files() -> list[str]:
    paths = sorted(Path(krins.__file__).parent.rglob("*.py"))
    return [path.read_text(encoding="utf-8") for path in paths[::15]]
