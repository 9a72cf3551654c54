"""Find the best router of a recorded suite, playing each for only as many replications as it takes.

A router learns as it goes, so a part of its way says little about the whole: what is compared is whole replications,
all routers on the same orders of the tasks. Replications have no end, so evidence comes from an asymptotic confidence
sequence of the difference. Invariants: as in `krins.studies.racer`, each challenger has an equal share of the error
probability; a router that is settled is not played on. Reported beside it: how many different answers its decisions
drew on, which is what somebody who had no table would have paid for. Left out: live suites, whose routers are to be
raced on a recording.
"""

from __future__ import annotations

import numpy as np

from krins.environments.reading import read_table
from krins.errors import SuiteError
from krins.interfaces import BoolArray, FloatArray
from krins.router_specs import CascadeRouter
from krins.runs.environments import RecordedSetting, recorded_setting
from krins.runs.plan import Stream
from krins.runs.progress import SILENT, Progress
from krins.statistics.anytime import asymptotic_lower_limits
from krins.studies.race_result import Raced, RaceOptions, RaceResult
from krins.suite import RecordedEnvironment, Suite

N_FIRST = 30
"""Replications before any is settled: evidence is asymptotic."""
_TUNED_FOR = 100


def race_routers(suite: Suite, options: RaceOptions, progress: Progress = SILENT) -> RaceResult:
    """Race the routers of a recorded suite, for at most its number of replications.

    Raises:
        SuiteError: the suite is live, or there is nothing to race.
        TableError: the table cannot be read, or does not know what the objective needs.
    """
    environment = suite.environment
    if not isinstance(environment, RecordedEnvironment):
        raise SuiteError("routers are raced on recordings", "`krins-eval record` the suite first, and race that")
    cascades = [router.label for router in suite.routers if isinstance(router, CascadeRouter)]
    if len(suite.routers) - len(cascades) < 2:
        raise SuiteError("a race takes two or more routers that ask one model a task", "name more in the suite")
    suite = suite.model_copy(
        update={"routers": [router for router in suite.routers if not isinstance(router, CascadeRouter)]}
    )
    race = _RouterRace(recorded_setting(suite, read_table(environment)), options)
    race.run(progress)
    notes = [f"left out, for a cascade asks several models: {', '.join(cascades)}"] if cascades else []
    return race.result(notes)


class _RouterRace:
    def __init__(self, setting: RecordedSetting, options: RaceOptions) -> None:
        self._setting, self._options = setting, options
        self._plan, self._table = setting.plan, setting.table
        self._n = len(self._plan.suite.routers)
        self._scores: list[FloatArray] = [np.empty(0) for _ in range(self._n)]
        """Of each router: the mean of the objective in each replication so far."""
        self._drawn: list[BoolArray] = [np.zeros(self._table.quality.shape, bool) for _ in range(self._n)]
        """Of each router: answers that its decisions drew on."""
        is_quality = options.objective == "quality"
        self._values = self._table.quality if is_quality else setting.player.rewards

    def run(self, progress: Progress) -> None:
        """Play block by block, each router for as long as it may still be the best."""
        progress.begin("decisions", self._plan.n_decisions)
        racing = list(range(self._n))
        for stream in self._plan.streams:
            if stream.router == 0 and stream.block > 0:
                leader = self._leader()
                racing = [r for r in range(self._n) if r == leader or not self._is_settled(leader, r)]
                if len(racing) == 1:
                    return
            if stream.router in racing:
                progress.advance(self._play(stream))

    def _play(self, stream: Stream) -> int:
        """Play a block of replications; returns how many decisions it took."""
        arms = self._setting.player.play(stream).arms.astype(np.int64)
        schedule = self._plan.schedule(stream)
        cells = schedule.tasks, arms, self._plan.samples(schedule.draws, self._table.counts[schedule.tasks, arms])
        self._drawn[stream.router][cells] = True
        scores = self._values[cells].mean(axis=0)
        self._scores[stream.router] = np.concatenate([self._scores[stream.router], scores])
        return arms.size

    def _leader(self) -> int:
        """On the replications that all have played."""
        n = min(map(len, self._scores))
        return int(np.argmax([scores[:n].mean() for scores in self._scores]))

    def _leads(self, leader: int, other: int) -> FloatArray:
        """By replication, where both have played it."""
        n = min(len(self._scores[leader]), len(self._scores[other]))
        return np.asarray(self._scores[leader][:n] - self._scores[other][:n])

    def _least_lead(self, leader: int, other: int) -> float | None:
        limits = asymptotic_lower_limits(
            self._leads(leader, other), self._options.error_probability / (self._n - 1), _TUNED_FOR
        )
        return float(limits[N_FIRST - 1 :].max()) if len(limits) >= N_FIRST else None

    def _is_settled(self, leader: int, other: int) -> bool:
        least = self._least_lead(leader, other)
        return least is not None and least > -self._options.tolerance

    def result(self, notes: list[str]) -> RaceResult:
        leader, suite, costs = self._leader(), self._plan.suite, self._table.cost_usd
        knows_costs = not np.isnan(costs[~np.isnan(self._table.quality)]).any()

        def of(router: int) -> Raced:
            is_winner = router == leader
            return Raced(
                name=suite.routers[router].label,
                n_asked=len(self._scores[router]),
                n_grid=None,
                mean=float(self._scores[router].mean()),
                lead=0.0 if is_winner else float(self._leads(leader, router).mean()),
                least_lead=None if is_winner else self._least_lead(leader, router),
                paid_usd=float(costs[self._drawn[router]].sum()) if knows_costs else None,
                grid_usd=None,
                is_settled=is_winner or self._is_settled(leader, router),
            )

        racers = sorted(map(of, range(self._n)), key=lambda one: (one.name != suite.routers[leader].label, one.lead))
        drawn = np.logical_or.reduce(self._drawn)
        return RaceResult(
            run_id=None,
            suite=suite.name,
            environment="recorded",
            among="routers",
            options=self._options,
            seed=suite.seed,
            unit="replications",
            winner=suite.routers[leader].label,
            is_settled=all(one.is_settled for one in racers),
            racers=racers,
            n_answers=int(drawn.sum()),
            n_grid=int(self._table.counts.sum()),
            paid_usd=float(costs[drawn].sum()) if knows_costs else None,
            grid_usd=float(costs[~np.isnan(self._table.quality)].sum()) if knows_costs else None,
            is_grid_usd_known=True,
            notes=[
                *notes,
                "routers are told apart on the orders of these tasks, not on other tasks: see `krins-eval compare`",
            ],
        )
