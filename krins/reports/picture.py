"""What all figures share: size, type, colours, and how they reach the disk.

Invariants: a router has one colour in every figure of its run; colours are told apart with the common kinds of colour
blindness and dark enough for text; one specification makes both the PNG and the HTML, which loads nothing from
elsewhere (and tells the browser so). Left out: what a figure shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from krins.reports.labels import FONT_PIXELS, LINE_PIXELS, Label
from krins.reports.notation import write_number
from krins.runs.result import RunResult
from krins.runs.store import published

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 640, 400
"""Of the plot itself, in pixels."""
INK, FAINT, PALE = "#333333", "#707070", "#9a9a9a"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#aa3377", "#8c6d00", "#332288", "#c1272d", "#000000")
"""After Okabe and Ito, "Color Universal Design" (2008), with the pale ones darkened."""
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"

Row = Mapping[str, float | str | Sequence[str] | None]


def router_colours(result: RunResult) -> list[str]:
    """One for each router, in the result's order; they come round again after eight."""
    return [COLOURS[i % len(COLOURS)] for i in range(len(result.routers))]


def router_rounds(result: RunResult) -> list[int]:
    """How often the colours had been used up before each router; tells apart those that share one."""
    return [i // len(COLOURS) for i in range(len(result.routers))]


def inline(rows: Sequence[Row]) -> alt.InlineData:
    """Rows as data that the specification carries itself."""
    import altair as alt

    return alt.InlineData(values=[dict(row) for row in rows])


def layered(*charts: alt.Chart | alt.LayerChart) -> alt.LayerChart:
    """Charts upon each other, the first undermost."""
    import altair as alt

    chart = alt.layer(*charts)
    assert isinstance(chart, alt.LayerChart)  # facets, which this would else be, are not used
    return chart


def labels_layer(labels: Sequence[Label], colours: Sequence[str]) -> alt.LayerChart:
    """Names at pixel places, with a white rim that keeps them legible on lines."""
    import altair as alt

    rows = [
        {
            "lines": label.lines,
            "x": label.x,
            "y": label.y - (len(label.lines) - 1) * LINE_PIXELS / 2,
            "align": label.align,
            "colour": colour,
        }
        for label, colour in zip(labels, colours, strict=True)
    ]
    rim, names = (
        alt.Chart(inline(rows))
        .mark_text(
            align=alt.expr("datum.align"), baseline="middle",
            fontSize=FONT_PIXELS, fontWeight=600, lineHeight=LINE_PIXELS,
            stroke="white" if is_rim else None, strokeWidth=4 if is_rim else 0, strokeOpacity=0.85,
        )
        .encode(
            x=alt.X("x:Q", scale=None, axis=None),
            y=alt.Y("y:Q", scale=None, axis=None),
            text="lines:N",
            color=alt.Color("colour:N", scale=None),
        )
        for is_rim in (True, False)
    )  # fmt: skip
    return layered(rim, names)


def titled(result: RunResult, what: str, explanation: Sequence[str]) -> alt.Title:
    import altair as alt

    return alt.Title(f"{result.suite}: {what}", subtitle=list(explanation))


def over_tasks(result: RunResult) -> str:
    """How the intervals over tasks were made, in words."""
    tasks = write_number(result.n_tasks, "task")
    if result.n_repositories == result.n_tasks:
        return f"95% interval over {tasks}"
    return f"95% interval over {tasks}, clustered by repository ({result.n_repositories:,})"


def finished(plot: alt.LayerChart, names: alt.LayerChart, title: alt.Title) -> alt.LayerChart:
    """A plot and its names, at the common size and in the common style."""
    chart: alt.LayerChart = layered(plot, names).resolve_scale(x="independent", y="independent", color="independent")
    chart = chart.properties(width=WIDTH, height=HEIGHT, title=title).configure(padding=16, background="white")
    chart = chart.configure_view(stroke=None).configure_axis(
        labelColor=INK, labelFontSize=12, titleColor=INK, titleFontSize=13, titleFontWeight="normal",
        titlePadding=10, gridColor="#e8e8e8", domainColor=PALE, tickColor=PALE,
    )  # fmt: skip
    styled: alt.LayerChart = chart.configure_title(
        anchor="start", frame="group", color=INK, fontSize=16, fontWeight=600, offset=14,
        subtitleColor=FAINT, subtitleFontSize=12, subtitlePadding=6, subtitleLineHeight=16,
    )  # fmt: skip
    return styled


def write(chart: alt.LayerChart, folder: Path, name: str, heading: str) -> list[Path]:
    """Write NAME.png and NAME.html into the folder, which must exist; `heading` is what a browser's tab says.

    Raises:
        StorageFault: they cannot be written.
    """
    paths = [folder / f"{name}.png", folder / f"{name}.html"]
    with published(paths[0]) as draft:
        chart.save(draft, format="png", scale_factor=2)
    actions = {"export": True, "source": False, "compiled": False, "editor": False}
    page = chart.to_html(inline=True, embed_options={"actions": actions, "downloadFileName": name})
    with published(paths[1]) as draft:
        draft.write_text(_sealed(page, heading), encoding="utf-8")
    return paths


def _sealed(page: str, heading: str) -> str:
    """The page with a heading, forbidden to load anything, and its data unable to end their script element."""
    before, start, rest = page.partition("const spec = ")
    spec, end, after = rest.partition(";\n")  # JSON on one line, so this is its end
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    before = before.replace("<head>", f"<head>\n  {policy}\n  <title>{escape(heading)}</title>", 1)
    return before + start + spec.replace("<", "\\u003c") + end + after
