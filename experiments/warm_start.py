"""Do published scores help a router at its start, and what do wrong ones cost?

    python experiments/warm_start.py TABLE [--scored-category bugfix] [--horizon 400] [--splits 40] [--seed 0]

TABLE: recorded outcomes with one row per task and model, quality 0 or 1, and a column `repo`. The scores that a warm
start is told are each model's mean quality on half of the repositories; the router works on tasks of the other half
alone, so that the scores are honest and not the answer. With `--scored-category` they are, moreover, of this category
of tasks alone, and the router's tasks of all others: published scores are seldom for the work at hand. Repositories are
split at random, one split as good as another as long as both parts have the horizon's number of tasks; for each split,
replications that draw as many test tasks without replacement and shuffle models. A missing outcome counts as a failure.

Thompson sampling, Beta(1,1), reward = quality: cold, and warm with a score worth 1, 5, 20 and 100 rewards; and warm
with the scores shuffled among the models, which is wrong on purpose. Beside them: the model with the best score,
always (what one would do without a router). Regret is to the one model that is best on the tasks of its replication,
known afterwards; in passes, over all tasks of a replication. Half-widths are 95% over splits, whose mean regrets are
taken as independent (they share tasks, so the true uncertainty about other repositories is larger); `less than cold` is
paired by split.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from krins.environments.reading import read_table
from krins.environments.table import mean_over_samples
from krins.interfaces import BoolArray, FloatArray, IntArray, Policy
from krins.routing.play import Results, play
from krins.routing.thompson import BetaState, ThompsonBeta
from krins.routing.warm_start import warm_start
from krins.suite import RecordedEnvironment

WEIGHTS = (1.0, 5.0, 20.0, 100.0)
POLICY = ThompsonBeta((1.0, 1.0))


class Recorded(NamedTuple):
    quality: FloatArray
    """Shape (n_tasks, n_arms)."""
    repositories: NDArray[np.str_]
    """Shape (n_tasks,)."""
    may_be_scored: BoolArray
    """Shape (n_tasks,): tasks that scores may be made from."""
    may_be_tested: BoolArray
    """Shape (n_tasks,): tasks that the router may be given."""


class Split(NamedTuple):
    """Tasks, by number."""

    scored: IntArray
    tested: IntArray


class World(NamedTuple):
    """One split, with its replications."""

    quality: FloatArray
    """Shape (horizon, n_replications, n_arms): of the test tasks, in order."""
    scores: FloatArray
    """Shape (n_replications, n_arms)."""
    wrong: FloatArray
    """The same, shuffled among the arms."""


def recorded(table: Path, exclude: dict[str, list[str]], scored_category: str | None) -> Recorded:
    spec = RecordedEnvironment(kind="recorded", table=table, missing="fail", exclude=exclude)
    outcomes = read_table(spec)
    is_scored = np.array([scored_category in (None, task.category) for task in outcomes.tasks])
    return Recorded(
        mean_over_samples(outcomes.quality),
        np.array([task.repository for task in outcomes.tasks]),
        is_scored,
        np.ones_like(is_scored) if scored_category is None else ~is_scored,
    )


def split(data: Recorded, horizon: int, rng: np.random.Generator) -> Split:
    """Scored are tasks of one half of the repositories, tested tasks of the other; at least `horizon` of each."""
    names = np.unique(data.repositories)
    for _ in range(10_000):
        half = np.isin(data.repositories, rng.permutation(names)[: names.size // 2])
        found = Split(np.flatnonzero(half & data.may_be_scored), np.flatnonzero(~half & data.may_be_tested))
        if min(part.size for part in found) >= horizon:
            return found
    raise click.ClickException(f"no split leaves {horizon} tasks in each part; take a lower horizon")


def world(data: Recorded, horizon: int, n: int, rng: np.random.Generator) -> World:
    scored, tested = split(data, horizon, rng)
    n_arms = data.quality.shape[1]
    order = rng.permuted(np.tile(np.arange(n_arms), (n, 1)), axis=1)
    tasks = np.stack([rng.permutation(tested)[:horizon] for _ in range(n)], axis=1)
    scores = data.quality[scored].mean(axis=0)[order]
    return World(data.quality[tasks[:, :, None], order], scores, rng.permuted(scores, axis=1))


def regrets(of: World, arms: IntArray) -> FloatArray:
    """Shape (n_replications,), of arms of shape (horizon, n_replications)."""
    got = np.take_along_axis(of.quality, arms[:, :, None].astype(np.int64), axis=2).sum(axis=(0, 2))
    regret: FloatArray = of.quality.sum(axis=0).max(axis=1) - got
    return regret


def regret_from(of: World, state: BetaState, policy: Policy[Any], key: list[int]) -> float:
    horizon, n, n_arms = of.quality.shape
    rows = np.arange(n)

    def results(step: int, arms: IntArray) -> Results:
        return Results(of.quality[step, rows, arms])

    played = play(policy, n_arms, n, horizon, results, np.random.default_rng(key), state=state)
    return float(regrets(of, played.arms).mean())


def of_split(of: World, key: list[int]) -> dict[str, float]:
    """Mean regret over the replications, by router."""
    horizon, n, n_arms = of.quality.shape
    found = {"best score, always": float(regrets(of, np.tile(of.scores.argmax(axis=1), (horizon, 1))).mean())}
    starts = {"Thompson, cold": POLICY.init(n_arms, n)}
    for what, scores in (("warm", of.scores), ("wrong", of.wrong)):
        starts |= {f"Thompson, {what}, weight {w:g}": warm_start(POLICY.init(n_arms, n), scores, w) for w in WEIGHTS}
    for name, state in starts.items():
        found[name] = regret_from(of, state, POLICY, key)
    return found


def show(title: str, splits: list[dict[str, float]]) -> None:
    def interval(values: FloatArray) -> str:
        return f"{values.mean():9.1f} ±{1.96 * values.std(ddof=1) / math.sqrt(values.size):5.1f}"

    click.echo(f"\n{title}")
    click.echo(f"{'router':<28}{'regret':>16}{'less than cold':>20}")
    columns = {name: np.array([split[name] for split in splits]) for name in splits[0]}
    for name, values in columns.items():
        click.echo(f"{name:<28}{interval(values)}    {interval(columns['Thompson, cold'] - values)}")


@click.command(help=__doc__)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--splits", default=40, show_default=True, type=click.IntRange(min=2))
@click.option("--replications", default=50, show_default=True, type=click.IntRange(min=1), help="For each split.")
@click.option("--horizon", default=400, show_default=True, type=click.IntRange(min=1), help="Test tasks.")
@click.option("--scored-category", help="By default scores are from tasks of all categories, and so are the tests.")
@click.option("--without", multiple=True, default=["claude-fable-5"], show_default=True, help="In the second table.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(
    table: Path,
    splits: int,
    replications: int,
    horizon: int,
    scored_category: str | None,
    without: tuple[str, ...],
    seed: int,
) -> None:
    what = (
        f"scores from {scored_category}, tests from the rest" if scored_category else "scores and tests from all work"
    )
    click.echo(f"recorded outcomes: {splits} splits of {replications} replications, {horizon} test tasks each; {what}")
    for excluded in ([], list(without)):
        data = recorded(table, {"model": excluded} if excluded else {}, scored_category)
        streams = [np.random.SeedSequence([seed, number]) for number in range(splits)]
        found = []
        for number, stream in enumerate(streams):
            of = world(data, horizon, replications, np.random.default_rng(stream))
            found.append(of_split(of, [seed, number, 1]))
        n_tasks, n_arms = data.quality.shape
        left_out = f" without {', '.join(excluded)}" if excluded else ""
        show(f"{n_arms} models{left_out}, {n_tasks} tasks in {np.unique(data.repositories).size} repositories", found)


if __name__ == "__main__":
    main()
