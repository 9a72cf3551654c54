"""Play a live suite: every stream in a thread of its own, their attempts together on one event loop.

Streams run the same loop as recorded ones; it waits for a round's outcomes where the other looks them up. Invariants:
the event loop's thread alone touches outcomes and journal; a round's feedback is applied in task order, so the
result does not depend on which answer came first. Left out: making attempts.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from krins.domain import FailureKind, Outcome
from krins.errors import ModelFault
from krins.interfaces import FloatArray, IntArray
from krins.runs.live import OutcomeSource
from krins.runs.plan import Plan, Stream
from krins.runs.progress import Progress
from krins.runs.records import Cell
from krins.runs.streams import Trajectory, play_stream
from krins.suite import Reward


async def play_live(plan: Plan, source: OutcomeSource, progress: Progress) -> list[Trajectory]:
    """All trajectories of the run. Outcomes that `source` knows already are not attempted again.

    Raises:
        ModelFault, StorageFault, WorkerFault, TaskError: what stopped the attempts; outcomes so far are journalled.
    """
    loop = asyncio.get_running_loop()
    task_ids = [task.task_id for task in source.environment.tasks]
    arm_names = [arm.name for arm in source.environment.arms]
    progress.begin("decisions", plan.n_decisions)

    def rewards(task_index: IntArray, arm_index: IntArray, draws: IntArray) -> FloatArray:
        cells = [
            Cell(task_ids[task], arm_names[arm], draw)
            for task, arm, draw in zip(
                task_index.ravel().tolist(), arm_index.ravel().tolist(), draws.ravel().tolist(), strict=True
            )
        ]
        outcomes = asyncio.run_coroutine_threadsafe(source.outcomes(cells), loop).result()
        loop.call_soon_threadsafe(progress.advance, len(cells))
        values = [reward_of(outcome, plan.suite.reward) for outcome in outcomes]
        return np.array(values).reshape(task_index.shape)

    def play(stream: Stream) -> Trajectory:
        # Live answers are judged pass or fail, so the reward is 0 or 1 where it is quality alone.
        return play_stream(plan, stream, arm_names, plan.suite.reward.is_quality_alone, rewards)

    threads = ThreadPoolExecutor(len(plan.streams), "stream")
    try:
        return await asyncio.gather(*(loop.run_in_executor(threads, play, stream) for stream in plan.streams))
    finally:
        source.cancel()  # threads that still wait for an outcome wake up and end
        threads.shutdown(wait=False)


def reward_of(outcome: Outcome, reward: Reward) -> float:
    """The reward of one outcome; NaN, which is not learnt from, where there was no answer to judge.

    Raises:
        ModelFault: the reward depends on the cost, and the server did not tell the usage.
    """
    if outcome.failure is not None and outcome.failure.kind is FailureKind.INFRASTRUCTURE:
        return np.nan
    if outcome.cost_usd is None and reward.per_usd:
        raise ModelFault(
            f"the server of {outcome.arm} does not tell how many tokens an answer took, so its cost is unknown",
            "use a server that reports `usage`, or take per_usd out of the suite's reward",
        )
    value = reward.quality * outcome.quality - reward.per_usd * float(outcome.cost_usd or 0)
    return value if reward.floor is None else max(value, reward.floor)
