"""Ask the live environment for outcomes: each cell once, many at a time, each durable before it counts.

Invariants: a cell that several routers want is attempted and paid for once; what is about to be paid is journalled
before it is dispatched, and an outcome is journalled before anyone sees it, so a killed process loses at most the
attempts that were in flight. Infrastructure that fails an arm three times running stops the run, and so does a budget
that has no room for the least call of any arm: a table full of failures helps nobody, and `--resume` tries attempts
without an answer again. What is in flight when the budget ends is waited for, since it is paid. Left out: which cells
are wanted (by routers, or by a recording).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from krins.domain import Failure, FailureKind, Outcome
from krins.environments.table import UNANSWERED
from krins.errors import BudgetExhausted, ModelFault, SandboxFault, WorkerFault
from krins.interfaces import Environment
from krins.runs.journal import JournalWriter
from krins.runs.progress import Progress
from krins.runs.records import Cell, Dispatched, Observed, Record

_MAX_CONSECUTIVE_FAULTS = 3
_RESTART_WAITS_SECONDS = (1, 2, 4, 8, 16, 32)


class WorkerDied(Exception):
    """An attempt was lost with its worker: it may have been paid for."""


class Before(NamedTuple):
    """What a journal tells of a run that is gone on with."""

    outcomes: Sequence[Outcome] = ()
    """All that were journalled, in their order."""
    cut_off: Collection[Cell] = ()
    """Attempted, without an outcome."""
    started_at_seconds: float = 0.0
    """Since the epoch."""


class GroupCommit:
    """Makes records durable; those that arrive while the disk is busy share its next sync."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal
        self._lock = asyncio.Lock()
        self._appended = self._committed = 0

    async def durable(self, records: Iterable[Record]) -> None:
        for record in records:
            self._journal.append(record.model_dump(mode="json"))
            self._appended += 1
        mine = self._appended
        async with self._lock:
            if self._committed < mine:
                taken = self._appended
                await asyncio.to_thread(self._journal.commit)
                self._committed = taken


