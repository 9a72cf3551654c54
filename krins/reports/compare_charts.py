"""The charts of a comparison, each for any width of its plot.

Invariants: a router has one colour, and one dash, in all of them; names stand in legends below or inside the plot, so
that a phone's width is left for the plot. Left out: tables and words (`krins.reports.compare_page`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from krins.reports.axes import Axes, clipped, fit_axes
from krins.reports.columns import wrap_name
from krins.reports.labels import LINE_PIXELS
from krins.reports.picture import COLOURS, FAINT, INK, Row, inline, layered
from krins.runs.result import Figure, Share
from krins.studies.comparison import Comparison, Difference, Frontier, HullModel

if TYPE_CHECKING:
    import altair as alt

PLOT_HEIGHT = 320
_DASHES = ([1, 0], [6, 3], [2, 2])
_SHAPES = ("circle", "square", "triangle-down")
"""For the routers that find the colours used up once, twice."""
_BAR_PIXELS = 22
"""Height of an interval, with room around it."""
_NAME_CHARACTERS = 38


def labels_of(found: Comparison) -> list[str]:
    return [router.label for router in found.routers]


def colour(labels: Sequence[str], shown: Sequence[str] | None = None) -> alt.Color:
    """Of the field `router`; `labels` are those of all routers, so that each keeps its own, and `shown` those that the
    legend names: all by default; none, no legend."""
    import altair as alt

    colours = [COLOURS[i % len(COLOURS)] for i in range(len(labels))]
    scale = alt.Scale(domain=list(labels), range=colours)
    return alt.Color("router:N", scale=scale, legend=_legend(labels, shown))


def dash(labels: Sequence[str]) -> alt.StrokeDash:
    """Tells apart lines of routers that share a colour, as `shape` does points."""
    import altair as alt

    dashes = [_DASHES[i // len(COLOURS) % len(_DASHES)] for i in range(len(labels))]
    scale = alt.Scale(domain=list(labels), range=dashes)
    return alt.StrokeDash("router:N", scale=scale, legend=_legend(labels, None))


def shape(labels: Sequence[str], shown: Sequence[str] | None = None) -> alt.Shape:
    """The legend is the one of `colour`."""
    import altair as alt

    shapes = [_SHAPES[i // len(COLOURS) % len(_SHAPES)] for i in range(len(labels))]
    return alt.Shape("router:N", scale=alt.Scale(domain=list(labels), range=shapes), legend=_legend(labels, shown))


def _legend(labels: Sequence[str], shown: Sequence[str] | None) -> alt.Legend | None:
    """With long names in lines that a phone has room for."""
    import altair as alt

    named = labels if shown is None else shown
    lines = json.dumps({label: wrap_name(label, _NAME_CHARACTERS) for label in named})
    return alt.Legend(values=list(named), labelExpr=f"{lines}[datum.label]") if named else None


def sized(chart: alt.LayerChart, width: int, height: int = PLOT_HEIGHT) -> alt.LayerChart:
    done: alt.LayerChart = chart.properties(width=width, height=height)
    return done


def upright(at: float) -> alt.Chart:
    """A line that marks a value of x."""
    import altair as alt

    line: alt.Chart = alt.Chart(inline([{"at": at}])).mark_rule(color=FAINT, strokeDash=[4, 3]).encode(x="at:Q")
    return line


def plane(found: Comparison, width: int) -> alt.LayerChart:
    """Routers with their intervals among the fixed models, on the frontier of the models' mixtures and its band."""
    points = [(r.label, r.cost_usd, r.quality) for r in found.routers if r.cost_usd is not None]
    models = [] if found.frontier is None else found.frontier.models
    places = [(cost, quality) for _, cost, quality in points]
    axes = fit_axes(places, [*places, *((_figure(m.cost_usd), _figure(m.quality)) for m in models)])
    below = [] if found.frontier is None else [*_frontier(found.frontier, axes), _corners(models, axes)]
    return sized(layered(*below, *_routers(points, axes, labels_of(found)), *_names(models, axes)), width)


def _figure(share: Share) -> Figure:
    return Figure(mean=share.mean, low=share.low, high=share.high)


def _cost_axis(axes: Axes) -> alt.X:
    import altair as alt

    scale = alt.Scale(type="log" if axes.is_log else "linear", domain=list(axes.cost), nice=False)
    axis = alt.Axis(format="$~r", grid=False, values=axes.cost_ticks() if axes.is_log else alt.Undefined)
    return alt.X("cost:Q", title=f"USD a task{', logarithmic' if axes.is_log else ''}", scale=scale, axis=axis)


def _quality_axis(axes: Axes, field: str = "quality") -> alt.Y:
    import altair as alt

    return alt.Y(f"{field}:Q", title="quality", scale=alt.Scale(domain=list(axes.quality), nice=False, zero=False))


