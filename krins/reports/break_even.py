"""Verifier economics as text and as a figure: how good a verifier must be before a cascade pays.

Invariants: every heading says that the verifier is simulated; a criterion that no verifier meets is shown as a dash.
Left out: computing the curves (`krins.runs.break_even`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from krins.reports.columns import Column, Rows
from krins.reports.labels import Label, dodge, label_lines, label_size
from krins.reports.notation import UNKNOWN
from krins.reports.picture import HEIGHT, WIDTH, Row, finished, inline, labels_layer, layered, router_colours, titled
from krins.runs.result import BreakEven, RouterResult, RunResult, SpecificityRange

if TYPE_CHECKING:
    import altair as alt

_SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Sensitivities with a column of their own."""
_CRITERIA = {
    "better_reward": "more reward",
    "surely_better_reward": "more reward, for certain",
    "saving": "saving",
    "sure_saving": "saving, for certain",
}
_DRAWN = {"better_reward": [1, 0], "saving": [6, 3]}
"""Criteria that have a line in the figure, and their dashes."""


def cascades(result: RunResult) -> list[tuple[RouterResult, BreakEven]]:
    return [(router, router.break_even) for router in result.routers if router.break_even is not None]


def break_even_rows(curve: BreakEven) -> tuple[Rows, list[Column]]:
    """A row for each criterion, a column for each of some sensitivities."""
    return Rows("at a sensitivity of", list(_CRITERIA.values())), [
        Column(
            f"{shown:g}",
            [[_written(getattr(curve, field)[curve.sensitivity.index(shown)])] for field in _CRITERIA],
        )
        for shown in _SHOWN
    ]


def _written(specificities: SpecificityRange | None) -> str:
    if specificities is None:
        return UNKNOWN
    least, greatest = specificities
    return f"{least:.2f}" if greatest == 1.0 else f"{least:.2f} to {greatest:.2f}"


def explain(result: RunResult) -> Iterator[tuple[str, str]]:
    """Terms of the tables and what they mean."""
    assert result.baselines is not None
    fixed, single = result.baselines.best_fixed.model, result.baselines.best_single.model
    yield "break-even", "least specificity that a SIMULATED verifier of that sensitivity needs; -: none is enough"
    yield "a to b", "a verifier more specific than b passes so much on to dearer models that it no longer pays"
    yield "sensitivity", "probability that a right answer passes; specificity: that a wrong one does not"
    yield "more reward", f"than {fixed} on every task; for certain: by the 95% interval over tasks"
    yield "saving", f"cheaper than {single}, at a quality lower by at most {result.non_inferiority_margin:g}"


def break_even_figure(result: RunResult) -> alt.LayerChart | None:
    """Lines of least specificity over sensitivity, with the range above them that pays as a band; None where the run
    has no cascade, or no verifier is enough."""
    found = cascades(result)
    rows: list[Row] = [
        {"cascade": router.router, "reaches": _CRITERIA[field], "sensitivity": x, "specificity": y[0], "greatest": y[1]}
        for router, curve in found
        for field in _DRAWN
        for x, y in zip(curve.sensitivity, getattr(curve, field), strict=True)
        if y is not None
    ]
    if not rows:
        return None
    colours = dict(zip((router.router for router in result.routers), router_colours(result), strict=True))
    explanation = [
        "Line: least specificity that a SIMULATED verifier needs at each sensitivity. Band: up to where it still pays.",
        f"Compared with {_compared(result)}, on {result.n_tasks:,} recorded tasks.",
    ]
    title = titled(result, "what a verifier must be able to do", explanation)
    return finished(_curves(rows, [router.router for router, _ in found], colours), _end_labels(found, colours), title)


def _curves(rows: Sequence[Row], names: Sequence[str], colours: dict[str, str]) -> alt.LayerChart:
    import altair as alt

    scale = alt.Scale(domain=list(names), range=[colours[name] for name in names])
    dashes = alt.Scale(domain=[_CRITERIA[field] for field in _DRAWN], range=list(_DRAWN.values()))
    legend = alt.Legend(title="needed for", orient="bottom-left", symbolType="stroke", symbolSize=400)
    places = alt.Scale(domain=[0.0, 1.0], nice=False)
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("sensitivity:Q", scale=alt.Scale(domain=[0.5, 1.0], nice=False), axis=alt.Axis(tickCount=6)),
        y=alt.Y("specificity:Q", title="specificity", scale=places, axis=alt.Axis(tickCount=6)),
        color=alt.Color("cascade:N", legend=None, scale=scale),
    )
    lines = base.mark_line(strokeWidth=2).encode(
        strokeDash=alt.StrokeDash("reaches:N", scale=dashes, legend=legend),
        tooltip=["cascade:N", "reaches:N", "sensitivity:Q", "specificity:Q", "greatest:Q"],
    )
    bands = base.mark_area(opacity=0.07, line=False).encode(y2=alt.Y2("greatest:Q", title=""), detail="reaches:N")
    return layered(bands, lines)


def _compared(result: RunResult) -> str:
    assert result.baselines is not None
    fixed, single = result.baselines.best_fixed.model, result.baselines.best_single.model
    return f"{fixed}" if fixed == single else f"{fixed} (reward) and {single} (saving)"


def _end_labels(found: Sequence[tuple[RouterResult, BreakEven]], colours: dict[str, str]) -> alt.LayerChart:
    """Each cascade's name where its lowest line ends, at sensitivity 1."""
    last = [[getattr(curve, field)[-1] for field in _DRAWN] for _, curve in found]
    ends = [min((range_[0] for range_ in ranges if range_ is not None), default=1.0) for ranges in last]
    lines = [label_lines(router.router) for router, _ in found]
    heights = [label_size(text)[1] + 2 for text in lines]
    centres = dodge([HEIGHT * (1.0 - end) for end in ends], heights, 0, HEIGHT)
    labels = [Label(text, WIDTH + 8, centre) for text, centre in zip(lines, centres, strict=True)]
    return labels_layer(labels, [colours[router.router] for router, _ in found])
