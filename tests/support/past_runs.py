"""Runs for tests of what comes after a run: journals and files written as a run writes them, with made-up numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from krins.runs.journal import JournalWriter
from krins.runs.publish import decision_schema, outcome_schema
from krins.runs.records import Finished, Record, Started
from krins.runs.result import Baseline, Baselines, Curve, ErrorCounts, Figure, RouterResult, RunResult
from krins.runs.store import Store
from krins.suite_file import parse_suite

SUITE_TEXT = """\
version: 1
name: past
seed: 7
replications: 3
environment: {kind: recorded, table: table.parquet}
routers:
  - random
  - {policy: epsilon-greedy, epsilon: 0.25}
"""
STEPS = [1, 2, 4, 8]


@dataclass(frozen=True)
class PastRun:
    """How a made-up run ended."""

    quality: float = 0.5
    started_at_seconds: float = 1_700_000_000.0
    is_finished: bool = True
    billed_usd: Decimal = Decimal("0.000000125")


def write_run(store: Store, past: PastRun = PastRun()) -> str:
    """Write a run's journal and Parquet files; returns its id."""
    run_id = store.create_run("past", past.started_at_seconds)
    records: list[Record] = [started(run_id, past)]
    if past.is_finished:
        write_files(store, run_id)
        records.append(Finished(result=result(run_id, past)))
    with store.lock(run_id), JournalWriter(store.journal(run_id)) as journal:
        for record in records:
            journal.append(record.model_dump(mode="json"))
        journal.commit()
    return run_id


def started(run_id: str, past: PastRun) -> Started:
    path = Path("/suites/past.yaml")
    return Started(
        run_id=run_id,
        krins_version="0.1.0",
        started_at_seconds=past.started_at_seconds,
        suite=parse_suite(SUITE_TEXT, path),
        suite_text=SUITE_TEXT,
        suite_path=path,
        table_sha256="ab" * 32,
    )


def result(run_id: str, past: PastRun) -> RunResult:
    fixed = Baseline(model="small", quality=Figure(mean=0.4), cost_usd=Figure(mean=0.002), reward=0.4)
    baselines = Baselines(
        best_single=fixed, best_fixed=fixed, oracle=fixed, cheapest_correct=None, random=fixed, hull=[fixed]
    )
    return RunResult(
        run_id=run_id,
        suite="past",
        environment="recorded",
        seed=7,
        n_tasks=4,
        n_repositories=2,
        n_replications=3,
        passes=2,
        non_inferiority_margin=0.02,
        elapsed_seconds=1.5,
        billed_usd=past.billed_usd,
        notes=["made up"],
        routers=[router("random", {"policy": "random"}, past), router("greedy", {"epsilon": 0.25}, past)],
        baselines=baselines,
    )


def router(label: str, params: dict[str, object], past: PastRun) -> RouterResult:
    """All figures known but those against the hull."""
    q = past.quality
    figure = Figure(mean=q / 5, low=q / 7, high=q / 3, replication_low=q / 6, replication_high=q / 4)
    ramp = [float(step) for step in STEPS]
    return RouterResult(
        router=label,
        params=params,
        n_decisions=24,
        quality=figure.model_copy(update={"mean": q}),
        quality_answered=figure,
        cost_usd=figure,
        tokens=Figure(mean=100.0),
        quality_difference_vs_best_single=figure,
        saving_vs_best_single=figure,
        is_saving=label == "random",
        hull_quality_gain=None,
        hull_cost_saving=None,
        regret_vs_best_fixed=figure,
        regret_vs_oracle=figure,
        errors=ErrorCounts(model=1, infrastructure=2),
        curve=Curve(
            steps=STEPS, regret=ramp, regret_low=ramp, regret_high=ramp, cost_usd=ramp, tokens=None, quality=ramp
        ),
    )


def write_files(store: Store, run_id: str) -> None:
    """Two decisions and two outcomes."""
    folder = store.folder(run_id)
    decisions = [
        {
            "router": name,
            "replication": 0,
            "step": 0,
            "task_id": "one",
            "model": "small",
            "sample": 0,
            "probability": 0.5,
        }
        for name in ("random", "greedy")
    ]
    outcomes = [{"task_id": "one", "model": name, "sample": 0, "quality": 1.0} for name in ("small", "large")]
    pq.write_table(pa.Table.from_pylist(decisions, schema=decision_schema()), folder / "decisions.parquet")
    pq.write_table(pa.Table.from_pylist(outcomes, schema=outcome_schema()), folder / "outcomes.parquet")


def write_runs(store: Store, n: int) -> list[str]:
    """Finished runs a minute apart, oldest first, each with numbers of its own."""
    first = time.time() - 60.0 * n
    return [write_run(store, PastRun(1 / (number + 1.1), first + 60.0 * number)) for number in range(n)]
