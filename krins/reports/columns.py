"""Wide tables on narrow pages: columns are dealt out to as many tables as the width takes.

Invariants: nothing is ever cut off; columns of one group stay side by side where a page can hold them; every table
repeats the names of its rows. Left out: what the cells say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

_GAP = 2
_NAME_WIDTH = 18
"""Of a row's name, where room is scarce: cells are three lines high, and so may names be."""
_RULES = "\n".join("    " if line not in (2, 4) else " -- " for line in range(8))
"""Rules under the heading and between sections, and nothing else."""
_PLAIN = box.Box(_RULES, ascii=True)
_RULED = box.Box(_RULES.replace("-", "─"))


@dataclass(frozen=True)
class Column:
    """A heading and a cell for each row; both may have several lines."""

    heading: str
    cells: Sequence[Sequence[str]]
    """Lines of each row's cell."""
    bold: frozenset[int] = field(default_factory=frozenset)
    """Rows that stand out."""

    @property
    def width(self) -> int:
        lines = [*self.heading.split("\n"), *(line for cell in self.cells for line in cell)]
        return max(map(cell_len, lines))


@dataclass(frozen=True)
class Rows:
    """What the rows of all tables are called."""

    heading: str
    names: Sequence[str]
    """May have several lines."""
    section_ends: frozenset[int] = field(default_factory=frozenset)
    """Rows that a rule follows."""

    def width(self, shown: Sequence[int]) -> int:
        """Cells that the names of the rows `shown` take, unwrapped."""
        return max(
            cell_len(line) for text in [self.heading, *(self.names[i] for i in shown)] for line in text.split("\n")
        )


def tables(rows: Rows, groups: Sequence[Sequence[Column]], console: Console) -> Iterator[Trimmed]:
    """The tables that show `groups`, each without the rows that it has nothing to say about.

    None is wider than the console, if that leaves room for a name beside the widest column. Print them without
    cropping.
    """
    least = min(_NAME_WIDTH, rows.width(range(len(rows.names))))
    for columns in _deal(groups, console.width - least):
        shown = [i for i in range(len(rows.names)) if any(column.cells[i] for column in columns)]
        taken = sum(column.width + _GAP for column in columns)
        name_width = min(rows.width(shown), max(least, console.width - taken))
        yield Trimmed(_table(rows, shown, columns, name_width, console), name_width + taken)


def _deal(groups: Sequence[Sequence[Column]], width: int) -> Iterator[list[Column]]:
    page: list[Column] = []
    for group in groups:
        whole = sum(column.width + _GAP for column in group) <= width
        for piece in [group] if whole else [[column] for column in group]:
            if page and sum(column.width + _GAP for column in [*page, *piece]) > width:
                yield page
                page = []
            page = [*page, *piece]
    if page:
        yield page


def _table(rows: Rows, shown: Sequence[int], columns: Sequence[Column], name_width: int, console: Console) -> Table:
    table = Table(
        box=_RULED if console.is_terminal and not console.options.ascii_only else _PLAIN,
        padding=(0, _GAP - 1, 0, 0),  # the divider between columns is the other blank
        pad_edge=False,
        header_style="",
        show_edge=False,
    )
    table.add_column(Text(rows.heading), min_width=name_width, max_width=name_width, vertical="top")
    for column in columns:
        table.add_column(Text(column.heading, justify="right"), justify="right", min_width=column.width, no_wrap=True)
    for i in shown:
        name = [wrapped for line in rows.names[i].split("\n") for wrapped in wrap_name(line, name_width)]
        cells = [_cell(column.cells[i], i in column.bold) for column in columns]
        table.add_row(Text("\n".join(name)), *cells, end_section=i in rows.section_ends)
    return table


def _cell(lines: Sequence[str], is_bold: bool) -> Text:
    """The first line is what counts; what follows qualifies it."""
    text = Text()
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        text.append(line, style="dim" if number else "bold" if is_bold else "")
    return text


def wrap_name(name: str, width: int) -> list[str]:
    """Lines of at most `width` cells, broken at the name's joints if that can be.

    Put together again they are the name, but for blanks at breaks.
    """
    lines = [""]
    for piece in re.findall(r"[^-\s/(,:_=@.]*[-\s/(,:_=@.]|[^-\s/(,:_=@.]+", name):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        for character in piece.rstrip():
            if cell_len(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
        if piece[-1].isspace() and lines[-1]:
            lines[-1] += " "
    return [line.rstrip() for line in lines]


def definitions(terms: Iterable[tuple[str, str]], console: Console) -> Trimmed:
    """Terms on the left, what they mean on the right."""
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for term, meaning in terms:
        grid.add_row(Text(term), Text(meaning))
    return Trimmed(grid, console.width)


class Trimmed:
    """A renderable at a width of its own, without the blanks at its lines' ends."""

    def __init__(self, inner: RenderableType, width: int) -> None:
        self._inner, self._width = inner, width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        options = options.update(width=self._width)
        for line in console.render_lines(self._inner, options, pad=False):
            kept = list(line)
            while kept and not kept[-1].text.strip():
                kept.pop()
            if kept:
                last = kept.pop()
                yield from kept
                yield Segment(last.text.rstrip(), last.style)
            yield Segment.line()
