"""A run's result as text: what a person reads when `krins-eval run` ends.

Invariants: every figure stands with both its uncertainties, told apart by how they are written and explained below the
table; a lower cost stands beside the quality difference and is called a saving only where the result calls it one; a
column whose numbers nobody knows is named instead of shown. Plain ASCII but for names and, on terminals, rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from krins.reports.break_even import break_even_rows, cascades, explain
from krins.reports.columns import Column, Rows, definitions, tables
from krins.reports.notation import (
    AMOUNT,
    COUNT,
    PERCENT,
    QUALITY,
    QUALITY_DIFFERENCE,
    UNKNOWN,
    USD,
    Notation,
    write_number,
    write_percent,
    write_place,
    write_seconds,
    write_usd,
)
from krins.reports.pipeline_table import render_pipeline
from krins.runs.result import Baseline, Baselines, ErrorCounts, Figure, RouterResult, RunResult


@dataclass(frozen=True)
class Measure:
    """A column of figures."""

    heading: str
    field: str
    """Of `RouterResult`; baselines that have it too are shown in the same column."""
    notation: Notation
    better: Callable[[Sequence[float]], float] | None
    """Picks the best of several means; None where neither end is better."""


_REACHED = [
    Measure("quality", "quality", QUALITY, max),
    Measure("quality where\nanswered", "quality_answered", QUALITY, max),
    Measure("USD\na task", "cost_usd", USD, min),
    Measure("tokens\na task", "tokens", COUNT, min),
]
_AGAINST_BEST_SINGLE = [
    Measure("cheaper than\nbest single", "saving_vs_best_single", PERCENT, max),
    Measure("quality minus\nbest single's", "quality_difference_vs_best_single", QUALITY_DIFFERENCE, max),
]
_AGAINST_MIXING = [
    Measure("quality above\nmixing at the\nsame cost", "hull_quality_gain", QUALITY_DIFFERENCE, max),
    Measure("cheaper than\nmixing at the\nsame quality", "hull_cost_saving", PERCENT, max),
]
_REGRET = [
    Measure("regret against\nbest fixed", "regret_vs_best_fixed", AMOUNT, min),
    Measure("regret against\noracle", "regret_vs_oracle", AMOUNT, min),
]
_CONTEXT = [
    Measure("context\ntokens a task", "context_tokens", COUNT, None),
    Measure("context tokens\nsaved vs\nwhole tree", "context_token_saving", PERCENT, None),
]


def render(result: RunResult, console: Console) -> None:
    """Print heading, table, legend and notes; nothing is cut off, whatever the console's width."""
    page = _Page(result)
    console.print(_heading(result))
    console.print()
    for table in tables(page.rows, page.groups, console):
        console.print(table, crop=False)
        console.print()
    console.print(definitions(page.legend(), console))
    _render_break_even(result, console)
    render_pipeline(result.pipeline, console)
    if result.notes:
        console.print()
    for note in result.notes:
        console.print(Text(f"note: {note}", overflow="fold"))


def _render_break_even(result: RunResult, console: Console) -> None:
    if not cascades(result):
        return
    console.print("\nHow specific a simulated verifier must be\n")
    for router, curve in cascades(result):
        console.print(Text(f"{router.router}:", overflow="fold"))
        rows, columns = break_even_rows(curve)
        for table in tables(rows, [columns], console):
            console.print(table, crop=False)
            console.print()
    console.print(definitions(explain(result), console))


def _heading(result: RunResult) -> Text:
    independent = result.n_repositories == result.n_tasks
    of_repositories = "" if independent else f" from {write_number(result.n_repositories, 'repository')}"
    facts = [
        f"{result.environment}: {write_number(result.n_tasks, 'task')}{of_repositories}",
        *([write_number(result.passes, "pass")] if result.passes > 1 else []),
        write_number(result.n_replications, "replication"),
        f"seed {result.seed}",
        f"took {write_seconds(result.elapsed_seconds)}",
        *([f"billed {write_usd(float(result.billed_usd))}"] if result.environment == "live" else []),
    ]
    return Text.assemble((result.suite, "bold"), f"  run {result.run_id}\n", ", ".join(facts), overflow="fold")


