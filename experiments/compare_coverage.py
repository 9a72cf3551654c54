"""Do a comparison's intervals, tests and band hold what they promise, with clusters as unequal as real ones?

    python experiments/compare_coverage.py [--worlds 2000] [--bands 400] [--draws 300] [--seed 0]

SIMULATED throughout: worlds of which the truth is known. Clusters of three kinds: 33 with half of all tasks in one of
them, as in the OpenHands index; 12 unequal ones; 60 equal ones. In each world fixed models answer the tasks: six that
lie well apart; thirty that lie close together, of which a hull picks the lucky ones; or twelve exactly on one line, the
worst that can be. Difficulty and cost differ by
cluster, so that tasks of one cluster resemble each other, and routers' distances to the reference have an effect of the
cluster too. Shown, with Wilson 95% intervals over worlds:

- coverage of the paired 95% interval of a quality difference, and of the band of the frontier at a quarter, half and
  three quarters of the way (in log costs) between its ends, with basic limits (as used) and percentile ones;
- false claims where none is true: eight routers exactly as far below the reference as the margin, and exactly as dear.
  Share of worlds in which any router is called a saving: by Holm's p-values, and by each router's own; and the same
  where all are much cheaper, so that quality alone must keep them from it;
- false non-inferiority where few pairs of yes or no outcomes differ, at a loss of exactly the margin: by the test, and
  by the t statistic alone;
- the trend over dates: how often a change is claimed at 5% where there is none.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import click
import numpy as np

from krins.interfaces import FloatArray, IntArray
from krins.statistics.clustered import clustered_interval, clustered_mean, degrees_of_freedom
from krins.statistics.contrasts import saving_values
from krins.statistics.drift import clustered_trend
from krins.statistics.frontier import frontier_at, frontier_band
from krins.statistics.judging import wilson_interval
from krins.statistics.multiplicity import holm
from krins.statistics.non_inferiority import SIGNIFICANCE, both_p, non_inferiority_p, saving_p

MARGIN = 0.02
N_ROUTERS = 8
N_TASKS = 600
CLUSTERINGS = {
    "33, half of all tasks in one": [N_TASKS // 2, *([20] * 8), *([10] * 10), *([3] * 13), 1],
    "12 unequal": [150, 120, 90, 70, 50, 40, 30, 20, 12, 8, 6, 4],
    "60 equal": [10] * 60,
}


class Pool(NamedTuple):
    """True means of fixed models, shapes (n_models,)."""

    cost_usd: FloatArray
    quality: FloatArray


_CLOSE_COSTS = np.geomspace(0.05, 1.5, 30)
POOLS = {
    "6 apart": Pool(np.array([0.05, 0.15, 0.30, 0.40, 1.00, 1.50]), np.array([0.45, 0.55, 0.60, 0.70, 0.72, 0.80])),
    "30 close": Pool(
        _CLOSE_COSTS,
        0.45 + 0.35 * np.log(_CLOSE_COSTS / 0.05) / np.log(30) - np.abs(np.random.default_rng(3).normal(0, 0.02, 30)),
    ),
    "12 on a line": Pool(np.linspace(0.25, 1.25, 12), 0.3 + 0.4 * np.linspace(0.25, 1.25, 12)),
}


class Checks(NamedTuple):
    """What one world showed of intervals and tests."""

    interval: bool
    false_claim: bool
    false_claim_unadjusted: bool
    false_claim_when_cheaper: bool
    false_trend: bool | None
    """None where the data cannot give a trend."""


class BandChecks(NamedTuple):
    """Whether a band holds the truth at each of three costs, shapes (3,); None where it has no limits there."""

    basic: list[bool | None]
    percentile: list[bool | None]


def answers(pool: Pool, clusters: IntArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Cost and quality of every task and model, shapes (n_tasks, n_models); their means are the pool's."""
    n_clusters, n_models = clusters.max() + 1, len(pool.quality)
    harder = rng.uniform(-0.15, 0.15, (n_clusters, 1)) + rng.uniform(-0.05, 0.05, (n_clusters, n_models))
    own, shared = rng.random((len(clusters), n_models)), rng.random((len(clusters), 1))
    luck = np.where(rng.random((len(clusters), 1)) < 0.5, shared, own)
    quality = (luck < pool.quality + harder[clusters]).astype(np.float64)
    dearer = _unit_lognormal(0.4, (n_clusters, 1), rng)[clusters] * _unit_lognormal(0.5, quality.shape, rng)
    return pool.cost_usd * dearer, quality


