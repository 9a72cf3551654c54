"""Results made by hand, small enough to check by eye."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from krins.runs.result import Baseline, Baselines, Curve, ErrorCounts, Figure, RouterResult, RunResult


def figure(mean: float, half_width: float | None = None, spread: float | None = None) -> Figure:
    """A figure with an interval and a spread of these half widths."""
    return Figure(
        mean=mean,
        low=None if half_width is None else mean - half_width,
        high=None if half_width is None else mean + half_width,
        replication_low=None if spread is None else mean - spread,
        replication_high=None if spread is None else mean + spread,
    )


def curve(final_regret: float | None = 12.0, n_steps: int = 40) -> Curve:
    """Regret that rises in a straight line."""
    steps = list(range(4, n_steps + 1, 4))
    regret = None if final_regret is None else [final_regret * step / n_steps for step in steps]
    return Curve(
        steps=steps,
        regret=regret,
        regret_low=None if regret is None else [0.8 * value for value in regret],
        regret_high=None if regret is None else [1.2 * value for value in regret],
        cost_usd=None,
        tokens=None,
        quality=[0.5 + 0.2 * step / n_steps for step in steps],
    )


def router(name: str, **given: Any) -> RouterResult:
    values: dict[str, Any] = {
        "router": name,
        "params": {},
        "n_decisions": 400,
        "quality": figure(0.661, 0.16, 0.022),
        "quality_answered": figure(0.661, 0.16, 0.022),
        "cost_usd": figure(0.0641, 0.0102, 0.0031),
        "tokens": figure(1234.5, 210.0, 12.0),
        "quality_difference_vs_best_single": figure(-0.006, 0.004, 0.003),
        "saving_vs_best_single": figure(0.28, 0.19, 0.11),
        "is_saving": True,
        "hull_quality_gain": figure(0.012, 0.009, 0.004),
        "hull_cost_saving": None,
        "regret_vs_best_fixed": figure(12.0, 4.0, 2.0),
        "regret_vs_oracle": figure(38.0, 7.0, 3.0),
        "errors": ErrorCounts(),
        "curve": curve(),
    }
    return RouterResult(**{**values, **given})


def unknown_router(name: str) -> RouterResult:
    """Of which nothing is known but quality."""
    optional = [
        "quality_answered",
        "cost_usd",
        "tokens",
        "quality_difference_vs_best_single",
        "saving_vs_best_single",
        "is_saving",
        "hull_quality_gain",
        "hull_cost_saving",
        "regret_vs_best_fixed",
        "regret_vs_oracle",
    ]
    return router(name, quality=figure(0.5), curve=curve(None), **dict.fromkeys(optional))


def baseline(quality: float, cost: float | None, model: str | None = None) -> Baseline:
    cost_usd = None if cost is None else figure(cost, cost / 10)
    return Baseline(model=model, quality=figure(quality, 0.1), cost_usd=cost_usd, reward=quality)


def baselines(small: str = "small-model", large: str = "large-model") -> Baselines:
    return Baselines(
        best_single=baseline(0.8, 0.09, large),
        best_fixed=baseline(0.7, 0.0123, small),
        oracle=baseline(0.9, 0.03),
        cheapest_correct=baseline(0.91, 0.02),
        random=baseline(0.75, 0.05),
        hull=[baseline(0.7, 0.0123, small), baseline(0.8, 0.09, large)],
    )


def result(*routers: RouterResult, **given: Any) -> RunResult:
    values: dict[str, Any] = {
        "run_id": "demo-20260601-101112-a1b2",
        "suite": "demo",
        "environment": "recorded",
        "seed": 7,
        "n_tasks": 40,
        "n_repositories": 5,
        "n_replications": 10,
        "passes": 1,
        "non_inferiority_margin": 0.02,
        "elapsed_seconds": 1.25,
        "billed_usd": Decimal(0),
        "notes": [],
        "routers": list(routers),
        "baselines": baselines(),
        "folder": Path(),
    }
    return RunResult(**{**values, **given})
