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
from krins.runs.result import BreakEven, RouterResult, RunResult

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


def break_even_rows(result: RunResult) -> tuple[Rows, list[Column]]:
    """A row for each cascade and criterion, a column for each of some sensitivities."""
    curves = [(router, curve, field) for router, curve in cascades(result) for field in _CRITERIA]
    n = len(_CRITERIA)
    names = [
        f"{router.router}:\n  {_CRITERIA[field]}" if i % n == 0 else f"  {_CRITERIA[field]}"
        for i, (router, _, field) in enumerate(curves)
    ]
    ends = frozenset(range(n - 1, len(names) - 1, n))
    return Rows("cascade, and what it is to reach", names, ends), [
        Column(
            f"sensitivity\n{shown:g}",
            [
                [*([""] if i % n == 0 else []), _written(getattr(curve, field)[_place(curve, shown)])]
                for i, (_, curve, field) in enumerate(curves)
            ],
        )
        for shown in _SHOWN
    ]


def _place(curve: BreakEven, sensitivity: float) -> int:
    return min(range(len(curve.sensitivity)), key=lambda i: abs(curve.sensitivity[i] - sensitivity))


def _written(specificity: float | None) -> str:
    return UNKNOWN if specificity is None else f"{specificity:.2f}"


def explain(result: RunResult) -> Iterator[tuple[str, str]]:
    """Terms of the table and what they mean."""
    assert result.baselines is not None
    fixed, single = result.baselines.best_fixed.model, result.baselines.best_single.model
    yield "break-even", "least specificity that a SIMULATED verifier of that sensitivity needs; -: none is enough"
    yield "sensitivity", "probability that a right answer passes; specificity: that a wrong one does not"
    yield "more reward", f"than {fixed} on every task; for certain: by the 95% interval over tasks"
    yield "saving", f"cheaper than {single}, at a quality lower by at most {result.non_inferiority_margin:g}"


def break_even_figure(result: RunResult) -> alt.LayerChart | None:
    """Lines of least specificity over sensitivity; None where the run has no cascade, or no verifier is enough."""
    import altair as alt

    colours = dict(zip((router.router for router in result.routers), router_colours(result), strict=True))
    found = cascades(result)
    rows: list[Row] = [
        {"cascade": router.router, "reaches": _CRITERIA[field], "sensitivity": x, "specificity": y}
        for router, curve in found
        for field in _DRAWN
        for x, y in zip(curve.sensitivity, getattr(curve, field), strict=True)
        if y is not None
    ]
    if not rows:
        return None
    names = [router.router for router, _ in found]
    scale = alt.Scale(domain=names, range=[colours[name] for name in names])
    dashes = alt.Scale(domain=[_CRITERIA[field] for field in _DRAWN], range=list(_DRAWN.values()))
    lines = (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("sensitivity:Q", scale=alt.Scale(domain=[0.5, 1.0], nice=False), axis=alt.Axis(tickCount=6)),
            y=alt.Y("specificity:Q", scale=alt.Scale(domain=[0.0, 1.0], nice=False), axis=alt.Axis(tickCount=6)),
            color=alt.Color("cascade:N", legend=None, scale=scale),
            strokeDash=alt.StrokeDash(
                "reaches:N",
                scale=dashes,
                legend=alt.Legend(title="needed for", orient="bottom-left", symbolType="stroke", symbolSize=400),
            ),
            tooltip=["cascade:N", "reaches:N", "sensitivity:Q", "specificity:Q"],
        )
    )
    explanation = [
        "Least specificity that a SIMULATED verifier needs at each sensitivity; above a line the cascade pays.",
        f"Compared with {_compared(result)}, on {result.n_tasks:,} recorded tasks.",
    ]
    labels = _end_labels(found, colours)
    return finished(layered(lines), labels, titled(result, "what a verifier must be able to do", explanation))


def _compared(result: RunResult) -> str:
    assert result.baselines is not None
    fixed, single = result.baselines.best_fixed.model, result.baselines.best_single.model
    return f"{fixed}" if fixed == single else f"{fixed} (reward) and {single} (saving)"


def _end_labels(found: Sequence[tuple[RouterResult, BreakEven]], colours: dict[str, str]) -> alt.LayerChart:
    """Each cascade's name where its last line ends, at sensitivity 1."""
    ends = [
        min((y for field in _DRAWN if (y := getattr(curve, field)[-1]) is not None), default=1.0) for _, curve in found
    ]
    lines = [label_lines(router.router) for router, _ in found]
    heights = [label_size(text)[1] + 2 for text in lines]
    centres = dodge([HEIGHT * (1.0 - end) for end in ends], heights, 0, HEIGHT)
    labels = [Label(text, WIDTH + 8, centre) for text, centre in zip(lines, centres, strict=True)]
    return labels_layer(labels, [colours[router.router] for router, _ in found])
