"""What a live run may still spend: its ledger, opened with all that was spent before.

Invariants: what other runs of the suite spent counts against the suite's limit, finished or not, and while a run has
such a limit no other run of the suite may spend; an attempt that was cut off counts at the worst case of all its calls.
Left out: the ledger itself (`krins.models.ledger`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import NamedTuple

from filelock import FileLock, Timeout

from krins.domain import Outcome, Request
from krins.errors import KrinsError, RunError
from krins.models.catalogue import check_prices
from krins.models.ledger import NOTHING, RUN, SUITE, Amount
from krins.models.spec import ModelSpec
from krins.models.worst_case import most_input_tokens, worst_case
from krins.pipeline.judging.size import N_CALLS, most_prompt_bytes
from krins.pipeline.proposing import MOST_FINDINGS_BYTES
from krins.runs.history.brief import read_brief
from krins.runs.session import RunLog, Session, read_run
from krins.runs.store import Store
from krins.runs.worker import LiveInputs
from krins.suite import Budget, Limit, LiveEnvironment, Suite

_BYTES_A_TOKEN = 4


def spent_on(outcomes: Iterable[Outcome]) -> Amount:
    """What was paid for all calls of `outcomes`; answers out of the cache cost nothing."""
    total = NOTHING
    for outcome in outcomes:
        calls = sum(1 for call in outcome.calls if not call.is_cached)
        total = total + Amount(outcome.billed_usd, sum(call.billed_tokens for call in outcome.calls), calls)
    return total


def decision_at_worst(inputs: LiveInputs, task_id: str, arm: str, now_seconds: float) -> Amount:
    """The most that one decision can cost: every call that its pipeline and the layers of its models may make, each at
    its worst case. Earlier answers in a prompt count as many bytes as tokens were allowed for them, four times over."""
    request, spec, pipeline = inputs.request(task_id), inputs.specs[arm], inputs.environment.pipeline
    if pipeline.mode == "direct":
        return call_at_worst(inputs, spec, request, now_seconds)
    size = most_input_tokens(request)
    turn = _BYTES_A_TOKEN * spec.max_output_tokens + MOST_FINDINGS_BYTES
    judge = inputs.specs[inputs.environment.judge_of(arm)]
    prompt, tree_bytes = inputs.material(task_id)
    judging = call_at_worst(inputs, judge, _padded(most_prompt_bytes(prompt, tree_bytes + turn)), now_seconds)
    total = NOTHING if pipeline.mode != "spec" else call_at_worst(inputs, spec, _padded(size + turn), now_seconds)
    for round_ in range(1 + pipeline.rounds):
        n_turns = round_ + (pipeline.mode == "spec")
        total = total + call_at_worst(inputs, spec, _padded(size + n_turns * turn), now_seconds)
        total = total + judging.times(N_CALLS)
    return total


def _padded(n_bytes: int) -> Request:
    return Request.of("x" * n_bytes)


def call_at_worst(inputs: LiveInputs, spec: ModelSpec, request: Request, now_seconds: float) -> Amount:
    """The most that one question can cost, with every call that the layers of its model may make."""
    total = NOTHING
    for link in [spec, *(inputs.specs[name] for name in spec.fallback)]:
        total = total + worst_case(request, link, now_seconds).times(_calls_at_most(link))
    return total


def _calls_at_most(spec: ModelSpec) -> int:
    return spec.settings.max_tries * (2 if spec.settings.hedge_after_seconds is not None else 1)


class Purse(NamedTuple):
    """What a ledger is opened with."""

    budget: Budget
    spent: dict[str, Amount]
    """By scope: what was spent before."""


@contextmanager
def open_purse(session: Session, inputs: LiveInputs, run_usd: Decimal | None) -> Iterator[Purse]:
    """The budget of a run, for as long as it may spend. `run_usd`: another limit for the run than the suite's.

    Raises:
        RunError: another run of the suite is spending from the suite's budget.
        SuiteError: a model without a price cannot be kept within `run_usd`.
    """
    budget, suite, store = inputs.environment.budget, session.log.started.suite, session.store
    if run_usd is not None:
        budget = budget.model_copy(update={"run": budget.run.model_copy(update={"usd": run_usd})})
        check_prices(inputs.specs.values(), budget)
    before = spent_before(session.log, inputs, time.time())
    if not budget.suite.is_set:
        yield Purse(budget, {RUN: before})
        return
    with _suite_lock(store, suite):
        yield Purse(budget, {RUN: before, SUITE: before + _spent_elsewhere(store, suite, session.run_id)})


def spent_before(log: RunLog, inputs: LiveInputs, now_seconds: float) -> Amount:
    """What this run spent before it was resumed, attempts that were cut off at their worst.

    Each was made within the suite's limit of a task, and all together within that of the run, unless the known calls
    alone have passed it: then it was given another one.
    """
    budget, known, lost = inputs.environment.budget, spent_on(log.observed), NOTHING
    for cell, n_lost in log.unaccounted.items():
        worst = decision_at_worst(inputs, cell.task_id, cell.arm, now_seconds)
        lost = lost + _within(worst, budget.task, NOTHING).times(n_lost)
    has_another = budget.run.usd is not None and known.usd > budget.run.usd
    return known + (lost if has_another else _within(lost, budget.run, known))


def _within(amount: Amount, limit: Limit, spent: Amount) -> Amount:
    """At most what `limit` leaves beside `spent`."""
    return Amount(
        amount.usd if limit.usd is None else min(amount.usd, max(limit.usd - spent.usd, Decimal(0))),
        amount.tokens if limit.tokens is None else min(amount.tokens, max(limit.tokens - spent.tokens, 0)),
        amount.calls if limit.calls is None else min(amount.calls, max(limit.calls - spent.calls, 0)),
    )


def _spent_elsewhere(store: Store, suite: Suite, run_id: str) -> Amount:
    """What other runs and recordings of suites of this name spent, as their journals tell."""
    total = NOTHING
    for other in store.run_ids():
        if other == run_id:
            continue
        with suppress(KrinsError):  # the history names journals that cannot be read
            started = read_brief(store, other).started.suite
            if started.name == suite.name and isinstance(started.environment, LiveEnvironment):
                total = total + spent_on(read_run(store, other).observed)
    return total


@contextmanager
def _suite_lock(store: Store, suite: Suite) -> Iterator[None]:
    lock = FileLock(store.home / f"budget-{suite.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"another run of suite {suite.name} is spending from the suite's budget",
            "wait for it to end, or take budget.suite out of the suite",
        ) from None
    try:
        yield
    finally:
        lock.release()
