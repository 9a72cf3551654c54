"""Does the budgeted router spend what it may, behind the hard limit of the ledger?

    python experiments/budget_pacing.py [--runs 1000] [--forecasts/--no-forecasts] [--seed 0]

All runs are simulated, each with numbers of its own: 2 to 9 arms; success rates uniform in [0.1, 0.95], in half of the
runs rising with the cost; mean costs log-uniform over two orders of magnitude; a call costs its mean times a lognormal
factor with a standard deviation of about the mean, cut off at 5 times the median run's mean, which is its worst case;
horizons of 2,000 to 20,000 tasks, log-uniform, unknown to the router; outcomes come back 0 to 200 tasks late, by a
constant of the run; in half of the runs a tenfold change of price, up or down, of one arm or of all, at a uniformly
random time; an allowance log-uniform between the cheapest mean cost and that of the best arm. Money is scaled so that
the allowance is 1 USD. With forecasts, the router knows each mean cost at the outset up to a lognormal error of factor
2 (one standard deviation); without, it takes all arms for equally dear until costs come back.

Each choice reserves its worst case at that time's price in a ledger of its run, limited to horizon * 1 USD; what finds
no room is not decided. `mean`: USD spent a task that was decided. Only runs where the budget binds throughout count
towards the aim: the cheapest arm costs less than the allowance, and the best one more, before and after the change.
`quality`: mean success rate of the chosen arms by that of the best mixture of arms within the allowance at the prices
of each time (a linear program that knows everything).

What limits it: `in flight` is the standard deviation of what is still to be billed when the last task is decided, by
the allowance of all tasks: sqrt(mean squared cost * (1 + delay)) / tasks, which no router can know or correct; `room`
is how far the cheapest arm's mean cost is below the allowance, or the best one's above it, whichever is less: so much a
task can be paid back of an error. Exit 1 if a run overdraws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import click
import numpy as np
from budget_worlds import MOST_DELAY, Worlds, best_mixture, binding, room, worlds

from krins.errors import BudgetExhausted
from krins.interfaces import BoolArray, Context, Feedback, FloatArray, IntArray
from krins.models.ledger import RUN, Account, Accounts, Amount, Reservation
from krins.routing.budgeted import Budgeted, BudgetState
from krins.suite import Limit

RUNS_A_BATCH = 40
"""Runs of a batch have the number of arms and the horizon in common."""
AIM = 0.004
SIGMA = 0.9
"""Of the logarithm of a cost."""
WORST = 5.0
"""Worst case of a call by its mean without the cut."""
FORECAST_ERROR = math.log(2.0)
ACCOUNTS = [Account(RUN)]


@dataclass
class Books:
    """The ledgers of a batch, in millionths of a USD."""

    horizon: int
    n_runs: int

    def __post_init__(self) -> None:
        limit = Limit(usd=Decimal(self.horizon))
        self._ledgers = [Accounts({RUN: limit}) for _ in range(self.n_runs)]

    def reserve(self, worst: IntArray) -> list[Reservation | None]:
        return [self._reserve(ledger, int(amount)) for ledger, amount in zip(self._ledgers, worst, strict=True)]

    def settle(self, run: int, reservation: Reservation, cost: int) -> None:
        self._ledgers[run].settle(reservation.number, _amount(cost))

    def spent(self) -> list[Decimal]:
        return [ledger.balance(ACCOUNTS[0]).spent.usd for ledger in self._ledgers]

    @staticmethod
    def _reserve(ledger: Accounts, worst: int) -> Reservation | None:
        try:
            granted = ledger.reserve(ACCOUNTS, _amount(worst))
        except BudgetExhausted:
            return None
        return granted if isinstance(granted, Reservation) else None


def _amount(millionths: int) -> Amount:
    return Amount(Decimal(millionths).scaleb(-6), 0, 1)


class Record(NamedTuple):
    """What happened. Shapes are (horizon, n_runs); costs are in millionths of a USD."""

    arms: IntArray
    solved: FloatArray
    cost: IntArray
    decided: BoolArray


class Batch:
    """Runs in step with each other."""

    def __init__(self, batch: Worlds, forecasts: bool, stream: np.random.SeedSequence) -> None:
        outcomes, choices, errors = (np.random.default_rng(child) for child in stream.spawn(3))
        n_runs, n_arms = batch.quality.shape
        self._worlds, self._outcomes, self._choices = batch, outcomes, choices
        self._policy = Budgeted(1.0)
        self._state: BudgetState = self._policy.init(n_arms, n_runs)
        if forecasts:
            # As `expected_usd` does, here with other costs in each run.
            error = np.exp(FORECAST_ERROR * errors.standard_normal((n_runs, n_arms)))
            self._state = self._state._replace(cost_usd=batch.before_usd * error)
        self._pending = np.zeros((n_runs, n_arms), np.int64)
        self._rows = np.arange(n_runs)
        self.books = Books(batch.horizon, n_runs)
        self._out: list[list[Reservation | None]] = []
        shape = (batch.horizon, n_runs)
        empty = np.zeros(shape, np.int64)
        self.record = Record(empty, np.zeros(shape), empty.copy(), np.zeros(shape, np.bool_))

    def play(self) -> None:
        for task in range(self._worlds.horizon + MOST_DELAY + 1):
            self._learn(task - 1 - self._worlds.delay)
            if task < self._worlds.horizon:
                self._decide(task)

    def _learn(self, tasks: IntArray) -> None:
        """From the outcomes of `tasks`, one of each run, as far as there is such a task and it was decided."""
        exists = (tasks >= 0) & (tasks < self._worlds.horizon)
        at = np.where(exists, tasks, 0), self._rows
        observed = exists & self.record.decided[at]
        arms, cost = self.record.arms[at], self.record.cost[at]
        for run in np.flatnonzero(observed):
            reservation = self._out[tasks[run]][run]
            assert reservation is not None
            self.books.settle(int(run), reservation, int(cost[run]))
        self._pending[self._rows[observed], arms[observed]] -= 1
        solved = self.record.solved[at]
        self._state = self._policy.update(
            self._state, Feedback(arms, solved, observed, quality=solved, cost_usd=cost / 1e6)
        )

    def _decide(self, task: int) -> None:
        arms = self._policy.choose(self._state, Context(self._pending), self._choices).arms
        mean = self._worlds.mean_usd(task)[self._rows, arms]
        draws = self._outcomes.random(arms.size), self._outcomes.standard_normal(arms.size)
        factor = np.minimum(np.exp(SIGMA * draws[1] - SIGMA**2 / 2.0) / CUT_MEAN, WORST)
        worst = np.ceil(1e6 * WORST * mean).astype(np.int64)
        self._out.append(self.books.reserve(worst))
        self.record.arms[task] = arms
        self.record.solved[task] = draws[0] < self._worlds.quality[self._rows, arms]
        self.record.cost[task] = np.minimum(np.rint(1e6 * mean * factor).astype(np.int64), worst)
        self.record.decided[task] = [reservation is not None for reservation in self._out[-1]]
        self._pending[self._rows, arms] += self.record.decided[task]


def _cut_mean() -> float:
    """Such that a lognormal factor, divided by it and then cut off at WORST, has a mean of 1."""
    grid = np.exp(SIGMA * np.linspace(-8.0, 8.0, 20_001) - SIGMA**2 / 2.0)
    weight = np.exp(-(np.linspace(-8.0, 8.0, 20_001) ** 2) / 2.0)
    mean = 1.0
    for _ in range(50):
        mean *= float((weight * np.minimum(grid / mean, WORST)).sum() / weight.sum())
    return mean


CUT_MEAN = _cut_mean()


class Runs(NamedTuple):
    """One number of each run. Shapes are (n_runs,)."""

    overdrawn: BoolArray
    binds: BoolArray
    error: FloatArray
    """(Mean cost of a decided task - allowance) / allowance."""
    quality: FloatArray
    undecided: FloatArray
    """Share of tasks for which there was no room."""
    in_flight: FloatArray
    delay: IntArray
    horizon: IntArray
    change: FloatArray
    """Time of the change by the horizon; 1: none."""
    room: FloatArray
    """How far the mean cost can be moved back to the allowance, at the worst of times, as a share of it."""


def measured(batch: Batch, world: Worlds) -> Runs:
    record, horizon = batch.record, world.horizon
    n_decided = record.decided.sum(axis=0)
    spent = batch.books.spent()
    usd = np.where(record.decided, record.cost, 0) / 1e6
    rows = np.arange(len(world.change))
    after_change = np.arange(horizon)[:, None] >= world.change
    before, after = (best_mixture(world.quality, cost) for cost in (world.before_usd, world.after_usd))
    chosen = np.where(record.decided, world.quality[rows, record.arms], 0.0).sum(axis=0)
    possible = np.where(record.decided, np.where(after_change, after, before), 0.0).sum(axis=0)
    least_room = np.minimum(
        room(world.quality, world.before_usd),
        np.where(world.change < horizon, room(world.quality, world.after_usd), np.inf),
    )
    return Runs(
        overdrawn=np.array([each > horizon for each in spent]),
        binds=binding(world),
        error=np.array([float(each) for each in spent]) / n_decided - 1.0,
        quality=chosen / possible,
        undecided=1.0 - n_decided / horizon,
        in_flight=np.sqrt((usd**2).sum(axis=0) / n_decided * (1.0 + world.delay)) / n_decided,
        delay=world.delay,
        horizon=np.full(rows.size, horizon),
        change=world.change / horizon,
        room=least_room,
    )


def show(name: str, runs: Runs, which: BoolArray) -> None:
    n = int(which.sum())
    if n < 5:
        click.echo(f"{name:<30}{n:>6}  too few")
        return
    error, quality = runs.error[which], runs.quality[which]
    size = np.abs(error)
    share, over = (size <= AIM).mean(), (error > AIM).mean()
    half = 1.96 * math.sqrt(share * (1.0 - share) / n)
    click.echo(
        f"{name:<30}{n:>6}{100 * share:>8.1f}% ±{100 * half:4.1f}{100 * over:>8.1f}%{100 * np.median(size):>9.3f}%"
        f"{100 * np.quantile(size, 0.99):>9.2f}%{quality.mean():>9.3f} ±{1.96 * quality.std() / math.sqrt(n):.3f}"
        f"{np.quantile(quality, 0.1):>8.3f}{100 * runs.undecided[which].mean():>9.2f}%"
    )


def show_all(runs: Runs) -> None:
    binds, steady = runs.binds, runs.change >= 1.0
    click.echo(
        f"{runs.binds.size} simulated runs; overdrawn: {int(runs.overdrawn.sum())}; the budget binds in those below"
    )
    click.echo(
        f"{'':<30}{'runs':>6}{'within 0.4%':>15}{'over':>8}{'median':>10}{'99% q.':>10}{'quality':>9}{'':>7}"
        f"{'10% q.':>8}{'no room':>10}"
    )
    show("all", runs, binds)
    show("price constant", runs, binds & steady)
    show("price changes", runs, binds & ~steady)
    show("  in the first half", runs, binds & (runs.change < 0.5))
    for low, high in ((0, 20), (20, 100), (100, 201)):
        show(f"constant, delay {low}-{high - 1}", runs, binds & steady & (low <= runs.delay) & (runs.delay < high))
    for low, high in ((2_000, 5_000), (5_000, 10_000), (10_000, 20_001)):
        show(f"constant, {low}-{high - 1} tasks", runs, binds & steady & (low <= runs.horizon) & (runs.horizon < high))
    for least, most in ((0.0, 0.1), (0.1, 0.5), (0.5, 1.0)):
        part = (least <= runs.room) & (runs.room < most)
        show(f"constant, room {100 * least:.0f}-{100 * most:.0f}%", runs, binds & steady & part)
    for small, large in ((0.0, 0.001), (0.001, 0.002), (0.002, 0.004), (0.004, 0.01), (0.01, math.inf)):
        part = (small <= runs.in_flight) & (runs.in_flight < large)
        show(f"constant, in flight {100 * small:.1f}-{100 * large:.1f}%", runs, binds & steady & part)
    show("all, room > 10%, flight < 0.2%", runs, binds & (runs.room > 0.1) & (runs.in_flight < 0.002))


@click.command(help=__doc__)
@click.option("--runs", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--forecasts/--no-forecasts", default=True, show_default=True)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def main(runs: int, forecasts: bool, seed: int) -> None:
    parts: list[Runs] = []
    for number, first in enumerate(range(0, runs, RUNS_A_BATCH)):
        world_stream, stream = np.random.SeedSequence([seed, number]).spawn(2)
        world = worlds(min(RUNS_A_BATCH, runs - first), np.random.default_rng(world_stream))
        batch = Batch(world, forecasts, stream)
        batch.play()
        parts.append(measured(batch, world))
        click.echo(f"{first + len(world.change)}/{runs}", err=True)
    all_runs = Runs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    show_all(all_runs)
    if all_runs.overdrawn.any():
        raise SystemExit(1)


if __name__ == "__main__":
    main()
