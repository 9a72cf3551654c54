"""Does routing by a verifier pay, with the error rates that our own gates, judge and generated tests were measured at?

    python experiments/verified_routing.py OPENHANDS [--draws 1000] [--seed 0]

OPENHANDS is the OpenHands index as an outcome table; the rest is the project's own recordings in evals/recordings.

1. On the index, a cascade up the cost-quality hull behind a SIMULATED verifier: its sensitivity and specificity are
   drawn from Beta distributions of what was measured (Jeffreys' prior, counts reduced to those that make Wilson's
   interval as wide as the one clustered by task), and with each draw a draw from the clustered t distribution over
   tasks, so that an interval holds both. The rates were measured on small local models and small tasks: that they
   hold for frontier models' work on whole repositories is an ASSUMPTION. A check costs what it was measured to cost,
   or what its measured tokens, or ten times as many, cost at a frontier model's price.
2. The same on the twelve tasks and three models of the quickstart, all five samples.
3. There without any simulation: the RECORDED verdicts on these very answers decide (sample 0; small first, the largest
   model's answer is taken unchecked), with and without a round of repair, with tests that are written first.

Shown: quality and USD a task; quality and cost against the best single model, called a saving where the 95% limits say
that quality is lower by at most 0.02 and cost is lower; quality above the hull at the same cost (in
how many draws there is a hull to compare with); reward against the best fixed model. 95% intervals, clustered by
repository, on our own tasks by task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from verified_rates import TENFOLD, Rates, measured_rates

from krins.domain import Outcome
from krins.environments.cascade import Cascade
from krins.environments.reading import read_table
from krins.interfaces import FloatArray
from krins.pipeline.reviewing import all_pass
from krins.routing.reward import reward_values
from krins.runs.baselines import AMOUNT, ANYTHING, SHARE, Cells, Range
from krins.runs.publish import read_outcomes
from krins.statistics.clustered import Interval, clustered_interval
from krins.statistics.contrasts import hull_gain_values, saving_values
from krins.suite import RecordedEnvironment, Reward

RECORDINGS = Path(__file__).parents[1] / "evals" / "recordings"
UNVERIFIED = "claude-fable-5"
CHAIN = ["smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
MARGIN = 0.02
INDEX_REWARD = Reward(quality=1.0, per_usd=0.2, floor=-1.0)
OWN_REWARD = Reward(quality=1.0, per_usd=500)
HEADINGS = ("quality", "USD a task", "quality - best", "cost / best", "above the hull", "reward - best fixed")


class Reached(NamedTuple):
    """What a way of routing reached; shape (n_draws, n_tasks), one draw where nothing was drawn."""

    quality: FloatArray
    cost_usd: FloatArray
    reward: FloatArray


def drawn_interval(values: FloatArray, cells: Cells, rng: np.random.Generator, within: Range = ANYTHING) -> Interval:
    """Of the mean over tasks, with the uncertainty of the rates (axis 0) and that over tasks (axis 1)."""
    if len(values) == 1:
        return _clipped(clustered_interval(values[0], cells.clusters), within)
    draws = []
    for row, at in zip(values, rng.random(len(values)), strict=True):
        # The limit at a random level is a draw from the t distribution around this row's mean.
        found = clustered_interval(row, cells.clusters, level=abs(2 * at - 1))
        limit = found.low if at < 0.5 else found.high
        draws.append(found.mean if limit is None else limit)
    low, high = np.quantile(draws, [0.025, 0.975])
    return _clipped(Interval(float(values.mean()), float(low), float(high)), within)


def _clipped(found: Interval, within: Range) -> Interval:
    if found.low is None or found.high is None:
        return found
    return Interval(found.mean, max(found.low, within[0]), min(found.high, within[1]))


def show_row(name: str, reached: Reached, cells: Cells, rng: np.random.Generator) -> None:
    assert cells.cost is not None
    assert cells.hull is not None
    best, fixed = cells.best_single, cells.best_fixed
    losses = reached.quality - cells.quality[:, best]
    loss = drawn_interval(losses, cells, rng)
    ratios = np.array([1 - saving_values(row, cells.cost[:, best]) for row in reached.cost_usd])
    ratio = drawn_interval(ratios, cells, rng, AMOUNT)
    gains = [
        hull_gain_values(quality, cost, cells.quality, cells.cost, cells.hull)
        for quality, cost in zip(reached.quality, reached.cost_usd, strict=True)
    ]
    inside = [gain for gain in gains if gain is not None]
    above = "no hull at its cost"
    if len(inside) > len(gains) / 2:
        above = _written(drawn_interval(np.array(inside), cells, rng))
        above += "" if len(inside) == len(gains) else f" {100 * len(inside) / len(gains):.0f}%"
    # Where no task differs there is no spread to go by, and an interval of no width would be a false certainty.
    is_saving = (
        losses.any() and loss.low is not None and loss.low >= -MARGIN and ratio.high is not None and ratio.high < 1
    )
    cells_written = [
        _written(drawn_interval(reached.quality, cells, rng, SHARE)),
        _written(drawn_interval(reached.cost_usd, cells, rng, AMOUNT), _decimals(cells.cost.max())),
        _written(loss) if losses.any() else "0, no task differs",
        _written(ratio),
        above,
        _written(drawn_interval(reached.reward - cells.reward[:, fixed], cells, rng)),
    ]
    click.echo(f"{name:<52}" + "".join(f"{cell:>31}" for cell in cells_written) + f"  {'yes' if is_saving else 'no'}")


def _decimals(largest_cost: float) -> int:
    return 3 if largest_cost > 0.1 else 6


def _written(interval: Interval, decimals: int = 3) -> str:
    limits = "" if interval.low is None else f" [{interval.low:.{decimals}f}, {interval.high:.{decimals}f}]"
    return f"{interval.mean:.{decimals}f}{limits}"


def show_baselines(cells: Cells, rng: np.random.Generator) -> None:
    assert cells.cost is not None
    assert cells.hull is not None
    names = [arm.name for arm in cells.table.arms]
    click.echo(f"best single {names[cells.best_single]}, best fixed by reward {names[cells.best_fixed]}")
    click.echo(f"{'':<52}" + "".join(f"{heading:>31}" for heading in HEADINGS) + "  a saving")
    for arm in cells.hull.arms.tolist():
        values = (cells.quality[:, arm], cells.cost[:, arm], cells.reward[:, arm])
        show_row(f"always {names[arm]}", Reached(*(value[None] for value in values)), cells, rng)


def show_simulated(
    cells: Cells, chain: Sequence[str], rates: Sequence[Rates], n_draws: int, rng: np.random.Generator
) -> None:
    names = [arm.name for arm in cells.table.arms]
    cascade = Cascade(cells.table, [names.index(name) for name in chain])
    click.echo(f"cascade {' > '.join(chain)} behind SIMULATED verifiers")
    for verifier in rates:
        sensitivity, specificity = verifier.draw(n_draws, rng)
        for price, usd in verifier.prices.items():
            found = cascade.expect(cells.reward_weights, sensitivity, specificity, usd)
            show_row(f"{verifier.name}, {price}", Reached(*found), cells, rng)


def _without(prices: Mapping[str, float], name: str) -> dict[str, float]:
    return {price: usd for price, usd in prices.items() if price != name}


Key = tuple[str, str]
"""Task and model."""
Stage = Callable[[Outcome, Outcome], tuple[bool, float, float]]
"""(the direct answer, the attempt with verdicts) -> whether it is taken, its quality, US dollars so far."""


def gates_alone(direct: Outcome, attempt: Outcome) -> tuple[bool, float, float]:
    first = attempt.rounds[0]
    return bool(first.diff) and all_pass(first.gates), direct.quality, _usd(direct)


def gates_and_judge(direct: Outcome, attempt: Outcome) -> tuple[bool, float, float]:
    """The first answer; later calls are of the repair, which this way does not have."""
    checks = 0.0
    n_answers = 0
    for call in attempt.calls:
        n_answers += call.agent == "proposer"
        checks += float(call.cost_usd or 0) if call.agent == "judge" and n_answers == 1 else 0.0
    return attempt.rounds[0].is_accepted, direct.quality, _usd(direct) + checks


def whole_attempt(direct: Outcome, attempt: Outcome) -> tuple[bool, float, float]:
    """With repair, and whatever else the attempt did; taken if any of its answers was accepted."""
    return any(found.is_accepted for found in attempt.rounds), attempt.quality, _usd(attempt)


def _usd(outcome: Outcome) -> float:
    assert outcome.cost_usd is not None
    return float(outcome.cost_usd)


def route(
    tasks: Sequence[str], direct: Mapping[Key, Outcome], attempts: Mapping[Key, Outcome], stage: Stage
) -> Reached:
    """Up the chain by recorded verdicts."""
    quality, cost = np.zeros(len(tasks)), np.zeros(len(tasks))
    for row, task in enumerate(tasks):
        last = direct[task, CHAIN[-1]]
        quality[row], spent = last.quality, 0.0
        for model in CHAIN[:-1]:
            is_taken, found, usd = stage(direct[task, model], attempts[task, model])
            spent += usd
            if is_taken:
                quality[row] = found
                break
        else:
            spent += _usd(last)
        cost[row] = spent
    reward = reward_values(OWN_REWARD, quality, cost, np.zeros(len(tasks)))
    return Reached(quality[None], cost[None], np.asarray(reward)[None])


def first_samples(name: str) -> dict[Key, Outcome]:
    return {(o.task_id, o.arm): o for o in read_outcomes(RECORDINGS / f"{name}.parquet") if o.sample == 0}


def show_recorded(cells: Cells, rng: np.random.Generator) -> None:
    direct, judged, spec = (first_samples(name) for name in ("direct", "judge", "spec"))
    for key, attempt in judged.items():
        assert attempt.rounds[0].diff == direct[key].rounds[0].diff, f"{key}: verdicts are of another answer"
    tasks = [task.task_id for task in cells.table.tasks]
    click.echo(f"cascade {' > '.join(CHAIN)} by RECORDED verdicts, nothing simulated")
    for name, attempts, stage in (
        ("gates alone", judged, gates_alone),
        ("gates and judge", judged, gates_and_judge),
        ("gates and judge, one round of repair", judged, whole_attempt),
        ("tests first, gates and judge, one round of repair", spec, whole_attempt),
    ):
        show_row(name, route(tasks, direct, attempts, stage), cells, rng)


@click.command(help=__doc__)
@click.argument("openhands", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(min=100))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(openhands: Path, draws: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = measured_rates(RECORDINGS)
    for verifier in rates:
        click.echo(verifier.told)
    for name, exclude in (("all 34 models", {}), (f"without {UNVERIFIED}", {"model": [UNVERIFIED]})):
        spec = {"kind": "recorded", "table": openhands, "missing": "fail", "exclude": exclude}
        cells = Cells(read_table(RecordedEnvironment.model_validate(spec)), INDEX_REWARD)
        click.echo(f"\nOpenHands index, {name}: {len(cells.table.tasks):,} tasks")
        show_baselines(cells, rng)
        assert cells.hull is not None
        show_simulated(cells, [cells.table.arms[arm].name for arm in cells.hull.arms.tolist()], rates, draws, rng)
    for name, include in (("all samples", {}), ("sample 0", {"sample": [0]})):
        spec = {"kind": "recorded", "table": RECORDINGS / "direct.parquet", "include": include}
        cells = Cells(read_table(RecordedEnvironment.model_validate(spec)), OWN_REWARD)
        # A judge at ten times a frontier model's price would cost a thousand times what it judges here.
        rates = [verifier._replace(prices=_without(verifier.prices, TENFOLD)) for verifier in rates]
        click.echo(f"\nour own {len(cells.table.tasks)} tasks, {name}")
        show_baselines(cells, rng)
        show_simulated(cells, CHAIN, rates, draws, rng)
    show_recorded(cells, rng)


if __name__ == "__main__":
    main()
