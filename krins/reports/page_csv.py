"""A table of a page as CSV: raw values under the columns' keys.

Invariants: numbers are written so that they read back to the last bit; what is not known is an empty cell. Left out:
notation for people.
"""

from __future__ import annotations

import csv
import io
import math

from krins.reports.page import Cell, Table


def as_csv(table: Table) -> str:
    keys = list(dict.fromkeys(key for column in table.columns for key in column.keys))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180; and only so does it quote a lone carriage return
    writer.writerow(keys)
    writer.writerows([_raw(row.get(key)) for key in keys] for row in table.rows)
    return text.getvalue()


def _raw(value: Cell) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
