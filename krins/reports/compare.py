"""A comparison of routers as text: what `krins-eval compare` prints.

Invariants: every number stands with what limits it, and each kind of limit is written in its own way and explained; the
last line says what may be claimed. Left out: computing anything (`krins.studies.compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.console import Console
from rich.text import Text

from krins.reports.columns import Column, Rows, definitions, tables
from krins.reports.notation import PERCENT, QUALITY, QUALITY_DIFFERENCE, UNKNOWN, USD, Notation, write_number
from krins.runs.result import Figure, Share
from krins.statistics.non_inferiority import SIGNIFICANCE
from krins.studies.claim import write_p, write_points
from krins.studies.comparison import (
    AgainstReference,
    Comparison,
    Difference,
    Frontier,
    Group,
    GroupRow,
    Period,
)

_N_SHOWN_COSTS = 6
_VERDICTS = {
    "saving": ["yes"],
    "unadjusted": ["no: only if it", "were alone"],
    "not cheaper": ["no:", "not cheaper"],
    "may not be cheaper": ["no: may not", "be cheaper"],
    "quality is lower": ["no: quality", "is lower"],
    "quality may be lower": ["no: quality", "may be lower"],
    "unknown": [UNKNOWN],
}


def render_comparison(found: Comparison, console: Console) -> None:
    """Print heading, tables, legend, notes and the claim; nothing is cut off, whatever the console's width."""
    console.print(_heading(found))
    table = _MainTable(found)
    _print_tables(table.rows, table.groups, console)
    console.print(definitions(_legend(found), console))
    console.print()
    for heading, part in _parts(found):
        console.print(Text(heading, style="bold", overflow="fold"))
        _print_tables(*part, console)
    for note in found.notes:
        console.print(Text(f"note: {note}", overflow="fold"))
    console.print(Text(f"\n{found.claim}", style="bold", overflow="fold"))


def _print_tables(rows: Rows, groups: Sequence[Sequence[Column]], console: Console) -> None:
    console.print()
    for table in tables(rows, groups, console):
        console.print(table, crop=False)
        console.print()


def _heading(found: Comparison) -> Text:
    text = Text(overflow="fold")
    text.append(f"routers against {found.reference.label}", style="bold")
    clusters = f" from {write_number(found.n_clusters, 'repository')}" if found.is_clustered else ""
    text.append(f", paired by task: {write_number(found.n_tasks, 'task')}{clusters}")
    for run in found.runs:
        passes = f", {write_number(run.passes, 'pass')}" if run.passes > 1 else ""
        facts = f"{run.environment}, {write_number(run.n_replications, 'replication')}{passes}, seed {run.seed}"
        text.append(f"\nrun {run.run_id}: {facts}")
    return text


class _MainTable:
    """A row a router, after one of the reference where that is a fixed model which no router stands for.

    What nobody knows has no column.
    """

    def __init__(self, found: Comparison) -> None:
        self._found, self._routers = found, found.routers
        is_shown = any(router.against_reference is None for router in self._routers)
        self._before = [] if is_shown else [f"reference: {found.reference.label}"]
        self._has_costs = any(one.saving is not None for one in _against(found))

    @property
    def rows(self) -> Rows:
        names = [
            router.label if router.against_reference is not None else f"reference: {router.label}"
            for router in self._routers
        ]
        return Rows("router", [*self._before, *names], frozenset({0} if self._before else ()))

    @property
    def groups(self) -> list[list[Column]]:
        asked = write_points(self._found.margin)
        quality = [
            self._reached("quality", "quality", QUALITY),
            self._compared("quality minus\nreference's", lambda one: _difference(one.quality, QUALITY_DIFFERENCE)),
        ]
        limits = [
            self._compared("smallest\nmargin", lambda one: [_points_of(one.smallest_margin)]),
            self._compared("could\nbe told", lambda one: [_points_of(one.quality.detectable)]),
        ]
        if not self._has_costs:
            return [quality, limits]
        cost = [
            self._reached("USD\na task", "cost_usd", USD),
            self._compared("cheaper than\nreference", lambda one: _difference(one.saving, PERCENT)),
        ]
        verdict = self._compared(f"a saving at\n{asked}", lambda one: _VERDICTS[one.verdict])
        margins = [test.margin for test in _against(self._found)[0].tests]
        tests = [self._compared(f"p at\n{write_points(m)}", partial(_p_values, margin=m)) for m in margins]
        hull = [
            self._column("quality above\nmixing at the\nsame cost", "hull_quality_gain", QUALITY_DIFFERENCE),
            self._column("cheaper than\nmixing at the\nsame quality", "hull_cost_saving", PERCENT),
        ]
        return [quality, cost, [verdict], tests, limits, hull if self._found.frontier is not None else []]

    def _reached(self, heading: str, name: str, notation: Notation) -> Column:
        first = [_figure(getattr(self._found.reference, name), notation) for _ in self._before]
        return Column(heading, [*first, *(_figure(getattr(router, name), notation) for router in self._routers)])

    def _column(self, heading: str, name: str, notation: Notation) -> Column:
        cells = [_figure(getattr(router, name), notation) for router in self._routers]
        return Column(heading, [*([] for _ in self._before), *cells])

    def _compared(self, heading: str, write: Callable[[AgainstReference], Sequence[str]]) -> Column:
        against = [router.against_reference for router in self._routers]
        return Column(heading, [*([] for _ in self._before), *([] if one is None else write(one) for one in against)])


def _against(found: Comparison) -> list[AgainstReference]:
    return [router.against_reference for router in found.routers if router.against_reference is not None]


def _figure(found: Figure | Share | None, notation: Notation) -> list[str]:
    if found is None:
        return [UNKNOWN]
    figure = found if isinstance(found, Figure) else Figure(mean=found.mean, low=found.low, high=found.high)
    return [line for line in notation.write(figure) if line is not None]


