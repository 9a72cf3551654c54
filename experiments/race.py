"""How few paid answers settle which model is the best, and how often is the answer wrong?

    python experiments/race.py TABLE [--shuffles 500] [--peer-shuffles 50] [--error 0.05]

TABLE is the public OpenHands index (34 models on 1,051 tasks) as an outcome table; a missing outcome is a failure at
its model's mean known cost. Each shuffle is another random order of the tasks, all paired: every way to race sees the
same orders. Shown: the share of the full grid's cost that a race takes (mean over shuffles, and where the central 95%
of them lie), the share of shuffles in which the winner was right (its quality on the full grid is the highest, or
within the tolerance of it) with its exact 95% interval, and how much was paid at worst. Without claude-fable-5 the two
best are 2.7 points apart; there also with tolerances of 1, 2 and 5 points.

Peers, on the same orders: LUCB (Kalyanakrishnan et al. 2012) with the bounds that it was published with, over single
models' means; and successive elimination (Even-Dar, Mannor and Mansour 2006) with Hoeffding's bounds. Neither knows
that the grid is finite, so a race that has seen it all ends there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from krins.environments.reading import read_table
from krins.environments.table import mean_over_samples
from krins.interfaces import FloatArray, IntArray
from krins.studies.racer import Racer
from krins.suite import RecordedEnvironment

UNVERIFIED = "claude-fable-5"


class Grid(NamedTuple):
    quality: FloatArray
    """Shape (n_tasks, n_models), as the next."""
    cost_usd: FloatArray


class Ended(NamedTuple):
    winner: int
    n_asked: IntArray
    """Shape (n_models,)."""


Way = Callable[[Grid, float, float], Ended]


def krins_race(grid: Grid, error: float, tolerance: float) -> Ended:
    n_tasks, n_models = grid.quality.shape
    racer = Racer(n_tasks, n_models, error, tolerance)
    quality, cost = grid.quality.tolist(), grid.cost_usd.tolist()
    while questions := racer.next_round():
        racer.tell(
            questions,
            [quality[unit][arm] for unit, arm in questions],
            [cost[unit][arm] for unit, arm in questions],
        )
    return Ended(racer.leader, racer.n_asked)


def lucb(grid: Grid, error: float, tolerance: float) -> Ended:
    """Two answers a step: of the leader, and of the other model with the highest upper bound."""
    n_tasks, n_models = grid.quality.shape
    totals = np.vstack([np.zeros(n_models), np.cumsum(grid.quality, axis=0)])
    n, step, every = np.ones(n_models, np.int64), n_models, np.arange(n_models)
    while True:
        step += 1
        means = totals[n, every] / n
        radius = np.where(n == n_tasks, 0.0, np.sqrt(np.log(1.25 * n_models * step**4 / error) / (2 * n)))
        leader = int(np.argmax(means))
        upper = np.where(every == leader, -np.inf, means + radius)
        rival = int(np.argmax(upper))
        if upper[rival] - (means - radius)[leader] <= tolerance:
            return Ended(leader, n)
        n[[leader, rival]] = np.minimum(n[[leader, rival]] + 1, n_tasks)


def successive_elimination(grid: Grid, error: float, tolerance: float) -> Ended:
    """All that are in go on together, and leave when the best one's lower bound is above their upper one."""
    n_tasks, n_models = grid.quality.shape
    totals = np.cumsum(grid.quality, axis=0)
    n, is_in = np.zeros(n_models, np.int64), np.ones(n_models, bool)
    for t in range(1, n_tasks + 1):
        n[is_in] = t
        means = np.where(is_in, totals[t - 1] / t, -np.inf)
        radius = 0.0 if t == n_tasks else math.sqrt(math.log(4 * n_models * t**2 / error) / (2 * t))
        is_in &= means >= means.max() - 2 * radius
        if is_in.sum() == 1 or 2 * radius <= tolerance:
            break
    return Ended(int(np.argmax(np.where(is_in, totals[t - 1], -np.inf))), n)


WAYS: dict[str, Way] = {
    "krins race": krins_race,
    "LUCB": lucb,
    "successive elimination": successive_elimination,
}


def measure(grid: Grid, way: Way, error: float, tolerance: float, shuffles: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    truth, full = grid.quality.mean(axis=0), grid.cost_usd.sum()
    shares, right = [], 0
    for _ in range(shuffles):
        order = rng.permutation(len(grid.quality))
        ended = way(Grid(grid.quality[order], grid.cost_usd[order]), error, tolerance)
        paid = np.cumsum(grid.cost_usd[order], axis=0)[ended.n_asked - 1, np.arange(len(truth))].sum()
        shares.append(paid / full)
        right += truth[ended.winner] >= truth.max() - tolerance - 1e-12
    low, high = np.quantile(shares, [0.025, 0.975])
    exact = _exact_interval(int(right), shuffles)
    spread = f"{np.mean(shares):6.1%} ({low:.1%} to {high:.1%}, at most {max(shares):.1%})"
    return f"{spread:<44}{right / shuffles:.3f} [{exact[0]:.3f}, {exact[1]:.3f}]"


def _exact_interval(successes: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's."""
    from scipy.stats import binomtest

    found = binomtest(successes, n).proportion_ci(0.95)
    return float(found.low), float(found.high)


def grid_of(table: Path, excluded: Sequence[str]) -> tuple[Grid, list[str]]:
    exclude = {"model": list(excluded)} if excluded else {}
    environment = {"kind": "recorded", "table": table, "missing": "fail", "exclude": exclude}
    outcomes = read_table(RecordedEnvironment.model_validate(environment))
    means = Grid(mean_over_samples(outcomes.quality), mean_over_samples(outcomes.cost_usd))
    return means, [arm.name for arm in outcomes.arms]


@click.command(help=__doc__)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--shuffles", default=500, show_default=True, type=click.IntRange(min=1))
@click.option("--peer-shuffles", default=50, show_default=True, type=click.IntRange(min=1), help="Peers take longer.")
@click.option("--error", default=0.05, show_default=True, type=click.FloatRange(0, 1, min_open=True, max_open=True))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
def main(table: Path, shuffles: int, peer_shuffles: int, error: float, seed: int) -> None:
    for excluded, tolerances in (((), (0.0,)), ((UNVERIFIED,), (0.0, 0.01, 0.02, 0.05))):
        grid, names = grid_of(table, excluded)
        truth = grid.quality.mean(axis=0)
        first, second = np.argsort(truth)[::-1][:2]
        click.echo(
            f"\n{len(names)} models, {len(grid.quality):,} tasks, the full grid ${grid.cost_usd.sum():,.0f}; best "
            f"{names[first]} {truth[first]:.3f}, then {names[second]} {truth[second]:.3f}"
        )
        click.echo(f"{'way':<26}{'tolerance':<11}{'shuffles':<10}{'share of the cost of the grid':<44}right")
        for tolerance in tolerances:
            for name, way in WAYS.items():
                n = shuffles if way is krins_race else min(shuffles, peer_shuffles)
                click.echo(f"{name:<26}{tolerance:<11g}{n:<10}{measure(grid, way, error, tolerance, n, seed)}")


if __name__ == "__main__":
    main()
