"""The rows of an outcome table, as columns: read by DuckDB, filtered, every value checked.

Invariants: nothing is read past silently: a value that cannot be is an error that names its row in the file.
Unknown text is None, unknown dates are NaT, unknown numbers are NaN (a NaN in the file itself is refused: it says
neither).
Left out: what the rows mean together (`krins.environments.reading`).
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from krins.environments.table import FAILURES
from krins.errors import TableError, boundary
from krins.suite import RecordedEnvironment, Scalar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_REQUIRED = ("task_id", "model", "quality", "cost_usd")
_TOKENS = ("input_tokens", "output_tokens", "context_tokens", "whole_context_tokens")
_NUMBERS = ("quality", "cost_usd", *_TOKENS, "latency_s")
_TEXTS = ("task_id", "model", "repo", "language", "category", "difficulty", "prompt", "failure")
_SQL_TYPES = dict.fromkeys(_NUMBERS, "double") | dict.fromkeys(_TEXTS, "varchar") | {"sample": "double", "date": "date"}
_WRONG = {
    "double": ("which is no number", "write null for unknown"),
    "date": ("which is no date", "write 2025-01-31, or null for unknown; rename a column of another meaning"),
}
"""Of a value that is not of its column's type: what is wrong, and the remedy."""
_LEAST_USD, _MOST_USD = 1e-15, 1e9
_READERS = {
    ".parquet": "read_parquet({path})",
    # Types are ours to check, so that a wrong value is named with its row instead of changing its whole column's type.
    ".csv": "read_csv({path}, header=true, all_varchar=true)",
}


@dataclass(frozen=True)
class Rows:
    """Columns of equal length under our names; `number` is each row's place in the file, from 1."""

    path: Path
    columns: Mapping[str, NDArray[Any]]
    number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number)

    def refuse(self, wrong: NDArray[np.bool_], what: str, column: str | None = None) -> None:
        """Raise TableError naming the first row where `wrong` holds, if there is any."""
        places = np.flatnonzero(wrong)
        if places.size:
            row = int(places[0])
            who = f"task {self.columns['task_id'][row]}, model {self.columns['model'][row]}"
            value = f" ({self.columns[column][row]})" if column else ""
            more = f", and so for {places.size - 1} more rows" if places.size > 1 else ""
            raise TableError(
                f"{self.path}: row {self.number[row]} ({who}): {what}{value}{more}",
                "mend these rows or filter them out with include and exclude",
            )


def read_rows(spec: RecordedEnvironment) -> Rows:
    """Read, filter and check the rows of the table that `spec` names.

    Raises:
        TableError: no such file, unknown columns or filter values, values that cannot be, or no rows left.
    """
    import duckdb

    path = _require_path(spec.table)
    escaped = "".join(f"[{char}]" if char in "*?[" else char for char in str(path))  # DuckDB takes paths as patterns
    source = _READERS[path.suffix.lower()].format(path=_literal(escaped))
    _refuse_repeated_columns(path)
    unreadable = boundary(TableError, f"{path}: cannot be read as a table", "is it what its name says?")
    with duckdb.connect() as connection, unreadable:
        connection.execute(f"create view source as select row_number() over () as row_number, * from {source}")
        present = [name for name, *_ in connection.execute("describe source").fetchall()]
        theirs = _map_columns(present, spec.columns, path)
        condition = _condition(connection, spec, theirs, present, path)
        rows = _fetch(connection, theirs, condition, path)
    _check(rows)
    return rows


def _require_path(path: Path | None) -> Path:
    if path is None:
        raise TableError("the suite names no outcome table", "give one with --table PATH")
    if not path.is_file():
        raise TableError(f"{path}: no such outcome table", "check the path, which is relative to the suite file")
    if path.suffix.lower() not in _READERS:
        raise TableError(f"{path}: an outcome table ends in .parquet or .csv", "convert or rename the file")
    return path


def _refuse_repeated_columns(path: Path) -> None:
    """DuckDB would rename the second one without a word; a Parquet file cannot have two."""
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            header = next(csv.reader(file), [])
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise TableError(f"{path}: two columns are called {', '.join(repeated)}", "rename or remove one")


