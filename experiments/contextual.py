"""Do routers that look at the task beat those that do not?

    python experiments/contextual.py TABLE [--replications 100] [--passes 1] [--steps 5000] [--seed 0]

First on TABLE, the OpenHands index of coding outcomes (Parquet), without the model claude-fable-5, whose price is far
above all others; reward: quality - 0.2 per US dollar, at least -1. The tasks come in random order, once each; more
passes meet the same tasks again, which is a simulation of traffic that repeats itself. Shown is the mean regret of a
task against the best fixed model and against the best model of each category (both known afterwards only), and the
difference to Thompson sampling on the same order of tasks. Intervals are 95%, over replications: orders of tasks and
chance in the policy, not other tasks than the table's. `intercept` is the policy with nothing to look at, so that what
stands below it is what features are worth to it.

Then in a SYNTHETIC world, made so that context matters: nine arms whose expected rewards are linear in 32 features,
noise with deviation 0.3; regret a task against the best arm for each task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable, mean_over_samples
from krins.interfaces import FloatArray, IntArray, Policy
from krins.routing.features import FeatureSpec
from krins.routing.linear import LinTS, LinUCB
from krins.routing.play import Results, play
from krins.routing.thompson import ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned
from krins.suite import RecordedEnvironment, Reward

BLOCK = 8
BASE = "Thompson, Normal"
FEATURES = {
    "intercept": FeatureSpec(one_hot=()),
    "category": FeatureSpec(one_hot=("category",)),
    "+ repository": FeatureSpec(one_hot=("category", "repository")),
    "+ words": FeatureSpec(one_hot=("category", "repository"), length=True, word_buckets=32),
}
CONTEXT_FREE: dict[str, Policy[Any]] = {
    BASE: ThompsonNormal(),
    "UCB-tuned": UCBTuned((-1.0, 1.0)),
    "UCB1": UCB1((-1.0, 1.0)),
}
LINEAR: dict[str, Callable[[int], Policy[Any]]] = {
    "LinUCB 1": lambda width: LinUCB(width, alpha=1.0),
    "LinUCB 0.3": lambda width: LinUCB(width, alpha=0.3),
    "LinTS 0.5": lambda width: LinTS(width, scale=0.5),
    "LinTS 0.15": lambda width: LinTS(width, scale=0.15),
    "shared LinTS 0.15": lambda width: LinTS(width, scale=0.15, shared=True),
}


class Entry(NamedTuple):
    """A policy and what it looks at."""

    policy: Policy[Any]
    features: FloatArray | None
    """Shape (n_tasks, n_features)."""


class World(NamedTuple):
    """Orders of tasks, the same for all policies."""

    expected: FloatArray
    """Shape (n_tasks, n_arms): rewards, but for the noise."""
    deviation: float
    """Of the noise, drawn anew for each decision."""
    order: IntArray
    """Shape (n_steps, n_replications): tasks."""
    arms: IntArray
    """Shape (n_replications, n_arms): the table's arms in the order in which a replication numbers them."""

    def mean_reward(self, entry: Entry, stream: np.random.SeedSequence) -> FloatArray:
        """Shape (n_replications,): what the policy could expect from its choices, a task."""
        # In blocks, whose states fit the processor's cache: one of 33 arms and 71 features takes 1.3 MB.
        starts = range(0, len(self.arms), BLOCK)
        streams = stream.spawn(len(starts))
        parts = [self._block(slice(i, i + BLOCK), entry, child) for i, child in zip(starts, streams, strict=True)]
        return np.concatenate(parts)

    def _block(self, block: slice, entry: Entry, stream: np.random.SeedSequence) -> FloatArray:
        order, numbers = self.order[:, block], self.arms[block]
        rows = np.arange(len(numbers))
        choices, noise = (np.random.default_rng(child) for child in stream.spawn(2))

        def results(first: int, arms: IntArray) -> Results:
            expected = self.expected[order[first : first + len(arms)], numbers[rows, arms]]
            return Results(expected + self.deviation * noise.standard_normal(expected.shape))

        look = entry.features
        features = None if look is None else lambda step: look[order[step]]
        arms = play(entry.policy, numbers.shape[1], rows.size, len(order), results, choices, features=features).arms
        found: FloatArray = self.expected[order, numbers[rows, arms]].mean(axis=0)
        return found


def shuffled_world(
    expected: FloatArray, deviation: float, n_replications: int, passes: int, rng: np.random.Generator
) -> World:
    n_tasks, n_arms = expected.shape
    numbers = np.tile(np.arange(n_tasks)[:, None], (1, n_replications))
    order = np.concatenate([rng.permuted(numbers, axis=0) for _ in range(passes)])
    return World(expected, deviation, order, rng.permuted(np.tile(np.arange(n_arms), (n_replications, 1)), axis=1))


def interval(values: FloatArray) -> str:
    """Mean of independent replications and the half-width of its 95% interval."""
    return f"{values.mean():8.4f} ±{1.96 * values.std(ddof=1) / np.sqrt(values.size):7.4f}"