class OutcomeSource:
    """Outcomes by cell: known ones at once, others by attempting them."""

    def __init__(
        self,
        environment: Environment,
        journal: GroupCommit,
        before: Before,
        max_concurrency: int,
        progress: Progress,
        can_go_on: Callable[[], Awaitable[bool]],
    ) -> None:
        """`can_go_on`: whether the budget has room for any further call."""
        self.environment, self._journal, self._progress = environment, journal, progress
        self._can_go_on = can_go_on
        self._exhausted: BudgetExhausted | None = None
        self._tasks = {task.task_id: task for task in environment.tasks}
        self._arms = {arm.name: arm for arm in environment.arms}
        self._slots = asyncio.Semaphore(max_concurrency)
        self._futures: dict[Cell, asyncio.Task[None]] = {}
        self._is_cancelled = False
        self._faults: Counter[str] = Counter()
        self.observed: dict[Cell, Outcome] = {}
        self.billed_usd = Decimal(0)
        """Paid for all that was observed, as far as servers told, and at its worst case where they did not."""
        self.n_lost = 0
        """Attempts that died with their worker and were made again."""
        self._started_at_seconds, self._cut_off = before.started_at_seconds, set(before.cut_off)
        for outcome in before.outcomes:
            self._bill(outcome)
            if not _unanswered(outcome):
                self.observed[cell_of(outcome)] = outcome

    async def outcomes(self, cells: Sequence[Cell]) -> list[Outcome]:
        """The outcomes of `cells`, in their order.

        Raises:
            ModelFault: a model gave no answer several times running.
            BudgetExhausted: the budget has no room for the least call of any arm.
            StorageFault: the journal cannot be written.
            WorkerFault: workers died again and again.
            CancelledError: the source was cancelled.
        """
        if self._is_cancelled:
            raise asyncio.CancelledError
        wanted = [cell for cell in dict.fromkeys(cells) if cell not in self.observed and cell not in self._futures]
        for cell in wanted:
            self._futures[cell] = asyncio.create_task(self._obtain(cell))
        pending = {cell: self._futures[cell] for cell in cells if cell not in self.observed}
        await asyncio.gather(*pending.values())
        return [self.observed[cell] for cell in cells]

    async def _obtain(self, cell: Cell) -> None:
        async with self._slots:
            if self._exhausted:
                raise self._exhausted
            outcome = await self._attempt_durably(cell)
        if outcome.failure is not None and outcome.failure.kind is FailureKind.BUDGET:
            await self._stop_when_spent(outcome.failure)
        self._stop_on_faults(outcome)
        self.observed[cell] = outcome

    async def _attempt_durably(self, cell: Cell) -> Outcome:
        for wait_seconds in _RESTART_WAITS_SECONDS:
            correlation_id = secrets.token_hex(16)
            await self._journal.durable([Dispatched(cells=[cell], correlation_ids=[correlation_id])])
            task, arm = self._tasks[cell.task_id], self._arms[cell.arm]
            try:
                outcome = await self.environment.attempt(task, arm, cell.sample, correlation_id)
            except WorkerDied:
                self.n_lost += 1
                self._cut_off.add(cell)
                await asyncio.sleep(wait_seconds)  # its successor takes some seconds to start
            else:
                if cell in self._cut_off:
                    outcome = self._as_paid(outcome)
                await self._journal.durable([Observed(outcome=outcome)])
                self._bill(outcome)
                return outcome
        raise WorkerFault(
            f"workers died {len(_RESTART_WAITS_SECONDS)} times while attempting {cell}",
            "see what kills them (memory?), then go on with --resume, perhaps with --workers 0",
        )

    def _as_paid(self, outcome: Outcome) -> Outcome:
        """An attempt of this run that was cut off may have come so far as to put its answer into the cache: out of
        there it costs nothing, and yet this run has paid for it."""
        calls = [
            replace(call, billed_usd=call.cost_usd, billed_tokens=call.usage.tokens if call.usage else 0)
            if call.is_cached and call.started_at_seconds >= self._started_at_seconds
            else call
            for call in outcome.calls
        ]
        return replace(outcome, calls=tuple(calls))

    def _bill(self, outcome: Outcome) -> None:
        self.billed_usd += outcome.billed_usd
        self._progress.spend(self.billed_usd)

    def cancel(self) -> None:
        """Give up every attempt under way, and take no more."""
        self._is_cancelled = True
        for future in self._futures.values():
            future.cancel()

    async def drain(self) -> None:
        """Wait for what is in flight, and for what must not begin any more to be told so."""
        await asyncio.gather(*self._futures.values(), return_exceptions=True)

    async def _stop_when_spent(self, failure: Failure) -> None:
        """A call that found no room is a row of its own while the budget has room for another one."""
        if await self._can_go_on():
            return
        self._exhausted = BudgetExhausted(
            f"the budget has no room for the least call of any model: {failure.message}",
            "raise environment.budget of a new run, or give this one more with --budget-usd when going on with it",
        )
        raise self._exhausted

    def _stop_on_faults(self, outcome: Outcome) -> None:
        failure = outcome.failure
        if failure is None or failure.kind is not FailureKind.INFRASTRUCTURE:
            self._faults[outcome.arm] = 0
            return
        self._faults[outcome.arm] += 1
        if self._faults[outcome.arm] >= _MAX_CONSECUTIVE_FAULTS:
            error = SandboxFault if outcome.attempts else ModelFault
            raise error(
                f"{failure.message} ({self._faults[outcome.arm]} attempts running failed like this)",
                "see to it, then go on with --resume; every outcome so far is kept",
            )


def cell_of(outcome: Outcome) -> Cell:
    return Cell(outcome.task_id, outcome.arm, outcome.sample)


def _unanswered(outcome: Outcome) -> bool:
    """Or not judged: what had answers is taken up again too, and those come out of the cache where there is one."""
    return outcome.failure is not None and outcome.failure.kind in UNANSWERED
