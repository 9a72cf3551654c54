"""A race as a report page: who won and by how much at least, and what it took of the full grid.

Left out: racing (`krins.studies.race`), and the words of the verdict (`krins.reports.race`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krins.reports.page import Column, Page, Section, Table
from krins.reports.page_charts import axis_title, named_rows
from krins.reports.picture import FAINT, Row, inline, layered
from krins.reports.race import effort, verdict
from krins.studies.race_result import Raced, RaceResult

if TYPE_CHECKING:
    import altair as alt

_BAR = "#0072b2"
_GRID = "#d9d9d9"
_ROW_PIXELS = 22


def race_page(found: RaceResult) -> Page:
    objective = found.options.objective
    sections = [
        Section(
            "How far the others are behind",
            [
                f"Points: the mean {objective} by which each is behind {found.winner}, on what both were asked. Lines "
                "begin at the least that it is behind on the whole, by the evidence that settles the race.",
            ],
            lambda width: _leads(found, width),
            _table(found),
        )
    ]
    if found.among == "models":
        sections.append(
            Section(
                "What it took",
                [f"{_capital(effort(found))}. Coloured: answers that were asked; grey: the rest of the full grid."],
                lambda width: _asked(found, width),
            )
        )
    return Page(
        f"{found.suite}: a race", f"{_capital(verdict(found))}. {_capital(effort(found))}.", sections, found.notes
    )


def _capital(text: str) -> str:
    """Names of models stay as they are."""
    return text[0].upper() + text[1:] if text.startswith(("the ", "not ", "probability ")) else text


def _table(found: RaceResult) -> Table:
    columns = [
        Column("name", found.among.removesuffix("s")),
        Column("n_asked", found.unit, "count"),
        Column("mean", f"mean {found.options.objective}", "share"),
        Column("lead", "behind by", "share"),
        Column("least_lead", "at least", "share"),
        Column("paid_usd", "USD", "usd"),
    ]
    if found.among == "models":
        columns.append(Column("grid_usd", "USD of the grid", "usd"))
    columns.append(Column("state", "state"))
    return Table("race", columns, [{**one.model_dump(), "state": _state(one, found)} for one in found.racers])


def _state(one: Raced, found: RaceResult) -> str:
    if one.name == found.winner:
        return "winner" if found.is_settled else "ahead"
    return "level" if one.is_level else "settled" if one.is_settled else "open"


def _leads(found: RaceResult, width: int) -> alt.LayerChart:
    import altair as alt

    rows: list[Row] = [
        {"name": one.name, "lead": one.lead, "least": one.lead if one.least_lead is None else one.least_lead}
        for one in found.racers
    ]
    names, height = named_rows([one.name for one in found.racers], width, _ROW_PIXELS)
    base = alt.Chart(inline(rows)).encode(y=names)
    title = axis_title(f"{found.options.objective} behind {found.winner}", width)
    lines = base.mark_rule(strokeWidth=2, color=_BAR).encode(x=alt.X("least:Q", title=title), x2="lead:Q")
    points = base.mark_point(filled=True, size=60, color=_BAR, opacity=1).encode(x="lead:Q")
    zero = alt.Chart(inline([{"at": 0}])).mark_rule(color=FAINT, strokeDash=[4, 3]).encode(x="at:Q")
    return layered(zero, lines, points).properties(width=width, height=height)


def _asked(found: RaceResult, width: int) -> alt.LayerChart:
    import altair as alt

    by_cost = found.paid_usd is not None
    rows: list[Row] = [
        {
            "name": one.name,
            "asked": one.paid_usd if by_cost else one.n_asked,
            "grid": one.grid_usd if by_cost else one.n_grid,
        }
        for one in found.racers
    ]
    names, height = named_rows([one.name for one in found.racers], width, _ROW_PIXELS)
    base = alt.Chart(inline(rows)).encode(y=names)
    title = "US dollars" if by_cost else "answers"
    grid = base.mark_bar(color=_GRID).encode(x=alt.X("grid:Q", title=title))
    asked = base.mark_bar(color=_BAR).encode(x="asked:Q")
    return layered(grid, asked).properties(width=width, height=height)
