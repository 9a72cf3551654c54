"""What columns say, what is refused, and that the same tasks give the same bytes."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.domain import Task
from krins.errors import UserError
from krins.interfaces import FloatArray
from krins.routing.features import FeatureSpec, _signed_bucket

TASKS = (
    Task("a", "Fix the parser", "bugfix", "hard", "python", "x/one"),
    Task("b", "Write tests: parse the file, parse the line", "test", None, "python", "x/two"),
    Task("c", "", None, "easy", None, None),
    Task("d", "Löse das Problem 🐍 in parser.py", "bugfix", "easy", "rust", "x/one"),
)
ALL = FeatureSpec(one_hot=("category", "language", "repository"), length=True, word_buckets=16, character_buckets=16)
texts = st.text(max_size=60)
some_tasks = st.lists(
    st.builds(Task, texts, texts, st.none() | texts, st.none() | texts, st.none() | texts, st.none() | texts),
    min_size=1,
    max_size=6,
)
repeated = settings(deadline=None, max_examples=50, derandomize=True)


def rows(spec: FeatureSpec, tasks: Sequence[Task] = TASKS) -> FloatArray:
    return spec.fit(tasks).transform(tasks)


def column(spec: FeatureSpec, name: str) -> list[float]:
    fitted = spec.fit(TASKS)
    return [float(value) for value in fitted.transform(TASKS)[:, fitted.names.index(name)]]


def test_columns_have_names_and_an_order() -> None:
    assert ALL.fit(TASKS).names[:9] == (
        "intercept",
        "category=bugfix",
        "category=test",
        "language=python",
        "language=rust",
        "repository=x/one",
        "repository=x/two",
        "length",
        "words[0]",
    )
    assert rows(ALL).shape == (4, len(ALL.fit(TASKS).names)) == (4, 40)
    assert rows(ALL).dtype == np.float64


def test_one_hot_by_hand() -> None:
    assert column(ALL, "intercept") == [1.0] * 4
    assert column(ALL, "category=bugfix") == [1.0, 0.0, 0.0, 1.0]
    assert column(ALL, "language=rust") == [0.0, 0.0, 0.0, 1.0]
    assert column(ALL, "repository=x/two") == [0.0, 1.0, 0.0, 0.0]


def test_values_not_met_in_fitting_give_zeros() -> None:
    fitted = FeatureSpec(one_hot=("category", "repository")).fit(TASKS)
    assert fitted.vocabularies == (("bugfix", "test"), ("x/one", "x/two"))
    new = fitted.transform([Task("n", category="refactoring", repository="y/new")])
    assert new.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0]]


def test_length_by_hand() -> None:
    # Log lengths 1, 2, 3 and 9: median 2.5, deviations .5, .5, 1.5 and 6.5 with median 1, which is 1.4826 deviations.
    prompts = ["x" * round(math.exp(n)) for n in (1, 2, 3, 9)]
    tasks = [Task(str(len(prompt)), prompt) for prompt in prompts]
    fitted = FeatureSpec(intercept=False, one_hot=(), length=True).fit(tasks)
    logs = np.log([len(prompt) for prompt in prompts])
    centre = (logs[1] + logs[2]) / 2.0
    spread = 1.482602218505602 * np.median(np.abs(logs - centre))
    expected = [(logs[0] - centre) / spread / 3.0, (logs[1] - centre) / spread / 3.0]
    found = fitted.transform(tasks)[:, 0]
    np.testing.assert_allclose(found[:2], expected, atol=1e-9)
    # 6.5 / 1.4826 is beyond 3.
    assert found[3] == 1.0
    assert fitted.transform([Task("unknown")]).tolist() == [[0.0]]


def test_prompts_of_one_length_are_average() -> None:
    spec = FeatureSpec(intercept=False, one_hot=(), length=True)
    assert rows(spec, [Task("a", "abc"), Task("b", "xyz")]).tolist() == [[0.0], [0.0]]
    assert rows(spec, [Task("a"), Task("b")]).tolist() == [[0.0], [0.0]]


def test_word_ngrams_by_hand() -> None:
    spec = FeatureSpec(intercept=False, one_hot=(), word_buckets=8, word_orders=(1, 2))
    expected = np.zeros(8)
    for gram in ("fix", "the", "bug", "fix\0the", "the\0bug"):
        bucket, sign = _signed_bucket(gram, 8)
        expected[bucket] += sign
    np.testing.assert_allclose(
        rows(spec, [Task("a", "Fix the BUG")])[0], expected / np.linalg.norm(expected), atol=1e-9
    )
    # Said twice it is no other n-gram, spaces are none, and words are not letters.
    assert rows(spec, [Task("a", "fix")]).tolist() == rows(spec, [Task("a", "  FIX \n")]).tolist()
    assert rows(spec, [Task("a", "a b")]).tolist() != rows(spec, [Task("a", "ab")]).tolist()


def test_character_ngrams_by_hand() -> None:
    spec = FeatureSpec(intercept=False, one_hot=(), character_buckets=8, character_orders=(2, 3))
    expected = np.zeros(8)
    for gram in ("a ", " b", "bc", "a b", " bc"):
        bucket, sign = _signed_bucket(gram, 8)
        expected[bucket] += sign
    np.testing.assert_allclose(rows(spec, [Task("x", "A \n bC")])[0], expected / np.linalg.norm(expected), atol=1e-9)


@pytest.mark.parametrize("buckets", [2, 32, 100])
def test_hashes_spread_evenly(buckets: int) -> None:
    # Similar texts, at which a bad hash would show. Normal approximation of chi-square; one in a thousand fails.
    hashed = [_signed_bucket(f"test_case_{i}", buckets) for i in range(20_000)]
    cells = np.bincount([bucket + buckets * (sign > 0) for bucket, sign in hashed], minlength=2 * buckets)
    expected, degrees = 20_000 / (2 * buckets), 2 * buckets - 1
    chi_square = ((cells - expected) ** 2 / expected).sum()
    assert chi_square < degrees + 3.1 * math.sqrt(2 * degrees) + 6.0


@repeated
@given(tasks=some_tasks)
def test_blocks_are_at_most_of_unit_length(tasks: list[Task]) -> None:
    found, names = rows(ALL, tasks), ALL.fit(tasks).names
    assert np.isfinite(found).all()
    for block in ("intercept", "category", "language", "repository", "length", "words", "characters"):
        own = [i for i, name in enumerate(names) if name.startswith(block)]
        assert (np.linalg.norm(found[:, own], axis=1) < 1.0 + 1e-7).all()


@repeated
@given(tasks=some_tasks)
def test_a_row_does_not_depend_on_its_company(tasks: list[Task]) -> None:
    fitted = ALL.fit(tasks)
    together = fitted.transform(tasks)
    alone = np.concatenate([fitted.transform([task]) for task in tasks])
    assert together.tobytes() == alone.tobytes()
    assert ALL.fit(tasks[::-1]) == fitted
    assert fitted.transform([]).shape == (0, len(fitted.names))


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "import hashlib; from tests.routing.test_features import ALL, rows;"
        "print(hashlib.sha256(rows(ALL).tobytes()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {hashlib.sha256(rows(ALL).tobytes()).hexdigest()}


def test_bytes_are_those_of_other_machines() -> None:
    # Whoever changes what a column says changes this, and says so: logged features no longer fit.
    assert hashlib.sha256(rows(ALL).tobytes()).hexdigest()[:16] == "c0970b84b18efcb0"


def test_difficulty_is_refused_unless_it_is_known_beforehand() -> None:
    with pytest.raises(ValueError, match=r"difficulty leaks.*difficulty_known_at_routing=True"):
        FeatureSpec(one_hot=("category", "difficulty"))
    known = FeatureSpec(intercept=False, one_hot=("difficulty",), difficulty_known_at_routing=True)
    assert rows(known).tolist() == [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("field", ["quality", "cost_usd", "output_tokens", "latency_seconds", "reward", "task_id"])
def test_nothing_that_comes_of_an_answer_is_a_feature(field: str) -> None:
    with pytest.raises(ValueError, match=f"'{field}' is no feature.*one_hot takes category"):
        FeatureSpec(one_hot=(field,))


def test_other_specs_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        FeatureSpec(one_hot=("category", "category"))
    with pytest.raises(ValueError, match="at least one feature"):
        FeatureSpec(intercept=False, one_hot=())
    with pytest.raises(ValueError, match="0 buckets"):
        FeatureSpec(word_buckets=-1)
    with pytest.raises(ValueError, match="orders"):
        FeatureSpec(character_buckets=8, character_orders=(3, 2))
    with pytest.raises(ValueError, match="orders"):
        FeatureSpec(word_buckets=8, word_orders=(0, 2))
    with pytest.raises(ValueError, match="from 0 to 256"):
        FeatureSpec(embedding=257)
    with pytest.raises(ValueError, match="at least one task"):
        FeatureSpec().fit([])


def test_an_embedding_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("krins.routing.features.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'krins\[embedding\]'"):
        FeatureSpec(embedding=64).fit([Task("z", "Another prompt")])


@pytest.mark.skipif(find_spec("wordllama") is None, reason="needs the extra krins[embedding]")
def test_embeddings_tell_subjects_apart() -> None:
    spec = FeatureSpec(intercept=False, one_hot=(), embedding=64)
    prompts = [
        "Fix the SQL query planner",
        "The database query fails",
        "Align the button",
        "Change the page's layout",
        "",
    ]
    found = rows(spec, [Task(str(i), prompt) for i, prompt in enumerate(prompts)])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1.0, 1.0, 1.0, 1.0, 0.0], atol=1e-6)
    likeness = found @ found.T
    assert likeness[0, 1] > max(likeness[0, 2], likeness[0, 3])
    assert likeness[2, 3] > max(likeness[2, 0], likeness[2, 1])
