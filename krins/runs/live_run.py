"""Play a live suite: every stream in a thread of its own, their attempts together on one event loop.

Streams run the same loop as recorded ones; it waits for a round's outcomes where the other looks them up. Invariants:
the event loop's thread alone touches outcomes and journal; a round's feedback is applied in task order, so the
result does not depend on which answer came first. Left out: making attempts.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from krins.domain import Outcome
from krins.environments.table import UNANSWERED
from krins.errors import BudgetExhausted, ModelFault
from krins.interfaces import IntArray
from krins.router_specs import CHARGED
from krins.routing.build import Ground
from krins.routing.play import Results
from krins.routing.reward import reward_values
from krins.runs.ground import live_ground
from krins.runs.live import OutcomeSource
from krins.runs.plan import Plan, Stream
from krins.runs.progress import Progress
from krins.runs.records import Cell
from krins.runs.router_budget import AtWorst, RouterBudget
from krins.runs.streams import Trajectory, play_stream
from krins.suite import Limit, LiveEnvironment


async def play_live(plan: Plan, source: OutcomeSource, at_worst: AtWorst, progress: Progress) -> list[Trajectory]:
    """All trajectories of the run. Outcomes that `source` knows already are not attempted again.

    `at_worst` says what a decision can cost, for the limit that each router has.

    Raises:
        ModelFault, BudgetExhausted, StorageFault, WorkerFault, TaskError: what stopped the attempts; outcomes so far
            are journalled.
    """
    loop = asyncio.get_running_loop()
    ground = live_ground(plan.suite, source.environment.tasks, source.environment.arms)
    players = [_StreamPlayer(plan, stream, ground, source, at_worst, progress, loop) for stream in plan.streams]
    progress.begin("decisions", plan.n_decisions)
    threads = ThreadPoolExecutor(len(players), "stream")
    try:
        return await asyncio.gather(*(loop.run_in_executor(threads, player.play) for player in players))
    except BudgetExhausted:
        await source.drain()
        raise
    finally:
        source.cancel()  # threads that still wait for an outcome wake up and end
        threads.shutdown(wait=False)


class _StreamPlayer:
    """Plays one stream, in a thread of its own; outcomes come from the event loop's."""

    def __init__(
        self,
        plan: Plan,
        stream: Stream,
        ground: Ground,
        source: OutcomeSource,
        at_worst: AtWorst,
        progress: Progress,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        environment = plan.suite.environment
        limit = environment.budget.router if isinstance(environment, LiveEnvironment) else Limit()
        self._plan, self._stream, self._source, self._progress, self._loop = plan, stream, source, progress, loop
        self._budget = RouterBudget(limit, plan.suite.routers[stream.router].label, at_worst)
        self._ground = ground
        self._task_ids = [task.task_id for task in source.environment.tasks]
        self._arm_names = [arm.name for arm in source.environment.arms]

    def play(self) -> Trajectory:
        return play_stream(self._plan, self._stream, self._ground, self._results)

    def _results(self, task_index: IntArray, arm_index: IntArray, draws: IntArray) -> Results:
        rounds = [
            [Cell(self._task_ids[task], self._arm_names[arm], draw) for task, arm, draw in decisions]
            for decisions in np.stack([task_index, arm_index, draws], axis=-1).transpose(1, 0, 2).tolist()
        ]
        """By replication: the cells of its decisions in this round."""
        reserved = [self._budget.reserve(replication, cells) for replication, cells in enumerate(rounds)]
        outcomes = self._outcomes([cell for cells in rounds for cell in cells])
        by_replication = [outcomes[i : i + len(task_index)] for i in range(0, len(outcomes), len(task_index))]
        for reservation, some in zip(reserved, by_replication, strict=True):
            self._budget.settle(reservation, some)
        reward = self._plan.suite.reward
        for outcome in outcomes:
            self._check_cost(outcome)
        values = [[_values(outcome) for outcome in some] for some in by_replication]
        quality, cost_usd, latency_seconds, is_answered = np.array(values).transpose(2, 1, 0)
        rewards = reward_values(reward, quality, cost_usd, latency_seconds)
        return Results(np.where(is_answered, rewards, np.nan), quality, cost_usd)

    def _check_cost(self, outcome: Outcome) -> None:
        """
        Raises:
            ModelFault: the server did not tell the usage, and the router learns from the cost.
        """
        router = self._plan.suite.routers[self._stream.router]
        needs_cost = self._plan.suite.reward.per_usd or isinstance(router, CHARGED)
        if needs_cost and outcome.cost_usd is None and not _is_unanswered(outcome):
            raise ModelFault(
                f"the server of {outcome.arm} does not tell how many tokens an answer took, so its cost is unknown",
                "use a server that reports `usage`, or a reward and routers that do not look at the cost",
            )

    def _outcomes(self, cells: list[Cell]) -> list[Outcome]:
        found = asyncio.run_coroutine_threadsafe(self._source.outcomes(cells), self._loop).result()
        self._loop.call_soon_threadsafe(self._progress.advance, len(cells))
        return found


def _values(outcome: Outcome) -> tuple[float, float, float, float]:
    """Quality, cost in US dollars, latency in seconds, and 1 where there was an answer to judge, else 0."""
    cost_usd = np.nan if outcome.cost_usd is None else float(outcome.cost_usd)
    latency_seconds = np.nan if outcome.latency_seconds is None else outcome.latency_seconds
    return outcome.quality, cost_usd, latency_seconds, float(not _is_unanswered(outcome))


def _is_unanswered(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.kind in UNANSWERED
