"""Rows of any source as an outcome table in Parquet: checked, unique, and counted.

Invariants: rows are written in the order in which they come, in groups, so memory does not grow with their number;
every value is checked before it is written, and a wrong one is named with file and record; (task_id, model, sample)
is unique; the same rows make the same bytes with the same version of Arrow.
Left out: where the table is published (whoever calls gives a draft's path), and what a source's files look like.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from krins.errors import TableError

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
"""Values by column; a column that is not in it is unknown. `source` is the record that it was read from."""
Ask = Callable[[str], Iterator[dict[str, Any]]]
"""Answers a query in SQL, row by row."""

GROUP = 20_000
"""Rows held at a time."""
_MEMORY = "512MB"
"""What a query may take before it goes on in files."""
_MEND = "mend or leave out that record"
_TEXTS = ("task_id", "model", "repo", "category", "language", "difficulty", "prompt", "failure", "date", "source")
_REALS = ("quality", "cost_usd", "latency_s")
_COUNTS = ("sample", "input_tokens", "output_tokens")
_MARK = "contaminated"
_KEY = ("task_id", "model", "sample")
_COLUMNS = (
    *("task_id", "model", "sample", "quality", "cost_usd", "input_tokens", "output_tokens", "latency_s", "failure"),
    *("repo", "category", "language", "difficulty", "prompt", "date", "source"),
)


@dataclass(frozen=True)
class Imported:
    """What an import wrote."""

    n_rows: int
    n_tasks: int
    n_models: int
    n_cells: int
    """(task, model) pairs that have an outcome."""
    unknown: Mapping[str, int]
    """Rows without a value, by column, where there are any."""
    notes: Mapping[str, int]
    """What was left out or made of something else, and how often; in the order in which it was met."""
    sha256: str
    """Of the table's bytes."""


def write_table(
    rows: Iterable[Row], draft: Path, notes: Counter[str], extra: Sequence[str] = (), what: str = "the log"
) -> Imported:
    """Write `rows` as an outcome table to `draft`; `notes` is read when they have all come.

    `extra` are the source's own columns: texts, but for `contaminated`, which is a boolean.

    Raises:
        TableError: there is no row, a value cannot be, or two rows are of the same (task_id, model, sample).
    """
    import pyarrow.parquet as pq

    schema = _schema(extra)
    texts = [*_TEXTS, *(name for name in extra if name != _MARK)]
    remaining = (_checked(row, texts) for row in rows)
    unknown: Counter[str] = Counter()
    with pq.ParquetWriter(draft, schema) as writer:
        while group := list(islice(remaining, GROUP)):
            batch = _batch(group, schema)
            unknown.update({name: batch.column(name).null_count for name in schema.names})
            writer.write_batch(batch)
    counts = _counts(draft)
    if counts["n_rows"] == 0:
        raise TableError(f"{what}: nothing can be imported: {_listed(notes)}", "is this the right file?")
    del unknown["failure"]  # null is no failure
    return Imported(**counts, unknown=+unknown, notes=dict(+notes), sha256=_sha256(draft))


