"""From a search that has ended to a study's result: what is reported, and what a reader must know beside it.

Invariants: whatever is reported was scored on unseen tasks alone, after the split was checked. Left out: scoring.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from krins.environments.table import OutcomeTable
from krins.router_specs import CascadeRouter, Router
from krins.runs.records import Started
from krins.statistics.clustered import cluster_codes
from krins.studies.halving import Standing
from krins.studies.search_space import identity, is_candidate
from krins.studies.trials import CHUNK, Score
from krins.studies.tune_result import MARGINS, Side, SplitFigures, Trial, TuneResult
from krins.studies.tune_work import Work
from krins.studies.unseen import Sides
from krins.suite import Suite


def conclude(started: Started, work: Work, standings: list[Standing], score: Callable[[Router], Score]) -> TuneResult:
    """The result; `score` gives what a router reached on the unseen tasks."""
    winner = standings[0].candidate.router
    sides = Sides.of(work.table, work.split, work.suite.reward)
    return TuneResult(
        study_id=started.run_id,
        suite=work.suite.name,
        seed=work.suite.seed,
        n_replications=work.n_chunks * CHUNK,
        split=_split_figures(work),
        trials=[_trial(standing) for standing in standings],
        winner=winner.label,
        winner_candidate=standings[0].candidate.number,
        winner_params=winner.model_dump(mode="json", exclude={"name"}),
        chosen_single=sides.fixed(sides.tuning.best_single),
        chosen_fixed=sides.fixed(sides.tuning.best_fixed),
        hindsight_single=sides.fixed(sides.unseen.best_single),
        hindsight_fixed=sides.fixed(sides.unseen.best_fixed),
        margins=list(MARGINS),
        unseen=[sides.row(router, roles, score(router)) for router, roles in reported(standings, work.suite)],
        notes=_notes(work),
        data_sha256=started.table_sha256,
        suite_fingerprint=work.suite.fingerprint,
        krins_version=started.krins_version,
    )


def reported(standings: list[Standing], suite: Suite) -> list[tuple[Router, list[str]]]:
    """Each router to be reported with its roles: the winner, the best of each policy, and the suite's own."""
    roles: dict[str, tuple[Router, list[str]]] = {}

    def add(router: Router, role: str) -> None:
        roles.setdefault(identity(router), (router, []))[1].append(role)

    add(standings[0].candidate.router, "winner")
    seen: set[str] = set()
    for standing in standings:
        router = standing.candidate.router
        if router.policy not in seen | {"fixed", "random"}:
            add(router, f"best of {router.policy}")
        seen.add(router.policy)
    for router in suite.routers:
        if not _is_unknown(router, suite):
            add(router, "suite")
    return list(roles.values())


def _is_unknown(router: Router, suite: Suite) -> bool:
    """How long a cascade takes is not known here."""
    return isinstance(router, CascadeRouter) and bool(suite.reward.per_second)


def _trial(standing: Standing) -> Trial:
    candidate, found = standing.candidate, standing.found
    return Trial(
        candidate=candidate.number,
        router=candidate.router.label,
        policy=candidate.router.policy,
        params=candidate.router.model_dump(mode="json", exclude={"name", "policy"}, exclude_defaults=True),
        is_suites=candidate.is_suites,
        rung=standing.rung,
        n_replications=len(found.rewards),
        reward=standing.reward,
        reward_error=standing.reward_error,
        quality=found.quality,
        cost_usd=found.cost_usd,
    )


def _split_figures(work: Work) -> SplitFigures:
    split = work.split
    sides = []
    for indices in (split.tuning, split.unseen):
        tasks = [work.table.tasks[task] for task in indices.tolist()]
        names = [task.category or "" for task in tasks]
        sides.append(
            Side(
                n_tasks=len(tasks),
                n_repositories=len(np.unique(cluster_codes([task.repository for task in tasks]))),
                categories={name: names.count(name) for name in sorted(set(names))},
                task_ids=[task.task_id for task in tasks],
            )
        )
    return SplitFigures(
        tuning=sides[0],
        unseen=sides[1],
        n_groups=int(split.ties.groups.max()) + 1,
        n_near_twins=split.ties.n_near_twins,
        n_same_instance=split.ties.n_same_instance,
        n_folds=len(work.phases),
    )


def _notes(work: Work) -> list[str]:
    """What a reader must know beside the numbers."""
    table: OutcomeTable = work.table
    tasks, suite, imputation = table.tasks, work.suite, table.imputation
    left_out = [router.label for router in suite.routers if not is_candidate(router)]
    unknown = [router.label for router in suite.routers if _is_unknown(router, suite)]
    unseen = [tasks[task] for task in work.split.unseen.tolist()]
    said = {
        "No repositories are known: tasks were split by near-identical prompts and task ids alone, and intervals take "
        "tasks as independent.": all(task.repository is None for task in tasks),
        "No prompts are known, so that near-identical ones could not be kept together.": not any(
            task.prompt for task in tasks
        ),
        "The unseen tasks are of one repository, which tells nothing about others: there are no intervals.": len(
            set(cluster_codes([task.repository for task in unseen]).tolist())
        )
        == 1,
        "The tuning tasks hang together: candidates were scored on each of them before its outcome was learnt from, "
        "and not on others than they learnt on.": len(work.phases) == 1,
        f"Reported, but not in the search, for a verifier is simulated or the objective is not the reward: "
        f"{', '.join(left_out)}.": left_out,
        f"Not reported, for the reward charges for latency: {', '.join(unknown)}.": unknown,
        "The suite names no features, so that linucb and lints were not in the search.": suite.features is None,
        "No costs are known: there is no saving and no hull.": bool(np.isnan(table.cost_usd).all()),
        f"{imputation.missing_outcomes} missing outcomes count as failures at the model's mean known cost on the "
        "tuning tasks.": imputation.missing_outcomes,
        f"{imputation.missing_costs} known outcomes without a cost take the model's mean on the tuning tasks.": (
            imputation.missing_costs
        ),
    }
    return [note for note, applies in said.items() if applies]
