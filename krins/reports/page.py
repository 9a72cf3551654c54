"""A report page: one description, written as HTML, as PDF and as CSV, which all hold the same numbers.

    write_page(page, folder)    index.html    one file that loads nothing: no script, charts as inline SVG
                                report.pdf    the same, for a printer or a mail
                                NAME.csv      each table's raw, unrounded numbers

Invariants: whatever a name holds is text and never markup; a file appears whole or not at all, and index.html last, so
a page that can be opened is a page whose files are all there; the same page gives the same bytes. Left out: computing
anything, and what the charts show (they come as functions of a width, for a chart that is legible on a desk is not on
a phone).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from krins.errors import StorageFault, boundary
from krins.reports.notation import AMOUNT, QUALITY, USD, Notation
from krins.runs.result import Figure
from krins.runs.store import published

if TYPE_CHECKING:
    import altair as alt

DASH = "–"
"""Stands where the data cannot tell."""

Kind = Literal["text", "share", "points", "usd", "count", "number"]
Cell = str | int | float | Decimal | None
Chart = Callable[[int], "alt.TopLevelMixin"]
"""Given the width of its plot in pixels. It has no title: heading and paragraphs of its section say what it shows."""
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Column:
    """One column of a table, and how its raw values are shown.

    `share`: 0.1234 as .123. `points`: a difference of shares, 0.0123 as +1.2. `usd`: 0.06412 as $0.0641. `count`: 1051
    as 1,051. `number`: anything else, to three digits. What is None or not finite is shown as an en dash.
    """

    key: str
    heading: str
    kind: Kind = "text"
    interval: tuple[str, str] | None = None
    """Keys of the ends of the value's 95% interval, shown in brackets behind it; columns of their own in the CSV."""

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, *(self.interval or ()))

    def write(self, row: Mapping[str, Cell]) -> str:
        """The cell of this column in `row`, as shown."""
        value = row.get(self.key)
        if value is None or value == "":
            return DASH
        if self.kind == "text" or isinstance(value, str):
            return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        ends = [_finite(row.get(key)) for key in self.interval or ()]
        return _write(self.kind, _finite(value), *ends)


def _finite(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | float | Decimal) and math.isfinite(value) else None


def _write(kind: Kind, mean: float | None, low: float | None = None, high: float | None = None) -> str:
    """A mean and its interval, with the decimals that both bear."""
    if mean is None:
        return DASH
    if kind == "count":
        return f"{mean:,.0f}"
    if kind == "number" and low is None and 0 < abs(mean) < 1e-4:
        return f"{mean:.2e}"
    written = _NOTATIONS[kind].write(Figure(mean=mean, low=low, high=high))
    text = written.mean if written.interval is None else f"{written.mean} {written.interval}"
    return re.sub(r"\b0\.", ".", text) if kind == "share" else text


_NOTATIONS = {
    "share": QUALITY,
    "points": Notation(lambda _: 1, scale=100.0, is_signed=True),
    "usd": USD,
    "number": AMOUNT,
}


@dataclass(frozen=True)
class Table:
    """Rows under columns; the first column names the rows. `name` is the stem of its CSV file."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r}: a table's name is the stem of a file: letters, digits, _ and - alone")
        if not self.columns:
            raise ValueError(f"table {self.name} has no columns")


@dataclass(frozen=True)
class Section:
    heading: str
    paragraphs: Sequence[str]
    chart: Chart | None = None
    table: Table | None = None


@dataclass(frozen=True)
class Page:
    """What a report says. `decision`: one or two sentences, what to do and how sure that is."""

    title: str
    decision: str
    sections: Sequence[Section]
    notes: Sequence[str] = ()
    command: str = ""
    """Makes this page again."""

    def __post_init__(self) -> None:
        names = [table.name.lower() for table in self.tables]
        if len(set(names)) < len(names):
            raise ValueError(f"two tables of a page have one name: {', '.join(sorted(names))}")

    @property
    def tables(self) -> list[Table]:
        return [section.table for section in self.sections if section.table is not None]


def write_page(page: Page, folder: Path) -> list[Path]:
    """Write the page into the folder, made if need be; returns the paths of index.html, report.pdf and the CSV files.

    Raises:
        StorageFault: they cannot be written.
    """
    from krins.reports.page_charts import draw_charts
    from krins.reports.page_csv import as_csv
    from krins.reports.page_html import as_html
    from krins.reports.page_pdf import as_pdf

    with boundary(StorageFault, f"{folder}: cannot be made", "choose a folder that you can write to", catch=OSError):
        folder.mkdir(parents=True, exist_ok=True)
    drawn = draw_charts(page)
    files = {"index.html": as_html(page, drawn).encode(), "report.pdf": as_pdf(page, drawn)}
    files |= {f"{table.name}.csv": as_csv(table).encode() for table in page.tables}
    for name, content in reversed(files.items()):
        with published(folder / name) as draft:
            draft.write_bytes(content)
    return [folder / name for name in files]
