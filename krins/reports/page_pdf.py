"""A page as PDF: A4, the same words, numbers and charts as the HTML.

Invariants: text is text (to be searched and copied), in a font that the file carries; a table that is wider than the
paper is dealt out to several, each of which repeats the names of its rows; no time stamp, so the same page gives the
same bytes. Left out: scripts that DejaVu Sans has no letters for (they show as boxes here; the HTML and the CSV have
them).
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from krins.reports.page import Column, Page, Table
from krins.reports.page_charts import Drawn

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT = "DejaVu"
_BODY, _SMALL = 9.5, 7.5
"""Points."""
_LINE = 1.4
"""Height of a line, in its letters' size."""
_PADDING = 1.2
"""Of a cell on each side, in millimetres, as all lengths below."""
_WIDEST_TEXT = 60.0
_LEAST_SPACE = 45.0
"""For a heading and its paragraphs."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RULE, _INK, _FAINT = (190, 190, 190), (28, 28, 28), (89, 89, 89)
_TINT, _PAPER = (238, 244, 250), (255, 255, 255)


def as_pdf(page: Page, drawn: Sequence[Drawn | None]) -> bytes:
    pdf = _paper(page.title)
    _heading(pdf, page.title, 16)
    _text(pdf, page.decision, _BODY + 1.5, fill=True)
    for section, pictures in zip(page.sections, drawn, strict=True):
        _section(pdf, section.heading, _LEAST_SPACE + (0 if pictures is None else _height(pdf, pictures)))
        for paragraph in section.paragraphs:
            _text(pdf, paragraph)
        if pictures is not None:
            pdf.ln(2)
            pdf.image(io.BytesIO(pictures.desk_png), h=_height(pdf, pictures), alt_text=section.heading)
        if section.table is not None:
            _table(pdf, section.table)
    if page.notes:
        _section(pdf, "Notes")
        for note in page.notes:
            _text(pdf, f"•  {note}")
    if page.command:
        _section(pdf, "Made by")
        _text(pdf, page.command, _SMALL + 1)
    return bytes(pdf.output())


def _paper(title: str) -> FPDF:
    """An empty A4 page with fonts, and numbers at the foot of each."""
    from fpdf import FPDF

    class Paper(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_FONT, size=_SMALL)
            self.set_text_color(*_FAINT)
            self.cell(w=0, text=str(self.page_no()), align="C")

    logging.getLogger("fpdf").setLevel(logging.ERROR)  # letters that are missing are no news to who runs a command
    pdf = Paper(format="A4")
    pdf.set_creation_date(_EPOCH)
    pdf.alias_nb_pages("")  # else the text {nb} in a name would become the number of pages
    pdf.set_margins(18, 16)
    pdf.set_auto_page_break(True, margin=18)
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        pdf.add_font(_FONT, style, _fonts() / name)
    pdf.set_lang("en")
    pdf.set_title(title)
    pdf.add_page()
    pdf.set_draw_color(*_RULE)
    return pdf


def _fonts() -> Path:
    """The fonts that matplotlib brings, found without importing it, which would make folders of its own."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


def _text(pdf: FPDF, text: str, size: float = _BODY, *, bold: bool = False, fill: bool = False) -> None:
    pdf.set_font(_FONT, style="B" if bold else "", size=size)
    pdf.set_text_color(*_INK)
    pdf.set_fill_color(*_TINT)
    height = size * _LINE / pdf.k
    pdf.multi_cell(
        w=0, h=height, text=text, align="L", fill=fill, padding=2 if fill else 0, new_x="LMARGIN", new_y="NEXT"
    )
    pdf.ln(height / 4)


def _heading(pdf: FPDF, text: str, size: float) -> None:
    _text(pdf, text, size, bold=True)
    pdf.ln(1)


def _height(pdf: FPDF, pictures: Drawn) -> float:
    """Of the chart: as wide as the paper allows, and no higher than leaves room for a heading."""
    width, height = struct.unpack(">II", pictures.desk_png[16:24])  # a PNG begins so
    return float(min(pdf.epw * height / width, pdf.eph - _LEAST_SPACE))


def _section(pdf: FPDF, heading: str, needed: float = _LEAST_SPACE) -> None:
    """A heading that the reader's outline lists, on one page with what it is about: so many millimetres."""
    pdf.ln(4)
    if pdf.will_page_break(min(needed, pdf.eph)):
        pdf.add_page()
    pdf.start_section(heading, strict=False)
    _heading(pdf, heading, 12)


def _table(pdf: FPDF, table: Table) -> None:
    from fpdf.fonts import FontFace

    pdf.set_font(_FONT, size=_SMALL)
    pdf.set_text_color(*_INK)
    pdf.set_fill_color(*_PAPER)
    for columns in _dealt(pdf, table):
        widths = [_width(pdf, table, column) for column in columns]
        pdf.ln(2)
        with pdf.table(
            [[column.heading for column in columns], *([c.write(row) for c in columns] for row in table.rows)],
            col_widths=widths,
            width=min(sum(widths), pdf.epw),
            align="L",
            text_align=["L" if c.kind == "text" or c is columns[0] else "R" for c in columns],
            v_align="TOP",
            borders_layout="HORIZONTAL_LINES",
            headings_style=FontFace(emphasis="B", fill_color=_PAPER),
            line_height=_SMALL * _LINE / pdf.k,
            padding=_PADDING,
            wrapmode="WORD",
        ):
            pass


def _dealt(pdf: FPDF, table: Table) -> Iterator[list[Column]]:
    """Columns by the page's width, on each of them the texts that the table begins with: they name its rows."""
    first, *others = table.columns
    names = [first, *takewhile(lambda column: column.kind == "text", others)]
    taken = sum(_width(pdf, table, column) for column in names)
    group, room = names, pdf.epw - taken
    for column in table.columns[len(names) :]:
        width = _width(pdf, table, column)
        if len(group) > len(names) and width > room:
            yield group
            group, room = names, pdf.epw - taken
        group, room = [*group, column], room - width
    yield group


def _width(pdf: FPDF, table: Table, column: Column) -> float:
    """That shows numbers and the heading's longest word unbroken; texts wrap beyond a limit."""
    longest = max((pdf.get_string_width(column.write(row)) for row in table.rows), default=0.0)
    is_text = column.kind == "text" or column is table.columns[0]
    pdf.set_font(style="B")
    words = max(map(pdf.get_string_width, column.heading.split()), default=0.0)
    pdf.set_font(style="")
    return max(min(longest, _WIDEST_TEXT) if is_text else longest, words) + 2 * _PADDING + 0.5
