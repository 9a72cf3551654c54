"""What is compared, lined up: routers of runs and the reference, as values a task over the same tasks.

Invariants: all arrays of an entrant have one entry for each task, in one order; the reference is one of the entrants,
or a fixed model that stands beside them. Left out: reading runs (`krins.studies.compared_runs`) and any statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from krins.errors import RunError
from krins.interfaces import BoolArray, FloatArray, IntArray
from krins.runs.baselines import AMOUNT, ANYTHING, SHARE, Cells, Range, interval_figure
from krins.runs.result import Share
from krins.statistics.clustered import cluster_codes
from krins.studies.compared_runs import Played, PlayedRun
from krins.studies.comparison import GroupRow


@dataclass(frozen=True)
class Entrant:
    """Values of shape (n_tasks,); None where they are not known."""

    label: str
    quality: FloatArray
    cost_usd: FloatArray | None
    reward: FloatArray | None


@dataclass(frozen=True)
class Field:
    """Who takes part."""

    runs: list[PlayedRun]
    clusters: IntArray
    """Shape (n_tasks,): by repository; a task of none is one of its own."""
    cells: Cells | None
    """Outcomes of fixed models, from the first run in which all were tried on all tasks."""
    reference: Entrant
    is_model: bool
    """Whether the reference is a fixed model and none of the routers."""

    @property
    def played(self) -> list[Played]:
        return [router for run in self.runs for router in run.routers]

    @property
    def rivals(self) -> list[Played]:
        """The routers that are compared with the reference: not itself, nor one that is fixed to the same model."""
        own = self.reference.label
        return [router for router in self.played if own != (router.model if self.is_model else router.label)]

    def rows(self, tasks: BoolArray) -> list[GroupRow]:
        """Everyone on some of the tasks, shape (n_tasks,); the reference comes first."""
        codes = recoded(self.clusters[tasks])

        def row(entrant: Entrant) -> GroupRow:
            difference = entrant.quality - self.reference.quality
            return GroupRow(
                label=entrant.label,
                quality=share(entrant.quality[tasks], codes, SHARE),
                cost_usd=None if entrant.cost_usd is None else share(entrant.cost_usd[tasks], codes, AMOUNT),
                difference=None if entrant is self.reference else share(difference[tasks], codes),
            )

        return [row(entrant) for entrant in (self.reference, *map(entrant_of, self.rivals))]


def line_up(runs: list[PlayedRun], reference: str | None) -> Field:
    """
    Args:
        reference: label of a router, or name of a model; by default the best single model by quality, or where not
            every model was tried on every task the first router.

    Raises:
        RunError: there is no such router or model, or nothing that could be compared with it.
    """
    cells = next((run.cells for run in runs if run.cells is not None), None)
    clusters = cluster_codes([task.repository for task in runs[0].table.tasks])
    routers = {router.label: router for run in runs for router in run.routers}
    models = {} if cells is None else {arm.name: number for number, arm in enumerate(cells.table.arms)}
    if reference is None and cells is None:
        reference = next(iter(routers))
    if reference in routers:
        return _with_rivals(Field(runs, clusters, cells, entrant_of(routers[reference]), is_model=False))
    if cells is None or not (reference is None or reference in models):
        known = ", ".join([*routers, *models])
        raise RunError(
            f"there is no router or model {reference!r} to compare with", f"--reference takes one of: {known}"
        )
    model = cells.best_single if reference is None else models[reference]
    return _with_rivals(Field(runs, clusters, cells, _model(cells, model), is_model=True))


def _with_rivals(field: Field) -> Field:
    if not field.rivals:
        raise RunError(
            f"there is nothing to compare {field.reference.label} with", "name a further run, or another --reference"
        )
    return field


def entrant_of(router: Played) -> Entrant:
    cost, reward = router.cost_usd, router.reward
    return Entrant(
        router.label,
        router.quality.tasks,
        None if cost is None else cost.tasks,
        None if reward is None else reward.tasks,
    )


def _model(cells: Cells, arm: int) -> Entrant:
    cost = None if cells.cost is None else cells.cost[:, arm]
    return Entrant(cells.table.arms[arm].name, cells.quality[:, arm], cost, cells.reward[:, arm])


def share(values: FloatArray, clusters: IntArray, within: Range = ANYTHING) -> Share:
    found = interval_figure(values, clusters, within)
    return Share(mean=found.mean, low=found.low, high=found.high)


def recoded(clusters: IntArray) -> IntArray:
    """Codes of a part of the clusters as 0..G-1."""
    return np.asarray(np.unique(clusters, return_inverse=True)[1])


def in_groups(names: Sequence[str | None]) -> dict[str, BoolArray]:
    """Which tasks have each name, by name; those of none come last, as `unknown`. Shapes (n_tasks,)."""
    known = sorted({name for name in names if name is not None})
    found = {name: np.array([name == own for own in names]) for name in known}
    is_unknown = np.array([name is None for name in names])
    return {**found, "unknown": is_unknown} if is_unknown.any() and known else found
