"""The end of a run: its numbers made, its files published.

Invariants: a result follows from suite, outcomes and decisions alone, and the journal holds all three; so files can be
published again from it. Left out: writing the journal, and showing anything.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from krins.domain import Arm, FailureKind, Outcome, Task
from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable, table_from_outcomes, unanswered_at_mean_cost
from krins.errors import RunError
from krins.runs.baselines import compute_baselines
from krins.runs.context_sums import run_context
from krins.runs.pipelines import pipeline_figures
from krins.runs.plan import Plan
from krins.runs.publish import encode_outcomes, publish_decisions
from krins.runs.result import RouterResult, RunResult
from krins.runs.session import RunLog, read_run
from krins.runs.store import Store, published
from krins.runs.streams import Trajectory
from krins.runs.summary import complete_cells, summarise
from krins.statistics.clustered import cluster_codes
from krins.suite import LiveEnvironment, RecordedEnvironment, Suite


def conclude(
    log: RunLog,
    table: OutcomeTable,
    trajectories: Sequence[Trajectory],
    elapsed_seconds: float,
    billed_usd: Decimal,
    n_unaccounted: int,
    outcomes: Collection[Outcome] = (),
) -> RunResult:
    """Everything that the run's table shows; `outcomes`: of a live run."""
    suite = log.started.suite
    table = unanswered_at_mean_cost(table)
    cells = complete_cells(table, suite.reward)
    plan = Plan(suite, len(table.tasks), len(table.arms))
    routers = summarise(plan, table, cells, trajectories)
    clusters = cluster_codes([task.repository for task in table.tasks])
    return RunResult(
        run_id=log.started.run_id,
        suite=suite.name,
        environment=suite.environment.kind,
        seed=suite.seed,
        n_tasks=len(table.tasks),
        n_repositories=len(set(clusters.tolist())),
        n_replications=suite.n_replications,
        passes=suite.passes,
        non_inferiority_margin=suite.non_inferiority_margin,
        elapsed_seconds=elapsed_seconds,
        billed_usd=billed_usd,
        notes=[*_notes(log, table, cells is not None, routers, n_unaccounted), *_call_notes(outcomes)],
        routers=routers,
        baselines=compute_baselines(cells) if cells else None,
        pipeline=pipeline_figures(outcomes) if _is_reviewed(suite) else [],
        **run_context(plan, table, trajectories, clusters)._asdict(),
    )


def _is_reviewed(suite: Suite) -> bool:
    environment = suite.environment
    return isinstance(environment, LiveEnvironment) and environment.pipeline.mode != "direct"


def _notes(
    log: RunLog, table: OutcomeTable, is_complete: bool, routers: Sequence[RouterResult], n_unaccounted: int
) -> list[str]:
    """What a reader must know beside the numbers."""
    suite, imputation = log.started.suite, table.imputation
    is_live = isinstance(suite.environment, LiveEnvironment)
    n_unpriced = int((~np.isnan(table.quality) & np.isnan(table.cost_usd)).sum())
    infrastructure = sum(router.errors.infrastructure for router in routers)
    said = {
        f"{imputation.missing_outcomes} missing outcomes count as failures at the model's mean known cost.": (
            imputation.missing_outcomes
        ),
        f"{imputation.missing_costs} known outcomes without a cost take the model's mean.": imputation.missing_costs,
        f"{imputation.unknown_samples} samples without a quality were left out beside others of their cell.": (
            imputation.unknown_samples
        ),
        f"{imputation.dropped_tasks} tasks were dropped: some model has no outcome for them.": imputation.dropped_tasks,
        f"Each task comes up {suite.passes} times; answers are drawn again from the recorded samples (a simulation).": (
            suite.passes > 1 and not is_live
        ),
        f"{n_unpriced} answers have no known cost, for their server told no usage; they are not in the bill.": (
            n_unpriced if is_live else 0
        ),
        "No repositories are known: intervals take tasks as independent.": all(
            task.repository is None for task in table.tasks
        ),
        "No baselines, for not every model was tried on every task: add `fixed:` routers, or record first.": (
            not is_complete
        ),
        f"{infrastructure} decisions had no answer or no verdict because of infrastructure; they count as quality 0 in "
        "`quality` and are left out of `quality_answered`.": infrastructure,
        f"{len(log.damage)} journal lines were damaged and left out: "
        + "; ".join(f"line {damage.line}: {damage.reason}" for damage in log.damage): len(log.damage),
        f"{n_unaccounted} attempts were in flight when a process died and were made again, so they may have been paid "
        "for twice.": n_unaccounted,
    }
    return [note for note, applies in said.items() if applies]


