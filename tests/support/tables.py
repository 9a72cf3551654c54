"""Outcome tables side by side."""

from __future__ import annotations

from pathlib import Path

import duckdb


def differing(ours: Path, theirs: Path, columns: str) -> tuple[int, int, int]:
    """Rows of each Parquet file, and how many of either are not in the other, over `columns`, to the last bit."""
    one, other = (f"(select {columns} from '{path}')" for path in (ours, theirs))
    query = f"""
        select (select count(*) from {one}), (select count(*) from {other}),
            (select count(*) from ({one} except all {other})) + (select count(*) from ({other} except all {one}))
    """
    n_ours, n_theirs, n_differing = duckdb.execute(query).fetchall()[0]
    return n_ours, n_theirs, n_differing
