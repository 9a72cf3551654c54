"""What became of answers on the way to the changes that were submitted, model by model.

Invariants: an attempt that could not be made or judged, for want of a server, a sandbox or money, says nothing of a
model and is left out; intervals are over tasks, several attempts of one being a cluster. Left out: what it cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from krins.domain import FailureKind, Outcome
from krins.runs.result import PipelineFigures, Share
from krins.statistics.clustered import cluster_codes
from krins.statistics.judging import share_interval


def pipeline_figures(outcomes: Iterable[Outcome]) -> list[PipelineFigures]:
    """By model, in the order of their names."""
    own: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.failure is None or outcome.failure.kind is FailureKind.MODEL:
            own.setdefault(outcome.arm, []).append(outcome)
    return [_figures(model, own[model]) for model in sorted(own)]


def _figures(model: str, outcomes: Sequence[Outcome]) -> PipelineFigures:
    with_tests = [(o.task_id, o.generated_tests) for o in outcomes if o.generated_tests is not None]
    answers = [(o.task_id, found) for o in outcomes for found in o.rounds]
    return PipelineFigures(
        model=model,
        n_attempts=len(outcomes),
        n_answers=len(answers),
        unusable=_share((task, bool(found.problem)) for task, found in answers),
        accepted=_share((o.task_id, _is_accepted(o)) for o in outcomes),
        accepted_right=_share((o.task_id, o.quality == 1.0) for o in outcomes if _is_accepted(o)),
        tests_written=_share((task, bool(tests.text)) for task, tests in with_tests),
        tests_agree=_share(
            (o.task_id, tests.passes == (o.quality == 1.0))
            for o in outcomes
            if (tests := o.generated_tests) is not None and tests.passes is not None
        ),
    )


def _is_accepted(outcome: Outcome) -> bool:
    return outcome.submitted is not None and outcome.rounds[outcome.submitted].is_accepted


def _share(cases: Iterable[tuple[str, bool]]) -> Share | None:
    """Of pairs of a task and whether it holds; None where there are none."""
    listed = list(cases)
    clusters = cluster_codes([task for task, _ in listed])
    return Share.of(share_interval(np.array([holds for _, holds in listed]), clusters))