def _difference(found: Difference | None, notation: Notation) -> list[str]:
    if found is None:
        return [UNKNOWN]
    limits = {name: getattr(found, name) for name in ("low", "high", "replication_low", "replication_high")}
    mean, interval, spread = notation.write(Figure(mean=found.mean, **limits))
    for_all = Figure(mean=found.mean, low=found.simultaneous_low, high=found.simultaneous_high)
    simultaneous = notation.write(for_all).interval
    braces = simultaneous and f"{{{simultaneous[1:-1]}}}"
    return [line for line in (mean, interval, braces, spread) if line is not None]


def _p_values(one: AgainstReference, margin: float) -> list[str]:
    test = next(test for test in one.tests if test.margin == margin)
    return [UNKNOWN] if test.p is None else [write_p(test.p_adjusted), f"({write_p(test.p)})"]


def _points_of(share: float | None) -> str:
    return UNKNOWN if share is None else ">100" if share > 1 else f"{100 * share:.1f}"


def _parts(found: Comparison) -> Iterator[tuple[str, tuple[Rows, list[list[Column]]]]]:
    for kind in ("category", "language"):
        groups = [group for group in found.groups if group.kind == kind]
        if groups:
            yield f"By {kind}: quality at USD a task, quality minus reference's with its interval", _by(groups)
    if found.drift is not None:
        undated = found.n_tasks - found.drift.n_dated
        said = f"; {write_number(undated, 'task')} without a date are left out" if undated else ""
        yield f"Over the dates of tasks{said}", _over_dates(found)
    if found.frontier is not None:
        yield "Frontier of fixed models and their mixtures", _frontier(found.frontier)


def _by(groups: Sequence[Group] | Sequence[Period]) -> tuple[Rows, list[list[Column]]]:
    names = [row.label for row in groups[0].rows]
    columns = [Column(_group_heading(group), [_group_cell(row) for row in group.rows]) for group in groups]
    return Rows("router", names, frozenset({0})), [[column] for column in columns]


def _group_heading(group: Group | Period) -> str:
    repositories = write_number(group.n_clusters, "repository")
    clusters = f"\n{repositories}" if group.n_clusters < group.n_tasks else ""
    return f"{group.name}\n{write_number(group.n_tasks, 'task')}{clusters}"


def _group_cell(row: GroupRow) -> list[str]:
    cost = "" if row.cost_usd is None else f" at {USD.write(Figure(mean=row.cost_usd.mean)).mean}"
    place = f"{QUALITY.write(Figure(mean=row.quality.mean)).mean}{cost}"
    return [place, *(_figure(row.difference, QUALITY_DIFFERENCE) if row.difference is not None else [])]


def _over_dates(found: Comparison) -> tuple[Rows, list[list[Column]]]:
    assert found.drift is not None
    rows, columns = _by(found.drift.periods)
    trends = {trend.label: trend for trend in found.drift.trends}
    cells = []
    for name in rows.names:
        trend = trends.get(name)
        if trend is None:
            cells.append([UNKNOWN])
            continue
        slope = _figure(Share(mean=trend.slope, low=trend.low, high=trend.high), QUALITY_DIFFERENCE)
        cells.append([*slope, f"p {write_p(trend.p_adjusted)} ({write_p(trend.p)})"])
    if not trends:
        return rows, columns
    return rows, [*columns, [Column("change of the\ndifference\nin a year", cells)]]


def _frontier(frontier: Frontier) -> tuple[Rows, list[list[Column]]]:
    last = len(frontier.cost_usd) - 1
    shown = sorted({round(i * last / (_N_SHOWN_COSTS - 1)) for i in range(_N_SHOWN_COSTS)})
    band = [Share(mean=frontier.quality[i], low=frontier.low[i], high=frontier.high[i]) for i in shown]
    names = [USD.write(Figure(mean=frontier.cost_usd[i])).mean for i in shown]
    return Rows("USD a task", names), [[Column("quality", [_figure(one, QUALITY) for one in band])]]


def _legend(found: Comparison) -> Iterator[tuple[str, str]]:
    over = "clustered by repository" if found.is_clustered else "not clustered: each task by itself"
    against = _against(found)
    yield "[low, high]", f"95% interval of the mean over tasks, {over}"
    if len(against) > 1:
        yield "{low, high}", f"the same, but so that all {len(against)} of a column hold at once (Bonferroni)"
    if any(router.quality.replication_low is not None for router in found.routers):
        yield "low to high", "where the central 95% of replications (orders of the tasks) lie"
    if any(one.saving is not None for one in against):
        yield (
            "p at",
            "that it is not cheaper, or that its quality is lower by the margin or more: adjusted for "
            f"{write_number(len(against), 'router')} (Holm), and in parentheses as if it were alone; a saving is what "
            f"has {SIGNIFICANCE:g} or less, adjusted",
        )
    else:
        free = found.reference.cost_usd is not None and found.reference.cost_usd.mean == 0
        why = "the reference costs nothing" if free else "USD a task is not known"
        yield "no p", f"{why}, and so nothing is tested for a saving"
    yield "smallest margin", "in points of quality, at which this router alone is shown not to be inferior"
    yield "could be told", "points that quality must differ by for these tasks to show it, with a power of 80%"
    if found.frontier is not None:
        names = ", ".join(model.model for model in found.frontier.models)
        yield "hull, frontier", f"{names}; mixing sends each task to one of two neighbours at random"
        if found.frontier.n_draws:
            by = "repositories" if found.frontier.is_clustered else "tasks"
            yield (
                "its [low, high]",
                f"95% at each cost by itself; a bootstrap over {by} picks the hull anew in each draw",
            )
