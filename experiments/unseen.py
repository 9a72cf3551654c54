"""What does tuning on one half of the repositories bring on the other? Every kind of router, on the OpenHands index.

    python experiments/unseen.py TABLE [--replications 48] [--points 4] [--splits 2]

TABLE is the public OpenHands index (34 models on 1,051 tasks) as an outcome table. Two slices: all models; without
claude-fable-5, which is far above all others and cannot be verified. Each split keeps repositories and near-twins
whole and leaves about half of the tasks unseen; each is used in both directions, the second with django, 43% of all
tasks, on the unseen side. A missing outcome is a failure at its model's mean known cost on the tuning half. Reward:
quality - 0.2 * USD, no less than -1. A choice counts with the mean over the cell's recorded answers.

Everything is chosen on the tuning half: hyper-parameters as `krins-eval tune` does it, the models of cascades, the
budget, the reference of the quality floor, and priors (published scores are the quality and cost on the tuning half,
worth 20 rewards; such routers start at them and have met nothing else). Verifiers of cascades are SIMULATED. Shown on
the unseen half: quality and USD a task; quality less that of the best single model of the tuning half, cheaper by how
much, non-inferior at 1, 2 and 5 points, smallest margin shown; reward less that of the best fixed model of the tuning
half; quality above mixing the models of the tuning half's hull. 95% intervals over tasks, clustered by repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from pydantic import TypeAdapter

from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable
from krins.router_specs import Router, RouterEntry
from krins.runs.baselines import Cells
from krins.runs.result import Share
from krins.studies.halving import halve
from krins.studies.splits import Split, split_tasks
from krins.studies.study_journal import TuneOptions
from krins.studies.trials import Phase
from krins.studies.tune_result import UnseenRow
from krins.studies.tune_work import Work
from krins.studies.tuned import reported
from krins.studies.unseen import Sides
from krins.suite import RecordedEnvironment, Suite

UNVERIFIED = "claude-fable-5"
SLICES: dict[str, dict[str, Any]] = {
    "all 34 models": {},
    f"without {UNVERIFIED}": {"exclude": {"model": [UNVERIFIED]}},
}
RANGE = [-1.0, 1.0]
OWN: list[Any] = [
    "random",
    {"policy": "ucb1", "reward_range": RANGE},
    {"policy": "exp3", "reward_range": RANGE},
]
VERIFIERS = [(1.0, 1.0), (0.9, 0.9), (0.9, 0.7), (0.7, 0.7)]
PRIOR_WEIGHT = 20


def suite_of(table: Path, rows: dict[str, Any], replications: int, seed: int) -> Suite:
    return Suite.model_validate(
        {
            "name": "unseen",
            "seed": seed,
            "replications": replications,
            "environment": {"kind": "recorded", "table": table, "missing": "fail", **rows},
            "reward": {"quality": 1.0, "per_usd": 0.2, "floor": -1.0},
            "features": {"fields": ["category"]},
            "routers": OWN,
        }
    )


def objectives(cells: Cells) -> Iterator[Router]:
    """Routers with an objective of their own and cascades, all set by the tuning half."""
    assert cells.hull is not None
    assert cells.cost is not None
    names = [arm.name for arm in cells.table.arms]
    hull = [names[arm] for arm in cells.hull.arms]
    mean_usd = cells.cost.mean(axis=0)
    best = names[cells.best_single]
    yield _router({"policy": "budgeted", "usd_per_task": round(float(mean_usd[cells.best_fixed]), 3)})
    yield from (_router({"policy": "quality-floor", "reference": best, "margin": margin}) for margin in (0.02, 0.05))
    for sensitivity, specificity in VERIFIERS:
        verifier = {"sensitivity": sensitivity, "specificity": specificity}
        yield _router({"policy": "cascade", "models": hull, "verifier": verifier})


def primed(cells: Cells) -> Iterator[Router]:
    """Routers that start at the tuning half's scores and have met nothing else."""
    assert cells.cost is not None
    names = [arm.name for arm in cells.table.arms]
    prior = {
        "weight": PRIOR_WEIGHT,
        "scores": dict(zip(names, cells.quality.mean(axis=0).tolist(), strict=True)),
        "usd_per_task": dict(zip(names, cells.cost.mean(axis=0).tolist(), strict=True)),
    }
    for spec in ({"policy": "thompson"}, {"policy": "epsilon-greedy", "epsilon": 0.02}, {"policy": "imed"}):
        ranged = {"reward_range": RANGE} if spec["policy"] == "imed" else {}
        yield _router({**spec, **ranged, "prior": prior})


def _router(spec: Any) -> Router:
    router: Router = TypeAdapter(RouterEntry).validate_python(spec)
    return router


