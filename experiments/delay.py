"""What does feedback that comes late cost?

    python experiments/delay.py [--replications 1024] [--horizon 10000] [--seed 0]

Simulated: nine Bernoulli arms, arms shuffled in each replication; a reward is learnt D choices after its own choice
could have been, for D = 0, 10, 100 and 1,000. Cumulative pseudo-regret with 95% half-widths, beside the figures of
other code where there are any (easy, horizon 10,000; their policies do not look at choices whose rewards are out,
while our UCB1 spreads its first choices over the arms by them). Thompson sampling at D = 100 is to stay within 75
(easy) and 155 (hard): exit 1 if a mean does not.
"""

from __future__ import annotations

import math
from typing import Any

import click
import numpy as np

from krins.interfaces import FloatArray, IntArray, Policy
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1

BLOCK = 256
REFERENCE_HORIZON = 10_000
DELAYS = (0, 10, 100, 1000)
INSTANCES: dict[str, tuple[float, ...]] = {
    "easy": (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1),
    "hard": (0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
}
POLICIES: dict[str, Policy[Any]] = {"UCB1": UCB1(), "Thompson Beta(1,1)": ThompsonBeta((1.0, 1.0))}
REFERENCE: dict[tuple[str, str], tuple[float, ...]] = {
    ("easy", "UCB1"): (333.0, 351.0, 571.0, 997.0),
    ("easy", "Thompson Beta(1,1)"): (42.0, 43.0, 72.0, 441.0),
}
"""At each of `DELAYS`; their uncertainty is not stated."""
DEMANDED: dict[tuple[str, str, int], float] = {
    ("easy", "Thompson Beta(1,1)", 100): 75.0,
    ("hard", "Thompson Beta(1,1)", 100): 155.0,
}


def regrets(
    policy: Policy[Any], means: tuple[float, ...], n: int, horizon: int, delay: int, stream: np.random.SeedSequence
) -> FloatArray:
    """Cumulative pseudo-regret of each replication, shape (n,)."""
    choices, world = (np.random.default_rng(child) for child in stream.spawn(2))
    shuffled = world.permuted(np.tile(means, (n, 1)), axis=1)
    rows = np.arange(n)

    def rewards(step: int, arms: IntArray) -> Results:
        return Results((world.random(arms.shape) < shuffled[rows, arms]).astype(np.float64))

    arms = play(policy, len(means), n, horizon, rewards, choices, delay=delay).arms
    total: FloatArray = (max(means) - shuffled)[rows, arms].sum(axis=0)
    return total


@click.command(help=__doc__)
@click.option("--replications", default=1024, show_default=True, type=click.IntRange(min=2))
@click.option("--horizon", default=REFERENCE_HORIZON, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(replications: int, horizon: int, seed: int) -> None:
    sizes = [min(BLOCK, replications - start) for start in range(0, replications, BLOCK)]
    compared = horizon == REFERENCE_HORIZON
    too_much = False
    click.echo(f"simulated: mean cumulative pseudo-regret ± 95% half-width, {replications} replications, {horizon=}")
    click.echo(f"{'instance':<10}{'policy':<20}{'delay':>7}{'ours':>16}{'reference':>12}{'demanded':>12}")
    for instance, means in INSTANCES.items():
        for name, policy in POLICIES.items():
            for number, delay in enumerate(DELAYS):
                streams = np.random.SeedSequence([seed, number]).spawn(len(sizes))
                parts = zip(sizes, streams, strict=True)
                regret = np.concatenate([regrets(policy, means, n, horizon, delay, s) for n, s in parts])
                half_width = 1.96 * regret.std(ddof=1) / math.sqrt(replications)
                limit = DEMANDED.get((instance, name, delay), math.inf)
                too_much |= compared and bool(regret.mean() > limit)
                figures = REFERENCE.get((instance, name)) if compared else None
                row = f"{instance:<10}{name:<20}{delay:>7}{regret.mean():9.1f} ±{half_width:5.1f}"
                row += f"{figures[number]:12.0f}" if figures else " " * 12
                click.echo(row + (f"{'<=':>7} {limit:4.0f}" if compared and limit < math.inf else ""))
    if too_much:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
