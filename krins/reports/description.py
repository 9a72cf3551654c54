"""What an outcome table holds, and what fixed rules reach on it, before any router is tried.

Invariants: a model's numbers are over the tasks that it was tried on; baselines are given only where every model was
tried on every task; reward is quality alone. Left out: reading files, and routers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from krins.domain import FailureKind
from krins.environments.table import FAILURES, Imputation, OutcomeTable, mean_over_samples
from krins.interfaces import FloatArray
from krins.reports.columns import Column, Rows, definitions, tables
from krins.reports.notation import COUNT, QUALITY, UNKNOWN, USD, write_number, write_percent, write_place
from krins.runs.baselines import AMOUNT, SHARE, Cells, Range, compute_baselines, interval_figure, is_complete
from krins.runs.result import Baseline, Baselines, Figure
from krins.statistics.clustered import cluster_codes
from krins.suite import Reward

_MEANS = [
    ("USD\na task", "cost_usd", USD),
    ("tokens\na task", "tokens", COUNT),
    ("seconds\na task", "latency_seconds", COUNT),
]
_SHARES = [
    ("without\noutcome", "missing_share"),
    ("model\nerrors", "model_error_share"),
    ("infrastructure\nerrors", "infrastructure_error_share"),
]


@dataclass(frozen=True)
class ModelSummary:
    """One model's outcomes: means over the tasks for which the value is known, each task counting once."""

    model: str
    quality: Figure
    cost_usd: Figure | None
    """US dollars a task; this and the next two are None where not known at all."""
    tokens: Figure | None
    latency_seconds: Figure | None
    missing_share: float
    """Of the tasks, those without an outcome; 0 where the table was read with a policy that fills them in."""
    model_error_share: float
    """Of the outcomes, those without an answer to judge by the model's own fault."""
    infrastructure_error_share: float
    is_on_hull: bool


@dataclass(frozen=True)
class Description:
    n_tasks: int
    n_outcomes: int
    """As recorded, without any that were filled in."""
    samples: tuple[int, int]
    """Fewest and most outcomes of a (task, model) cell."""
    n_repositories: int
    """That are named; each task without one is a cluster of its own."""
    categories: dict[str, int]
    """Tasks of each category, the most frequent first; empty where none is known."""
    imputation: Imputation
    context: tuple[float, float] | None
    """Mean o200k tokens of source trees that prompts showed, and those of the whole trees; None where none is known."""
    models: list[ModelSummary]
    """Best quality first; models without any outcome are left out."""
    baselines: Baselines | None


def describe(table: OutcomeTable) -> Description:
    baselines = compute_baselines(Cells(table, Reward())) if is_complete(table) else None
    hull = set() if baselines is None else {model.model for model in baselines.hull}
    models = [summary for arm in range(len(table.arms)) if (summary := _summarise(table, arm, hull)) is not None]
    categories = Counter(task.category for task in table.tasks if task.category is not None)
    return Description(
        n_tasks=len(table.tasks),
        n_outcomes=int(table.counts.sum()) - table.imputation.missing_outcomes,
        samples=(int(table.counts.min()), int(table.counts.max())),
        n_repositories=len({task.repository for task in table.tasks if task.repository is not None}),
        categories=dict(categories.most_common()),
        imputation=table.imputation,
        context=table.context and (float(np.nanmean(table.context.shown)), float(np.nanmean(table.context.whole))),
        models=sorted(models, key=lambda model: -model.quality.mean),
        baselines=baselines,
    )


def _summarise(table: OutcomeTable, arm: int, hull: set[str | None]) -> ModelSummary | None:
    quality = _figure(table, table.quality, arm, SHARE)
    if quality is None:
        return None
    failures = table.failure[:, arm][~np.isnan(table.quality[:, arm])]
    errors = {kind: float((failures == code).mean()) for code, kind in enumerate(FAILURES)}
    return ModelSummary(
        model=table.arms[arm].name,
        quality=quality,
        cost_usd=_figure(table, table.cost_usd, arm, AMOUNT),
        tokens=_figure(table, table.tokens, arm, AMOUNT),
        latency_seconds=_figure(table, table.latency_seconds, arm, AMOUNT),
        missing_share=float((table.counts[:, arm] == 0).mean()),
        model_error_share=errors[FailureKind.MODEL],
        infrastructure_error_share=errors[FailureKind.INFRASTRUCTURE],
        is_on_hull=table.arms[arm].name in hull,
    )


def _figure(table: OutcomeTable, values: FloatArray, arm: int, within: Range) -> Figure | None:
    """Mean over tasks of `values`, shape (n_tasks, n_arms, n_samples), where known; None where not known at all."""
    cells = mean_over_samples(values[:, [arm]])[:, 0]
    known = ~np.isnan(cells)
    if not known.any():
        return None
    repositories = [task.repository for task, is_known in zip(table.tasks, known, strict=True) if is_known]
    return interval_figure(cells[known], cluster_codes(repositories), within)


