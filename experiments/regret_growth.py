"""How fast does regret grow, against the least growth that is possible?

    python experiments/regret_growth.py [--replications 300] [--seed 0]

Lai and Robbins (1985): the regret of a policy that is good on every instance grows at least like C ln T, where C is
the sum over the worse arms of gap / kl(mean, best mean). The growth shown is (R(10^5) - R(10^4)) / (ln 10^5 - ln 10^4)
over C, R being cumulative pseudo-regret, at both horizons from the same replications: what was lost early drops out.
Arms, instances and streams as in `regret_reference.py`; rewards are simulated. 1 is the limit for Thompson sampling,
IMED and KL-UCB, and all of them are still on their way at 10^5. Reference figures come from other code, without
their uncertainty: they are shown beside ours, and agreement is not tested.
"""

from __future__ import annotations

import math

import click
import numpy as np
from regret_reference import INSTANCES, POLICIES, estimate, in_blocks

from krins.routing.divergence import bernoulli_divergence

HORIZONS = 10_000, 100_000
REFERENCE: dict[str, dict[str, float]] = {
    "easy": {"Thompson Beta(1,1)": 0.83, "IMED": 0.85, "KL-UCB (c = 0)": 1.31},
    "hard": {"Thompson Beta(1,1)": 0.84, "IMED": 0.78, "KL-UCB (c = 0)": 1.55},
}


def lai_robbins(means: tuple[float, ...]) -> float:
    """The constant C."""
    best = max(means)
    worse = np.array([mean for mean in means if mean < best])
    return float(((best - worse) / bernoulli_divergence(worse, np.array(best))).sum())


@click.command(help=__doc__)
@click.option("--replications", default=300, show_default=True, type=click.IntRange(min=2))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(replications: int, seed: int) -> None:
    scale = math.log(HORIZONS[1] / HORIZONS[0])
    click.echo(f"growth of mean pseudo-regret over Lai-Robbins' C ± 95% half-width, {replications} replications")
    click.echo(
        f"{'instance':<9}{'C':>7}  {'policy':<20}{'R(10^4)':>15}{'R(10^5)':>15}{'growth / C':>14}{'reference':>11}"
    )
    for number, (instance, name) in enumerate((i, name) for i, row in REFERENCE.items() for name in row):
        means = INSTANCES[instance]
        constant = lai_robbins(means)
        early, late = in_blocks(POLICIES[name], means, replications, HORIZONS, [seed, 1, number])
        first, last, growth = estimate(early), estimate(late), estimate((late - early) / (scale * constant))
        row = f"{instance:<9}{constant:>7.2f}  {name:<20}{first.mean:8.1f} ±{first.half_width:5.1f}"
        row += f"{last.mean:8.1f} ±{last.half_width:5.1f}{growth.mean:8.2f} ±{growth.half_width:4.2f}"
        click.echo(row + f"{REFERENCE[instance][name]:>11.2f}")


if __name__ == "__main__":
    main()
