"""Which router wins on real coding work, with real dollars: the OpenHands index.

    python experiments/flagship.py TABLE [--replications 100] [--seed 1]

TABLE is the public OpenHands index (34 models on 1,051 tasks) as an outcome table. Three slices: all models; without
claude-fable-5, which is far above all others and cannot be verified; the others of Anthropic, OpenAI and Google. A
missing outcome is a failure at its model's mean known cost. Reward: quality - 0.2 * USD, no less than -1, so that a
solved task is worth 5 dollars. Cascades go up the hull from its cheapest model, behind verifiers that are SIMULATED.
Shown for each router: mean quality and USD a task with 95% intervals over tasks, clustered by repository; regret
against the best fixed model and its spread over replications; and whether its lower cost may be called a saving.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable
from krins.runs.baselines import Cells, compute_baselines
from krins.runs.environments import RecordedSetting, recorded_setting
from krins.runs.recorded_run import play_here
from krins.runs.result import Baselines, Figure, RouterResult
from krins.runs.summary import complete_cells, summarise
from krins.suite import RecordedEnvironment, Reward, Suite

UNVERIFIED = "claude-fable-5"
SLICES: dict[str, dict[str, Any]] = {
    "all 34 models": {},
    f"without {UNVERIFIED}": {"exclude": {"model": [UNVERIFIED]}},
    f"Anthropic, OpenAI and Google, without {UNVERIFIED}": {
        "include": {"provider": ["Anthropic", "OpenAI", "Google"]},
        "exclude": {"model": [UNVERIFIED]},
    },
}
RANGE = [-1.0, 1.0]
ROUTERS: list[Any] = [
    "random",
    {"policy": "epsilon-greedy"},
    {"policy": "epsilon-greedy-decaying", "scale": 1},
    {"policy": "ucb1", "reward_range": RANGE},
    {"policy": "ucb-tuned", "reward_range": RANGE},
    {"policy": "kl-ucb", "reward_range": RANGE},
    {"policy": "imed", "reward_range": RANGE},
    "thompson",
    {"policy": "exp3", "reward_range": RANGE},
    {"policy": "linucb", "alpha": 0.5},
    {"policy": "linucb", "alpha": 0.5, "shared": True},
    {"policy": "lints", "scale": 0.25},
]
VERIFIERS = [(1.0, 1.0), (0.9, 0.9), (0.9, 0.7), (0.7, 0.7)]


def slice_of(table: Path, rows: dict[str, Any], replications: int, seed: int) -> RecordedSetting:
    environment = {"kind": "recorded", "table": table, "missing": "fail", **rows}
    suite = {
        "name": "flagship",
        "seed": seed,
        "replications": replications,
        "environment": environment,
        "reward": {"quality": 1.0, "per_usd": 0.2, "floor": -1.0},
        "features": {"fields": ["category"]},
    }
    outcomes = read_table(RecordedEnvironment.model_validate(environment))
    others = _depending_on(outcomes, Reward.model_validate(suite["reward"]))
    return recorded_setting(Suite.model_validate({**suite, "routers": [*ROUTERS, *others]}), outcomes)


def _depending_on(table: OutcomeTable, reward: Reward) -> list[dict[str, Any]]:
    """Up the hull behind each verifier; and the routers with objectives of their own: the budget is what the best
    fixed model costs, the floor is below the quality of the best one."""
    cells = Cells(table, reward)
    assert cells.hull is not None
    hull = [table.arms[arm].name for arm in cells.hull.arms]
    best = table.arms[cells.best_single].name
    verifiers = [{"sensitivity": s, "specificity": p} for s, p in VERIFIERS]
    cascades = [{"policy": "cascade", "models": hull, "verifier": verifier} for verifier in verifiers]
    rate = float(cells.cost.mean(axis=0)[cells.best_fixed]) if cells.cost is not None else 1.0
    return [
        {"policy": "budgeted", "usd_per_task": round(rate, 3)},
        {"policy": "quality-floor", "reference": best, "margin": 0.02},
        *cascades,
    ]


def show(name: str, baselines: Baselines, routers: list[RouterResult], n_tasks: int, replications: int) -> None:
    fixed, single, oracle = baselines.best_fixed, baselines.best_single, baselines.oracle
    click.echo(f"\n{name}: {n_tasks} tasks, {replications} replications")
    click.echo(f"best single by quality: {single.model} {_place(single.quality, single.cost_usd)}")
    click.echo(f"best fixed by reward: {fixed.model} {_place(fixed.quality, fixed.cost_usd)}")
    click.echo(f"oracle by reward: {_place(oracle.quality, oracle.cost_usd)}")
    click.echo(f"{'router':<76}{'quality':>20}{'USD a task':>22}{'regret vs best fixed':>26}  saving")
    for row in routers:
        regret = row.regret_vs_best_fixed
        assert regret is not None
        spread = f"{regret.mean:8.1f} ({regret.replication_low:.1f} to {regret.replication_high:.1f})"
        place = f"{_written(row.quality, 3):>20}{_written(row.cost_usd, 3):>22}"
        click.echo(f"{row.router:<76}{place}{spread:>26}  {'yes' if row.is_saving else 'no'}")


def _written(figure: Figure | None, decimals: int) -> str:
    assert figure is not None
    return f"{figure.mean:.{decimals}f} [{figure.low:.{decimals}f}, {figure.high:.{decimals}f}]"


def _place(quality: Figure, cost: Figure | None) -> str:
    return f"{quality.mean:.3f} at ${cost.mean if cost else float('nan'):.3f}"


@click.command(help=__doc__)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replications", default=100, show_default=True, type=click.IntRange(min=2))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
def main(table: Path, replications: int, seed: int) -> None:
    for name, rows in SLICES.items():
        setting = slice_of(table, rows, replications, seed)
        plan, outcomes = setting.plan, setting.table
        cells = complete_cells(outcomes, plan.suite.reward)
        assert cells is not None
        routers = summarise(plan, outcomes, cells, play_here(setting.player, plan.streams))
        show(name, compute_baselines(cells), routers, len(outcomes.tasks), replications)


if __name__ == "__main__":
    main()
