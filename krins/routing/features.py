"""Features: numbers that say what a task is like, known before anybody has answered it.

    names        columns
    intercept    1
    one_hot      for each field one column a value; no column for unknown values, nor for values not met in fitting
    length       log prompt length, in robust standard deviations from the median, cut off at 3 and divided by 3
    words        signed hashes of the distinct word n-grams of the prompt, scaled to unit length
    characters   the same of character n-grams
    embedding    leading columns of a table of static word vectors, averaged over the prompt, less the average of the
                 fitted tasks, scaled to unit length

Scale: each block has a Euclidean length of at most 1, so that the square of a row's is at most the number of blocks,
and the prior precision of a ridge regression means the same for all. An unknown (empty) prompt is 0 in all of them.

Invariants: nothing here has met an outcome. A `Task` holds none, and its difficulty, which those who judge it often
take from the solution, is refused unless the spec states that it is known at routing time. Fitting looks at the tasks
alone (values that occur, median length, mean embedding), so that fitting on all tasks of a table leaks nothing of what
came of them. The same tasks give the same bytes whatever Python's hash seed, and on any machine: text is hashed by
CRC-32, n-grams are counted in whole numbers, and columns are rounded to nine decimals, beyond which logarithms differ.
Left out: features of arms, and of anything but the task. The embedding's table is read from an installed package, the
only thing that is read here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from krins.domain import Task
from krins.errors import UserError
from krins.interfaces import FloatArray

ONE_HOT_FIELDS = ("category", "language", "repository", "difficulty")
EMBEDDING_COLUMNS = 256
_WORD = re.compile(r"\w+|[^\w\s]")
_CUT_OFF = 3.0
_MAD_OF_NORMAL = 0.6744897501960817
"""Median absolute deviation of a standard normal variable."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which features to use.

    Raises:
        ValueError: there is no feature, a field is unknown, from the outcome, named twice, or the difficulty of which
            nothing is stated; or a number is out of its range.
    """

    intercept: bool = True
    one_hot: tuple[str, ...] = ("category",)
    """Fields of `Task`, out of `ONE_HOT_FIELDS`."""
    length: bool = False
    word_buckets: int = 0
    """Columns that word n-grams are hashed into; 0 leaves them out."""
    word_orders: tuple[int, int] = (1, 2)
    """From and to how many words."""
    character_buckets: int = 0
    """Columns that character n-grams are hashed into; 0 leaves them out."""
    character_orders: tuple[int, int] = (3, 5)
    embedding: int = 0
    """Columns kept of the 256 of the embedding; 0 leaves it out. It was trained so that the leading 64 or 128 columns
    serve by themselves. Needs the extra `krins[embedding]`."""
    difficulty_known_at_routing: bool = False
    """Whoever sets this vouches that difficulties were judged without the solution and before any answer."""

    def __post_init__(self) -> None:
        _check_fields(self.one_hot, self.difficulty_known_at_routing)
        for buckets, (low, high) in (
            (self.word_buckets, self.word_orders),
            (self.character_buckets, self.character_orders),
        ):
            if buckets < 0 or not 1 <= low <= high:
                found = f"{buckets} and {(low, high)}"
                raise ValueError(f"n-grams take at least 0 buckets and orders 1 <= low <= high, got {found}")
        if not 0 <= self.embedding <= EMBEDDING_COLUMNS:
            raise ValueError(f"embedding keeps from 0 to {EMBEDDING_COLUMNS} columns, got {self.embedding}")
        of_prompt = self.length, self.word_buckets, self.character_buckets, self.embedding
        if not any((self.intercept, self.one_hot, *of_prompt)):
            raise ValueError("a spec names at least one feature")

    def fit(self, tasks: Sequence[Task]) -> FeatureMap:
        """Vocabularies, the usual length and the usual embedding of these tasks, of which no outcome is looked at.

        Raises:
            ValueError: there is no task.
            UserError: an embedding is asked for and not installed.
        """
        if not tasks:
            raise ValueError("features are fitted on at least one task")
        vocabularies = tuple(
            tuple(sorted({value for task in tasks if (value := getattr(task, field)) is not None}))
            for field in self.one_hot
        )
        prompts = [task.prompt for task in tasks if task.prompt]
        lengths = np.array([math.log(len(prompt)) for prompt in prompts] or [0.0])
        median = float(np.median(lengths))
        spread = float(np.median(np.abs(lengths - median))) / _MAD_OF_NORMAL
        centre = np.zeros(self.embedding)
        if self.embedding and prompts:
            centre = np.mean([_embed(prompt)[: self.embedding] for prompt in prompts], axis=0)
        return FeatureMap(self, vocabularies, median, spread or 1.0, tuple(centre.tolist()))


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """From tasks to rows of numbers, the same for whatever tasks stand beside."""

    spec: FeatureSpec
    vocabularies: tuple[tuple[str, ...], ...]
    """Values of each field of `spec.one_hot`, sorted; any other gives zeros."""
    median_log_length: float
    """Of the fitted prompts, in characters."""
    spread_log_length: float
    """Their robust standard deviation; 1 where all are equally long."""
    embedding_centre: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What each column is."""
        spec = self.spec
        values = (f"{f}={value}" for f, known in zip(spec.one_hot, self.vocabularies, strict=True) for value in known)
        return (
            *(("intercept",) if spec.intercept else ()),
            *values,
            *(("length",) if spec.length else ()),
            *(f"words[{i}]" for i in range(spec.word_buckets)),
            *(f"characters[{i}]" for i in range(spec.character_buckets)),
            *(f"embedding[{i}]" for i in range(spec.embedding)),
        )

    def transform(self, tasks: Sequence[Task]) -> FloatArray:
        """Shape (n_tasks, n_features), columns as in `names`.

        Raises:
            UserError: an embedding is asked for and not installed.
        """
        rows = np.array([np.concatenate(self._blocks(task)) for task in tasks]).reshape(len(tasks), len(self.names))
        # Adding 0 makes -0 a 0, which has other bytes.
        return np.round(rows, 9) + 0.0

    def _blocks(self, task: Task) -> list[FloatArray]:
        spec, blocks = self.spec, []
        if spec.intercept:
            blocks.append(np.ones(1))
        for field, known in zip(spec.one_hot, self.vocabularies, strict=True):
            blocks.append(np.array([getattr(task, field) == value for value in known], np.float64))
        if spec.length:
            blocks.append(np.array([self._length(task.prompt)]))
        if spec.word_buckets:
            words = _WORD.findall(task.prompt.lower())
            blocks.append(_hashed(_ngrams(words, spec.word_orders, "\0".join), spec.word_buckets))
        if spec.character_buckets:
            text = " ".join(task.prompt.lower().split())
            blocks.append(_hashed(_ngrams(text, spec.character_orders, str), spec.character_buckets))
        if spec.embedding:
            blocks.append(self._embedding(task.prompt))
        return blocks

    def _length(self, prompt: str) -> float:
        if not prompt:
            return 0.0
        deviations = (math.log(len(prompt)) - self.median_log_length) / self.spread_log_length
        return min(max(deviations, -_CUT_OFF), _CUT_OFF) / _CUT_OFF

    def _embedding(self, prompt: str) -> FloatArray:
        if not prompt:
            return np.zeros(self.spec.embedding)
        return _unit(_embed(prompt)[: self.spec.embedding] - np.array(self.embedding_centre))


