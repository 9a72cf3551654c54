"""The routers of finished runs, each as values a task that can be paired with another's.

Invariants: runs that are read together are of the same tasks, models and reward, and recorded ones of the same
outcomes; what differs is named. Decisions become outcomes as they do for a run's own table (`krins.runs.tally`).
Left out: comparing them (`krins.studies.compare`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from krins.environments.table import OutcomeTable, unanswered_at_mean_cost
from krins.errors import RunError
from krins.interfaces import FloatArray
from krins.router_specs import CascadeRouter, FixedRouter
from krins.runs.baselines import Cells
from krins.runs.outcome import live_table, recorded_table
from krins.runs.plan import Plan
from krins.runs.records import NOUNS
from krins.runs.result import RouterResult, RunResult
from krins.runs.session import RunLog, read_run
from krins.runs.store import Store
from krins.runs.summary import complete_cells, expected_reward
from krins.runs.tally import Measure, Tally
from krins.suite import Suite


@dataclass(frozen=True)
class Values:
    """One quantity of a router, or of a fixed model."""

    tasks: FloatArray
    """Shape (n_tasks,): mean over replications and passes."""
    replications: FloatArray
    """Shape (n_replications,): mean over tasks and passes."""


@dataclass(frozen=True)
class Played:
    """What one router of a run did."""

    label: str
    """Unique among those that are compared."""
    run_id: str
    row: RouterResult
    """As in the table of its run."""
    model: str | None
    """That gets every task, of a router that is fixed to one."""
    is_simulated: bool
    quality: Values
    cost_usd: Values | None
    reward: Values | None


@dataclass(frozen=True)
class PlayedRun:
    result: RunResult
    suite: Suite
    table: OutcomeTable
    cells: Cells | None
    """None where not every model was tried on every task."""
    tasks_sha256: str | None
    """Of a live run."""
    routers: list[Played]


def read_played(store: Store, names: Sequence[str]) -> list[PlayedRun]:
    """The runs of these names, which can be compared.

    Raises:
        RunError: there is no such run, it is named twice, is not finished or damaged, or it differs from the first in
            tasks, models, outcomes or reward.
    """
    run_ids = [store.find(name) for name in names]
    twice = [run_id for run_id, n in Counter(run_ids).items() if n > 1]
    if twice:
        raise RunError(f"run {twice[0]} is named {run_ids.count(twice[0])} times", "name each run once")
    runs = [_played(store, run_id) for run_id in run_ids]
    for other in runs[1:]:
        _check_alike(runs[0], other)
    return _labelled_apart(runs)


def _played(store: Store, run_id: str) -> PlayedRun:
    log = read_run(store, run_id)
    if log.started.purpose != "run":
        raise RunError(
            f"{run_id} is a {NOUNS[log.started.purpose]}, not a run of a suite", "name runs of suites with routers"
        )
    result, suite = log.result, log.started.suite
    if result is None:
        raise RunError(f"run {run_id} is not finished", f"krins-eval run --resume {run_id}")
    if log.trajectories.keys() != set(Plan(suite, n_tasks=1, n_arms=1).streams):
        raise RunError(f"run {run_id}: decisions are missing from its journal", f"krins-eval run --resume {run_id}")
    is_recorded = log.started.table_parquet is not None
    table = unanswered_at_mean_cost(recorded_table(log) if is_recorded else live_table(log, log.outcomes.values()))
    plan, cells = Plan(suite, len(table.tasks), len(table.arms)), complete_cells(table, suite.reward)
    routers = [_router(log, plan, table, cells, number, row) for number, row in enumerate(result.routers)]
    return PlayedRun(result, suite, table, cells, log.started.tasks_sha256, routers)


def _router(
    log: RunLog, plan: Plan, table: OutcomeTable, cells: Cells | None, number: int, row: RouterResult
) -> Played:
    router, suite = plan.suite.routers[number], plan.suite
    tally = Tally(plan, table, cells, expected_reward(router, table, cells))
    for stream in sorted((s for s in plan.streams if s.router == number), key=lambda s: s.block):
        tally.add(log.trajectories[stream])

    def values(measure: Measure) -> Values:
        visits = suite.n_replications * suite.passes
        return Values(measure.per_task / visits, measure.replications / plan.n_steps)

    quality = values(tally["quality"])
    if np.isnan(quality.tasks).any():
        raise RunError(
            f"run {log.started.run_id}: outcomes are missing from its journal",
            "compare other runs; `krins-eval history rebuild` names journals that are damaged",
        )
    return Played(
        label=row.router,
        run_id=log.started.run_id,
        row=row,
        model=router.model if isinstance(router, FixedRouter) else None,
        is_simulated=isinstance(router, CascadeRouter),
        quality=quality,
        cost_usd=values(tally["cost"]) if tally["cost"].is_known else None,
        reward=None if cells is None else _reward(cells, values(tally["gap_fixed"])),
    )


def _reward(cells: Cells, short_of_best: Values) -> Values:
    """From what each decision fell short of the best fixed model's reward."""
    best = cells.reward[:, cells.best_fixed]
    return Values(best - short_of_best.tasks, best.mean() - short_of_best.replications)


