"""The charts of a comparison along something: decisions, a verifier's sensitivity, groups of tasks, dates.

Invariants: as in `krins.reports.compare_charts`. Left out: computing any of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from krins.reports.compare_charts import PLOT_HEIGHT, colour, dash, labels_of, shape, sized, upright
from krins.reports.picture import Row, inline, layered
from krins.runs.result import BreakEven, Curve, Share, SpecificityRange
from krins.studies.comparison import Comparison, Group, GroupRow, Period

if TYPE_CHECKING:
    import altair as alt

_CROWD = 6
"""More bands than that hide one another."""
_SLOT_PIXELS = 9
"""Of one router's interval among others."""
_NAME_SLOTS = ("", " ")
"""Of no router: room for the name of a group above its intervals."""


def learning(curves: Mapping[str, Curve], labels: Sequence[str], width: int) -> alt.LayerChart:
    """Total reward missed against the best fixed arm, or where that is not known quality so far; by router."""
    import altair as alt

    has_regret = all(curve.regret is not None for curve in curves.values())
    rows = [row for label, curve in curves.items() for row in _steps(label, curve, has_regret)]
    has_band = len(curves) <= _CROWD and any(row["low"] is not None for row in rows)
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("step:Q", title="decisions", axis=alt.Axis(grid=False), scale=alt.Scale(nice=False)),
        color=colour(labels),
    )
    y = alt.Y("value:Q", title="reward missed" if has_regret else "quality so far", scale=alt.Scale(zero=has_regret))
    line = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=dash(labels))
    band = base.mark_area(opacity=0.13, line=False).encode(y=alt.Y("low:Q"), y2="high:Q")
    return sized(layered(*([band] if has_band else []), line), width)


def _steps(label: str, curve: Curve, has_regret: bool) -> list[Row]:
    values = curve.regret if has_regret and curve.regret is not None else curve.quality
    unknown: list[None] = [None] * len(curve.steps)
    lows, highs = (curve.regret_low or unknown, curve.regret_high or unknown) if has_regret else (unknown, unknown)
    return [
        {"router": label, "step": step, "value": value, "low": low, "high": high}
        for step, value, low, high in zip(curve.steps, values, lows, highs, strict=True)
    ]


def pays(curve: BreakEven) -> bool:
    """Whether any verifier is good enough, so that there is something to draw."""
    return any(found is not None for line in _needed(curve).values() for found in line)


def verifier(cascades: Mapping[str, BreakEven], labels: Sequence[str], width: int) -> alt.LayerChart:
    """Least specificity that a simulated verifier needs at each sensitivity."""
    import altair as alt

    rows: list[Row] = [
        {"router": label, "needed for": reached, "sensitivity": sensitivity, "specificity": found[0]}
        for label, curve in cascades.items()
        for reached, line in _needed(curve).items()
        for sensitivity, found in zip(curve.sensitivity, line, strict=True)
        if found is not None
    ]
    dashes = alt.StrokeDash("needed for:N", scale=alt.Scale(domain=["more reward", "a saving"], range=[[1, 0], [6, 3]]))
    unit = alt.Scale(domain=[0.0, 1.0], nice=False)
    lines = (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("sensitivity:Q", scale=alt.Scale(domain=[0.5, 1.0], nice=False)),
            y=alt.Y("specificity:Q", scale=unit),
            color=colour(labels, shown=list(cascades)),
            strokeDash=dashes,
        )
    )
    return sized(layered(lines), width)


def _needed(curve: BreakEven) -> dict[str, list[SpecificityRange | None]]:
    return {"more reward": curve.better_reward, "a saving": curve.saving}


def by_group(found: Comparison, groups: Sequence[Group], width: int) -> alt.LayerChart:
    """Differences in quality to the reference, a slot for each router in each group."""
    import altair as alt

    rows = [row for group in groups for row in _intervals(group.name, group.rows)]
    shown = {row["router"] for row in rows}
    labels = [label for label in labels_of(found) if label in shown]
    slots = [*_NAME_SLOTS, *labels]
    height = len(slots) * _SLOT_PIXELS
    axis = alt.Axis(  # names inside the plot, each above its group
        labelAlign="left", labelPadding=-4, labelOffset=_SLOT_PIXELS * len(_NAME_SLOTS) / 2 - height / 2,
        labelLimit=0, labelFontWeight=600, ticks=False, domain=False, grid=False,
    )  # fmt: skip
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y("at:N", title=None, sort=[group.name for group in groups], axis=axis, scale=alt.Scale(padding=0)),
        yOffset=alt.YOffset("router:N", scale=alt.Scale(domain=slots)),
        color=colour(labels_of(found), shown=labels),
    )
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="points of quality, against the reference"), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=35, opacity=1).encode(x="mean:Q", shape=shape(labels_of(found), labels))
    return sized(layered(upright(0.0), bars, dots), width, len(groups) * height)


def over_time(found: Comparison, periods: Sequence[Period], width: int) -> alt.LayerChart:
    """The same by period, joined to a line for each router."""
    import altair as alt

    rows = [row for period in periods for row in _intervals(period.name, period.rows)]
    labels = labels_of(found)
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("at:O", title=None, sort=[period.name for period in periods], axis=alt.Axis(labelAngle=-45)),
        color=colour(labels),
    )
    offset = alt.XOffset("router:N", sort=labels)
    title = "points of quality, against the reference"
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=title), y2="high:Q", xOffset=offset)
    dots = base.mark_point(filled=True, size=35, opacity=1).encode(y="mean:Q", xOffset=offset, shape=shape(labels))
    zero = alt.Chart(inline([{"at": 0.0}])).mark_rule(strokeDash=[4, 3]).encode(y="at:Q")
    return sized(layered(zero, bars, dots), width, PLOT_HEIGHT)


def _intervals(at: str, rows: Sequence[GroupRow]) -> list[Row]:
    """In points; without the reference itself."""
    return [{"at": at, "router": row.label, **_in_points(row.difference)} for row in rows if row.difference is not None]


def _in_points(share: Share) -> dict[str, float | None]:
    ends = {"mean": share.mean, "low": share.low, "high": share.high}
    return {end: None if value is None else 100 * value for end, value in ends.items()}
