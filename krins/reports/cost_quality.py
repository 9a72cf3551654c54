"""The figure of cost and quality: where the routers lie among the models, and under what no router can do.

Invariants: bars are 95% intervals over tasks, cut off where the picture ends; the hull's line is what mixing its models
at random reaches, bent as a logarithmic axis bends it. Left out: writing it to a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from krins.reports.axes import Axes, clipped, fit_axes
from krins.reports.labels import Box, Label, dodge, label_lines, label_size, place
from krins.reports.notation import QUALITY, USD
from krins.reports.picture import (
    FAINT,
    HEIGHT,
    INK,
    WIDTH,
    Row,
    finished,
    inline,
    labels_layer,
    layered,
    over_tasks,
    router_colours,
    router_rounds,
    titled,
)
from krins.runs.result import Baseline, Baselines, Figure, RunResult

if TYPE_CHECKING:
    import altair as alt

_ROUTER_SIZE, _RULE_SIZE = 70.0, 170.0
"""Areas in square pixels: a router at a model's own place lets it show."""
_SHAPES = ("circle", "square", "triangle-down")
_EDGE_POINTS = 40
"""Points that draw one edge of the hull."""


@dataclass(frozen=True)
class _Mark:
    name: str
    cost: Figure
    quality: Figure
    colour: str
    shape: str
    is_router: bool = False


def cost_quality(result: RunResult) -> alt.LayerChart | None:
    """None where no router's cost is known."""
    marks = list(_marks(result))
    routers = [mark for mark in marks if mark.is_router]
    if not routers:
        return None
    axes = fit_axes([(m.cost, m.quality) for m in routers], [(m.cost, m.quality) for m in marks])
    hull = _hull_line(result.baselines)
    explanation = [f"Bars: {over_tasks(result)}."]
    if hull:
        explanation.append(
            "Dashed: what mixing the models on the hull at random reaches. A router earns its keep above it."
        )
    return finished(
        _plot(marks, hull, axes),
        _labels(marks, list(_obstacles(marks, hull, axes)), axes),
        titled(result, "cost and quality", explanation),
    )


def _marks(result: RunResult) -> Iterator[_Mark]:
    looks = zip(result.routers, router_colours(result), router_rounds(result), strict=True)
    for router, colour, lap in looks:
        if router.cost_usd is not None:
            shape = _SHAPES[lap % len(_SHAPES)]
            yield _Mark(router.router, router.cost_usd, router.quality, colour, shape, is_router=True)
    for name, rule, shape in [] if result.baselines is None else _fixed_rules(result.baselines):
        if rule.cost_usd is not None:
            colour = INK if shape == "triangle-up" else FAINT
            yield _Mark(name, rule.cost_usd, rule.quality, colour, shape)


def _fixed_rules(baselines: Baselines) -> Iterator[tuple[str, Baseline, str]]:
    for model in baselines.hull:
        yield model.model or "", model, "diamond"
    yield "random model", baselines.random, "cross"
    correct, oracle = baselines.cheapest_correct, baselines.oracle
    if correct is None or (correct.quality, correct.cost_usd) == (oracle.quality, oracle.cost_usd):
        yield "oracle", oracle, "triangle-up"
    else:
        yield "oracle by reward", oracle, "triangle-up"
        yield "oracle, cheapest correct", correct, "triangle-up"


def _hull_line(baselines: Baselines | None) -> list[tuple[float, float]]:
    """Cost and quality along the hull, edge by edge; straight in dollars, whatever the axis."""
    models = [] if baselines is None else baselines.hull
    vertices = [(model.cost_usd.mean, model.quality.mean) for model in models if model.cost_usd is not None]
    return [
        (left[0] + (right[0] - left[0]) * i / _EDGE_POINTS, left[1] + (right[1] - left[1]) * i / _EDGE_POINTS)
        for left, right in pairwise(vertices)
        for i in range(_EDGE_POINTS + 1)
    ]


def _obstacles(marks: Sequence[_Mark], hull: Sequence[tuple[float, float]], axes: Axes) -> Iterator[Box]:
    """Routers, their bars and the hull's line, as boxes that labels had better not cover."""
    for mark in marks:
        if mark.is_router:
            x, y = axes.x(mark.cost.mean), axes.y(mark.quality.mean)
            left, right = map(axes.x, clipped(mark.cost, axes.cost))
            low, high = map(axes.y, clipped(mark.quality, axes.quality))
            yield Box(x - 7, y - 7, x + 7, y + 7)
            yield Box(left, y - 2, right, y + 2)
            yield Box(x - 2, high, x + 2, low)
    for cost, quality in hull:
        yield Box(axes.x(cost) - 3, axes.y(quality) - 3, axes.x(cost) + 3, axes.y(quality) + 3)


