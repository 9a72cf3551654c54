"""The figure of learning: how much reward each router has missed so far, decision by decision.

Invariants: a line is the mean over replications, its band their central 95%; where regret is not known the figure
shows mean quality so far, which has no band. Left out: writing it to a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from krins.reports.labels import Label, dodge, label_lines, label_size
from krins.reports.notation import write_number
from krins.reports.picture import (
    HEIGHT,
    WIDTH,
    Row,
    finished,
    inline,
    labels_layer,
    layered,
    router_colours,
    router_rounds,
    titled,
)
from krins.runs.result import RouterResult, RunResult

if TYPE_CHECKING:
    import altair as alt

_DASHES = ([1, 0], [6, 3], [2, 2])
_LEADER_PIXELS = 18
"""From the end of a line to its label."""


class _Point(NamedTuple):
    step: int
    value: float
    low: float | None
    high: float | None


def learning_curves(result: RunResult) -> alt.LayerChart:
    """Lines labelled at their ends; the labels are moved apart, and a thin leader joins each to its line."""
    has_regret = all(router.curve.regret is not None for router in result.routers)
    has_band = has_regret and result.n_replications > 1
    curves = [_points(router, has_regret, has_band) for router in result.routers]
    domain = _domain(curves, has_regret)
    return finished(
        _plot(result, curves, domain, "regret" if has_regret else "mean quality so far"),
        _end_labels(result, [points[-1].value for points in curves], domain),
        _title(result, has_regret, has_band),
    )


def _points(router: RouterResult, has_regret: bool, has_band: bool) -> list[_Point]:
    curve = router.curve
    if not has_regret or curve.regret is None:
        return [_Point(step, value, None, None) for step, value in zip(curve.steps, curve.quality, strict=True)]
    lows = curve.regret_low if has_band and curve.regret_low is not None else [None] * len(curve.steps)
    highs = curve.regret_high if has_band and curve.regret_high is not None else [None] * len(curve.steps)
    start = _Point(0, 0.0, *((0.0, 0.0) if has_band else (None, None)))
    return [start, *map(_Point, curve.steps, curve.regret, lows, highs)]


def _domain(curves: Sequence[Sequence[_Point]], has_regret: bool) -> tuple[float, float]:
    """All of regret; of a running mean what it does after its first, wild tenth."""
    shown = [point for points in curves for point in points[0 if has_regret else len(points) // 10 :]]
    values = [value for point in shown for value in point[1:] if value is not None]
    low, high = min(values), max(values)
    pad = 0.05 * (high - low) or 0.5
    return (min(0.0, low - pad) if low < 0 else 0.0) if has_regret else low - pad, high + pad


def _plot(
    result: RunResult, curves: Sequence[Sequence[_Point]], domain: tuple[float, float], what: str
) -> alt.LayerChart:
    import altair as alt

    names = [router.router for router in result.routers]
    rows: list[Row] = [
        {"router": name, **point._asdict()} for name, points in zip(names, curves, strict=True) for point in points
    ]
    colour = alt.Color("router:N", legend=None, scale=alt.Scale(domain=names, range=router_colours(result)))
    dashes = [_DASHES[lap % len(_DASHES)] for lap in router_rounds(result)]
    dash = alt.StrokeDash("router:N", legend=None, scale=alt.Scale(domain=names, range=dashes))
    steps = alt.Scale(domain=[0, max(points[-1].step for points in curves)], nice=False)
    scale = alt.Scale(domain=list(domain), nice=False, zero=False)
    x = alt.X("step:Q", title="decisions", scale=steps, axis=alt.Axis(grid=False, tickCount=6))
    title = "cumulative regret (total reward missed)" if what == "regret" else what

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6))

    has_band = curves[0][-1].low is not None
    shown = [("value", what), *([("low", "95% low"), ("high", "95% high")] if has_band else [])]
    tooltip = [alt.Tooltip("router:N"), alt.Tooltip("step:Q", title="decisions", format=",d")]
    tooltip += [alt.Tooltip(f"{field}:Q", title=name, format=".4~g") for field, name in shown]
    base = alt.Chart(inline(rows)).encode(x=x, color=colour)
    line = base.mark_line(strokeWidth=2, clip=True).encode(y=y("value"), strokeDash=dash, tooltip=tooltip)
    band = base.mark_area(opacity=0.15, clip=True, line=False).encode(y=y("low"), y2="high:Q")
    return layered(*([band] if has_band else []), line)


def _end_labels(result: RunResult, ends: Sequence[float], domain: tuple[float, float]) -> alt.LayerChart:
    import altair as alt

    low, high = domain
    pixels = [HEIGHT * (high - end) / (high - low) for end in ends]
    lines = [label_lines(router.router) for router in result.routers]
    centres = dodge(pixels, [label_size(text)[1] + 2 for text in lines], 0, HEIGHT)
    colours = router_colours(result)
    leaders: list[Row] = [
        {"x": WIDTH + 2, "y": y, "x2": WIDTH + _LEADER_PIXELS - 3, "y2": centre, "colour": colour}
        for y, centre, colour in zip(pixels, centres, colours, strict=True)
    ]
    rules = (
        alt.Chart(inline(leaders))
        .mark_rule(strokeWidth=1, opacity=0.7)
        .encode(
            x=alt.X("x:Q", scale=None, axis=None),
            y=alt.Y("y:Q", scale=None, axis=None),
            x2="x2:Q",
            y2="y2:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    labels = [Label(text, WIDTH + _LEADER_PIXELS, centre) for text, centre in zip(lines, centres, strict=True)]
    return layered(rules, labels_layer(labels, colours))


def _title(result: RunResult, has_regret: bool, has_band: bool) -> alt.Title:
    replications = write_number(result.n_replications, "replication")
    lines = f"Line: mean over {replications}." if result.n_replications > 1 else "One replication."
    if not has_regret:
        return titled(result, "quality while learning", [lines])
    best = "" if result.baselines is None else f" ({result.baselines.best_fixed.model})"
    band = " Band: where the central 95% of them lie." if has_band else ""
    what = f"Total reward short of always taking the best fixed arm{best}; lower is better."
    return titled(result, "regret while learning", [what, lines + band])
