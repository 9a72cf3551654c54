"""Which router does better, and what may be claimed of it: routers of finished runs, paired by task.

Every router is set against one reference on the same tasks. A lower cost is called a saving where two things are
shown together: that it is lower, and that quality is not lower by as much as a margin; and as several routers are
looked at, the p-value is adjusted for how many. Invariants: everything follows from the runs' journals; the same runs
give the same numbers, the bootstrap included. Left out: that the reference and the hull's models were picked on these
very tasks, which flatters them: a router that is shown to keep up with them does so all the more, but how far it falls
behind is overstated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from krins.errors import RunError
from krins.runs.baselines import AMOUNT, SHARE, interval_figure
from krins.runs.result import Figure
from krins.runs.store import Store
from krins.statistics.clustered import degrees_of_freedom, spread
from krins.studies.against import Against, margin_tests
from krins.studies.claim import claim
from krins.studies.compared_runs import PlayedRun, Values, read_played
from krins.studies.comparison import ComparedRouter, ComparedRun, Comparison, Group, MarginTest, Reference
from krins.studies.entrants import Field, in_groups, line_up, share
from krins.studies.fixed_frontier import fixed_frontier
from krins.studies.over_dates import drift

MARGINS = (0.01, 0.02, 0.05)
"""At which non-inferiority is always tested too."""
FEW_DEGREES = 5.0
"""Degrees of freedom below which a reader is told how little the clusters are."""
FEW_DIFFERING = 10
"""Clusters with a difference below which a reader is told that a test rests on what was not seen."""


def compare(home: Path, names: Sequence[str], reference: str | None = None, margin: float | None = None) -> Comparison:
    """Compare the routers of finished runs.

    Args:
        home: where the runs are kept.
        names: of the runs, as `Store.find` takes them.
        reference: label of a router, or name of a model; by default the best single model by quality, or where not
            every model was tried on every task the first router.
        margin: quality that may be lost where a lower cost is called a saving, in [0, 1]; by default the suites'.

    Raises:
        RunError: a run is not there, not finished or differs from the first in what must be the same; there is no such
            reference, or nothing to compare with it.
    """
    runs = read_played(Store(home), names)
    margin = _margin_of(runs) if margin is None else margin
    field = line_up(runs, reference)
    rivals = {router.label: Against(field, router) for router in field.rivals}
    routers = _compared(field, rivals, margin)
    n_clusters = int(field.clusters.max()) + 1
    frontier, frontier_notes = fixed_frontier(field)
    over_dates, drift_notes = drift(field)
    found = Comparison(
        runs=[_run(run) for run in runs],
        n_tasks=len(field.clusters),
        n_clusters=n_clusters,
        is_clustered=n_clusters < len(field.clusters),
        margin=margin,
        reference=_reference(field),
        routers=routers,
        frontier=frontier,
        groups=list(_groups(field)),
        drift=over_dates,
        notes=[
            *_notes(field),
            *_few_differ(field, rivals),
            *frontier_notes,
            *drift_notes,
            *dict.fromkeys(note for run in runs for note in run.result.notes),
        ],
        claim="",
    )
    return found.model_copy(update={"claim": claim(found)})


def _margin_of(runs: Sequence[PlayedRun]) -> float:
    margins = {run.suite.non_inferiority_margin for run in runs}
    if len(margins) > 1:
        listed = ", ".join(f"{margin:g}" for margin in sorted(margins))
        raise RunError(f"the runs' suites have different margins of non-inferiority: {listed}", "give one by --margin")
    return margins.pop()


def _run(run: PlayedRun) -> ComparedRun:
    result = run.result
    return ComparedRun(
        run_id=result.run_id,
        suite=result.suite,
        environment=result.environment,
        seed=result.seed,
        n_replications=result.n_replications,
        passes=result.passes,
    )


def _reference(field: Field) -> Reference:
    one, clusters = field.reference, field.clusters
    return Reference(
        label=one.label,
        is_model=field.is_model,
        quality=share(one.quality, clusters, SHARE),
        cost_usd=None if one.cost_usd is None else share(one.cost_usd, clusters, AMOUNT),
        reward=None if one.reward is None else share(one.reward, clusters),
    )


def _compared(field: Field, rivals: Mapping[str, Against], margin: float) -> list[ComparedRouter]:
    tests: dict[str, list[MarginTest]] = {label: [] for label in rivals}
    for tested in sorted({margin, *MARGINS}):
        for label, test in margin_tests(rivals, tested).items():
            tests[label].append(test)
    return [
        ComparedRouter(
            label=router.label,
            router=router.row.router,
            run_id=router.run_id,
            is_simulated=router.is_simulated,
            quality=router.row.quality,
            cost_usd=router.row.cost_usd,
            reward=_figure(router.reward, field),
            against_reference=rivals[router.label].found(tests[router.label], margin)
            if router.label in rivals
            else None,
            hull_quality_gain=router.row.hull_quality_gain,
            hull_cost_saving=router.row.hull_cost_saving,
        )
        for router in field.played
    ]


def _figure(values: Values | None, field: Field) -> Figure | None:
    if values is None:
        return None
    low, high = spread(values.replications)
    found = interval_figure(values.tasks, field.clusters)
    return found.model_copy(update={"replication_low": low, "replication_high": high})


def _groups(field: Field) -> Iterator[Group]:
    tasks = field.runs[0].table.tasks
    by_category = in_groups([task.category for task in tasks])
    by_language = in_groups([task.language for task in tasks])
    for kind, groups in (("category", by_category), ("language", by_language)):
        for name, chosen in groups.items() if len(groups) > 1 else ():
            yield Group.model_validate(
                {
                    "kind": kind,
                    "name": name,
                    "n_tasks": int(chosen.sum()),
                    "n_clusters": len(np.unique(field.clusters[chosen])),
                    "rows": field.rows(chosen),
                }
            )


def _notes(field: Field) -> Iterator[str]:
    """What a reader must know beside the numbers."""
    sizes = np.bincount(field.clusters)
    if len(sizes) == len(field.clusters):
        yield "Intervals are not clustered: no two tasks are known to come from one repository."
    elif len(sizes) == 1:
        yield "All tasks are of one repository, which tells nothing about others: there are no intervals and no tests."
    elif (degrees := degrees_of_freedom(sizes)) < FEW_DEGREES:
        yield (
            f"The largest of {len(sizes)} repositories has {sizes.max() / sizes.sum():.0%} of the tasks: intervals "
            f"rest on {degrees:.1f} degrees of freedom, which is why they are wide."
        )
    if field.is_model:
        yield f"{field.reference.label} and the hull's models were picked on these tasks, which flatters them."
    simulated = [router.label for router in field.played if router.is_simulated]
    if simulated:
        yield f"SIMULATED: {len(simulated)} of the routers are cascades, whose verifier is not real."
    if len(field.runs) > 1 and field.runs[0].result.environment == "live":
        yield "Each live run has its own answers of the models; fixed models are those of one run."


def _few_differ(field: Field, rivals: Mapping[str, Against]) -> Iterator[str]:
    n_clusters = int(field.clusters.max()) + 1
    few = [
        f"{label} ({rival.n_differing})"
        for label, rival in rivals.items()
        if rival.n_differing < min(FEW_DIFFERING, n_clusters)
    ]
    if few:
        of = "repositories" if n_clusters < len(field.clusters) else "tasks"
        yield (
            f"Quality differs from {field.reference.label}'s in fewer than {FEW_DIFFERING} {of} for {', '.join(few)}: "
            "tests that it is not lower rest on how few losses were seen, not on a spread."
        )
