"""What a tuning study is about: its split, its candidates, and the phases that they are scored in.

Invariants: all of it follows from suite, options and table, so that a study which goes on is the study that was begun.
Costs that stand in for missing ones are means over tuning tasks, on both sides of the split, so that no outcome of an
unseen task reaches a trial.
Left out: which candidate is tried when (`halving`), and keeping what comes of it (`tune`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from krins.environments.reading import read_table
from krins.environments.table import Imputation, OutcomeTable
from krins.router_specs import Router
from krins.studies.halving import Found
from krins.studies.search_space import Candidate, candidates
from krins.studies.splits import Split, folds, split_tasks
from krins.studies.study_journal import TuneOptions
from krins.studies.trials import CHUNK, Bench, Phase
from krins.suite import RecordedEnvironment, Suite

N_FOLDS = 3


@dataclass(frozen=True)
class Work:
    """What a study is about: all of it follows from suite, options and table."""

    suite: Suite
    options: TuneOptions
    table: OutcomeTable
    split: Split

    @classmethod
    def of(cls, suite: Suite, options: TuneOptions, table: OutcomeTable) -> Work:
        """
        Raises:
            UserError: the tasks cannot be split.
        """
        return cls(suite, options, table, split_tasks(table.tasks, options.unseen_share, suite.seed))

    @classmethod
    def read(cls, suite: Suite, options: TuneOptions, environment: RecordedEnvironment) -> Work:
        """What a study of the environment's table is about.

        Raises:
            TableError: as `read_table`.
            UserError: the tasks cannot be split.
        """
        work = cls.of(suite, options, read_table(environment))
        if work.table.imputation == Imputation():
            return work
        tuning = {work.table.tasks[task].task_id for task in work.split.tuning.tolist()}
        return replace(work, table=read_table(environment, costs_of=tuning))

    @cached_property
    def bench(self) -> Bench:
        return Bench(self.suite, self.table, self.split.tuning)

    @cached_property
    def candidates(self) -> list[Candidate]:
        models = [arm.name for arm in self.table.arms]
        return candidates(self.suite, self.bench.reward_range, self.options.n_points, models)

    @property
    def n_chunks(self) -> int:
        return -(-self.suite.n_replications // CHUNK)

    @cached_property
    def phases(self) -> list[Phase]:
        """One for each fold of the tuning tasks. Where they are one group there is nothing to fold: candidates start
        cold and are scored on each task before its outcome is learnt from."""
        tuning = self.split.tuning
        parts = folds(self.split.ties.groups[tuning], N_FOLDS, self.suite.seed)
        if len(parts) < 2:
            return [Phase("fold 0", tuning[:0], tuning)]
        rest = [np.setdiff1d(np.arange(len(tuning)), part) for part in parts]
        return [
            Phase(f"fold {number}", tuning[learnt], tuning[part])
            for number, (learnt, part) in enumerate(zip(rest, parts, strict=True))
        ]

    @property
    def last_phase(self) -> Phase:
        return Phase("unseen", self.split.tuning, self.split.unseen)

    def attempt(self, router: Router, chunks: range) -> Found:
        """Score a candidate on the tuning tasks alone."""
        scores = [(len(phase.scored), self.bench.score(router, phase, chunks)) for phase in self.phases]
        n_tasks = sum(n for n, _ in scores)
        rewards = sum(n * score.rewards for n, score in scores) / n_tasks
        cost = float(sum(score.cost_usd.sum() for _, score in scores) / n_tasks)
        quality = float(sum(score.quality.sum() for _, score in scores) / n_tasks)
        return Found(np.asarray(rewards).tolist(), quality, None if np.isnan(cost) else cost)