def _map_columns(present: Sequence[str], renamed: Mapping[str, str], path: Path) -> dict[str, str]:
    """Our name to the table's own name, for every column that we know and the table has."""
    known = ", ".join(_SQL_TYPES)
    unknown = sorted(set(renamed) - set(_SQL_TYPES))
    if unknown:
        raise TableError(f"`columns` maps {', '.join(unknown)}, which krins does not know", f"it knows {known}")
    theirs = {ours: renamed.get(ours, ours) for ours in _SQL_TYPES}
    absent = [theirs[ours] for ours in dict.fromkeys((*_REQUIRED, *renamed)) if theirs[ours] not in present]
    if absent:
        raise TableError(
            f"{path}: there is no column {', '.join(absent)}; the table has {', '.join(present[1:])}",
            "map them in the suite, for instance `columns: {quality: score}`",
        )
    return {ours: name for ours, name in theirs.items() if name in present}


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _condition(
    connection: DuckDBPyConnection,
    spec: RecordedEnvironment,
    theirs: Mapping[str, str],
    present: Sequence[str],
    path: Path,
) -> str:
    """The filters as one SQL condition, once every column and value in them is known to occur."""
    parts = ["true"]
    for selection, keep in ((spec.include, True), (spec.exclude, False)):
        for key, values in selection.items():
            column = theirs.get(key, key)
            if column not in present[1:]:
                raise TableError(
                    f"{path}: a filter names the column {key}, which the table does not have",
                    f"it has {', '.join(present[1:])}",
                )
            texts = [_filter_text(value) for value in values]
            _check_filter_values(connection, column, texts, path)
            test = f"cast({_name(column)} as varchar) in ({', '.join(map(_literal, texts))})"
            parts.append(test if keep else f"coalesce(not {test}, true)")
    return " and ".join(parts)


def _filter_text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_filter_values(connection: DuckDBPyConnection, column: str, texts: Sequence[str], path: Path) -> None:
    query = f"select distinct cast({_name(column)} as varchar) from source where {_name(column)} is not null"
    found = {row[0] for row in connection.execute(query).fetchall()}
    for text in texts:
        if text not in found:
            near = difflib.get_close_matches(text, found, n=3, cutoff=0.4)
            raise TableError(
                f"{path}: a filter on {column} names {text!r}, which does not occur there",
                f"did you mean {', '.join(near)}?" if near else "see `krins-eval describe` for what does",
            )


def _fetch(connection: DuckDBPyConnection, theirs: Mapping[str, str], condition: str, path: Path) -> Rows:
    for ours, name in theirs.items():
        kind = _SQL_TYPES[ours]
        cast = f"try_cast({_name(name)} as {kind})"
        nan = f" or isnan({cast})" if kind == "double" else ""
        wrong = connection.execute(
            f"select row_number, cast({_name(name)} as varchar) from source"
            f" where {condition} and {_name(name)} is not null and ({cast} is null{nan}) order by 1 limit 1"
        ).fetchone()
        if wrong:
            said, remedy = _WRONG[kind]
            raise TableError(f"{path}: row {wrong[0]}: {name} is {wrong[1]!r}, {said}", remedy)
    selected = ", ".join(f"cast({_name(name)} as {_SQL_TYPES[ours]}) as {ours}" for ours, name in theirs.items())
    query = f"select row_number, {selected} from source where {condition} order by row_number"
    arrays = connection.execute(query).fetchnumpy()
    number = np.asarray(arrays.pop("row_number"))
    if len(number) == 0:
        raise TableError(f"{path}: no rows are left after include and exclude", "loosen the filters")
    return Rows(path, {name: _plain(values) for name, values in arrays.items()}, number)


def _plain(values: Any) -> NDArray[Any]:
    """A masked array as a plain one: None for unknown text, NaN for unknown numbers, NaT for unknown dates."""
    masked = np.ma.getmaskarray(values)
    data = np.asarray(np.ma.getdata(values))
    if not masked.any():
        return data
    kind = data.dtype.kind
    plain = data.copy() if kind in "OM" else data.astype(np.float64)
    plain[masked] = None if kind == "O" else np.datetime64("NaT") if kind == "M" else np.nan
    return plain


def _check(rows: Rows) -> None:
    columns = rows.columns
    for name in ("task_id", "model"):
        rows.refuse(np.array([not value for value in columns[name]], bool), f"{name} is null or empty")
    quality = columns["quality"]
    rows.refuse((quality < 0) | (quality > 1), "quality lies outside [0, 1]", "quality")
    for name in _NUMBERS[1:]:
        if name in columns:
            rows.refuse((columns[name] < 0) | np.isinf(columns[name]), f"{name} is negative or infinite", name)
    for name in _TOKENS:
        if name in columns:
            rows.refuse(np.mod(columns[name], 1) > 0, f"{name} is no whole number", name)
    cost = columns["cost_usd"]
    implausible = (cost > _MOST_USD) | ((cost > 0) & (cost < _LEAST_USD))
    rows.refuse(implausible, "cost_usd is no plausible amount", "cost_usd")
    if "sample" in columns:
        sample = columns["sample"]
        rows.refuse(~(sample >= 0) | (np.mod(sample, 1) > 0), "sample is no whole number from 0", "sample")
    if "failure" in columns:
        known = [kind.value for kind in FAILURES if kind]
        unknown = np.array([name is not None and name not in known for name in columns["failure"]], bool)
        rows.refuse(unknown, f"failure is neither null nor one of {', '.join(known)}", "failure")
