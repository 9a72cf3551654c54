"""Question: what do a judge with repair, and tests that are written first, bring over one direct answer?

    python experiments/pipeline_lift.py DIRECT JUDGE SPEC

Each is a recording (`krins-eval record`) of the same suite with another `pipeline.mode`. Prints, model by model,

- for each way: pass rate by the hidden tests, share of the answers out of which no change could be read, share that
  gates and judge accepted and how many of those are right, tokens and US dollars a task;
- of spec mode, how many tests of the model's own failed beforehand, and how often they agree with the hidden ones;
- the lift: the mean difference in quality to the direct answer to the same task with the same sample number, and the
  ratios of tokens and cost, each with its 95% interval over tasks; and the power: the true lift that 80 of 100 such
  recordings would show to be above zero at 5%, two-sided, with the spread that these pairs have. Where no pair differs
  the spread is unknown, and the exact bound on the share of pairs that could differ is printed instead.

Where a recording was made with krins's cache, the first answer of judge mode is the direct one, so the difference is
what judge and repair changed. Costs are those of the prices that the suite states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from krins.domain import FailureKind, Outcome
from krins.interfaces import FloatArray, IntArray
from krins.runs.pipelines import pipeline_figures
from krins.runs.publish import read_outcomes
from krins.runs.result import PipelineFigures, Share
from krins.statistics.clustered import Interval, cluster_codes, clustered_interval
from krins.statistics.contrasts import saving_values
from krins.statistics.judging import share_interval

Key = tuple[str, int]
"""Task and sample."""


class Pairs(NamedTuple):
    """Of one model: what was had with one way, and directly; all of shape (n_pairs,)."""

    clusters: IntArray
    quality: FloatArray
    quality_direct: FloatArray
    tokens: FloatArray
    tokens_direct: FloatArray
    cost: FloatArray
    cost_direct: FloatArray


def of_model(outcomes: Sequence[Outcome], model: str) -> Mapping[Key, Outcome]:
    """Without those that infrastructure or a budget kept from an answer."""
    answered = (o for o in outcomes if o.failure is None or o.failure.kind is FailureKind.MODEL)
    return {(o.task_id, o.sample): o for o in answered if o.arm == model}


def paired(way: Mapping[Key, Outcome], direct: Mapping[Key, Outcome]) -> Pairs:
    keys = sorted(way.keys() & direct.keys())

    def column(values: list[float]) -> FloatArray:
        return np.array(values, np.float64)

    columns = [column([figure(of[key]) for key in keys]) for figure in (quality, tokens, cost) for of in (way, direct)]
    return Pairs(cluster_codes([task for task, _ in keys]), *columns)


def quality(outcome: Outcome) -> float:
    return outcome.quality


def tokens(outcome: Outcome) -> float:
    return float(outcome.usage.tokens) if outcome.usage else float("nan")


def cost(outcome: Outcome) -> float:
    return float(outcome.cost_usd) if outcome.cost_usd is not None else float("nan")


def written(interval: Interval | Share | None, digits: int = 3) -> str:
    if interval is None:
        return "-"
    limits = "" if interval.low is None else f" [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
    return f"{interval.mean:.{digits}f}{limits}"


def ratio(values: FloatArray, reference: FloatArray, clusters: IntArray) -> Interval:
    """Of the means, with the interval of the linearised ratio."""
    return clustered_interval(1 - saving_values(values, reference), clusters)


def power(pairs: Pairs) -> str:
    """The least true lift that would be shown in 80 of 100 such recordings."""
    difference = pairs.quality - pairs.quality_direct
    if not difference.any():
        bound = 1 - 0.05 ** (1 / len(difference))
        return f"no pair differs: at most {bound:.2f} of such pairs do (95%, pairs as independent)"
    found = clustered_interval(difference, pairs.clusters)
    degrees = int(pairs.clusters.max())
    assert found.high is not None
    error = (found.high - found.mean) / float(student.ppf(0.975, degrees))
    return f"{error * float(student.ppf(0.975, degrees) + student.ppf(0.8, degrees)):.2f}"


def print_ways(ways: Mapping[str, Sequence[Outcome]], console: Console) -> None:
    for name, outcomes in ways.items():
        table = Table(title=f"{name}: {len(outcomes)} attempts", title_justify="left")
        headings = ("model", "attempts", "pass rate", "no change read", "accepted", "right of those", "tokens", "USD")
        for heading in headings:
            table.add_column(heading)
        for row in pipeline_figures(outcomes):
            own = of_model(outcomes, row.model)
            clusters = cluster_codes([task for task, _ in own])
            passes = share_interval(np.array([o.quality == 1.0 for o in own.values()]), clusters)
            means = [float(np.nanmean([figure(o) for o in own.values()])) for figure in (tokens, cost)]
            shares = [written(share, 2) for share in (row.unusable, row.accepted, row.accepted_right)]
            table.add_row(
                row.model, str(row.n_attempts), written(passes, 2), *shares, f"{means[0]:,.0f}", f"{means[1]:.6f}"
            )
        console.print(table)


def print_tests(rows: Sequence[PipelineFigures], console: Console) -> None:
    table = Table(title="tests written first, by the proposer", title_justify="left")
    for heading in ("model", "fail on the unchanged tree", "agree with the hidden ones on what was submitted"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.model, written(row.tests_written, 2), written(row.tests_agree, 2))
    console.print(table)


def print_lift(ways: Mapping[str, Sequence[Outcome]], console: Console) -> None:
    table = Table(title="over the direct answer", title_justify="left")
    for heading in ("way", "model", "pairs", "better, worse", "lift in quality", "tokens x", "cost x", "power 80% at"):
        table.add_column(heading)
    direct = ways["direct"]
    for name in ("judge", "spec"):
        for model in sorted({outcome.arm for outcome in ways[name]}):
            pairs = paired(of_model(ways[name], model), of_model(direct, model))
            difference = pairs.quality - pairs.quality_direct
            table.add_row(
                name,
                model,
                str(len(difference)),
                f"{(difference > 0).sum()}, {(difference < 0).sum()}",
                written(clustered_interval(difference, pairs.clusters)) if difference.any() else "0",
                written(ratio(pairs.tokens, pairs.tokens_direct, pairs.clusters), 1),
                written(ratio(pairs.cost, pairs.cost_direct, pairs.clusters), 1),
                power(pairs),
            )
    console.print(table)


@click.command()
@click.argument("direct", type=click.Path(path_type=Path, exists=True))
@click.argument("judge", type=click.Path(path_type=Path, exists=True))
@click.argument("spec", type=click.Path(path_type=Path, exists=True))
def main(direct: Path, judge: Path, spec: Path) -> None:
    console = Console(width=180)
    ways = {"direct": read_outcomes(direct), "judge": read_outcomes(judge), "spec": read_outcomes(spec)}
    print_ways(ways, console)
    print_tests(pipeline_figures(ways["spec"]), console)
    print_lift(ways, console)


if __name__ == "__main__":
    main()
