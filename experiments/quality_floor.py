"""Does the quality floor hold, and what does it save?

    python experiments/quality_floor.py [--table OUTCOMES.parquet] [--replications 400] [--worlds 4]
        [--confidence 0.975] [--seed 0]

Pseudo quality of a run: the mean of the chosen arms' true means. The floor holds in a run where that is at least the
reference's mean less the margin. Shown at three horizons of the same runs, since the policy does not know when it
ends: the share of runs in which the floor held with an exact 95% binomial interval, the expected cost saved against
always the reference ± 95% half-width, and the same for cost-subsidised Thompson sampling without the guard.

Worlds are simulated: 3 to 9 arms, the reference is the best and dearest, the others' qualities lie below by
exponential gaps of mean 0.1 and their costs within two orders of magnitude; outcomes are 0 or 1, costs lognormal with
a standard deviation of about their mean. With --table, runs also draw recorded outcomes, a task at random each time,
and the reference is claude-opus-4-8. Exit 1 if a floor held in so few runs that 95% is beyond the interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from scipy.stats import binomtest

from krins.environments.reading import read_table
from krins.interfaces import FloatArray, IntArray
from krins.routing.play import Results, play
from krins.routing.quality_floor import QualityFloor
from krins.suite import RecordedEnvironment

MARGINS = (0.02, 0.05, 0.1)
HORIZONS = (500, 2_000, 10_000)
KEPT = 0.95
REFERENCE = "claude-opus-4-8"
NO_ROUTER = "claude-fable-5"
"""Left out of the table."""
SIGMA = math.sqrt(math.log(2.0))
"""Of a lognormal cost: its standard deviation is its mean."""


class World(NamedTuple):
    name: str
    quality: FloatArray
    """Shape (n_arms,): true means."""
    cost_usd: FloatArray
    """Shape (n_arms,): true means."""
    reference: int
    results: Callable[[IntArray, np.random.Generator], Results]
    """What comes of arms of shape (n_choices, n_replications)."""


def simulated(number: int, rng: np.random.Generator) -> World:
    n_arms = int(rng.integers(3, 10))
    reference = int(rng.integers(n_arms))
    quality = rng.uniform(0.6, 0.9) - rng.exponential(0.1, n_arms)
    quality = np.maximum(quality, 0.05)
    cost = 10.0 ** rng.uniform(-2.0, 0.0, n_arms)
    quality[reference], cost[reference] = quality.max(), 1.0

    def results(arms: IntArray, outcomes: np.random.Generator) -> Results:
        found = (outcomes.random(arms.shape) < quality[arms]).astype(np.float64)
        factor = np.exp(SIGMA * outcomes.standard_normal(arms.shape) - SIGMA**2 / 2.0)
        return Results(found, found, cost[arms] * factor)

    return World(f"simulated {number}, {n_arms} arms", quality, cost, reference, results)


def recorded(path: Path) -> World:
    spec = RecordedEnvironment(kind="recorded", table=path, missing="fail", exclude={"model": [NO_ROUTER]})
    table = read_table(spec)
    names = [arm.name for arm in table.arms]
    # One answer a cell; `missing="fail"` has made sure that there is one.
    quality, cost = table.quality[:, :, 0], table.cost_usd[:, :, 0]

    def results(arms: IntArray, outcomes: np.random.Generator) -> Results:
        tasks = outcomes.integers(len(quality), size=arms.shape)
        return Results(quality[tasks, arms], quality[tasks, arms], cost[tasks, arms])

    name = f"recorded, {len(names)} arms"
    return World(name, quality.mean(axis=0), cost.mean(axis=0), names.index(REFERENCE), results)


def arms_chosen(world: World, policy: QualityFloor, n_replications: int, key: list[int]) -> IntArray:
    """Shape (horizon, n_replications)."""
    choices, outcomes = (np.random.default_rng(child) for child in np.random.SeedSequence(key).spawn(2))
    played = play(
        policy,
        len(world.quality),
        n_replications,
        max(HORIZONS),
        lambda first, arms: world.results(arms, outcomes),
        choices,
    )
    return played.arms.astype(np.int64)


def show(world: World, margin: float, guard: str, arms: IntArray) -> bool:
    """Print a line for each horizon; whether 95% is within every interval, or below it."""
    fine = True
    for horizon in HORIZONS:
        lost = (world.quality[world.reference] - world.quality)[arms[:horizon]].mean(axis=0)
        saved = 1.0 - world.cost_usd[arms[:horizon]].mean(axis=0) / world.cost_usd[world.reference]
        # Sums of means are compared with a mean: allow for their rounding.
        test = binomtest(int((lost <= margin + 1e-12).sum()), lost.size)
        interval = test.proportion_ci(method="exact")
        fine = fine and bool(interval.high >= KEPT)
        half = 1.96 * saved.std(ddof=1) / math.sqrt(saved.size)
        click.echo(
            f"{world.name:<20}{margin:>7}{horizon:>8}  {guard:<10}{test.statistic:>6.3f} "
            f"[{interval.low:.3f}, {interval.high:.3f}]{lost.mean():>9.4f}{lost.max():>9.4f}"
            f"{100 * saved.mean():>8.1f}% ±{100 * half:4.1f}"
        )
    return fine


@click.command(help=__doc__)
@click.option("--table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replications", default=400, show_default=True, type=click.IntRange(min=2))
@click.option("--worlds", default=4, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--confidence", default=0.975, show_default=True, type=click.FloatRange(0.5, 1, min_open=True, max_open=True)
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(table: Path | None, replications: int, worlds: int, confidence: float, seed: int) -> None:
    played = [simulated(number, np.random.default_rng([seed, number])) for number in range(worlds)]
    played += [] if table is None else [recorded(table)]
    click.echo(f"{replications} replications; the guard's confidence is {confidence}")
    click.echo(
        f"{'world':<20}{'margin':>7}{'tasks':>8}  {'':<10}{'held':>6} {'95% interval':<16}"
        f"{'lost':>8}{'at most':>9}{'saved':>8}"
    )
    fine = True
    for number, world in enumerate(played):
        for margin in MARGINS:
            for guard, level in (("guarded", confidence), ("no guard", None)):
                policy = QualityFloor(world.reference, margin, level)
                arms = arms_chosen(world, policy, replications, [seed, number, round(1000 * margin)])
                held = show(world, margin, guard, arms)
                fine = fine and (held or level is None)
    if not fine:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