def _check_fields(fields: tuple[str, ...], difficulty_known_at_routing: bool) -> None:
    for field in fields:
        if field not in ONE_HOT_FIELDS:
            raise ValueError(
                f"{field!r} is no feature: features are known before a task is answered, never anything that comes of "
                f"an answer; one_hot takes {', '.join(ONE_HOT_FIELDS)}"
            )
    if len(set(fields)) < len(fields):
        raise ValueError(f"one_hot names each field once, got {fields}")
    if "difficulty" in fields and not difficulty_known_at_routing:
        raise ValueError(
            "difficulty leaks where it was judged by the solution or by answers, as in most benchmarks; leave it out "
            "of one_hot, or state difficulty_known_at_routing=True if it is known when a task comes in"
        )


def _ngrams(parts: Sequence[Any], orders: tuple[int, int], join: Callable[[Any], str]) -> set[str]:
    """Distinct n-grams of all orders."""
    low, high = orders
    longest = min(high, len(parts))
    return {join(parts[i : i + n]) for n in range(low, longest + 1) for i in range(len(parts) - n + 1)}


def _hashed(grams: Iterable[str], buckets: int) -> FloatArray:
    """Shape (buckets,): sums of signs, of unit length.

    Weinberger et al., Feature hashing for large scale multitask learning (2009): with signs, n-grams that share a
    bucket cancel on average instead of adding up.
    """
    counts = [0] * buckets
    for gram in grams:
        bucket, sign = _signed_bucket(gram, buckets)
        counts[bucket] += sign
    return _unit(np.array(counts, np.float64))


def _signed_bucket(gram: str, buckets: int) -> tuple[int, int]:
    code = crc32(gram.encode("utf-8", "surrogatepass"))
    return (code >> 1) % buckets, 1 if code & 1 else -1


def _unit(vector: FloatArray) -> FloatArray:
    """Scaled to unit length; zero stays zero."""
    length = math.sqrt(math.fsum(vector * vector))
    return vector / length if length else vector


def _embed(prompt: str) -> FloatArray:
    """Shape (256,): mean vector of the prompt's tokens."""
    tokenizer, table = _embedding_model()
    tokens = np.array(tokenizer.encode(prompt, add_special_tokens=False).ids, np.int64)
    # Vectors are of half precision, so that sums of doubles are exact in any order.
    total: FloatArray = table[tokens].sum(axis=0, dtype=np.float64)
    return total / max(len(tokens), 1)


@cache
def _embedding_model() -> tuple[Any, Any]:
    """Tokenizer and token vectors, shape (n_tokens, 256), that are part of the `wordllama` package.

    They are read without it: its own loader looks for the tokenizer in a folder that it does not have and then asks
    the network, and importing it sets up logging for the whole process.
    """
    found = find_spec("wordllama")
    if found is None or found.origin is None:
        raise UserError(
            "the feature `embedding` needs a package that is not installed", "pip install 'krins[embedding]'"
        )
    folder = Path(found.origin).parent
    tokenizer = import_module("tokenizers").Tokenizer.from_file(
        str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
    )
    weights = import_module("safetensors.numpy").load_file(folder / "weights" / "l2_supercat_256.safetensors")
    return tokenizer, weights["embedding.weight"]
