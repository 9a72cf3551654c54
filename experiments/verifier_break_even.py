"""How good must tests or a judge be, before "cheap model first, then escalate" beats the best single model?

    python experiments/verifier_break_even.py TABLE

TABLE is the public OpenHands index as an outcome table; claude-fable-5 is left out. Verifiers are SIMULATED: a right
answer passes with the sensitivity, a wrong one is caught with the specificity; expectations are exact, without draws.
Shown for two slices and three cascades: quality and USD a task behind verifiers of stated rates, with 95% intervals
over tasks, clustered by repository; and the least specificity for which the cascade beats the best single model, by
reward (quality - 0.2 * USD, at least -1), as a saving (cheaper, quality lower by at most 0.02), and for certain.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable
from krins.router_specs import CascadeRouter, SimulatedVerifier
from krins.runs.baselines import Cells
from krins.runs.break_even import break_even
from krins.runs.drawn import cascade_of
from krins.statistics.clustered import Interval, clustered_interval
from krins.suite import RecordedEnvironment, Reward

SLICES: dict[str, dict[str, list[str | bool | int | float]]] = {
    "SWE-bench Verified part": {"category": ["bugfix"]},
    "all four kinds of work": {},
}
CASCADES = [
    ["DeepSeek-V4-Pro", "MiniMax-M3", "claude-opus-4-8"],
    ["DeepSeek-V4-Pro", "claude-opus-4-8"],
    ["MiniMax-M3", "claude-opus-4-8"],
]
REWARD = Reward(quality=1.0, per_usd=0.2, floor=-1.0)
MARGIN = 0.02
RATES = [(1.0, 1.0), (0.95, 0.9), (0.9, 0.8), (0.8, 0.6), (0.6, 0.6)]
SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def report(table: OutcomeTable) -> None:
    cells = Cells(table, REWARD)
    assert cells.cost is not None
    single = cells.best_single
    name, fixed = table.arms[single].name, table.arms[cells.best_fixed].name
    click.echo(
        f"best single {name}: quality {cells.quality[:, single].mean():.3f}, ${cells.cost[:, single].mean():.3f}"
    )
    click.echo(f"best fixed by reward {fixed}")
    for models in CASCADES:
        verifier = SimulatedVerifier(sensitivity=1.0, specificity=1.0)
        router = CascadeRouter(models=models, verifier=verifier)
        click.echo(f"\n  {' > '.join(models)}, simulated verifier of")
        cascade = cascade_of(router, table)
        for sensitivity, specificity in RATES:
            found = cascade.expect(REWARD, np.array(sensitivity), np.array(specificity))
            quality, cost = (clustered_interval(v, cells.clusters) for v in (found.quality, found.cost_usd))
            gain = clustered_interval(found.reward - cells.reward[:, cells.best_fixed], cells.clusters)
            click.echo(
                f"    sensitivity {sensitivity:.2f}, specificity {specificity:.2f}: quality {_written(quality)}, "
                f"USD {_written(cost)}, reward above {fixed} {_written(gain)}"
            )
        curve = break_even(router, cascade, cells, MARGIN)
        shown = [curve.sensitivity.index(s) for s in SHOWN]
        click.echo("    least specificity at sensitivity " + "  ".join(f"{s:5.2f}" for s in SHOWN))
        for field in ("better_reward", "surely_better_reward", "saving", "sure_saving"):
            values = [getattr(curve, field)[i] for i in shown]
            written = "  ".join("    -" if v is None else f"{v[0]:5.2f}" for v in values)
            click.echo(f"    {field.replace('_', ' '):<33}{written}")


def _written(interval: Interval) -> str:
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


@click.command(help=__doc__)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(table: Path) -> None:
    for name, include in SLICES.items():
        spec = RecordedEnvironment(
            kind="recorded", table=table, missing="fail", include=include, exclude={"model": ["claude-fable-5"]}
        )
        outcomes = read_table(spec)
        click.echo(f"\n{name}: {len(outcomes.tasks)} tasks")
        report(outcomes)


if __name__ == "__main__":
    main()
