"""Can a score on the prompt alone tell which of two models to ask? RouteLLM's protocol, on its own answers.

    python experiments/routellm.py GSM8K MMLU MTBENCH [--repeats 5] [--draws 1000] [--seed 0]

The three are outcome tables of RouteLLM's published answers (Mixtral-8x7B and GPT-4 Turbo), with a column
`contaminated`; those prompts are left out first, as upstream does. APGR is the area under the share of the quality gap
recovered against the share of calls to the strong model, CPT the least share that recovers 50% or 80% of the gap
(`krins.statistics.tradeoff`; thresholds at the deciles of the scores, ties as upstream).

First random, prompt length and an oracle beside published reference figures. Then routers that are trained on the set
itself, on prompts other than those scored: five folds that keep near twins together; where a set has kinds of prompts
(MMLU's 57 subjects, MT-Bench's eight categories) also folds of whole kinds; and trained on the other two sets alone.
What is chosen is chosen within the training prompts (`routellm_routers`). Shown: mean and standard deviation over
repeats (other folds and chance), a 95% bootstrap interval over prompts, drawn by near twins, or by whole kinds, with
the trained scores as given, and the same for the difference in APGR to prompt length on the same prompts. Scores of
different folds are pooled: each fold's model lacks the fold's own mean, so that a score that knows nothing comes out
somewhat below 0.5.

The paper's routers were trained on 65,000 preferences of Chatbot Arena and never saw these sets; ours have seen other
prompts of the set, so that the two answer different questions, but for the rows trained on the other sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from routellm_routers import families, near_twins, online_inputs, online_scores, out_of_fold_scores, trained_scores

from krins.domain import Task
from krins.environments.reading import read_table
from krins.environments.table import mean_over_samples
from krins.interfaces import FloatArray, IntArray
from krins.statistics.clustered import cluster_codes
from krins.statistics.tradeoff import routing_curve
from krins.suite import RecordedEnvironment

WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
N_RANDOM = 200
LENGTH = "prompt length, not trained"
MEASURES = ("APGR", "CPT50", "CPT80")
LEAST_KINDS = 5
FEW_GROUPS = 30
ROUNDING = 1e-3 / np.sqrt(12)
"""Standard deviation of what rounding takes off a reference figure."""


class Reference(NamedTuple):
    """Figures that others computed from the same answers, each APGR, CPT50, CPT80; None: not told."""

    random: tuple[float, float, float]
    random_sd: float
    """Of the APGR, over draws."""
    length: tuple[float, float | None, float | None]
    oracle: tuple[float, float, float]


REFERENCES = {
    "GSM8K": Reference((0.500, 0.502, 0.798), 0.019, (0.598, None, None), (1.115, 0.110, 0.176)),
    "MMLU": Reference((0.500, 0.499, 0.800), 0.009, (0.583, None, None), (1.268, 0.063, 0.100)),
    "MT-Bench": Reference((0.503, 0.490, 0.789), 0.067, (0.556, None, None), (0.953, 0.091, 0.180)),
}
PAPER = "the paper's best on MT-Bench, matrix factorisation with judge augmentation, is quoted at APGR .802"


class Pair(NamedTuple):
    """Answers of the two models to the same prompts."""

    tasks: Sequence[Task]
    weak: FloatArray
    """Shape (n_prompts,), as `strong`."""
    strong: FloatArray

    @property
    def gains(self) -> FloatArray:
        return self.strong - self.weak

    @property
    def lengths(self) -> FloatArray:
        return np.array([float(len(task.prompt)) for task in self.tasks])


def read_pair(path: Path) -> Pair:
    include: dict[str, list[str | bool | int | float]] = {"contaminated": [False], "model": [WEAK, STRONG]}
    table = read_table(RecordedEnvironment(kind="recorded", table=path, include=include))
    quality = mean_over_samples(table.quality)
    names = [arm.name for arm in table.arms]
    return Pair(table.tasks, quality[:, names.index(WEAK)], quality[:, names.index(STRONG)])


def measures(scores: FloatArray, weak: FloatArray, strong: FloatArray) -> FloatArray:
    """Of each repeat, shape (n_repeats, 3); `scores` has shape (n_repeats, n_prompts)."""
    curves = [routing_curve(row, weak, strong) for row in scores]
    return np.array([(curve.apgr, curve.cpt(0.5), curve.cpt(0.8)) for curve in curves])


def bootstrap(
    scored: Mapping[str, FloatArray], pair: Pair, groups: IntArray, n_draws: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Mean measures over repeats on prompts drawn anew by groups, shape (n_draws, 3); the same draws for all."""
    by_group = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    found: dict[str, list[FloatArray]] = {name: [] for name in scored}
    for _ in range(n_draws):
        drawn = rng.integers(0, len(sizes), len(sizes))
        within = np.arange(sizes[drawn].sum()) - np.repeat(np.cumsum(sizes[drawn]) - sizes[drawn], sizes[drawn])
        rows = by_group[np.repeat(starts[drawn], sizes[drawn]) + within]
        for name, scores in scored.items():
            found[name].append(measures(scores[:, rows], pair.weak[rows], pair.strong[rows]).mean(axis=0))
    return {name: np.array(draws) for name, draws in found.items()}


