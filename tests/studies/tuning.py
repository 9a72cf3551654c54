"""A small suite to tune: 64 tasks of eight repositories, four models, of which one is worth its price: or, where it is
`mixed`, one for each of two categories, so that a router that looks at tasks is better than any model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.support.suites import write_suite

ROUTERS: list[Any] = ["thompson", "fixed:model-1"]
MEANS = (0.2, 0.6, 0.65, 0.7)
MIXED = {"fix": (0.05, 0.95, 0.5, 0.5), "test": (0.95, 0.05, 0.5, 0.5)}
COSTS = (0.01, 0.05, 0.6, 1.2)


def write_tunable(
    folder: Path,
    n_tasks: int = 64,
    repositories: bool = True,
    routers: list[Any] | None = None,
    mixed: bool = False,
    missing: str = "refuse",
    **keys: Any,
) -> Path:
    """Suite and table; returns the suite's path."""
    rng = np.random.default_rng(3)
    categories = ["fix" if task % 3 else "test" for task in range(n_tasks)]
    rows = [
        {
            "task_id": f"task-{task:03d}",
            "model": f"model-{arm}",
            "repo": f"repo-{task % 8}" if repositories else None,
            "category": categories[task],
            "prompt": " ".join(f"word{task}of{i}" for i in range(9)),
            "quality": float(rng.random() < (MIXED[categories[task]] if mixed else MEANS)[arm]),
            "cost_usd": COSTS[arm] * (1 + task % 5) / 3,
        }
        for task in range(n_tasks)
        for arm in range(4)
    ]
    pd.DataFrame(rows).to_parquet(folder / "table.parquet")
    given: dict[str, Any] = {"reward": {"quality": 1.0, "per_usd": 0.2}, "replications": 16, **keys}
    environment = {"kind": "recorded", "table": "table.parquet", "missing": missing}
    return write_suite(folder, environment, routers or ROUTERS, **given)
