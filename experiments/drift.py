"""Which policies follow a change of the arms, and what does being ready for one cost where none comes?

    python experiments/drift.py [--replications 512] [--horizon 10000] [--seed 0]

Simulated: nine Bernoulli arms, arms shuffled in each replication, rewards back at once. Until half the horizon the
means are .9, .8, ... .1; then they stay, are reversed (the arm in use becomes the worst), or the worst arm becomes the
best at 1.0 while all others stay (nothing happens to the arm in use). Cumulative pseudo-regret, that is gaps to the
best arm of the moment, with 95% half-widths over replications; for policies that restart also the share of
replications that restarted before the change, and after it. `explore`: that share of all choices is uniform
(ExplorationFloor), so that arms which are not in use are seen to change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import click
import numpy as np

from krins.interfaces import Feedback, FloatArray, IntArray, Policy
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.play import Results, play
from krins.routing.restart import Restarting, RestartState
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1

BLOCK = 256
BEFORE = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
WORLDS: dict[str, tuple[float, ...]] = {
    "no change": BEFORE,
    "reversed": BEFORE[::-1],
    "worst to best": (*BEFORE[:-1], 1.0),
}
THOMPSON = ThompsonBeta((1.0, 1.0))
POLICIES: dict[str, Policy[Any]] = {
    "Thompson": THOMPSON,
    "Thompson, discount 0.9999": Discounted(THOMPSON, 0.9999),
    "Thompson, discount 0.999": Discounted(THOMPSON, 0.999),
    "Thompson, window 1000": SlidingWindow(THOMPSON, 1000),
    "Thompson, restarting": Restarting(THOMPSON),
    "Thompson, restarting, explore 1%": Restarting(ExplorationFloor(THOMPSON, 0.01)),
    "Thompson, restarting, explore 5%": Restarting(ExplorationFloor(THOMPSON, 0.05)),
    "Thompson, restarting, explore 10%": Restarting(ExplorationFloor(THOMPSON, 0.1)),
    "UCB1": UCB1(),
    "UCB1, discount 0.999": Discounted(UCB1(), 0.999),
    "UCB1, restarting": Restarting(UCB1()),
}


class Played(NamedTuple):
    """Of each replication, shape (n_replications,)."""

    regret: FloatArray
    restarted_before: FloatArray
    """1 where there was a restart before the change, else 0; NaN for policies that never restart."""
    restarted_after: FloatArray


@dataclass(frozen=True)
class Watched:
    """A policy whose restarts are noted, by half of the horizon."""

    policy: Policy[Any]
    restarts: list[IntArray]
    """After each update: the replications whose counts went down."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    def update(self, state: Any, feedback: Feedback) -> Any:
        is_watched = isinstance(state, RestartState)
        before = state.counts.sum(axis=1) if is_watched else None
        state = self.policy.update(state, feedback)
        self.restarts.append(np.flatnonzero(state.counts.sum(axis=1) < before) if is_watched else np.empty(0, np.int64))
        return state


def played(policy: Policy[Any], after: tuple[float, ...], n: int, horizon: int, key: list[int], block: int) -> Played:
    choices, world = (np.random.default_rng([*key, block, which]) for which in range(2))
    order = world.permuted(np.tile(np.arange(len(after)), (n, 1)), axis=1)
    phases = np.array(BEFORE)[order], np.array(after)[order]
    rows, half = np.arange(n), horizon // 2

    def rewards(step: int, arms: IntArray) -> Results:
        return Results((world.random(arms.shape) < phases[step >= half][rows, arms]).astype(np.float64))

    watched = Watched(policy, [])
    arms = play(watched, len(after), n, horizon, rewards, choices).arms
    gaps = [means.max(axis=1, keepdims=True) - means for means in phases]
    regret = gaps[0][rows, arms[:half]].sum(axis=0) + gaps[1][rows, arms[half:]].sum(axis=0)
    restarted = np.full((2, n), 0.0 if isinstance(policy, Restarting) else np.nan)
    for step, changed in enumerate(watched.restarts):
        restarted[int(step >= half), changed] = 1.0
    return Played(regret, *restarted)


def show(name: str, worlds: list[Played]) -> None:
    cells = []
    for regret, before, after in worlds:
        half_width = 1.96 * regret.std(ddof=1) / math.sqrt(regret.size)
        share = "" if np.isnan(before).any() else f"{before.mean():.3f} {after.mean():.3f}"
        cells.append(f"{regret.mean():9.1f} ±{half_width:5.1f} {share:>11}")
    click.echo(f"{name:<34}" + "".join(cells))


@click.command(help=__doc__)
@click.option("--replications", default=512, show_default=True, type=click.IntRange(min=2))
@click.option("--horizon", default=10_000, show_default=True, type=click.IntRange(min=2))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(replications: int, horizon: int, seed: int) -> None:
    sizes = [min(BLOCK, replications - start) for start in range(0, replications, BLOCK)]
    click.echo(
        f"simulated: mean cumulative pseudo-regret ± 95% half-width, {replications} replications, horizon {horizon}, "
        f"change at {horizon // 2}; shares of replications that restarted before and after it"
    )
    click.echo(f"{'policy':<34}" + "".join(f"{world:>28}" for world in WORLDS))
    for name, policy in POLICIES.items():
        worlds = []
        for number, after in enumerate(WORLDS.values()):
            parts = [played(policy, after, n, horizon, [seed, number], block) for block, n in enumerate(sizes)]
            worlds.append(Played(*(np.concatenate(column) for column in zip(*parts, strict=True))))
        show(name, worlds)


if __name__ == "__main__":
    main()