def _frontier(frontier: Frontier, axes: Axes) -> Iterator[alt.Chart]:
    import altair as alt

    rows: list[Row] = [
        {"cost": cost, "quality": quality, "low": low, "high": high}
        for cost, quality, low, high in zip(
            frontier.cost_usd, frontier.quality, frontier.low, frontier.high, strict=True
        )
        if axes.cost[0] <= cost <= axes.cost[1]
    ]
    base = alt.Chart(inline(rows)).encode(x=_cost_axis(axes))
    if any(row["low"] is not None for row in rows):
        known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        yield known.mark_area(color=FAINT, opacity=0.15, clip=True, line=False).encode(
            y=_quality_axis(axes, "low"), y2="high:Q"
        )
    yield base.mark_line(color=FAINT, strokeDash=[5, 4], strokeWidth=1.5, clip=True).encode(y=_quality_axis(axes))


def _corners(models: Sequence[HullModel], axes: Axes) -> alt.Chart:
    import altair as alt

    rows: list[Row] = [{"cost": model.cost_usd.mean, "quality": model.quality.mean} for model in models]
    base = alt.Chart(inline(rows)).encode(x=_cost_axis(axes), y=_quality_axis(axes))
    marks: alt.Chart = base.mark_point(shape="diamond", filled=True, size=220, color=FAINT, opacity=1)
    return marks


def _names(models: Sequence[HullModel], axes: Axes) -> Iterator[alt.Chart]:
    """Beside the models' marks, on the side where the picture has more room, with a rim that keeps them legible."""
    import altair as alt

    middle = axes.x(axes.cost[1]) / 2
    is_left = {model.model: axes.x(model.cost_usd.mean) < middle for model in models}
    rows: list[Row] = [
        {
            "name": model.model,
            "cost": model.cost_usd.mean,
            "quality": model.quality.mean,
            "align": "left" if is_left[model.model] else "right",
            "dx": 8 if is_left[model.model] else -8,
        }
        for model in models
    ]
    base = alt.Chart(inline(rows)).encode(x=_cost_axis(axes), y=_quality_axis(axes), text="name:N")
    align, dx = alt.expr("datum.align"), alt.expr("datum.dx")
    yield base.mark_text(
        align=align, dx=dx, dy=-13, fontSize=12, limit=0, color=INK, stroke="white", strokeWidth=4, strokeJoin="round"
    )
    yield base.mark_text(align=align, dx=dx, dy=-13, fontSize=12, limit=0, color=INK)


def _routers(
    points: Sequence[tuple[str, Figure | None, Figure]], axes: Axes, labels: Sequence[str]
) -> Iterator[alt.Chart]:
    import altair as alt

    rows: list[Row] = []
    for label, cost, quality in points:
        assert cost is not None
        (cost_low, cost_high), (low, high) = clipped(cost, axes.cost), clipped(quality, axes.quality)
        ends = {"cost_low": cost_low, "cost_high": cost_high, "low": low, "high": high}
        rows.append({"router": label, "cost": cost.mean, "quality": quality.mean, **ends})
    base = alt.Chart(inline(rows)).encode(x=_cost_axis(axes), y=_quality_axis(axes), color=colour(labels))
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.5)
    yield bars.encode(x=alt.X("cost_low:Q"), x2="cost_high:Q")
    yield bars.encode(y=alt.Y("low:Q"), y2="high:Q")
    yield base.mark_point(filled=True, size=80, opacity=1, stroke="white", strokeWidth=1).encode(shape=shape(labels))


def forest(found: Comparison, width: int) -> alt.LayerChart:
    """Each router's difference in quality: thick the interval of its own, thin the one that holds for all at once."""
    import altair as alt

    rivals = [(router.label, router.against_reference) for router in found.routers]
    named = {label: wrap_name(label, _NAME_CHARACTERS) for label, against in rivals if against is not None}
    height = max(map(len, named.values())) * LINE_PIXELS + _BAR_PIXELS
    below = (height - _BAR_PIXELS) / 2
    rows: list[Row] = [
        {
            "router": label,
            "lines": named[label],
            "dy": below - len(named[label]) * LINE_PIXELS,
            **_points(rival.quality),
        }
        for label, rival in rivals
        if rival is not None
    ]
    y = alt.Y("router:N", sort=list(named), axis=None)
    base = alt.Chart(inline(rows)).encode(y=y, color=colour(labels_of(found), shown=[]))
    x = alt.X("low:Q", title="points of quality, against the reference")
    thick, thin = base.mark_rule(strokeWidth=5, yOffset=below), base.mark_rule(strokeWidth=1.5, yOffset=below)
    dots = base.mark_point(filled=True, size=70, opacity=1, yOffset=below, stroke="white")
    names = base.mark_text(
        align="left", dy=alt.expr("datum.dy"), fontSize=12, limit=0, fontWeight=600, lineHeight=LINE_PIXELS
    )
    return sized(
        layered(
            upright(0.0),
            upright(-100 * found.margin),
            thin.encode(x=alt.X("simultaneous_low:Q"), x2="simultaneous_high:Q"),
            thick.encode(x=x, x2="high:Q"),
            dots.encode(x="mean:Q"),
            names.encode(text="lines:N", x=alt.value(0), color=alt.value(INK)),
        ),
        width,
        height * len(rows),
    )


def _points(difference: Difference) -> dict[str, float | None]:
    ends = ("mean", "low", "high", "simultaneous_low", "simultaneous_high")
    return {end: None if (value := getattr(difference, end)) is None else 100 * value for end in ends}