def render_description(description: Description, console: Console) -> None:
    """Print it; nothing is cut off, whatever the console's width."""
    console.print(definitions(_contents(description), console))
    console.print()
    rules = list(_fixed_rules(description.baselines))
    n_models = len(description.models)
    rows = Rows(
        "model",
        [model.model for model in description.models] + [name for name, _ in rules],
        frozenset({n_models - 1} if rules else ()),
    )
    for table in tables(rows, list(_columns(description.models, [rule for _, rule in rules])), console):
        console.print(table, crop=False)
        console.print()
    console.print(definitions(_legend(description), console))


def _contents(description: Description) -> Iterator[tuple[str, str]]:
    n_repositories, imputation = description.n_repositories, description.imputation
    of_repositories = f" from {write_number(n_repositories, 'repository')}" if n_repositories else ""
    yield "tasks", f"{description.n_tasks:,}{of_repositories}"
    if description.categories:
        yield "categories", ", ".join(f"{name} {count:,}" for name, count in description.categories.items())
    yield "models", f"{len(description.models):,}"
    fewest, most = description.samples
    each = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    yield "outcomes", f"{description.n_outcomes:,}; {each} of each model for each task"
    if description.context is not None:
        shown, whole = description.context
        saved = write_percent(1 - shown / whole)
        yield "context", f"{shown:,.0f} o200k tokens a prompt, {saved} saved vs the whole tree's {whole:,.0f}"
    if imputation.dropped_tasks:
        n_dropped = write_number(imputation.dropped_tasks, "task")
        yield "left out", f"{n_dropped} that some model has no outcome for"
    if imputation.missing_outcomes:
        n_missing = write_number(imputation.missing_outcomes, "missing outcome")
        yield "filled in", f"{n_missing}, counted as failures at the model's mean known cost"
    if imputation.missing_costs:
        n_costs = write_number(imputation.missing_costs, "missing cost")
        yield "filled in", f"{n_costs} of known outcomes, at the model's mean known cost"


def _columns(models: Sequence[ModelSummary], rules: Sequence[Baseline]) -> Iterator[list[Column]]:
    """Groups of columns; those that say nothing are left out."""
    rows: list[ModelSummary | Baseline] = [*models, *rules]
    qualities = [QUALITY.write(row.quality) for row in rows]
    yield [
        Column("quality", [[quality.mean] for quality in qualities]),
        Column("95% interval", [[quality.interval or UNKNOWN] for quality in qualities]),
    ]
    for heading, name, notation in _MEANS:
        figures = [getattr(row, name) for row in rows if name in vars(row)]
        if any(figure is not None for figure in figures):
            cells = [[UNKNOWN if figure is None else notation.write(figure).mean] for figure in figures]
            yield [Column(heading, _padded(cells, len(rows)))]
    for heading, name in _SHARES:
        shares = [getattr(model, name) for model in models]
        if any(shares):
            yield [Column(heading, _padded([[write_percent(share)] for share in shares], len(rows)))]
    if any(model.is_on_hull for model in models):
        yield [Column("on the\nhull", _padded([["yes"] if model.is_on_hull else [] for model in models], len(rows)))]


def _padded(cells: list[list[str]], n_rows: int) -> list[list[str]]:
    return cells + [[]] * (n_rows - len(cells))


def _fixed_rules(baselines: Baselines | None) -> Iterator[tuple[str, Baseline]]:
    if baselines is None:
        return
    yield f"best single model:\n{baselines.best_single.model}", baselines.best_single
    yield "random model", baselines.random
    if baselines.cheapest_correct is None:
        yield "oracle: a best model for each task", baselines.oracle
    else:
        yield "oracle: the cheapest of the best models for each task", baselines.cheapest_correct


def _legend(description: Description) -> Iterator[tuple[str, str]]:
    clustered = "clustered by repository" if description.n_repositories else "each independent of the others"
    yield "95% interval", f"of the mean over tasks, {clustered}"
    baselines, models = description.baselines, description.models
    if baselines is not None and baselines.hull:
        vertices = ", ".join(write_place(model) for model in baselines.hull)
        yield "hull", f"the best that sending tasks to models at random can do: {vertices}, and what lies between"
    unknown = [heading for heading, name, _ in _MEANS if all(getattr(model, name) is None for model in models)]
    rules = [] if baselines is not None else ["fixed rules, for not every model was tried on every task"]
    if unknown or rules:
        yield "not known", ", ".join([heading.replace("\n", " ") for heading in unknown] + rules)
    if any(getattr(model, name) is None for model in models for heading, name, _ in _MEANS if heading not in unknown):
        yield UNKNOWN, "not known"
