"""A file of qualities beside a log that has none: joined to its calls in DuckDB.

The file: CSV, Parquet or JSON lines with `quality` in [0, 1] and one key: `request_id`, or `session_id`, or `task_id`
and `model` together. Invariants: a key stands in it once; a quality of null is unknown. Left out: where qualities come
from.
"""

from __future__ import annotations

from pathlib import Path

from krins.environments.imports.common import Ask, sql_path
from krins.errors import TableError, boundary

_KEYS = (("request_id",), ("session_id",), ("task_id", "model"))
_READERS = {
    ".parquet": "read_parquet({path})",
    ".csv": "read_csv({path}, header=true, all_varchar=true)",
    ".jsonl": "read_json({path}, format='newline_delimited')",
}
_REMEDY = "it has the columns quality and request_id, or session_id, or task_id and model"


def join_qualities(path: Path | None, ask: Ask) -> int:
    """Make the view `judged`: `rows` with their quality. Returns how many qualities fit no row.

    Raises:
        TableError: the file cannot be read, lacks a column, holds a key twice, or a quality that cannot be.
    """
    if path is None:
        list(ask("create view judged as select *, null::double as quality from rows"))
        return 0
    if not path.is_file() or path.suffix not in _READERS:
        raise TableError(f"{path}: no file of qualities", "give a .csv, .parquet or .jsonl file")
    source = _READERS[path.suffix].format(path=sql_path(path))
    with boundary(TableError, f"{path}: cannot be read", "is it what its name says?"):
        if path.suffix == ".csv":
            _check_header(path, ask)
        list(ask(f"create table given as select row_number() over () as place, * from {source}"))
        present = {row["column_name"] for row in ask("describe given")}
        key = next((key for key in _KEYS if {*key, "quality"} <= present), None)
        if key is None:
            raise TableError(f"{path}: there are only the columns {', '.join(sorted(present - {'place'}))}", _REMEDY)
        _check(path, key, ask)
        same = " and ".join(f"cast(given.{name} as varchar) = rows.{name}" for name in key)
        list(
            ask(
                "create view judged as select rows.*, try_cast(given.quality as double) as quality"
                f" from rows left join given on {same}"
            )
        )
        return int(next(ask(f"select count(*) as n from given where not exists (from rows where {same})"))["n"])


def _check_header(path: Path, ask: Ask) -> None:
    """DuckDB drops blanks around the names of columns, and says nothing."""
    for header in ask(f"from read_csv({sql_path(path)}, header=false, all_varchar=true) limit 1"):
        for name in header.values():
            if name and name != name.strip():
                raise TableError(f"{path}: there are blanks around the name of its column {name!r}", "take them away")


def _check(path: Path, key: tuple[str, ...], ask: Ask) -> None:
    number = "try_cast(quality as double)"
    wrong = ask(
        f"select place, cast(quality as varchar) as quality from given where quality is not null"
        f" and ({number} is null or isnan({number}) or {number} not between 0 and 1) order by place limit 1"
    )
    for row in wrong:
        raise TableError(
            f"{path}: row {row['place']}: quality is {row['quality']}, and lies in [0, 1]", "mend that row"
        )
    names = ", ".join(key)
    twice = ask(f"select max(place) as place from given group by {names} having count(*) > 1 order by place limit 1")
    for row in twice:
        raise TableError(f"{path}: row {row['place']}: its {names} stands in an earlier row, too", "keep one of them")