def report(work: Work) -> Iterator[UnseenRow]:
    """Each kind of router on the unseen tasks, the winner of the search first."""
    sides = Sides.of(work.table, work.split, work.suite.reward)
    standings = halve(work.candidates, work.n_chunks, lambda one, rung, chunks: work.attempt(one.router, chunks))
    chunks = range(work.n_chunks)
    for router, roles in reported(standings, work.suite):
        yield sides.row(router, roles, work.bench.score(router, work.last_phase, chunks))
    for router in objectives(sides.tuning):
        yield sides.row(router, ["set by tuning"], work.bench.score(router, work.last_phase, chunks))
    cold = Phase("primed", work.split.tuning[:0], work.split.unseen)
    for router in primed(sides.tuning):
        yield sides.row(router, ["prior"], work.bench.score(router, cold, chunks))


def show(work: Work) -> None:
    table, split = work.table, work.split
    sides = Sides.of(table, split, work.suite.reward)
    counts = [len({table.tasks[task].repository for task in side}) for side in (split.tuning, split.unseen)]
    click.echo(f"  {len(split.tuning)} tuning tasks of {counts[0]} repositories, {_shares(table, split)}")
    for what, arm in (
        ("best single of the tuning half", sides.tuning.best_single),
        ("best fixed of the tuning half", sides.tuning.best_fixed),
        ("best single in hindsight", sides.unseen.best_single),
    ):
        fixed = sides.fixed(arm)
        click.echo(f"  {what}: {fixed.model} {_written(fixed.quality)} at ${_mean(fixed.cost_usd):.3f}")
    hull = sides.tuning.hull
    names = ", ".join(table.arms[arm].name for arm in hull.arms) if hull is not None else "none"
    click.echo(f"  hull of the tuning half: {names}")
    click.echo(
        f"  {'router':<58}{'quality':>20}{'USD':>7}{'points to best single':>23}{'(se)':>7}{'cheaper by':>16}"
        f"{'1 2 5':>10}{'least':>6}{'reward to best fixed':>24}{'points above hull':>21}"
    )
    for row in report(work):
        click.echo(f"  {_line(row)}")


def _shares(table: OutcomeTable, split: Split) -> str:
    n_django = sum(table.tasks[task].repository == "django/django" for task in split.unseen)
    repositories = {table.tasks[task].repository for task in split.unseen}
    return f"{len(split.unseen)} unseen ones of {len(repositories)}, {n_django} of them django"


def _line(row: UnseenRow) -> str:
    versus = row.chosen
    error = "-" if versus.standard_error is None else f"({100 * versus.standard_error:.1f})"
    marks = " ".join("?" if one is None else "y" if one else "n" for one in versus.is_non_inferior)
    least = "-" if versus.smallest_margin is None else f"{100 * versus.smallest_margin:.1f}"
    gain = row.chosen_hull and row.chosen_hull.gain
    name = f"{'WINNER ' if 'winner' in row.roles else ''}{row.router}"
    assert not isinstance(gain, bool)
    return (
        f"{name:<58}{_written(row.quality):>20}{_mean(row.cost_usd):>7.3f}{_points(versus.quality_difference):>23}"
        f"{error:>7}{_percent(versus.saving):>16}{marks:>10}{least:>6}{_written(row.reward_difference, True):>24}"
        f"{_points(gain if isinstance(gain, Share) else None):>21}"
    )


def _mean(share: Share | None) -> float:
    return np.nan if share is None else share.mean


def _written(share: Share, is_signed: bool = False) -> str:
    sign = "+" if is_signed else ""
    if share.low is None or share.high is None:
        return f"{share.mean:{sign}.3f}"
    return f"{share.mean:{sign}.3f} [{share.low:{sign}.3f},{share.high:{sign}.3f}]"


def _points(share: Share | None) -> str:
    if share is None or share.low is None or share.high is None:
        return "-"
    return f"{100 * share.mean:+.1f} [{100 * share.low:+.1f},{100 * share.high:+.1f}]"


def _percent(share: Share | None) -> str:
    if share is None or share.low is None or share.high is None:
        return "-"
    return f"{100 * share.mean:.0f} [{100 * share.low:.0f},{100 * share.high:.0f}]"


@click.command(help=__doc__)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replications", default=48, show_default=True, type=click.IntRange(min=2))
@click.option("--points", default=4, show_default=True, type=click.IntRange(min=1), help="Of each policy's space.")
@click.option("--splits", default=2, show_default=True, type=click.IntRange(min=1))
def main(table: Path, replications: int, points: int, splits: int) -> None:
    for name, rows in SLICES.items():
        for seed in range(1, splits + 1):
            suite = suite_of(table, rows, replications, seed)
            assert isinstance(suite.environment, RecordedEnvironment)
            outcomes = read_table(suite.environment)
            split = split_tasks(outcomes.tasks, 0.5, seed)
            for direction, way in (("", split), (", swapped", split.swapped())):
                click.echo(f"\n{name}, split {seed}{direction}: {replications} replications")
                tuning = {outcomes.tasks[task].task_id for task in way.tuning}
                filled = read_table(suite.environment, costs_of=tuning)
                show(Work(suite, TuneOptions(n_points=points), filled, way))


if __name__ == "__main__":
    main()
