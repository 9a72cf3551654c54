"""How far a judge can be trusted: its word on known changes, in figures.

Known are the references and wrong changes that are kept beside tasks. Invariants: nothing is asked before its forecast
is agreed to; rates and area have their intervals over tasks; the changes that gates turn down are in them as well, for
the judge is measured alone, and again together with the gates. Left out: choosing the threshold, and the pass rate
without the judge's errors, which needs changes that are not the known ones (`krins.statistics.judging`).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from krins.clock import SystemClock
from krins.domain import Request
from krins.errors import SuiteError, UserError
from krins.interfaces import BoolArray, FloatArray
from krins.models.cache import AnswerStore
from krins.models.forecast import ArmForecast, Estimate, Forecast, call_amount, forecast
from krins.models.ledger import NOTHING
from krins.models.stack import ModelPool
from krins.models.waiting_ledger import SharedLedger
from krins.pipeline.judging.measuring import Known, Measured, measure
from krins.pipeline.judging.size import N_CALLS, most_prompt_bytes
from krins.pipeline.processes import gates_by_task
from krins.pipeline.task_check import REFERENCE, kept_changes
from krins.quality.sandbox import choose_sandbox
from krins.runs.environments import live_inputs
from krins.runs.execution import Execution
from krins.runs.preflight import confirm
from krins.runs.spending import call_at_worst
from krins.runs.worker import LiveInputs
from krins.statistics.clustered import Interval, cluster_codes
from krins.statistics.judging import area_under_curve, calibration, rates
from krins.suite import LiveEnvironment

_CHARS_A_TOKEN = 4


class Share(BaseModel):
    """A mean and its 95% interval over tasks; limits are None where the data cannot give any."""

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float | None
    high: float | None


class JudgeReport(BaseModel):
    model_config = ConfigDict(frozen=True)

    judge: str
    n_right: int
    n_wrong: int
    n_tasks: int
    threshold: float
    is_probability: bool
    """Whether every score is the model's P(yes)."""
    sensitivity: Share | None
    specificity: Share | None
    balanced_accuracy: Share | None
    area_under_curve: Share | None
    specificity_with_gates: Share | None
    """Of gates and judge together: a change that a gate turns down is taken for wrong."""
    sensitivity_with_gates: Share | None
    brier_score: float
    calibration_error: float
    """Expected, in bins of equal numbers."""
    order_effect: float | None
    """Mean distance of the scores where the words are offered the other way round."""
    order_flips: float | None
    """Share of changes that are accepted in one order and not in the other."""
    length_correlation: float | None
    """Of score and length of the diff, by ranks, within right and within wrong changes (Spearman)."""
    cost_usd: Decimal | None
    """Of one judgement, on average; None where a price or usage is unknown."""


def report_judge(
    environment: LiveEnvironment, judge: str | None, execution: Execution, cache: Path | None
) -> JudgeReport:
    """Measure one of a suite's models as a judge on all changes that are kept beside its tasks.

    Raises:
        SuiteError: there is no such model. UserError: there are no known changes, or they may cost more than may go
            on without `--yes`.
        ModelFault, BudgetExhausted, SandboxMissing, TaskError: as a run does.
    """
    inputs, warnings = live_inputs(environment, execution.allow_unsafe)
    name = judge or environment.pipeline.judge or environment.models[-1].name
    if name not in inputs.specs:
        raise SuiteError(f"no model {name!r} in this suite", f"name one of {', '.join(inputs.specs)}")
    known = known_changes(inputs)
    if not known:
        raise UserError("no change is kept beside these tasks", "give tasks with reference/ and wrong_NAME/ folders")
    confirm(_forecast(inputs, name, known), inputs, execution, warnings)
    execution.progress.begin("changes judged", len(known))
    measured = asyncio.run(_measured(inputs, name, known, cache, execution.progress.advance))
    return summarise(measured, name, environment.accept_score_of(name))


def known_changes(inputs: LiveInputs) -> list[Known]:
    folder = inputs.environment.tasks
    return [
        Known(coding, name, change, name == REFERENCE)
        for coding in inputs.coding_tasks
        for name, change in kept_changes(folder / coding.task.task_id, coding)
    ]


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


def summarise(measured: Sequence[Measured], judge: str, threshold: float) -> JudgeReport:
    truths = np.array([one.is_right for one in measured])
    scores = np.array([one.score for one in measured])
    clusters = cluster_codes([one.task_id for one in measured])
    accepts = scores >= threshold
    is_red = np.array([one.is_red for one in measured])
    alone, gated = rates(accepts, truths, clusters), rates(accepts & ~is_red, truths, clusters)
    found = calibration(scores, truths)
    turned = np.array([np.nan if one.score_other_order is None else one.score_other_order for one in measured])
    has_turned = ~np.isnan(turned)
    costs = [call.cost_usd for one in measured for call in one.calls]
    total = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    return JudgeReport(
        judge=judge,
        n_right=int(truths.sum()),
        n_wrong=int((~truths).sum()),
        n_tasks=len(set(clusters.tolist())),
        threshold=threshold,
        is_probability=all(one.is_probability for one in measured),
        sensitivity=_share(alone.sensitivity),
        specificity=_share(alone.specificity),
        balanced_accuracy=_share(alone.balanced_accuracy),
        area_under_curve=_share(area_under_curve(scores, truths, clusters)),
        sensitivity_with_gates=_share(gated.sensitivity),
        specificity_with_gates=_share(gated.specificity),
        brier_score=found.brier_score,
        calibration_error=found.expected_error,
        order_effect=float(np.abs(turned - scores)[has_turned].mean()) if has_turned.any() else None,
        order_flips=float(((turned >= threshold) != accepts)[has_turned].mean()) if has_turned.any() else None,
        length_correlation=_length_correlation(scores, truths, np.array([float(one.n_diff_chars) for one in measured])),
        cost_usd=None if total is None else total / len(measured),
    )


def _length_correlation(scores: FloatArray, truths: BoolArray, lengths: FloatArray) -> float | None:
    """Mean of the rank correlations among right and among wrong changes, by their numbers."""
    from scipy.stats import spearmanr

    total, weight = 0.0, 0
    for side in (truths, ~truths):
        if side.sum() > 2 and len(set(scores[side])) > 1 and len(set(lengths[side])) > 1:
            total += int(side.sum()) * float(spearmanr(scores[side], lengths[side]).statistic)
            weight += int(side.sum())
    return total / weight if weight else None


def _share(found: Interval | None) -> Share | None:
    return None if found is None else Share(mean=found.mean, low=found.low, high=found.high)
