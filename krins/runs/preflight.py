"""What a live run or recording will cost, forecast before the first paid call, and whether it may begin.

An answer is expected to take as many tokens of input as a quarter of its prompt's bytes, those of its context among
them, and half of the output that it may, and a pipeline to take all its rounds; that is a rule of thumb. `low` and
`high` are bounds: all answers out of the cache or never asked for, and every call that layers may make at its worst, or
what the budget leaves if that is less.
Routers that choose are expected to spread evenly. Invariant: nothing is asked. Left out: the arithmetic
(`krins.models.forecast`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal

from krins.errors import UserError
from krins.models.forecast import ArmForecast, Estimate, Forecast, call_amount, forecast
from krins.models.ledger import NOTHING
from krins.models.worst_case import most_input_tokens
from krins.pipeline.judging.size import N_CALLS
from krins.router_specs import FixedRouter
from krins.runs.execution import Execution
from krins.runs.plan import Plan
from krins.runs.spending import decision_at_worst
from krins.runs.worker import LiveInputs

_BYTES_A_TOKEN = 4
_SHARE_OF_OUTPUT = 2


def forecast_run(plan: Plan, inputs: LiveInputs) -> Forecast:
    """Each answer is asked once, however many routers want it."""
    n_cells = plan.n_steps * plan.suite.n_replications
    fixed = {router.model for router in plan.suite.routers if isinstance(router, FixedRouter)}
    n_free = sum(not isinstance(router, FixedRouter) for router in plan.suite.routers)
    n_others = sum(arm.name not in fixed for arm in inputs.arms)
    # A cell is wanted by some free router with this probability, were they all to choose at random.
    wanted = 1 - (1 - 1 / len(inputs.arms)) ** n_free
    arms = []
    for arm in inputs.arms:
        is_fixed = arm.name in fixed
        most = n_cells if is_fixed or n_free else 0
        expected = n_cells if is_fixed else round(n_cells * wanted)
        arms.append(_arm(inputs, arm.name, Estimate(n_cells if is_fixed else 0, expected, most)))
    n_fixed = n_cells * (len(inputs.arms) - n_others)
    most = n_fixed + n_cells * min(n_free, n_others)
    return forecast(arms, Estimate(n_fixed, n_fixed, most))


def forecast_recording(inputs: LiveInputs) -> Forecast:
    """Every model is asked every task as often as the suite has samples."""
    n_cells = len(inputs.tasks) * inputs.environment.samples
    arms = [_arm(inputs, arm.name, Estimate(n_cells, n_cells, n_cells)) for arm in inputs.arms]
    total = n_cells * len(arms)
    return forecast(arms, Estimate(total, total, total))


def _arm(inputs: LiveInputs, name: str, decisions: Estimate) -> ArmForecast:
    now, spec = time.time(), inputs.specs[name]
    sizes = {task.task_id: most_input_tokens(inputs.request(task.task_id)) for task in inputs.tasks}
    inputs_a_task = sum(sizes.values()) // (len(sizes) * _BYTES_A_TOKEN)
    expected = call_amount(spec, inputs_a_task, spec.max_output_tokens // _SHARE_OF_OUTPUT, now)
    if inputs.environment.pipeline.mode != "direct":
        judge = inputs.specs[inputs.environment.judge_of(name)]
        n_rounds = 1 + inputs.environment.pipeline.rounds
        one = call_amount(judge, inputs_a_task, judge.max_output_tokens // _SHARE_OF_OUTPUT, now)
        n_written = inputs.environment.pipeline.mode == "spec"  # tests, once
        expected = expected.times(n_rounds + n_written) + one.times(N_CALLS * n_rounds)
    worst = decision_at_worst(inputs, max(sizes, key=lambda task_id: sizes[task_id]), name, now)
    return ArmForecast(name, decisions, NOTHING, expected, worst, spec.price is not None)


def describe_forecast(found: Forecast) -> str:
    expected, high = found.expected, found.high
    text = (
        f"forecast: about {_dollars(expected.usd)}, at most {_dollars(high.usd)} if every call takes its worst and is "
        f"tried again; about {expected.calls:,} calls, at most {high.calls:,}"
    )
    return f"{text}; without what {', '.join(found.unpriced)} cost" if found.unpriced else text


def confirm(found: Forecast, inputs: LiveInputs, execution: Execution, warnings: Sequence[str]) -> None:
    """Say the forecast, and stop here where it can pass what the suite lets go on without a word.

    Raises:
        UserError: it can, and nobody said `--yes`.
    """
    for warning in warnings:
        execution.progress.say(f"warning: {warning}")
    execution.progress.say(describe_forecast(found))
    budget = inputs.environment.budget
    stated = budget.run.usd if execution.budget_usd is None else execution.budget_usd
    limits = [stated, budget.suite.usd]
    most = min([found.high.usd, *(limit for limit in limits if limit is not None)])
    threshold = budget.confirm_above_usd
    if threshold is not None and most > threshold and not execution.is_confirmed:
        raise UserError(
            f"this can cost up to {_dollars(most)}, more than budget.confirm_above_usd ({_dollars(threshold)})",
            "go on with --yes, or set a limit with --budget-usd that you would pay without asking",
        )


def _dollars(usd: Decimal) -> str:
    return f"${usd:.2f}" if usd >= 1 else f"${Decimal(f'{usd:.2g}'):f}"