def show_reference(name: str, pair: Pair, twins: IntArray, n_draws: int, rng: np.random.Generator) -> None:
    """Ours beside the published ones; errors of random are over draws, of which the reference is taken to have as many,
    those of the others over prompts."""
    reference = REFERENCES[name]
    random = measures(rng.random((N_RANDOM, len(pair.tasks))), pair.weak, pair.strong)
    spread = random.std(axis=0, ddof=1)
    # Ties in the gain are broken by chance: tied, the largest gain would never go to the strong model alone.
    fixed = {"length": pair.lengths[None], "oracle": (pair.gains + 1e-9 * rng.random(len(pair.tasks)))[None]}
    drawn = bootstrap(fixed, pair, twins, n_draws, rng)
    rows: list[tuple[str, FloatArray, Sequence[float | None], FloatArray]] = [
        ("random", random.mean(axis=0), reference.random, spread * np.sqrt(2 / N_RANDOM))
    ]
    for row, published in (("length", reference.length), ("oracle", reference.oracle)):
        found = measures(fixed[row], pair.weak, pair.strong)[0]
        rows.append((row, found, published, drawn[row].std(axis=0, ddof=1)))
    click.echo(f"{'':<10}" + "".join(f"{measure + ': ours, reference, apart in errors':>46}" for measure in MEASURES))
    for row, found, quoted, errors in rows:
        cells = []
        for ours, theirs, error in zip(found, quoted, errors, strict=True):
            apart = None if theirs is None else (ours - theirs) / np.hypot(error, ROUNDING)
            told = "      -      -" if apart is None else f"{theirs:7.3f}{apart:+7.2f}"
            cells.append(f"{f'{ours:.3f} ± {error:.4f}{told}':>46}")
        click.echo(f"{row:<10}" + "".join(cells))
    click.echo(f"spread of random's APGR over {N_RANDOM} draws: {spread[0]:.3f}, reference {reference.random_sd:.3f}")


def show(
    title: str, scored: Mapping[str, FloatArray], pair: Pair, groups: IntArray, n_draws: int, rng: np.random.Generator
) -> None:
    scored = {LENGTH: pair.lengths[None], **scored}
    drawn = bootstrap(scored, pair, groups, n_draws, rng)
    n_groups = int(groups.max()) + 1
    few = "" if n_groups >= FEW_GROUPS else ", too few for the bootstrap: they are too narrow"
    click.echo(f"\n{title}; intervals over {n_groups:,} groups of prompts{few}")
    headings = ("APGR (sd over repeats)", "CPT50", "CPT80", "APGR above length")
    click.echo(f"{'':<48}{headings[0]:>32}" + "".join(f"{heading:>23}" for heading in headings[1:]))
    for name, scores in scored.items():
        found = measures(scores, pair.weak, pair.strong)
        means, low, high = found.mean(axis=0), *np.quantile(drawn[name], [0.025, 0.975], axis=0)
        spread = f" ({found[:, 0].std(ddof=1):.3f})" if len(scores) > 1 else ""
        cells = [f"{mean:.3f} [{a:.3f}, {b:.3f}]" for mean, a, b in zip(means, low, high, strict=True)]
        above = ""
        if name != LENGTH:
            a, b = np.quantile(drawn[name][:, 0] - drawn[LENGTH][:, 0], [0.025, 0.975])
            base = routing_curve(pair.lengths, pair.weak, pair.strong).apgr
            above = f"{means[0] - base:+.3f} [{a:+.3f}, {b:+.3f}]"
        click.echo(f"{name:<48}{cells[0] + spread:>32}{cells[1]:>23}{cells[2]:>23}{above:>25}")


