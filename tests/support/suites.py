"""Suite files and outcome tables for tests, written to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from krins.interfaces import FloatArray
from krins.runs.result import RunResult

TASKS = Path(__file__).parents[2] / "evals" / "tasks"
SMALL_TASKS = sorted(file.parent.name for file in TASKS.glob("*/task.yaml") if "\nanswer_file:" in file.read_text())
"""The twelve whose answer is one file: enough for runs, and soon judged."""


def write_suite(folder: Path, environment: dict[str, Any], routers: Sequence[Any], **keys: Any) -> Path:
    path = folder / "suite.yaml"
    content = {"version": 1, "name": "test", "seed": 5, "environment": environment, "routers": list(routers), **keys}
    path.write_text(yaml.safe_dump(content))
    return path


def live_environment(base_url: str, models: Sequence[str], **keys: Any) -> dict[str, Any]:
    prices = {"usd_per_million_input_tokens": "1.00", "usd_per_million_output_tokens": "2.00"}
    specs = [{"name": name, "base_url": base_url, "timeout_seconds": 20, **prices} for name in models]
    include = {} if "tasks" in keys else {"task_id": SMALL_TASKS}
    found = {"kind": "live", "tasks": str(TASKS), "models": specs, "limits": {"wall_seconds": 60}, **keys}
    return {**found, "include": {**include, **keys.get("include", {})}}


def write_table(path: Path, quality: FloatArray, cost: FloatArray) -> Path:
    """A table of n_tasks x n_arms (x n_samples) outcomes; tasks in three repositories."""
    quality, cost = np.atleast_3d(quality), np.atleast_3d(cost)
    rows = [
        {
            "task_id": f"task-{task:04d}",
            "model": f"model-{arm}",
            "sample": sample,
            "repo": f"repo-{task % 3}",
            "quality": quality[task, arm, sample],
            "cost_usd": cost[task, arm, sample],
            "input_tokens": 100 * (arm + 1),
            "output_tokens": 10 * (task + 1),
            "latency_s": 1.0 + arm,
        }
        for task, arm, sample in np.ndindex(quality.shape)
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


def same_numbers(result: RunResult) -> dict[str, Any]:
    """All of a result that must not depend on how it was carried out."""
    return result.model_dump(mode="json", exclude={"run_id", "elapsed_seconds", "notes"})