def _labels(marks: Sequence[_Mark], obstacles: Sequence[Box], axes: Axes) -> alt.LayerChart:
    """Routers in a key on the right, by quality; fixed rules, which lie less close, beside their marks."""
    import altair as alt

    routers = [mark for mark in marks if mark.is_router]
    rules = [mark for mark in marks if not mark.is_router]
    lines = [label_lines(mark.name) for mark in routers]
    heights = [label_size(text)[1] + 2 for text in lines]
    centres = dodge([axes.y(mark.quality.mean) for mark in routers], heights, 0, HEIGHT)
    rows: list[Row] = [
        {"x": WIDTH + 20, "y": centre, "colour": mark.colour, "shape": mark.shape}
        for mark, centre in zip(routers, centres, strict=True)
    ]
    symbols = (
        alt.Chart(inline(rows))
        .mark_point(filled=True, opacity=1, size=_ROUTER_SIZE)
        .encode(
            x=alt.X("x:Q", scale=None, axis=None),
            y=alt.Y("y:Q", scale=None, axis=None),
            color=alt.Color("colour:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
        )
    )
    key = [Label(text, WIDTH + 32, centre) for text, centre in zip(lines, centres, strict=True)]
    places = [(axes.x(mark.cost.mean), axes.y(mark.quality.mean)) for mark in rules]
    beside = place([mark.name for mark in rules], places, obstacles, WIDTH, HEIGHT)
    return layered(symbols, labels_layer([*key, *beside], [mark.colour for mark in (*routers, *rules)]))


def _plot(marks: Sequence[_Mark], hull: Sequence[tuple[float, float]], axes: Axes) -> alt.LayerChart:
    import altair as alt

    cost_scale = alt.Scale(type="log" if axes.is_log else "linear", domain=list(axes.cost), nice=False)
    ticks = axes.cost_ticks() if axes.is_log else alt.Undefined
    cost_axis = alt.Axis(format="$~r", grid=False, tickCount=6, values=ticks)
    logarithmic = ", logarithmic axis" if axes.is_log else ""
    x = alt.X("cost:Q", title=f"mean cost of a task (USD{logarithmic})", scale=cost_scale, axis=cost_axis)
    quality_scale = alt.Scale(domain=list(axes.quality), nice=False, zero=False)
    y = alt.Y("quality:Q", title="mean quality of a task", scale=quality_scale, axis=alt.Axis(tickCount=6))
    line_rows: list[Row] = [{"cost": cost, "quality": quality} for cost, quality in hull]
    line = alt.Chart(inline(line_rows)).mark_line(color=FAINT, strokeDash=[5, 4], strokeWidth=1.5).encode(x=x, y=y)
    points = alt.Chart(inline([_row(mark, axes) for mark in marks])).encode(
        color=alt.Color("colour:N", scale=None), x=x, y=y
    )
    bars = points.transform_filter("datum.is_router").mark_rule(strokeWidth=1.5, opacity=0.45)
    tooltip = [alt.Tooltip(f"{name}:N") for name in ("name", "quality_text", "cost_text")]
    symbols = points.mark_point(filled=True, opacity=1, stroke="white", strokeWidth=1).encode(
        shape=alt.Shape("shape:N", scale=None), size=alt.Size("size:Q", scale=None), tooltip=tooltip
    )
    return layered(
        line,
        bars.encode(x=alt.X("cost_low:Q"), x2="cost_high:Q"),
        bars.encode(y=alt.Y("quality_low:Q"), y2="quality_high:Q"),
        symbols.transform_filter("!datum.is_router"),
        symbols.transform_filter("datum.is_router"),
    )


def _row(mark: _Mark, axes: Axes) -> Row:
    cost_low, cost_high = clipped(mark.cost, axes.cost)
    quality_low, quality_high = clipped(mark.quality, axes.quality)
    quality, cost = QUALITY.write(mark.quality), USD.write(mark.cost)
    return {
        "name": mark.name,
        "colour": mark.colour,
        "shape": mark.shape,
        "size": _ROUTER_SIZE if mark.is_router else _RULE_SIZE,
        "is_router": float(mark.is_router),
        "cost": mark.cost.mean,
        "cost_low": cost_low,
        "cost_high": cost_high,
        "quality": mark.quality.mean,
        "quality_low": quality_low,
        "quality_high": quality_high,
        "quality_text": f"{quality.mean} {quality.interval or ''}",
        "cost_text": f"{cost.mean} {cost.interval or ''}",
    }
