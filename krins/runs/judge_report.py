"""How far a judge can be trusted: puts it to changes of which hidden tests know whether they are right.

These are the references and wrong changes that are kept beside tasks, and what models answered in recordings.
Invariants: nothing is asked before its forecast is agreed to; whether an answer is right is found out anew, never read
from a recording; a judge is not put to answers of its own. Left out: the figures (`krins.runs.judge_figures`).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from krins.clock import SystemClock
from krins.domain import Outcome, Request
from krins.errors import AnswerFault, SuiteError, TableError, UserError
from krins.models.cache import AnswerStore
from krins.models.forecast import ArmForecast, Estimate, Forecast, call_amount, forecast
from krins.models.ledger import NOTHING
from krins.models.stack import ModelPool
from krins.models.waiting_ledger import SharedLedger
from krins.pipeline.judging.measuring import Known, Measured, measure
from krins.pipeline.judging.size import N_CALLS, most_prompt_bytes
from krins.pipeline.patches import change_of
from krins.pipeline.processes import gates_by_task
from krins.pipeline.task_check import REFERENCE, kept_changes
from krins.pipeline.verifiers import VerifierOf
from krins.quality.sandbox import choose_sandbox
from krins.runs.environments import live_inputs
from krins.runs.execution import Execution
from krins.runs.judge_figures import JudgeReport, summarise
from krins.runs.preflight import confirm
from krins.runs.publish import read_outcomes
from krins.runs.spending import call_at_worst
from krins.runs.worker import LiveInputs, verifiers
from krins.suite import LiveEnvironment

_CHARS_A_TOKEN = 4


def report_judge(
    environment: LiveEnvironment,
    judge: str | None,
    execution: Execution,
    cache: Path | None,
    recordings: Sequence[Path] = (),
) -> JudgeReport:
    """Measure one of a suite's models as a judge on all changes that are kept beside its tasks.

    `recordings`: files whose answers to these tasks it is measured on too, those of other models.

    Raises:
        SuiteError: there is no such model. UserError: there are no known changes, or they may cost more than may go
            on without `--yes`. TableError: a recording cannot be read, or its answers are none to these tasks.
        ModelFault, BudgetExhausted, SandboxMissing, TaskError: as a run does.
    """
    inputs, warnings = live_inputs(environment, execution.allow_unsafe)
    name = judge or environment.pipeline.judge or environment.models[-1].name
    if name not in inputs.specs:
        raise SuiteError(f"no model {name!r} in this suite", f"name one of {', '.join(inputs.specs)}")
    kept = _kept(inputs)
    if not kept:
        raise UserError("no change is kept beside these tasks", "give tasks with reference/ and wrong_NAME/ folders")
    known = [*kept, *_answers(inputs, name, recordings, verifiers(inputs, choose_sandbox(inputs.allow_unsafe)))]
    confirm(_forecast(inputs, name, known), inputs, execution, warnings)
    execution.progress.begin("changes judged", len(known))
    measured = asyncio.run(_measured(inputs, name, known, cache, execution.progress.advance))
    return summarise(measured[: len(kept)], measured[len(kept) :], name, environment.accept_score_of(name))


def _kept(inputs: LiveInputs) -> list[Known]:
    folder = inputs.environment.tasks
    return [
        Known(coding, name, change, name == REFERENCE)
        for coding in inputs.coding_tasks
        for name, change in kept_changes(folder / coding.task.task_id, coding)
    ]


def _answers(inputs: LiveInputs, judge: str, recordings: Sequence[Path], verifier_of: VerifierOf) -> list[Known]:
    """The changes that other models answered with, as hidden tests judge them now."""
    found = [known for path in recordings for known in _recorded(inputs, judge, path)]
    with ThreadPoolExecutor(os.cpu_count() or 1, "check") as checks:
        verdicts = checks.map(lambda one: verifier_of(one.coding).verify(one.change, one.coding.tests), found)
        return [one._replace(is_right=verdict.quality == 1.0) for one, verdict in zip(found, verdicts, strict=True)]


def _recorded(inputs: LiveInputs, judge: str, path: Path) -> list[Known]:
    """Not judged yet."""
    coding_of = {coding.task.task_id: coding for coding in inputs.coding_tasks}
    outcomes = [one for one in read_outcomes(path) if one.arm != judge and one.task_id in coding_of]
    if not outcomes:
        raise TableError(f"{path}: no answer of another model than {judge} to one of the suite's tasks")
    if not any(found.diff for outcome in outcomes for found in outcome.rounds):
        raise TableError(f"{path}: none of the answers in it holds a change")
    try:
        return [
            Known(coding_of[one.task_id], name, change_of(diff, coding_of[one.task_id].tree), False)
            for one in outcomes
            for name, diff in _diffs(one)
        ]
    except AnswerFault as fault:
        remedy = "give a recording of these tasks as they are now"
        raise TableError(f"{path}: a change in it does not fit its task: {fault.message}", remedy) from None


def _diffs(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for number, found in enumerate(outcome.rounds):
        if found.diff:
            yield f"{outcome.arm}, sample {outcome.sample}, answer {number}", found.diff


def _forecast(inputs: LiveInputs, name: str, known: Sequence[Known]) -> Forecast:
    """Each change takes the calls of a judgement, and one more in the other order."""
    n, now, spec = len(known), time.time(), inputs.specs[name]
    read = sum(len(case.coding.task.prompt) + len(case.change.diff) for case in known) // (_CHARS_A_TOKEN * n)
    expected = call_amount(spec, read, spec.max_output_tokens // 2, now).times(N_CALLS + 1)
    most = max(most_prompt_bytes(case.coding.task.prompt, 4 * len(case.change.diff)) for case in known)
    worst = call_at_worst(inputs, spec, Request.of("x" * most), now).times(N_CALLS + 1)
    every = Estimate(n, n, n)
    return forecast([ArmForecast(name, every, NOTHING, expected, worst, spec.price is not None)], every)


async def _measured(
    inputs: LiveInputs, name: str, known: Sequence[Known], cache: Path | None, advance: Callable[[int], None]
) -> list[Measured]:
    environment = inputs.environment
    ledger = SharedLedger(environment.budget, {})
    store = None if environment.cache is False or cache is None else AnswerStore(cache, environment.cache)
    pool = ModelPool(inputs.specs, ledger, store, SystemClock(), random.Random(), environment.max_concurrency)
    checks = ThreadPoolExecutor(os.cpu_count() or 1, "gates")
    try:
        await pool.check([name])
        gates_of = gates_by_task(choose_sandbox(inputs.allow_unsafe))
        return await measure(known, pool.models[name], name, gates_of, checks, advance)
    finally:
        await pool.close()
        checks.shutdown(cancel_futures=True)