def repeated(once: Callable[[], dict[str, FloatArray]], n_repeats: int) -> dict[str, FloatArray]:
    """Scores of each router, shape (n_repeats, n_prompts)."""
    runs = [once() for _ in range(n_repeats)]
    return {name: np.array([run[name] for run in runs]) for name in runs[0]}


def within_set(pair: Pair, twins: IntArray, n_repeats: int, n_draws: int, rng: np.random.Generator) -> None:
    known, rows = families(pair.tasks), online_inputs(pair.tasks)

    def trained(groups: IntArray) -> dict[str, FloatArray]:
        online = online_scores(rows, pair.weak, pair.strong, groups, rng)
        return out_of_fold_scores(known, pair.gains, groups, rng) | online

    scored = repeated(lambda: trained(twins), n_repeats)
    show(f"trained on the set, {n_repeats} x 5 folds that keep near twins together", scored, pair, twins, n_draws, rng)
    kinds = cluster_codes([task.category for task in pair.tasks])
    if kinds.max() + 1 >= LEAST_KINDS:
        scored = repeated(lambda: trained(kinds), n_repeats)
        title = f"trained on the set, {n_repeats} x 5 folds of whole kinds of prompts"
        show(title, scored, pair, kinds, n_draws, rng)


def across_sets(
    pairs: Mapping[str, Pair], groups: Mapping[str, IntArray], n_repeats: int, n_draws: int, rng: np.random.Generator
) -> None:
    """Each set scored by what was trained on all others; only inner folds differ between repeats."""
    owner = np.concatenate([np.full(len(pair.tasks), i) for i, pair in enumerate(pairs.values())])
    known = families([task for pair in pairs.values() for task in pair.tasks])
    gains = np.concatenate([pair.gains for pair in pairs.values()])
    offsets = np.cumsum([0, *(codes.max() + 1 for codes in groups.values())])
    twins = np.concatenate([codes + offset for codes, offset in zip(groups.values(), offsets, strict=False)])
    for i, (name, pair) in enumerate(pairs.items()):

        def trained(held: int = i) -> dict[str, FloatArray]:
            return trained_scores(known, gains, twins, owner != held, owner == held, rng)

        others = " and ".join(other for other in pairs if other != name)
        show(f"{name}, trained on {others} alone", repeated(trained, n_repeats), pair, groups[name], n_draws, rng)


@click.command(help=__doc__)
@click.argument("gsm8k", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("mmlu", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("mtbench", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(min=100))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(gsm8k: Path, mmlu: Path, mtbench: Path, repeats: int, draws: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = {name: read_pair(path) for name, path in zip(REFERENCES, (gsm8k, mmlu, mtbench), strict=True)}
    twins = {name: near_twins([task.prompt for task in pair.tasks]) for name, pair in pairs.items()}
    for name, pair in pairs.items():
        click.echo(f"\n{name}: {len(pair.tasks):,} prompts, {twins[name].max() + 1:,} groups of near twins; ", nl=False)
        click.echo(f"weak {pair.weak.mean():.4f}, strong {pair.strong.mean():.4f}")
        show_reference(name, pair, twins[name], draws, rng)
        within_set(pair, twins[name], repeats, draws, rng)
    across_sets(pairs, twins, repeats, draws, rng)
    click.echo(f"\nReference: {PAPER}.")


if __name__ == "__main__":
    main()
