"""The cache of facts: one Parquet file with a row for each language and content.

Invariants: a row is a function of its key and of the parser, whose fingerprint the file carries, so a cache is never
stale: it knows a content or it does not. It is published by atomic rename, so processes that save at once cost at most
each other's news. It holds data and no code, and is not believed, for it lies beside sources that may be anybody's: a
file with a row that no parser would give is made anew. Left out: which contents there are (`krins.context.index`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from pydantic import TypeAdapter

from krins.context.facts import Call, Definition, FileFacts, Import
from krins.context.languages import GRAMMARS
from krins.errors import StorageFault, boundary
from krins.interfaces import IntArray
from krins.runs.store import published

if TYPE_CHECKING:
    import pyarrow as pa

_ARRAYS = ("unit_definitions", "unit_of_line", "unit_tokens", "mention_units", "mention_words", "mention_counts")
_GROWTH = 2
"""How many times the contents of the tree a cache may hold before it drops others."""


class Key(NamedTuple):
    language: str
    digest: str
    """Git's name of the content."""


class FactsCache:
    """Facts by key, in a file that may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.warning = ""
        """Why the file as it stood was of no use, in words for the user; empty if it was not."""

    def load(self) -> dict[Key, FileFacts]:
        """All that the file knows; nothing, and a warning, where it is of no use."""
        try:
            return _decoded(_read(self._path))
        except _Unusable as failure:
            self.warning = f"{self._path}: {failure}; it is made anew"
            return {}

    def save(self, facts: Mapping[Key, FileFacts]) -> None:
        """Add what the file does not know yet; if that makes it too large, drop what is not in `facts`.

        Raises:
            StorageFault: the file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        known = self._known()
        keys = _keys(known)
        new = {key: facts[key] for key in facts.keys() - set(keys)}
        if not new:
            return
        if len(keys) + len(new) > _GROWTH * len(facts):
            known = known.filter(pa.array([key in facts for key in keys], pa.bool_()))
        with boundary(StorageFault, f"{self._path}: has no folder", "mend the permissions", catch=OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.concat_tables([known, _encoded(new)])
        with published(self._path) as draft, pa.OSFile(os.fsencode(draft), "wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    def _known(self) -> pa.Table:
        """The file's rows as they are now, by whoever; not those that have proved of no use."""
        with suppress(_Unusable):
            if not self.warning:
                return _read(self._path)
        return _encoded({})


class _Unusable(Exception):
    """Why a file cannot serve as cache."""


class _Outline(NamedTuple):
    """What of a file's facts is no array and no word; kept as JSON."""

    n_lines: int
    has_errors: bool
    definitions: tuple[Definition, ...]
    imports: tuple[Import, ...]
    calls: tuple[Call, ...]


_OUTLINE = TypeAdapter(_Outline)


@cache
def _schema() -> pa.Schema:
    import pyarrow as pa

    text, integers = pa.string(), pa.list_(pa.field("element", pa.int32(), nullable=False))
    types = {"language": text, "digest": text, "outline": text}
    types["words"] = pa.list_(pa.field("element", text, nullable=False))
    types.update(dict.fromkeys(_ARRAYS, integers))
    columns = [pa.field(name, type_, nullable=False) for name, type_ in types.items()]
    return pa.schema(columns, {"krins.context.parser": _fingerprint()})


def _fingerprint() -> str:
    """Of all that facts depend on beside the source: this package's code, the grammars and the tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    for name in ("bpe-openai", "tree-sitter", *sorted(grammar.package for grammar in GRAMMARS.values())):
        with suppress(metadata.PackageNotFoundError):
            digest.update(f"{name} {metadata.version(name)}\n".encode())
    return digest.hexdigest()


def _read(path: Path) -> pa.Table:
    """The file as a table; an empty one if there is no file.

    Raises:
        _Unusable: it is damaged, or something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.exists() and not path.is_file():
            raise _Unusable("is not a regular file")  # to open a pipe would wait for a writer
        with pa.OSFile(os.fsencode(path)) as file:  # opened once: another may take its place at any moment
            table = pq.ParquetFile(file, page_checksum_verification=True).read()
        table.validate(full=True)
    except FileNotFoundError:
        return _encoded({})
    except (OSError, ValueError, pa.ArrowException) as failure:  # ValueError: a column's name is not UTF-8
        raise _Unusable(f"cannot be read as a cache ({failure})") from failure
    if not table.schema.equals(_schema(), check_metadata=True):
        raise _Unusable("was written by another version of krins or of a grammar")
    return table


def _encoded(facts: Mapping[Key, FileFacts]) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, object] = {
        "language": [key.language for key in facts],
        "digest": [key.digest for key in facts],
        "outline": [
            json.dumps(_Outline(one.n_lines, one.has_errors, one.definitions, one.imports, one.calls))
            for one in facts.values()
        ],
        "words": [one.words for one in facts.values()],
    }
    for name in _ARRAYS:
        parts: list[IntArray] = [getattr(one, name) for one in facts.values()]
        starts = np.cumsum([0, *map(len, parts)], dtype=np.int32)
        values = np.concatenate([np.zeros(0, dtype=np.int32), *parts])
        columns[name] = pa.ListArray.from_arrays(starts, values, type=_schema().field(name).type)
    return pa.table(columns, schema=_schema())


def _keys(table: pa.Table) -> list[Key]:
    return [Key(*key) for key in zip(table["language"].to_pylist(), table["digest"].to_pylist(), strict=True)]


def _decoded(table: pa.Table) -> dict[Key, FileFacts]:
    """Facts of each row.

    Raises:
        _Unusable: a row is no facts.
    """
    words = map(tuple, _lists(table, "words", _shared_strings))
    arrays = zip(*(_lists(table, name, _integers) for name in _ARRAYS), strict=True)
    found = {}
    for key, outline, own_words, row in zip(_keys(table), table["outline"].to_pylist(), words, arrays, strict=True):
        try:
            rest = _OUTLINE.validate_json(outline)._asdict()
        except ValueError:
            raise _Unusable("holds what is no facts of a file") from None
        one = FileFacts(language=key.language, words=own_words, **rest, **dict(zip(_ARRAYS, row, strict=True)))
        if not _is_sound(one):
            raise _Unusable("holds what is no facts of a file")
        found[key] = one
    return found


Values = TypeVar("Values", list[str], IntArray)


def _lists(table: pa.Table, name: str, values_of: Callable[[pa.Array], Values]) -> Iterator[Values]:
    column = table[name].combine_chunks()
    values = values_of(column.values)
    for start, end in pairwise(column.offsets.to_pylist()):
        yield values[start:end]


def _integers(column: pa.Array) -> IntArray:
    values: IntArray = column.to_numpy()
    return values


def _shared_strings(column: pa.Array) -> list[str]:
    """Equal strings are one object: most words of a tree stand in many files."""
    encoded = column.dictionary_encode()
    return list(map(encoded.dictionary.to_pylist().__getitem__, encoded.indices.to_pylist()))


def _is_sound(facts: FileFacts) -> bool:
    """Whether the numbers are such that everything they point to is there."""
    n_units, n_definitions = facts.n_units, len(facts.definitions)
    return (
        n_units == len(facts.unit_tokens)
        and facts.n_lines == len(facts.unit_of_line)
        and len(facts.mention_units) == len(facts.mention_words) == len(facts.mention_counts)
        and n_units > 0
        and facts.unit_definitions[0] == -1
        and _are_within(facts.unit_definitions[1:], n_definitions)
        and _are_within(facts.unit_of_line, n_units)
        and _are_within(facts.mention_units, n_units)
        and _are_within(facts.mention_words, len(facts.words))
        and bool(np.all(np.diff(facts.mention_units) >= 0))
        and all(0 <= call.unit < n_units for call in facts.calls)
        and all(0 < imported.line <= facts.n_lines for imported in facts.imports)
        and all(
            -1 <= one.parent < at and min(one[3:7]) > 0 and min(one[7:9]) >= 0 and max(one[3:9]) <= facts.n_lines
            for at, one in enumerate(facts.definitions)
        )
    )


def _are_within(values: IntArray, end: int) -> bool:
    return not len(values) or (int(values.min()) >= 0 and int(values.max()) < end)


__all__ = ["FactsCache", "Key"]