def show(entries: Mapping[str, Entry], got: Mapping[str, FloatArray], yardsticks: Mapping[str, float]) -> None:
    """One line for each policy: regrets a task, and the difference in reward a task to BASE."""
    width = 8 + max(len(name) for name in entries)
    click.echo(f"{'':<{width}}{'d':>4}" + "".join(f"{name:>24}" for name in (*yardsticks, "more than Thompson")))
    for name, entry in entries.items():
        look = "" if entry.features is None else f"{entry.features.shape[1]}"
        regrets = [f"{interval(best - got[name]):>24}" for best in yardsticks.values()]
        more = "" if name == BASE else f"{interval(got[name] - got[BASE]):>24}"
        click.echo(f"{name:<{width}}{look:>4}" + "".join(regrets) + more)


def recorded_table(path: Path) -> OutcomeTable:
    excluded: dict[str, list[str | bool | int | float]] = {"model": ["claude-fable-5"]}
    return read_table(RecordedEnvironment(kind="recorded", table=path, missing="fail", exclude=excluded))


def on_table(path: Path, n_replications: int, passes: int, stream: np.random.SeedSequence) -> None:
    table = recorded_table(path)
    rewards = mean_over_samples(table.rewards(Reward(quality=1.0, per_usd=0.2, per_second=0.0, floor=-1.0)))
    means = rewards.mean(axis=0)
    kinds = [str(task.category) for task in table.tasks]
    places = [f"{kind} {task.repository}" for kind, task in zip(kinds, table.tasks, strict=True)]
    entries = {name: Entry(policy, None) for name, policy in CONTEXT_FREE.items()}
    for policy_name, make in LINEAR.items():
        for features_name, spec in FEATURES.items():
            rows = spec.fit(table.tasks).transform(table.tasks)
            entries[f"{policy_name}, {features_name}"] = Entry(make(rows.shape[1]), rows)
    n_tasks, n_arms = rewards.shape
    click.echo(f"{n_tasks} tasks, {n_arms} models; rewards known afterwards, in mean over the tasks:")
    click.echo(f"  best fixed model {means.max():.4f} ({table.arms[means.argmax()].name})")
    click.echo(f"  best model of each category {best_of_groups(rewards, kinds):.4f}")
    click.echo(f"  of each category and repository {best_of_groups(rewards, places):.4f} (fits chance as well)")
    simulated = f"SIMULATED: {passes} passes over the same tasks" if passes > 1 else "each task once"
    click.echo(f"mean regret a task, {n_replications} replications of {n_tasks * passes} decisions, {simulated}")
    world = shuffled_world(rewards, 0.0, n_replications, passes, np.random.default_rng(stream.spawn(1)[0]))
    show(
        entries,
        play_all(world, entries, stream),
        {"best fixed": means.max(), "best per category": best_of_groups(rewards, kinds)},
    )


def best_of_groups(rewards: FloatArray, groups: list[str]) -> float:
    """Mean reward of a task, if each group gets the model that is best for it."""
    codes = np.unique(groups, return_inverse=True)[1]
    return float(sum(rewards[codes == code].sum(axis=0).max() for code in range(codes.max() + 1)) / len(rewards))


def play_all(world: World, entries: Mapping[str, Entry], stream: np.random.SeedSequence) -> dict[str, FloatArray]:
    """Mean reward a task of each replication, shape (n_replications,) for each policy."""
    got = {}
    for (name, entry), child in zip(entries.items(), stream.spawn(len(entries)), strict=True):
        click.echo(name, err=True)
        got[name] = world.mean_reward(entry, child)
    return got


def in_synthetic_world(n_replications: int, n_steps: int, stream: np.random.SeedSequence) -> None:
    """One world of tasks and arms; replications differ in the order of tasks, in noise and in the policy's chance."""
    rng = np.random.default_rng(stream.spawn(1)[0])
    features = np.concatenate([np.ones((n_steps, 1)), rng.normal(size=(n_steps, 31)) / np.sqrt(31)], axis=1)
    theta = rng.normal(size=(32, 9)) * 0.3
    theta[0] = 0.5 + rng.normal(size=9) * 0.05
    expected = features @ theta
    entries = {name: Entry(policy, None) for name, policy in CONTEXT_FREE.items()}
    entries |= {name: Entry(make(32), features) for name, make in LINEAR.items()}
    world = shuffled_world(expected, 0.3, n_replications, 1, rng)
    got = play_all(world, entries, stream)
    click.echo(f"\nSYNTHETIC: mean regret a task, {n_replications} replications of {n_steps} decisions, 9 arms")
    show(entries, got, {"best fixed": expected.mean(axis=0).max(), "best per task": expected.max(axis=1).mean()})


@click.command(help=__doc__)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replications", default=100, show_default=True, type=click.IntRange(min=2))
@click.option("--passes", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--steps", default=5000, show_default=True, type=click.IntRange(min=1), help="In the synthetic world.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(table: Path, replications: int, passes: int, steps: int, seed: int) -> None:
    recorded, synthetic = np.random.SeedSequence(seed).spawn(2)
    on_table(table, replications, passes, recorded)
    in_synthetic_world(replications, steps, synthetic)


if __name__ == "__main__":
    main()