def _call_notes(outcomes: Collection[Outcome]) -> list[str]:
    """What a reader must know of the calls behind a live run's outcomes."""
    calls = [call for outcome in outcomes for call in outcome.calls]
    n_cached = sum(any(call.is_cached for call in outcome.calls) for outcome in outcomes)
    n_unknown = sum(call.is_usage_unknown for call in calls)
    n_failed = sum(call.error is not None for call in calls)
    n_elsewhere = sum(attempt.model != outcome.arm for outcome in outcomes for attempt in outcome.attempts)
    n_unaffordable = sum(o.failure is not None and o.failure.kind is FailureKind.BUDGET for o in outcomes)
    said = {
        f"{n_cached} of {len(outcomes)} answers came out of the cache: their cost is what they once cost, and nothing "
        "was billed for them now.": n_cached,
        f"{n_failed} of {len(calls)} calls failed; what they cost is charged to their decisions.": n_failed,
        f"{n_unknown} calls may have been billed for a usage that the provider did not tell; they are charged at their "
        "worst case.": n_unknown,
        f"{n_elsewhere} answers are those of fallback models, at their price.": n_elsewhere,
        f"{n_unaffordable} answers found no room in a budget; they count as quality 0 in `quality` and are left out of "
        "`quality_answered`.": n_unaffordable,
    }
    return [note for note, applies in said.items() if applies]


def publish(folder: Path, plan: Plan, table: OutcomeTable, trajectories: Sequence[Trajectory]) -> None:
    """Write a run's Parquet files."""
    with published(folder / "outcomes.parquet") as draft:
        draft.write_bytes(encode_outcomes(table, isinstance(plan.suite.environment, LiveEnvironment)))
    publish_decisions(folder / "decisions.parquet", plan, table, trajectories)


def republish(store: Store, run_id: str) -> None:
    """Write a finished run's Parquet files again, from its journal alone.

    Raises:
        RunError: the run is not finished, or its journal lacks decisions.
    """
    log = read_run(store, run_id)
    suite = log.started.suite
    table = recorded_table(log) if log.started.table_parquet else live_table(log, log.outcomes.values())
    plan = Plan(suite, len(table.tasks), len(table.arms))
    if log.trajectories.keys() != set(plan.streams):
        raise RunError(f"run {run_id}: decisions are missing from its journal", f"krins-eval run --resume {run_id}")
    publish(store.folder(run_id), plan, table, list(log.trajectories.values()))


def recorded_table(log: RunLog) -> OutcomeTable:
    """The outcome table that a recorded run was started with, from its journal."""
    with NamedTemporaryFile(suffix=".parquet") as file:
        file.write(base64.b64decode(log.started.table_parquet or ""))
        file.flush()
        table = read_table(RecordedEnvironment(kind="recorded", table=Path(file.name)))
    tasks = log.started.tasks or table.tasks  # the same ones, with their prompts
    return replace(table, tasks=tasks, imputation=log.started.imputation)


def live_table(log: RunLog, outcomes: Iterable[Outcome]) -> OutcomeTable:
    environment = log.started.suite.environment
    assert isinstance(environment, LiveEnvironment)
    tasks: Sequence[Task] = log.started.tasks
    return table_from_outcomes(tasks, [Arm(model.name) for model in environment.models], outcomes)