class _Page:
    """The tables and the legend of one result."""

    def __init__(self, result: RunResult) -> None:
        self._result, self._routers = result, result.routers
        self._fixed_rules = [] if result.baselines is None else list(_fixed_rules(result.baselines))
        has_faults = any(router.errors.infrastructure or router.errors.budget for router in self._routers)
        self._reached = [m for m in _REACHED if m.field != "quality_answered" or has_faults]
        self._context = _CONTEXT if result.context_token_saving is not None else []
        measures = [*self._reached, *_AGAINST_BEST_SINGLE, *_AGAINST_MIXING, *_REGRET, *self._context]
        figures = [f for m in measures for f in (getattr(router, m.field) for router in self._routers) if f is not None]
        self._has_intervals = any(figure.low is not None for figure in figures)
        self._has_spreads = any(figure.replication_low is not None for figure in figures)
        self._unknown = [m for m in measures if not self._is_known(m)]

    @property
    def rows(self) -> Rows:
        names = [router.router for router in self._routers]
        rules = [name for name, _ in self._fixed_rules]
        return Rows("router", [*names, *rules], frozenset({len(names) - 1} if rules else ()))

    @property
    def groups(self) -> list[list[Column]]:
        """Columns that belong side by side."""
        kinds = (self._reached, _AGAINST_BEST_SINGLE, _AGAINST_MIXING, _REGRET, self._context)
        groups = [self._columns(measures) for measures in kinds]
        if any(router.is_saving is not None for router in self._routers):
            groups[1].append(self._column("may be called\na saving", [_saving_in_words(r) for r in self._routers]))
        return [*(group for group in groups if group), *([self._errors()] if self._has_errors else [])]

    def _is_known(self, measure: Measure) -> bool:
        """A comparison that fails for every router because none lies under the hull is known, and shown as dashes."""
        baselines = self._result.baselines
        has_hull = measure in _AGAINST_MIXING and baselines is not None and bool(baselines.hull)
        has_costs = any(router.cost_usd is not None for router in self._routers)
        return (has_hull and has_costs) or any(getattr(router, measure.field) is not None for router in self._routers)

    def _columns(self, measures: Sequence[Measure]) -> list[Column]:
        return [self._figures(measure) for measure in measures if measure not in self._unknown]

    def _figures(self, measure: Measure) -> Column:
        figures: list[Figure | None] = [getattr(router, measure.field) for router in self._routers]
        means = [figure.mean for figure in figures if figure is not None]
        best = measure.better(means) if measure.better and len(set(means)) > 1 else None
        bold = frozenset(i for i, figure in enumerate(figures) if figure is not None and figure.mean == best)
        cells = [self._cell(figure, measure.notation, self._has_spreads) for figure in figures]
        return self._column(measure.heading, cells, measure, bold)

    def _cell(self, figure: Figure | None, notation: Notation, with_spread: bool) -> list[str]:
        if figure is None:
            return [UNKNOWN]
        written = notation.write(figure)
        return [
            written.mean,
            *([written.interval or UNKNOWN] if self._has_intervals else []),
            *([written.spread or UNKNOWN] if with_spread else []),
        ]

    def _column(
        self,
        heading: str,
        cells: list[list[str]],
        measure: Measure | None = None,
        bold: frozenset[int] = frozenset(),
    ) -> Column:
        of_rules: list[list[str]] = [[] for _ in self._fixed_rules]
        if measure is not None and measure.field in Baseline.model_fields:
            figures = [getattr(rule, measure.field) for _, rule in self._fixed_rules]
            of_rules = [self._cell(figure, measure.notation, with_spread=False) for figure in figures]
        return Column(heading, [*cells, *of_rules], bold)

    @property
    def _has_errors(self) -> bool:
        return any(count for router in self._routers for _, count in router.errors)

    def _errors(self) -> list[Column]:
        return [
            self._column(
                f"{kind}\nerrors",
                [
                    [f"{count:,}", *([write_percent(count / router.n_decisions)] if count else [])]
                    for router, count in ((router, getattr(router.errors, kind)) for router in self._routers)
                ],
            )
            for kind in ErrorCounts.model_fields
            if any(getattr(router.errors, kind) for router in self._routers)
        ]

    def legend(self) -> Iterator[tuple[str, str]]:
        """Terms and what they mean: those that the tables use."""
        result = self._result
        independent = result.n_repositories == result.n_tasks
        if self._has_intervals:
            over = "each independent of the others" if independent else "clustered by repository"
            yield "[low, high]", f"95% interval of the mean over tasks, {over}"
        if self._has_spreads:
            yield "low to high", f"where the central 95% of the {result.n_replications:,} replications lie"
        if result.baselines is not None:
            yield from self._explain_comparisons(result.baselines)
        if result.whole_context_tokens is not None:
            whole = write_number(round(result.whole_context_tokens.mean), "token")
            yield "vs whole tree", f"share spared of the {whole} (o200k) that every file in full would take, on average"
        if self._has_errors:
            yield "errors", "decisions, over all replications, without an answer to judge; they count as quality 0"
        if self._unknown:
            yield "not known", ", ".join(measure.heading.replace("\n", " ") for measure in self._unknown)
        if any(UNKNOWN in cell for group in self.groups for column in group for cell in column.cells):
            yield UNKNOWN, "not known; against mixing: off the hull, where there is nothing to compare with"

    def _explain_comparisons(self, baselines: Baselines) -> Iterator[tuple[str, str]]:
        if baselines.hull:
            yield "hull", ", ".join(write_place(model) for model in baselines.hull)
            yield "mixing", "sending each task to one of two neighbours on the hull, at random, which needs no router"
        if _AGAINST_BEST_SINGLE[0] not in self._unknown:
            yield "cheaper", "share of the cost that is spared; negative: dearer"
            margin = self._result.non_inferiority_margin
            yield (
                "a saving",
                f"cheaper, and quality lower by less than the suite's margin of {margin:g}: by both intervals",
            )
        if any(measure not in self._unknown for measure in _REGRET):
            n_steps = self._result.n_tasks * self._result.passes
            yield "regret", f"total reward missed against it, in one replication of {write_number(n_steps, 'decision')}"


def _fixed_rules(baselines: Baselines) -> Iterator[tuple[str, Baseline]]:
    yield f"best single by quality:\n{baselines.best_single.model}", baselines.best_single
    yield f"best fixed by reward:\n{baselines.best_fixed.model}", baselines.best_fixed
    yield "random model", baselines.random
    yield "oracle by reward", baselines.oracle
    if baselines.cheapest_correct is not None:
        yield "oracle, cheapest correct", baselines.cheapest_correct


def _saving_in_words(router: RouterResult) -> list[str]:
    """Why a lower cost may or may not be called a saving, in lines."""
    difference, saving = router.quality_difference_vs_best_single, router.saving_vs_best_single
    if router.is_saving is None or difference is None or saving is None:
        return [UNKNOWN]
    if router.is_saving:
        return ["yes"]
    if saving.mean <= 0:
        return ["no:", "not cheaper"]
    is_lower = difference.high is not None and difference.high < 0
    return ["no: quality", "is lower" if is_lower else "may be lower"]