def _schema(extra: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    typed = ((_TEXTS, pa.string()), (_REALS, pa.float64()), (_COUNTS, pa.int64()))
    kinds = {name: kind for names, kind in typed for name in names}
    own = {name: pa.bool_() if name == _MARK else pa.string() for name in extra}
    return pa.schema([(name, kinds[name]) for name in _COLUMNS] + list(own.items()))


def _batch(group: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [pa.array([row.get(name) for row in group], type=schema.field(name).type) for name in schema.names]
    return pa.record_batch(columns, schema=schema)


def _checked(row: Row, texts: Sequence[str]) -> Row:
    """`row` with a sample number, once each of its values can be."""
    source = row["source"]
    for name in ("task_id", "model"):
        if row.get(name) in (None, ""):
            raise TableError(f"{source}: there is no {name}", "an outcome is of one task and one model")
    check_texts(row, texts)
    for name in _REALS:
        number = row.get(name)
        if number is not None and not (isinstance(number, int | float) and math.isfinite(number) and number >= 0):
            raise TableError(f"{source}: {name} is {number!r}", _MEND)
    if (row.get("quality") or 0) > 1:
        raise TableError(f"{source}: quality is {row['quality']}, and lies in [0, 1]", "import a score of that range")
    for name in _COUNTS:
        number = row.get(name)
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**63):
            raise TableError(f"{source}: {name} is {number!r}, and is a whole number", _MEND)
    return {"sample": 0, **row}


def check_texts(row: Row, names: Sequence[str]) -> None:
    """Raises TableError where what a column of texts would get is none, or none that UTF-8 can hold."""
    for name in names:
        value = row.get(name)
        if value is not None and not _is_text(value):
            raise TableError(f"{row['source']}: {name} is {repr(value)[:80]}, which is no text", _MEND)


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(value.isascii() or value.encode())
    except UnicodeEncodeError:  # JSON can hold half a surrogate pair
        return False


def _counts(draft: Path) -> dict[str, int]:
    """Rows, tasks, models and cells of a table that has no answer twice."""
    with querying(draft) as ask:
        twice = ask(
            f"select {', '.join(_KEY)}, min(source) as first, max(source) as other, count(*) over () - 1 as n_more"
            f" from rows group by {', '.join(_KEY)} having count(*) > 1 order by {', '.join(_KEY)} limit 1"
        )
        for found in twice:
            places = " and ".join(dict.fromkeys((found["first"], found["other"])))
            more = f"; and so {found['n_more']} more" if found["n_more"] else ""
            raise TableError(
                f"sample {found['sample']} of task {found['task_id']} by model {found['model']} stands twice: "
                f"{places}{more}",
                "import one of them only: of a run that was repeated, the last log",
            )
        return next(
            ask(
                "select count(*) as n_rows, count(distinct task_id) as n_tasks, count(distinct model) as n_models,"
                " count(distinct (task_id, model)) as n_cells from rows"
            )
        )


@contextmanager
def querying(parquet: Path) -> Iterator[Ask]:
    """Ask a Parquet file in SQL, as the view `rows`; what does not fit into memory goes to a temporary folder."""
    import duckdb

    def ask(query: str) -> Iterator[dict[str, Any]]:
        answer = connection.execute(query)
        names = [name for name, *_ in answer.description or ()]
        while group := answer.fetchmany(GROUP):
            yield from (dict(zip(names, values, strict=True)) for values in group)

    with TemporaryDirectory() as folder:
        connection = duckdb.connect(config={"temp_directory": folder, "memory_limit": _MEMORY})
        with connection:
            connection.execute(f"create view rows as from read_parquet({sql_path(parquet)})")
            yield ask


def sql_path(path: Path) -> str:
    """`path` as DuckDB takes it: a pattern, in quotes."""
    pattern = "".join(f"[{char}]" if char in "*?[" else char for char in str(path))
    return "'" + pattern.replace("'", "''") + "'"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(notes: Mapping[str, int]) -> str:
    return "; ".join(f"{n:,} {what}" for what, n in notes.items()) or "it holds no records"


def summary(done: Imported) -> Iterator[str]:
    """Lines that say what was imported, for a reader."""
    yield f"{done.n_rows:,} outcomes of {done.n_tasks:,} tasks by {done.n_models:,} models"
    all_cells = done.n_tasks * done.n_models
    if all_cells > done.n_cells:
        yield f"missing: {all_cells - done.n_cells:,} of {all_cells:,} (task, model) cells"
    if nowhere := [name for name, n in done.unknown.items() if n == done.n_rows]:
        yield f"unknown throughout: {', '.join(nowhere)}"
    if somewhere := [f"{name} in {n:,} rows" for name, n in done.unknown.items() if n < done.n_rows]:
        yield f"unknown: {', '.join(somewhere)}"
    if "quality" in nowhere:
        yield "no quality is known: this table cannot be run until somebody says which answers were right"
    for what, n in done.notes.items():
        yield f"note: {n:,} {what}"
    yield f"sha256: {done.sha256}"
