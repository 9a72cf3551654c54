"""An off-policy answer as a report page: every estimate with its interval, beside the truth where that is known.

Left out: estimating (`krins.studies.what_if`), and the words of its notes (`krins.reports.what_if`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krins.reports.page import Column, Kind, Page, Section, Table
from krins.reports.page_charts import named_rows
from krins.reports.picture import FAINT, Row, inline, layered
from krins.reports.what_if import notes_of
from krins.studies.what_if import Answer, WhatIf

if TYPE_CHECKING:
    import altair as alt

_ROW_PIXELS = 26
_PREFERRED = ("SNDR", "DR", "SNIPS")
"""Unbiased, or nearly so, and with the least spread first."""
_CLAIMED, _UNCLAIMED = "#0072b2", "#8c6d00"


def what_if_page(found: WhatIf) -> Page:
    sections = [_section("quality", "Quality", found, found.quality)]
    if found.cost_usd is not None:
        sections.append(_section("cost_usd", "US dollars a task", found, found.cost_usd))
    return Page(
        f"What if {found.target} had served the traffic of {found.logged}?",
        _decision(found),
        sections,
        list(notes_of(found)),
    )


def _decision(found: WhatIf) -> str:
    """By one estimator that is chosen beforehand, so that nobody picks the one that says what is liked."""
    answer = found.quality
    by_name = {one.name: one for one in answer.estimates if one.claims_coverage}
    best = next((by_name[name] for name in _PREFERRED if name in by_name), None)
    if best is None or best.low is None or best.high is None:
        return "This log is too small, or too one-sided, to tell."
    word = "would not be told apart from"
    if best.low > answer.logged or best.high < answer.logged:
        word = "would have been better than" if best.low > answer.logged else "would have been worse than"
    return (
        f"{found.target} {word} {found.logged}: quality {best.value:.3f} [{best.low:.3f}, "
        f"{best.high:.3f}] by {best.name}, against {answer.logged:.3f} in the log."
    )


def _section(name: str, heading: str, found: WhatIf, answer: Answer) -> Section:
    known = "" if answer.known is None else f" Dotted: the truth, {answer.known:.4g}, which no estimate has seen."
    text = (
        f"Each row estimates what {found.target} would have had, from the log of {found.logged} alone, with its 95% "
        "interval over tasks, clustered by repository. Brown: makes no claim to cover. Dashed: what the log's router "
        f"had.{known}"
    )
    return Section(heading, [text], lambda width: _chart(answer, heading, width), _table(name, heading, answer))


def _table(name: str, heading: str, answer: Answer) -> Table:
    kind: Kind = "usd" if name == "cost_usd" else "share"
    columns = [
        Column("name", "estimator"),
        Column("value", heading, kind, ("low", "high")),
        Column("effective_sample_size", "effective decisions", "count"),
        Column("claims_coverage", "claims coverage"),
    ]
    rows: list[dict[str, str | float | None]] = [{"name": "in the log", "value": answer.logged}]
    rows += [{key: getattr(one, key) for key in one._fields} for one in answer.estimates]
    if answer.known is not None:
        rows.append({"name": "known", "value": answer.known})
    return Table(name, columns, rows)


def _chart(answer: Answer, title: str, width: int) -> alt.LayerChart:
    import altair as alt

    rows: list[Row] = [
        {
            "name": one.name,
            "value": one.value,
            "low": one.value if one.low is None else one.low,
            "high": one.value if one.high is None else one.high,
            "colour": _CLAIMED if one.claims_coverage else _UNCLAIMED,
        }
        for one in answer.estimates
    ]
    names, height = named_rows([one.name for one in answer.estimates], width, _ROW_PIXELS)
    base = alt.Chart(inline(rows)).encode(y=names, color=alt.Color("colour:N", scale=None))
    scale = alt.Scale(zero=False)
    ranges = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title, scale=scale), x2="high:Q")
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x="value:Q")
    lines = [_line(answer.logged, [6, 4])] + ([] if answer.known is None else [_line(answer.known, [2, 2])])
    return layered(*lines, ranges, points).properties(width=width, height=height)


def _line(at: float, dash: list[int]) -> alt.Chart:
    import altair as alt

    chart: alt.Chart = alt.Chart(inline([{"at": at}])).mark_rule(color=FAINT, strokeDash=dash).encode(x="at:Q")
    return chart
