"""The charts of a page, drawn for the widths at which it is read: a desk's and a phone's.

Invariants: all charts have the same looks, which they need not state; a picture is no wider than it was asked to be,
axes, labels and legend included, as far as its plot can shrink; names of rows are whole, also in the widest fonts that
browsers take where they lack the one that was measured; the SVG holds shapes and text alone: nothing that could
load, style or run something, and no id twice on a page; the same charts give the same bytes. Left out: what a chart
shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from krins.reports.columns import wrap_name
from krins.reports.labels import LINE_PIXELS
from krins.reports.page import Chart, Page
from krins.reports.picture import COLOURS, INK, PALE

if TYPE_CHECKING:
    import altair as alt

DESK_WIDTH, PHONE_WIDTH = 760, 340
"""Of a whole picture, in pixels."""
_LEAST_PLOT = 120
_SLACK = 20
_FITTING_ROUNDS = 4
"""What stands beside a plot hardly changes with its width, so two rounds settle nearly all charts."""
_PNG_SCALE = 2
_DROPPED = {"style", "href", "class", "role", "pointer-events", "tabindex", "version"}
"""Attributes that load, are styles that the page's policy forbids, or speak to a reader mark by mark."""
_KEPT = {"svg", "g", "defs", "clipPath", "path", "rect", "line", "text", "tspan", "linearGradient", "stop"}
"""Elements; Vega draws symbols and circles as paths."""
_LOOKS = {
    "background": "white",
    "padding": {"left": 2, "top": 2, "right": 8, "bottom": 2},  # the last tick's label may be wider than measured
    "view": {"stroke": None},
    "range": {"category": list(COLOURS)},
    "axis": {
        "labelColor": INK, "labelFontSize": 12, "titleColor": INK, "titleFontSize": 13, "titleFontWeight": "normal",
        "titlePadding": 8, "gridColor": "#e8e8e8", "domainColor": PALE, "tickColor": PALE,
    },
    "axisX": {"tickCount": 5, "labelOverlap": True, "labelSeparation": 10},
    "axisY": {"tickCount": 6},
}  # fmt: skip
"""A chart's own configuration goes before."""
_LEGEND = {
    "orient": "bottom", "direction": "vertical", "columns": 1, "title": None, "labelFontSize": 12, "labelColor": INK,
    "symbolOpacity": 1, "rowPadding": 3, "layout": {"bottom": {"direction": "vertical", "anchor": "start"}},
}  # fmt: skip
_BESIDE_LEGEND = 80
"""Pixels that a name in a legend leaves to symbol and axis; what is longer is cut (the table has it whole)."""
_DESK_NAME, _PHONE_NAME = 36, 18
"""Characters in a line of a row's name."""
_SMALL_PIXELS, _CAPITAL_PIXELS = 7.4, 9.4
"""Mean advance of a character in DejaVu Sans or Verdana at the size of labels, on the generous side: a fifth above
Arial's."""


@dataclass(frozen=True)
class Drawn:
    """One chart as pictures."""

    desk_svg: str
    phone_svg: str
    desk_png: bytes


def named_rows(names: Sequence[str], width: int, row_pixels: int) -> tuple[alt.Y, int]:
    """The y axis of a chart whose rows, from the top, have `names` (in the field "name"), and the height of its plot.

    `width` is the plot's. Names are wrapped at their joints, and never cut: two that begin alike can be told apart.
    """
    import altair as alt

    lines = {name: wrap_name(name, _PHONE_NAME if width <= PHONE_WIDTH else _DESK_NAME) for name in names}
    shown = f"({json.dumps(lines)})[datum.value]"
    axis = alt.Axis(
        labelExpr=shown,
        labelLimit=0,
        labelLineHeight=LINE_PIXELS,
        labelOffset=alt.expr(f"({shown}.length - 1) * {-LINE_PIXELS / 2}"),  # Vega hangs further lines below the first
        minExtent=round(max(_pixels(line) for wrapped in lines.values() for line in wrapped)),
    )
    extra = max(map(len, lines.values())) - 1
    return alt.Y("name:N", sort=list(names), title=None, axis=axis), (row_pixels + extra * LINE_PIXELS) * len(names)


def axis_title(text: str, width: int) -> list[str]:
    """The title of an x axis in lines that are no longer than the axis, which is `width` pixels long."""
    return wrap_name(text, int(width / _CAPITAL_PIXELS))


def _pixels(line: str) -> float:
    return sum(_CAPITAL_PIXELS if character.isupper() else _SMALL_PIXELS for character in line)


def draw_charts(page: Page) -> list[Drawn | None]:
    """A picture for each section; None where it has no chart."""
    ids = count(1)
    return [section.chart and _draw(section.chart, section.heading, ids) for section in page.sections]


def _draw(chart: Chart, label: str, ids: Iterator[int]) -> Drawn:
    import vl_convert

    desk, beside = _fitted(chart, DESK_WIDTH, 0)
    phone, _ = _fitted(chart, PHONE_WIDTH, beside)
    png = vl_convert.svg_to_png(desk, scale=_PNG_SCALE)
    return Drawn(_cleaned(desk, label, ids), _cleaned(phone, label, ids), bytes(png))


def _fitted(chart: Chart, width: int, beside: int) -> tuple[str, int]:
    """The chart as SVG, its plot as wide as leaves room for what stands beside it: about `beside` pixels, and how many
    they are."""
    svg = ""
    for _ in range(_FITTING_ROUNDS):
        plot = max(_LEAST_PLOT, width - beside)
        svg = _svg(chart, plot, width)
        excess = _width(svg) - width
        if -_SLACK <= excess <= 0 or (excess > 0 and plot == _LEAST_PLOT):
            break
        beside = _width(svg) - plot
    return svg, beside


def _svg(chart: Chart, plot: int, width: int) -> str:
    import vl_convert

    looks = {**_LOOKS, "legend": {**_LEGEND, "labelLimit": width - _BESIDE_LEGEND}}
    svg: str = vl_convert.vegalite_to_svg(chart(plot).to_dict(validate=False), config=looks)
    return svg


def _width(svg: str) -> int:
    return round(float(ElementTree.fromstring(svg).attrib["width"]))


def _cleaned(svg: str, label: str, ids: Iterator[int]) -> str:
    """The SVG as an element of an HTML page: one image to a screen reader, with ids that are new on the page."""
    root = ElementTree.fromstring(svg)
    names = {found: f"c{next(ids)}" for found in (element.get("id") for element in root.iter()) if found}
    _clean(root, names)
    root.attrib |= {"role": "img", "aria-label": label}
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element, names: dict[str, str]) -> None:
    element.tag = _local(element.tag)  # in HTML an svg element needs no namespace
    element.attrib = {
        _local(key): _renamed(key, value, names)
        for key, value in element.attrib.items()
        if _local(key) not in _DROPPED and not key.startswith(("aria-", "on"))
    }
    for child in list(element):
        if _local(child.tag) in _KEPT:
            _clean(child, names)
        else:
            element.remove(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _renamed(key: str, value: str, names: dict[str, str]) -> str:
    if key == "id":
        return names[value]
    if value.startswith("url(#"):
        return f"url(#{names[value[5:-1]]})"
    return value
