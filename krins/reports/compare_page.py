"""A comparison as a report page: what may be claimed first, then every figure and table that it rests on.

Invariants: every number is one of the comparison's or of its runs' results; a cascade is called simulated wherever it
shows. Left out: computing (`krins.studies.compare`), drawing (`krins.reports.compare_charts` and `compare_curves`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from krins.reports.compare_charts import forest, labels_of, plane
from krins.reports.compare_curves import by_group, learning, over_time, pays, verifier
from krins.reports.compare_tables import (
    frontier_table,
    learning_table,
    margins_table,
    part_costs_table,
    parts_table,
    places_table,
    quality_table,
    rewards_table,
    runs_table,
    savings_table,
    trends_table,
    verifier_table,
)
from krins.reports.notation import write_number
from krins.reports.page import Page, Section
from krins.runs.result import RouterResult, RunResult
from krins.statistics.non_inferiority import SIGNIFICANCE
from krins.studies.comparison import Comparison, Drift


def comparison_page(found: Comparison, results: Sequence[RunResult]) -> Page:
    """`results` are those of the compared runs, in any order."""
    suites = " and ".join(dict.fromkeys(run.suite for run in found.runs))
    return Page(
        f"{suites}: routers compared with {found.reference.label}",
        found.claim,
        [
            *_places(found),
            *_differences(found),
            *_learning(found, _rows(found, results)),
            *_parts(found),
            Section("Reward", [], table=rewards_table(found)),
            Section("Runs", [], table=runs_table(found)),
        ],
        found.notes,
        _command(found),
    )


def _rows(found: Comparison, results: Sequence[RunResult]) -> dict[str, RouterResult]:
    """The runs' own rows, by label in the comparison."""
    rows = {(result.run_id, row.router): row for result in results for row in result.routers}
    return {router.label: rows[router.run_id, router.router] for router in found.routers}


def _intervals(found: Comparison) -> str:
    tasks = write_number(found.n_tasks, "task")
    if found.is_clustered:
        return f"95% intervals over {tasks}, clustered by repository ({found.n_clusters:,})"
    return f"95% intervals over {tasks}, taken as independent of one another"


def _places(found: Comparison) -> Iterator[Section]:
    text = [f"Bars and brackets: {_intervals(found)}. Over orders: where the central 95% of the orders of tasks lie."]
    has_costs = any(router.cost_usd is not None for router in found.routers)
    frontier = found.frontier
    if frontier is not None and has_costs:
        drawn = "repositories" if frontier.is_clustered else "tasks"
        band = f" Grey: its pointwise 95% band, from {frontier.n_draws:,} draws of {drawn}." if frontier.n_draws else ""
        text.append(
            f"Dashed: the frontier, which mixing the models at its corners (diamonds) at random reaches.{band} A "
            "router earns its keep above it."
        )
    yield Section(
        "Cost and quality", text, (lambda width: plane(found, width)) if has_costs else None, places_table(found)
    )
    yield Section(
        "Over orders of the tasks" if frontier is None else "Against the frontier, and over orders of the tasks",
        ["Orders: where the central 95% of them lie."],
        table=frontier_table(found),
    )


def _differences(found: Comparison) -> Iterator[Section]:
    margin = f"{100 * found.margin:g}"
    yield Section(
        f"Differences to {found.reference.label}",
        [
            "Paired by task. Thick: the 95% interval of one router by itself; thin: intervals that hold for all "
            f"routers at once (Bonferroni). Dashed: no difference, and a loss of {margin} points, the margin.",
            "Detectable: the difference that so many tasks would show with a power of 80%.",
        ],
        lambda width: forest(found, width),
        quality_table(found),
    )
    yield Section(
        "What may be called a saving",
        [
            f"p: of the test that quality is lower by less than {margin} points and the cost is lower, both (the "
            "larger of two one-sided p-values); adjusted over the routers (Holm). A saving needs at most "
            f"{SIGNIFICANCE:g}.",
        ],
        table=savings_table(found),
    )
    yield Section(
        "The same test at other margins",
        [
            "How much quality may be lost is the reader's choice; margins in points of quality. Smallest margin: the "
            "loss of quality that is ruled out, for one router by itself."
        ],
        table=margins_table(found),
    )


def _learning(found: Comparison, rows: dict[str, RouterResult]) -> Iterator[Section]:
    labels, curves = labels_of(found), {label: row.curve for label, row in rows.items()}
    yield Section(
        "Learning",
        [
            "Total reward missed against the best fixed model, decision by decision; lower is better. Lines are means "
            "over orders of the tasks, bands where the central 95% of the orders lie."
        ],
        lambda width: learning(curves, labels, width),
        learning_table(rows),
    )
    cascades = {label: row.break_even for label, row in rows.items() if row.break_even is not None}
    if cascades:
        does_pay = any(map(pays, cascades.values()))
        yield Section(
            "How good a verifier must be",
            [
                "Least specificity that a SIMULATED verifier of each sensitivity needs, for more reward than the best "
                "fixed model, and for a lower cost than the best single model's within the margin of quality.",
                *([] if does_pay else ["Here none is good enough, not even one that never errs."]),
            ],
            (lambda width: verifier(cascades, labels, width)) if does_pay else None,
            verifier_table(cascades, "reward") if does_pay else None,
        )
        if does_pay:
            yield Section("The same for a saving", [], table=verifier_table(cascades, "saving"))


def _parts(found: Comparison) -> Iterator[Section]:
    for kind in dict.fromkeys(group.kind for group in found.groups):
        groups = [group for group in found.groups if group.kind == kind]
        yield Section(
            f"By {kind}",
            ["Plain 95% intervals, one by one: among many groups some stand out by chance."],
            lambda width, groups=groups: by_group(found, groups, width),  # type: ignore[misc]
            parts_table(groups, kind),
        )
        yield Section(f"By {kind}: sizes and costs", [], table=part_costs_table(groups, kind))
    if found.drift is not None:
        yield from _drift(found, found.drift)


def _drift(found: Comparison, drift: Drift) -> Iterator[Section]:
    dated = f"{drift.n_dated:,} of {write_number(found.n_tasks, 'task')} have a date."
    yield Section(
        "Over time",
        [f"Differences to the reference by the tasks' dates. {dated}"],
        lambda width: over_time(found, drift.periods, width),
        parts_table(drift.periods, "period"),
    )
    yield Section("Over time: sizes and costs", [], table=part_costs_table(drift.periods, "period"))
    if drift.trends:
        text = (
            "A straight line through the paired difference over dates; p of no change, and adjusted over the routers."
        )
        yield Section("Trends", [text], table=trends_table(drift))


def _command(found: Comparison) -> str:
    words = [run.run_id for run in found.runs]
    words += ["--reference", found.reference.label, "--margin", f"{found.margin:g}", "--report", "FOLDER"]
    return f"krins-eval compare {shlex.join(words)}"
