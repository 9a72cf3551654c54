"""A task as the pipeline takes it: a coding task, and the live environment in which it is done.

Light enough for a replica, which computes from it what a task can cost at most. Left out: doing it
(`serve.jobs.coordinator`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from krins.domain import Task
from krins.models.catalogue import resolve_all
from krins.pipeline.tasks import CodingTask
from krins.runs.spending import decision_at_worst
from krins.runs.worker import LiveInputs
from krins.suite import (
    ContextBudget,
    LiveEnvironment,
    LiveModel,
    LiveModelEntry,
    Pipeline,
    SandboxLimits,
    SelectedContext,
)
from serve.jobs.models import TaskRequest

_CONTEXT_TOKENS = 16_000
"""Of a tree, most relevant first."""
_FRAME_BYTES = 256
"""What a selection writes around a file at most, its path aside."""
_LIMITS = SandboxLimits()


def task_of(request: TaskRequest, task_id: str) -> Task:
    """What a router and a model may see of it."""
    return Task(task_id, request.prompt, request.category, None, request.language)


def inputs_of(request: TaskRequest, task_id: str, arms: Sequence[str], models: Sequence[LiveModelEntry]) -> LiveInputs:
    """`arms`: all that the router chooses among; `models`: what the service's arguments say of them.

    Raises:
        SuiteError: nobody knows an arm.
    """
    stated = {model.name: model for model in models}
    choice = request.pipeline
    environment = LiveEnvironment(
        kind="live",
        tasks=Path(),  # none is read: the task is the request's
        models=[stated.get(arm) or LiveModel(name=arm) for arm in dict.fromkeys([*stated, *arms])],
        pipeline=Pipeline(mode=choice.mode, judge=choice.judge, rounds=choice.rounds, accept_score=choice.accept_score),
        context=SelectedContext(select=ContextBudget(budget_tokens=_CONTEXT_TOKENS)),
        limits=_LIMITS,
    )
    coding = CodingTask(
        task_of(request, task_id),
        request.tests or "",
        dict(sorted(request.tree.items())),
        tuple(request.visible_tests),
        answer_file=request.answer_file,
    )
    return LiveInputs(environment, resolve_all(environment.models), [coding], allow_unsafe=False)


def at_worst_usd(inputs: LiveInputs, arm: str, now_seconds: float) -> Decimal:
    """The most that the task can cost with `arm`, every call at its worst and tried again as often as may be.

    A prompt is taken to show all of the tree, of which a selection shows a part. 0 for models without a price.
    """
    [coding] = inputs.coding_tasks
    shown = sum(len(text.encode()) + len(path.encode()) + _FRAME_BYTES for path, text in coding.tree.items())
    padded = replace(inputs, coding_tasks=[replace(coding, context_text="x" * shown)])
    return decision_at_worst(padded, coding.task.task_id, arm, now_seconds).usd
