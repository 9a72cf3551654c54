"""Do the policies have the regret that they should? Compared with a reference table made by other code.

    python experiments/regret_reference.py [--replications 2000] [--horizon 10000] [--seed 0]

Nine Bernoulli arms, three instances, arms shuffled in each replication; cumulative pseudo-regret (gaps of the arms
chosen, not rewards lost); rewards are simulated. Reference table: 2,000 replications each, numba loops, horizon
10,000; there every policy but Thompson sampling pulls each arm once first, and t is the number of pulls so far. Ours
and the reference agree where Holm's procedure over the whole table, at 5%, does not reject that their means are equal.
Exit 1 if any does not. Another horizon than 10,000 prints our figures alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import click
import numpy as np

from krins.interfaces import FloatArray, IntArray, Policy
from krins.routing.divergence import IMED, KLUCB
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1, UCBTuned

BLOCK = 1000
"""Replications that are played together: about 20 bytes for each of their choices."""
REFERENCE_HORIZON = 10_000
LEVEL = 0.05

INSTANCES: dict[str, tuple[float, ...]] = {
    "easy": (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1),
    "hard": (0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
    "low": (0.10, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01),
}
POLICIES: dict[str, Policy[Any]] = {
    "epsilon 0.1": EpsilonGreedy(0.1),
    "min(1, 5K/t)": DecayingEpsilonGreedy(5.0),
    "min(1, K/t)": DecayingEpsilonGreedy(1.0),
    "UCB1": UCB1(),
    "UCB-tuned": UCBTuned(),
    "KL-UCB (c = 0)": KLUCB(),
    "IMED": IMED(),
    "Thompson Beta(1,1)": ThompsonBeta((1.0, 1.0)),
}


class Estimate(NamedTuple):
    """A mean, of cumulative pseudo-regrets for instance, and the half-width of its 95% interval."""

    mean: float
    half_width: float


REFERENCE: dict[str, dict[str, Estimate]] = {
    "easy": {
        "epsilon 0.1": Estimate(431.8, 2.8),
        "min(1, 5K/t)": Estimate(140.3, 5.7),
        "min(1, K/t)": Estimate(173.1, 15.7),
        "UCB1": Estimate(330.6, 1.2),
        "UCB-tuned": Estimate(55.1, 0.6),
        "KL-UCB (c = 0)": Estimate(58.9, 0.8),
        "IMED": Estimate(47.0, 0.4),
        "Thompson Beta(1,1)": Estimate(41.6, 0.5),
    },
    "hard": {
        "epsilon 0.1": Estimate(197.1, 7.5),
        "min(1, 5K/t)": Estimate(210.1, 14.7),
        "min(1, K/t)": Estimate(402.7, 20.2),
        "UCB1": Estimate(547.7, 2.0),
        "UCB-tuned": Estimate(132.8, 2.7),
        "KL-UCB (c = 0)": Estimate(227.1, 1.9),
        "IMED": Estimate(150.4, 2.3),
        "Thompson Beta(1,1)": Estimate(145.1, 2.3),
    },
    "low": {
        "epsilon 0.1": Estimate(129.2, 4.0),
        "min(1, 5K/t)": Estimate(115.4, 7.8),
        "min(1, K/t)": Estimate(285.6, 12.6),
        "UCB1": Estimate(466.6, 0.7),
        "UCB-tuned": Estimate(184.0, 0.9),
        "KL-UCB (c = 0)": Estimate(102.7, 0.7),
        "IMED": Estimate(64.5, 0.9),
        "Thompson Beta(1,1)": Estimate(73.6, 0.7),
    },
}


def regrets(
    policy: Policy[Any],
    means: tuple[float, ...],
    n_replications: int,
    horizons: Sequence[int],
    stream: np.random.SeedSequence,
) -> FloatArray:
    """Cumulative pseudo-regret of each replication at each horizon, shape (n_horizons, n_replications)."""
    choices, world = (np.random.default_rng(child) for child in stream.spawn(2))
    shuffled = world.permuted(np.tile(means, (n_replications, 1)), axis=1)
    rows = np.arange(n_replications)

    def rewards(first: int, arms: IntArray) -> Results:
        return Results((world.random(arms.shape) < shuffled[rows, arms]).astype(np.float64))

    played = play(policy, len(means), n_replications, max(horizons), rewards, choices)
    gaps = (max(means) - shuffled)[rows, played.arms]
    return np.array([gaps[:horizon].sum(axis=0) for horizon in horizons])


def in_blocks(
    policy: Policy[Any], means: tuple[float, ...], n_replications: int, horizons: Sequence[int], key: list[int]
) -> FloatArray:
    """Regrets, shape (n_horizons, n_replications), over blocks of replications, each with the stream of its number."""
    blocks = [min(BLOCK, n_replications - start) for start in range(0, n_replications, BLOCK)]
    streams = np.random.SeedSequence(key).spawn(len(blocks))
    return np.hstack([regrets(policy, means, n, horizons, s) for n, s in zip(blocks, streams, strict=True)])


def estimate(values: FloatArray) -> Estimate:
    """Of their mean, from independent replications."""
    return Estimate(float(values.mean()), float(1.96 * values.std(ddof=1) / math.sqrt(values.size)))


def p_value(ours: Estimate, reference: Estimate) -> float:
    """Two-sided, of equal means, both estimates being normal."""
    error = math.hypot(ours.half_width, reference.half_width) / 1.96
    return math.erfc(abs(ours.mean - reference.mean) / error / math.sqrt(2.0))


def holm(p_values: list[float]) -> list[bool]:
    """Which hypotheses are rejected at LEVEL over the whole family (Holm 1979)."""
    rejected = [False] * len(p_values)
    for rank, which in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[which] > LEVEL / (len(p_values) - rank):
            break
        rejected[which] = True
    return rejected


def show(cells: list[tuple[str, str]], ours: list[Estimate], compared: bool) -> bool:
    """Print the table; whether all of it agrees."""
    references = [REFERENCE[instance][name] for instance, name in cells]
    p_values = [p_value(our, reference) for our, reference in zip(ours, references, strict=True)]
    rejected = holm(p_values) if compared else [False] * len(cells)
    header = f"{'instance':<9}{'policy':<20}{'ours':>15}"
    click.echo(header + (f"{'reference':>15}{'difference':>18}{'p':>8}  verdict" if compared else ""))
    for (instance, name), our, reference, p, differs in zip(cells, ours, references, p_values, rejected, strict=True):
        row = f"{instance:<9}{name:<20}{our.mean:8.1f} ±{our.half_width:5.1f}"
        if compared:
            row += f"{reference.mean:8.1f} ±{reference.half_width:5.1f}{our.mean - reference.mean:+11.1f} "
            row += f"±{math.hypot(our.half_width, reference.half_width):5.1f}{p:8.3f}  "
            row += "DIFFERS" if differs else "agrees"
        click.echo(row)
    return not any(rejected)


@click.command(help=__doc__)
@click.option("--replications", default=2000, show_default=True, type=click.IntRange(min=2))
@click.option("--horizon", default=REFERENCE_HORIZON, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(replications: int, horizon: int, seed: int) -> None:
    cells = [(instance, name) for instance in INSTANCES for name in POLICIES]
    ours = []
    for number, (instance, name) in enumerate(cells):
        click.echo(f"{number + 1}/{len(cells)} {instance} {name}", err=True)
        ours.append(estimate(in_blocks(POLICIES[name], INSTANCES[instance], replications, [horizon], [seed, number])))
    click.echo(f"mean cumulative pseudo-regret ± 95% half-width, {replications} replications, horizon {horizon}")
    if not show(cells, ours, compared=horizon == REFERENCE_HORIZON):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