def _check_alike(first: PlayedRun, other: PlayedRun) -> None:
    """Raise RunError naming the first thing in which two runs differ too much to be compared."""
    for what, difference in _DIFFERENCES.items():
        said = difference(first, other)
        if said:
            raise RunError(
                f"runs {first.result.run_id} and {other.result.run_id} cannot be compared: their {what} differ: {said}",
                "compare runs of one suite's tasks, outcomes and reward, which may have other routers, seeds and "
                "replications; nothing was changed",
            )


def _environments(first: PlayedRun, other: PlayedRun) -> str:
    kinds = first.result.environment, other.result.environment
    return f"{kinds[0]} and {kinds[1]}" if kinds[0] != kinds[1] else ""


def _tasks(first: PlayedRun, other: PlayedRun) -> str:
    ids = [[task.task_id for task in run.table.tasks] for run in (first, other)]
    if ids[0] == ids[1]:
        same = first.tasks_sha256 == other.tasks_sha256
        return "" if same else "the texts, hidden tests, trees or contexts of some have changed"
    return f"{len(ids[0])} and {len(ids[1])}, {_only_in_one(*ids)}"


def _models(first: PlayedRun, other: PlayedRun) -> str:
    names = [[arm.name for arm in run.table.arms] for run in (first, other)]
    return "" if sorted(names[0]) == sorted(names[1]) else _only_in_one(*names)


def _outcomes(first: PlayedRun, other: PlayedRun) -> str:
    """Live runs have answers of their own."""
    if first.result.environment == "live":
        return ""
    for what, one, two in (
        ("quality", first.table.quality, other.table.quality),
        ("cost", first.table.cost_usd, other.table.cost_usd),
    ):
        if one.shape != two.shape:
            return f"up to {one.shape[2]} and {two.shape[2]} answers of a model to a task"
        cells = np.argwhere(~((one == two) | (np.isnan(one) & np.isnan(two))))
        if len(cells):
            task, arm, _ = cells[0]
            names = first.table.tasks[task].task_id, first.table.arms[arm].name
            return f"{len(cells)} answers have another {what}, the first of {names[1]} to {names[0]}"
    return ""


def _rewards(first: PlayedRun, other: PlayedRun) -> str:
    rewards = first.suite.reward, other.suite.reward
    return f"{rewards[0]!r} and {rewards[1]!r}" if rewards[0] != rewards[1] else ""


_DIFFERENCES: dict[str, Callable[[PlayedRun, PlayedRun], str]] = {
    "environments": _environments,
    "tasks": _tasks,
    "models": _models,
    "outcomes": _outcomes,
    "rewards": _rewards,
}


def _only_in_one(first: Sequence[str], other: Sequence[str]) -> str:
    for number, (one, two) in enumerate(((first, other), (other, first))):
        only = sorted(set(one) - set(two))
        if only:
            return f"{len(only)} only in the {('first', 'second')[number]}, such as {only[0]}"
    return "in another order"


def _labelled_apart(runs: list[PlayedRun]) -> list[PlayedRun]:
    """Routers of one label in several runs are told apart by the end of the run's id, or by all of it."""
    counts = Counter(router.label for run in runs for router in run.routers)
    ends = [run.result.run_id.rpartition("-")[2] for run in runs]
    names = ends if len(set(ends)) == len(ends) else [run.result.run_id for run in runs]
    return [
        replace(
            run,
            routers=[
                replace(router, label=f"{router.label} @{name}") if counts[router.label] > 1 else router
                for router in run.routers
            ],
        )
        for run, name in zip(runs, names, strict=True)
    ]
