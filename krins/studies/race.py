"""Find the best model of a suite with as few answers as it takes, at a stated probability of error.

The question is what the full grid (every model on every task, as often as the suite has samples) would show; so tasks
come in random order, and nothing is said about tasks that are not in the suite. Invariant: recorded and live suites are
raced by the same code, so what was measured on recordings holds for paid calls. Left out: the race itself
(`krins.studies.racer`), asking live models (`krins.studies.live_race`), and racing routers
(`krins.studies.router_race`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from krins.environments.reading import read_table
from krins.errors import SuiteError
from krins.interfaces import FloatArray, IntArray
from krins.studies.race_result import Among, Objective, Raced, RaceOptions, RaceResult
from krins.studies.racer import Racer
from krins.suite import RecordedEnvironment, Suite


class Scale(NamedTuple):
    """The objective, brought into [0, 1]."""

    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low

    def of(self, values: FloatArray) -> FloatArray:
        return np.asarray((values - self.low) / self.width)


def race_recorded(suite: Suite, options: RaceOptions) -> RaceResult:
    """Race the models of a recorded suite; its answers are there, and the race looks at as few as if they were paid
    for.

    Raises:
        TableError: the table cannot be read, or does not know what the objective needs.
        SuiteError: the objective has no bounds, or there is nothing to race.
    """
    assert isinstance(suite.environment, RecordedEnvironment)
    table = read_table(suite.environment)
    objective = table.quality if options.objective == "quality" else table.rewards(suite.reward)
    values, prices = scale_of(suite, options.objective).of(objective), np.nan_to_num(table.cost_usd)
    tasks, samples = units(suite.seed, len(table.tasks), n_samples := int(table.counts.min()))
    names = [arm.name for arm in table.arms]
    racer = start(suite, options, len(tasks), names)
    while questions := racer.next_round():
        cells = [(tasks[unit], arm, samples[unit]) for unit, arm in questions]
        racer.tell(questions, [values[cell] for cell in cells], [prices[cell] for cell in cells])
    knows_costs = not np.isnan(table.cost_usd[~np.isnan(table.quality)]).any()
    notes = []
    if (table.counts > n_samples).any():
        notes.append(f"some cells have more samples than others: the first {n_samples} of each are raced")
    if table.imputation.missing_outcomes:
        notes.append(
            f"{table.imputation.missing_outcomes:,} missing outcomes count as failures at their model's mean cost"
        )
    costs = table.cost_usd[tasks, :, samples] if knows_costs else None
    return race_result(suite, options, racer, names, costs, notes)


def start(suite: Suite, options: RaceOptions, n_units: int, arms: Sequence[str]) -> Racer:
    """
    Raises:
        SuiteError: there are fewer than two arms.
    """
    if len(arms) < 2:
        raise SuiteError(
            f"a race takes two or more, and there is {', '.join(arms) or 'none'}", "name more in the suite"
        )
    scale = scale_of(suite, options.objective)
    tolerance = options.tolerance / scale.width
    return Racer(n_units, len(arms), options.error_probability, tolerance, suite.n_decisions_a_round)


def scale_of(suite: Suite, objective: Objective) -> Scale:
    """
    Raises:
        SuiteError: the reward has no lower bound, so no number of answers would settle anything, or it is always the
            same.
    """
    reward = suite.reward
    if objective == "quality":
        return Scale(0.0, 1.0)
    charges = reward.per_usd or reward.per_second
    if charges and reward.floor is None:
        raise SuiteError(
            "the reward charges for cost without a floor, so one answer could outweigh all others and nothing is ever "
            "settled",
            "give the suite's reward a `floor`, or race --by quality",
        )
    low = (reward.floor or 0.0) if charges else max(reward.floor or 0.0, 0.0)
    if low >= reward.quality:
        raise SuiteError(
            f"no reward lies above {low:g}, so all answers are worth the same",
            "give the suite's reward a `quality` above its floor, or race --by quality",
        )
    return Scale(low, reward.quality)


def units(seed: int, n_tasks: int, n_samples: int) -> tuple[IntArray, IntArray]:
    """Tasks and samples of all units, in random order, each of shape (n_tasks * n_samples,)."""
    order = np.random.default_rng(seed).permutation(n_tasks * n_samples)
    return order % n_tasks, order // n_tasks


def race_result(
    suite: Suite,
    options: RaceOptions,
    racer: Racer,
    names: Sequence[str],
    costs: FloatArray | None,
    notes: list[str],
    *,
    run_id: str | None = None,
    among: Among = "models",
    scale: Scale | None = None,
) -> RaceResult:
    """What a race that has ended, or stands still, found.

    `costs`: USD by unit and arm, shape (n_units, n_arms), of what was not asked too for a recorded suite; None where
    they are not known. `scale`: of the values, by default the objective's.
    """
    scale, is_live = scale or scale_of(suite, options.objective), suite.environment.kind == "live"
    width = scale.width
    settled = set(range(racer.n_arms)) - set(racer.open_challengers())
    means = scale.low + width * racer.means()

    def of(arm: int) -> Raced:
        is_winner, n_asked = arm == racer.leader, int(racer.n_asked[arm])
        paid = None if costs is None else float(costs[:n_asked, arm].sum())
        grid = None if costs is None or paid is None else paid / n_asked * racer.n_units
        if costs is not None and not is_live:
            grid = float(costs[:, arm].sum())
        return Raced(
            name=names[arm],
            n_asked=n_asked,
            n_grid=racer.n_units,
            mean=float(means[arm]),
            lead=0.0 if is_winner else width * racer.lead_over(arm),
            least_lead=None if is_winner else width * _least_lead(racer, arm, arm in settled),
            paid_usd=paid,
            grid_usd=grid,
            is_settled=arm in settled,
            is_level=not is_winner and racer.is_level_with(arm),
        )

    racers = sorted(map(of, range(racer.n_arms)), key=lambda one: (one.name != names[racer.leader], one.lead))
    return RaceResult(
        run_id=run_id,
        suite=suite.name,
        environment=suite.environment.kind,
        among=among,
        options=options,
        seed=suite.seed,
        unit="answers" if among == "models" else "replications",
        winner=names[racer.leader],
        is_settled=all(one.is_settled for one in racers),
        racers=racers,
        n_answers=int(racer.n_asked.sum()),
        n_grid=racer.n_units * racer.n_arms,
        paid_usd=None if costs is None else sum(one.paid_usd or 0.0 for one in racers),
        grid_usd=None if costs is None else sum(one.grid_usd or 0.0 for one in racers),
        is_grid_usd_known=not is_live,
        notes=notes,
    )


def _least_lead(racer: Racer, arm: int, is_settled: bool) -> float:
    """That it is settled says that much; the limit is found to within a ten-thousandth."""
    least = racer.least_lead_over(arm)
    return max(least, -racer.tolerance) if is_settled else least