def _unit_lognormal(sigma: float, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """With mean 1."""
    return np.exp(sigma * rng.standard_normal(shape) - sigma**2 / 2)


def distances(clusters: IntArray, rng: np.random.Generator) -> FloatArray:
    """Quality minus the reference's, less its mean, shape (n_tasks, N_ROUTERS): routers share half of their luck."""
    n_clusters = clusters.max() + 1
    of_cluster = 0.04 * (rng.standard_normal((n_clusters, 1)) + rng.standard_normal((n_clusters, N_ROUTERS)))
    of_task = 0.2 * (rng.standard_normal((len(clusters), 1)) + rng.standard_normal((len(clusters), N_ROUTERS)))
    return of_cluster[clusters] + of_task


def look_at_band(pool: Pool, clusters: IntArray, draws: int, rng: np.random.Generator) -> BandChecks:
    cost, quality = answers(pool, clusters, rng)
    costs = np.geomspace(pool.cost_usd[0], pool.cost_usd[-1], 5)[1:-1]
    truth = frontier_at(costs, pool.cost_usd, pool.quality)
    at, low, high = frontier_band(costs, cost, quality, clusters, rng, draws)

    def holds(least: FloatArray, greatest: FloatArray) -> list[bool | None]:
        return [None if np.isnan(a) else bool(a <= t <= b) for a, t, b in zip(least, truth, greatest, strict=True)]

    return BandChecks(holds(low, high), holds(2 * at - high, 2 * at - low))


def look(clusters: IntArray, rng: np.random.Generator) -> Checks:
    pool = POOLS["6 apart"]
    _, quality = answers(pool, clusters, rng)
    interval = clustered_interval(quality[:, 3] - quality[:, 5], clusters)
    assert interval.low is not None
    assert interval.high is not None
    distance = distances(clusters, rng)
    reference = _unit_lognormal(0.4, (clusters.max() + 1,), rng)[clusters]
    router_cost = reference[:, None] * _unit_lognormal(0.3, distance.shape, rng)
    own, adjusted = _p_values(distance - MARGIN, router_cost, reference, clusters)
    _, when_cheaper = _p_values(distance - MARGIN, 0.4 * router_cost, reference, clusters)
    dates = rng.uniform(0, 2, clusters.max() + 1)[clusters] + rng.uniform(0, 1, len(clusters))
    trend = clustered_trend(distance[:, 0], dates, clusters)
    return Checks(
        interval=bool(interval.low <= pool.quality[3] - pool.quality[5] <= interval.high),
        false_claim=adjusted <= SIGNIFICANCE,
        false_claim_unadjusted=own <= SIGNIFICANCE,
        false_claim_when_cheaper=when_cheaper <= SIGNIFICANCE,
        false_trend=None if trend is None else trend.p <= 0.05,
    )


def _p_values(
    differences: FloatArray, cost: FloatArray, reference: FloatArray, clusters: IntArray
) -> tuple[float, float]:
    """The smallest p-value of the routers, and the smallest adjusted one."""
    own = {}
    for router in range(N_ROUTERS):
        lower = non_inferiority_p(clustered_mean(differences[:, router], clusters), MARGIN)
        cheaper = saving_p(clustered_mean(saving_values(cost[:, router], reference), clusters))
        p = both_p(lower, cheaper)
        assert p is not None
        own[router] = p
    return min(own.values()), min(holm(own).values())


RARE = [
    (100, 0.01, 0.015, 0.005),
    (60, 0.02, 0.03, 0.01),
    (500, 0.01, 0.012, 0.002),
    (30, 0.05, 0.07, 0.02),
    (200, 0.01, 0.013, 0.003),
    (100, 0.02, 0.03, 0.01),
    (500, 0.02, 0.03, 0.01),
]
"""Pairs, margin, and the chances of a loss and of a gain, which differ by the margin."""


def show_rare(worlds: int, rng: np.random.Generator) -> None:
    click.echo("\nfew pairs differ: false non-inferiority (at most 0.025)")
    for n, margin, worse, better in RARE:
        shown = {"the test": 0, "t alone": 0}
        for differences in rng.choice([-1.0, 1.0, 0.0], (worlds, n), p=[worse, better, 1 - worse - better]):
            found = clustered_mean(differences, np.arange(n))
            p = non_inferiority_p(found, margin)
            assert found is not None
            assert p is not None
            shown["the test"] += p <= SIGNIFICANCE
            # Its interval's lower end; where nothing differs t tells nothing.
            shown["t alone"] += found.standard_error > 0 and found.mean - found.half_width() >= -margin
        what = f"{n} pairs, margin {margin:g}, {worse:g} worse, {better:g} better"
        rates = {name: wilson_interval(count, worlds) for name, count in shown.items()}
        written = [f"{name} {one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]" for name, one in rates.items()]
        click.echo(f"  {what:<52}{'   '.join(written)}")


def show(name: str, sizes: list[int], checks: list[Checks], bands: dict[str, list[BandChecks]]) -> None:
    degrees = degrees_of_freedom(np.array(sizes))
    click.echo(f"\n{name}: {sum(sizes)} tasks, {degrees:.1f} degrees of freedom")
    rows: dict[str, list[bool | None]] = {"paired interval covers (0.95)": [one.interval for one in checks]}
    for pool, kind in product(bands, BandChecks._fields):
        for i, place in enumerate(("1/4", "1/2", "3/4")):
            found: list[bool | None] = [getattr(one, kind)[i] for one in bands[pool]]
            rows[f"frontier of {pool} at {place}, {kind} (0.95)"] = found
    rows |= {
        "any false saving, all equal (at most 0.025)": [one.false_claim for one in checks],
        "the same without Holm": [one.false_claim_unadjusted for one in checks],
        "any false saving, all cheaper (at most 0.025)": [one.false_claim_when_cheaper for one in checks],
        "false trend (0.05)": [one.false_trend for one in checks],
    }
    for what, kept in rows.items():
        known = [one for one in kept if one is not None]
        share = wilson_interval(sum(known), len(known))
        missing = f"  ({len(kept) - len(known)} without)" if len(known) < len(kept) else ""
        click.echo(f"  {what:<52}{share.mean:.3f} [{share.low:.3f}, {share.high:.3f}]{missing}")


@click.command(help=__doc__)
@click.option("--worlds", default=2000, show_default=True, type=click.IntRange(min=20))
@click.option("--bands", default=400, show_default=True, type=click.IntRange(min=20))
@click.option("--draws", default=300, show_default=True, type=click.IntRange(min=100))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(worlds: int, bands: int, draws: int, seed: int) -> None:
    click.echo(f"SIMULATED: {worlds} worlds ({bands} for each band), {N_ROUTERS} routers, margin {MARGIN}")
    for number, (name, sizes) in enumerate(CLUSTERINGS.items()):
        clusters = np.repeat(np.arange(len(sizes)), sizes)
        rng = np.random.default_rng([seed, number])
        checks = [look(clusters, rng) for _ in range(worlds)]
        of_pools = {
            key: [look_at_band(pool, clusters, draws, rng) for _ in range(bands)] for key, pool in POOLS.items()
        }
        show(name, sizes, checks, of_pools)
    show_rare(worlds, np.random.default_rng([seed, len(CLUSTERINGS)]))


if __name__ == "__main__":
    main()
