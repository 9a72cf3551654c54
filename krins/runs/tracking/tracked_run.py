"""What a tracking server is told about a run: parameters, numbers and files, apart from any server.

One parent entry a run and one child a router, and the traces of a live run, up to `MAX_TRACES` of them. Invariants:
everything comes from the journal and the run's folder, so a run can be logged on another day; what is not known is not
logged. Left out: logging it (`mlflow_store`), and what a trace tells (`traces`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from krins.domain import Outcome
from krins.runs.context_sums import ContextFigures
from krins.runs.history.run_rows import result_columns
from krins.runs.records import Started
from krins.runs.result import Baselines, Figure, RouterResult, RunResult
from krins.runs.tracking.traces import MAX_TRACES, Trace, describe_traces
from krins.suite import LiveEnvironment


class Point(NamedTuple):
    """A number; `step` counts decisions on a learning curve and is 0 elsewhere."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Entry:
    """What becomes one run of the tracking server."""

    name: str
    params: dict[str, str]
    points: list[Point]


@dataclass(frozen=True)
class TrackedRun:
    experiment: str
    run_id: str
    notes: str
    started_at_seconds: float
    """Since the epoch."""
    elapsed_seconds: float
    parent: Entry
    children: list[Entry]
    texts: dict[str, str]
    """File name to content."""
    figures: list[Path]
    traces: list[Trace]
    n_traces_left_out: int


def describe_run(started: Started, result: RunResult, folder: Path, outcomes: Sequence[Outcome] = ()) -> TrackedRun:
    """All that is to be logged of a finished run; `folder` is the run's own, `outcomes` what a live one journalled."""
    params = _common_params(started, result)
    traces = describe_traces(started, outcomes)
    n_left_out = max(len(traces) - MAX_TRACES, 0)
    return TrackedRun(
        experiment=f"krins/{result.suite}",
        run_id=result.run_id,
        notes="\n\n".join(part for part in (started.suite.description, *result.notes, _left_out(n_left_out)) if part),
        started_at_seconds=started.started_at_seconds,
        elapsed_seconds=result.elapsed_seconds,
        parent=Entry(result.run_id, params, list(_known(_run_points(result)))),
        children=[
            Entry(router.router, params | _router_params(router), list(_known(_router_points(router))))
            for router in result.routers
        ],
        texts={
            "suite.yaml": started.suite_text,
            "result.json": result.model_dump_json(indent=2) + "\n",
            "table.csv": result.table.to_csv(),
        },
        figures=sorted(path for path in (folder / "figures").glob("*") if path.suffix in {".png", ".html"}),
        traces=traces[:MAX_TRACES],
        n_traces_left_out=n_left_out,
    )


def _left_out(n_traces: int) -> str:
    return f"traces of the first {MAX_TRACES} decisions; those of {n_traces} more are left out" if n_traces else ""


def _common_params(started: Started, result: RunResult) -> dict[str, str]:
    params = {
        "suite": result.suite,
        "environment": result.environment,
        "seed": result.seed,
        "replications": result.n_replications,
        "passes": result.passes,
        "n_tasks": result.n_tasks,
        "n_repositories": result.n_repositories,
        "non_inferiority_margin": result.non_inferiority_margin,
        "fingerprint": started.suite.fingerprint,
        "table_sha256": started.table_sha256,
        "krins_version": started.krins_version,
        **_context_params(started, result),
    }
    return {name: str(value) for name, value in params.items() if value is not None}


def _context_params(started: Started, result: RunResult) -> dict[str, str]:
    """What context was given, as far as it is known, and what its tokens are measured against."""
    if result.context_token_saving is None:
        return {}
    environment = started.suite.environment
    given = {"context": environment.context_label} if isinstance(environment, LiveEnvironment) else {}
    return {**given, "context_baseline": "whole tree"}


def _router_params(router: RouterResult) -> dict[str, str]:
    return {"router": router.router, **{name: str(value) for name, value in router.params.items()}}


def _run_points(result: RunResult) -> Iterator[Point]:
    yield Point("elapsed_seconds", result.elapsed_seconds)
    yield Point("billed_usd", float(result.billed_usd))
    for name in ContextFigures._fields:
        figure: Figure | None = getattr(result, name)
        if figure is not None:
            yield Point(name, figure.mean)
            yield from (Point(f"{name}_{key}", number) for key, number in _numbers(figure.model_dump(exclude={"mean"})))
    for name in Baselines.model_fields if result.baselines else ():
        baseline = getattr(result.baselines, name)
        if isinstance(baseline, BaseModel):  # the hull is a list; it is in result.json
            yield from (Point(f"baseline/{name}/{key}", number) for key, number in _numbers(baseline.model_dump()))


def _router_points(router: RouterResult) -> Iterator[Point]:
    yield from (Point(name, number) for name, number in _numbers(result_columns(router)))
    curve = router.curve.model_dump()
    for name, values in curve.items():
        if name != "steps" and values is not None:
            points = zip(curve["steps"], values, strict=True)
            yield from (Point(f"curve/{name}", value, step) for step, value in points)


def _numbers(content: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """All numbers with their names, nested ones as `quality_mean`; truth values as 0 and 1."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from ((f"{name}_{inner}", number) for inner, number in _numbers(value))
        elif isinstance(value, int | float):
            yield name, float(value)


def _known(points: Iterator[Point]) -> Iterator[Point]:
    return (point for point in points if math.isfinite(point.value))
