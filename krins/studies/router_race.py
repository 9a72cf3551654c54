"""Find the best router of a recorded suite, looking at only as many replications of each as it takes.

A router learns as it goes, so a part of its way says little about the whole: the units of this race are whole
replications, in which all routers meet the same tasks in the same order. The question is what the suite's whole run,
with all its replications, would show; these are alike in distribution, so any order of them is a random one.
Invariants: the race is that of models (`krins.studies.racer`), with the same promise. Left out: live suites, whose
routers are to be raced on a recording, and cascades, which ask several models a task.
"""

from __future__ import annotations

import numpy as np

from krins.environments.reading import read_table
from krins.errors import SuiteError
from krins.interfaces import FloatArray
from krins.router_specs import CascadeRouter
from krins.runs.environments import RecordedSetting, recorded_setting
from krins.runs.plan import BLOCK_SIZE, Stream
from krins.runs.progress import SILENT, Progress
from krins.studies.race import Scale, race_result
from krins.studies.race_result import RaceOptions, RaceResult
from krins.studies.racer import Racer
from krins.suite import RecordedEnvironment, Suite

_ROUND = 8
"""Replications of each router between two looks."""


def race_routers(suite: Suite, options: RaceOptions, progress: Progress = SILENT) -> RaceResult:
    """Race the routers of a recorded suite over its replications.

    Raises:
        SuiteError: the suite is live, or there is nothing to race.
        TableError: the table cannot be read, or does not know what the objective needs.
    """
    environment = suite.environment
    if not isinstance(environment, RecordedEnvironment):
        raise SuiteError("routers are raced on recordings", "`krins-eval record` the suite first, and race that")
    routers = [router for router in suite.routers if not isinstance(router, CascadeRouter)]
    if len(routers) < 2:
        raise SuiteError("a race takes two or more routers that ask one model a task", "name more in the suite")
    played = _Played(recorded_setting(suite.model_copy(update={"routers": routers}), read_table(environment)), options)
    racer = Racer(
        suite.n_replications, len(routers), options.error_probability, options.tolerance / played.scale.width, _ROUND
    )
    progress.begin("replications of the full run", racer.n_units * racer.n_arms)
    while questions := racer.next_round():
        values = [played.score(router, replication) for replication, router in questions]
        racer.tell(questions, values, [0.0] * len(values))
        progress.advance(len(questions))
    left_out = [router.label for router in suite.routers if isinstance(router, CascadeRouter)]
    notes = [f"left out, for a cascade asks several models: {', '.join(left_out)}"] if left_out else []
    notes.append("routers are told apart on orders of these tasks, and not on other tasks: see `krins-eval compare`")
    names = [router.label for router in routers]
    return race_result(suite, options, racer, names, None, notes, among="routers", scale=played.scale)


class _Played:
    """Mean of the objective in each replication of each router, brought into [0, 1]; played when it is asked for."""

    def __init__(self, setting: RecordedSetting, options: RaceOptions) -> None:
        self._setting = setting
        is_quality = options.objective == "quality"
        self._values = setting.table.quality if is_quality else setting.player.rewards
        low, high = float(np.nanmin(self._values)), float(np.nanmax(self._values))
        self.scale = Scale(0.0, 1.0) if is_quality else Scale(low, high if high > low else low + 1.0)
        self._scores: dict[tuple[int, int], FloatArray] = {}
        """By router and block of replications."""

    def score(self, router: int, replication: int) -> float:
        block, number = divmod(replication, BLOCK_SIZE)
        if (router, block) not in self._scores:
            plan = self._setting.plan
            n = min(BLOCK_SIZE, plan.suite.n_replications - block * BLOCK_SIZE)
            self._scores[router, block] = self._play(Stream(router, block, n))
        return float(self._scores[router, block][number])

    def _play(self, stream: Stream) -> FloatArray:
        plan, table = self._setting.plan, self._setting.table
        arms = self._setting.player.play(stream).arms.astype(np.int64)
        schedule = plan.schedule(stream)
        cells = schedule.tasks, arms, plan.samples(schedule.draws, table.counts[schedule.tasks, arms])
        # Rounding may leave a mean of values at the ends just beyond them.
        return np.clip(self.scale.of(self._values[cells].mean(axis=0)), 0.0, 1.0)
